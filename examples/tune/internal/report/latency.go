package report

import (
	"fmt"
	"math"
	"time"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

// latencyCharts show how long calls took, as shares of the calls that took no longer.
func latencyCharts(runs []Run) []chart {
	var charts []chart
	for _, c := range []struct {
		chart
		of []part
	}{
		{
			chart{
				ID: "latency", Title: "How long calls take",
				Note: "The share of the calls that have ended after a time, retries and pauses included.",
				X:    axis{Name: "time since the call began", Unit: duration},
			},
			[]part{
				{"succeeded", "", func(r simulate.Result) simulate.Quantiles { return r.Latency }},
				{"failed", "dashed", func(r simulate.Result) simulate.Quantiles { return r.TimeToFail }},
			},
		},
		{
			chart{
				ID: "extra", Title: "Extra latency after the faults",
				Note: "Of the calls that were under way when the faults ended: how much later their answers came.",
				X:    axis{Name: "time since the end of the faults", Unit: duration},
			},
			[]part{{"", "", func(r simulate.Result) simulate.Quantiles { return r.Extra }}},
		},
	} {
		least, most := math.Inf(1), 0.0
		for _, part := range c.of {
			for i, run := range runs {
				q := part.of(run.Result)
				if q.Count == 0 || len(q.Curve) == 0 {
					continue
				}
				c.Series = append(c.Series, series{
					Name: label(part.name, run.Name, len(runs)), Color: runColors[i%len(runColors)], Dash: part.dash, Kind: "path", Symbol: "circle", Size: 5,
					Points: curve(q),
				})
				least, most = min(least, q.Curve[0].Seconds()), max(most, q.Max.Seconds())
			}
		}
		if len(c.Series) == 0 {
			continue
		}
		c.Item = true
		c.Y = axis{Name: "calls", Unit: share, Max: new(1.0)}
		floor := 1e-4
		if most > 1 {
			floor = 1e-3
		}
		if least < floor {
			c.Note += fmt.Sprintf(" What took less than %s is shown as that.", short(time.Duration(floor*float64(time.Second))))
			least = floor
		}
		if wide(least, most) {
			logAxis(&c.X, least, most)
			for _, s := range c.Series {
				for i := range s.Points {
					s.Points[i].X = max(s.Points[i].X, *c.X.Min)
				}
			}
		}
		charts = append(charts, c.chart)
	}
	return charts
}

// part is one distribution of a result.
type part struct {
	name, dash string
	of         func(simulate.Result) simulate.Quantiles
}

func label(what, run string, runs int) string {
	switch {
	case what == "":
		return run
	case runs > 1:
		return run + ": " + what
	}
	return what
}

// logAxis makes an axis logarithmic, from a one, two or five to another, around what it shows.
func logAxis(a *axis, least, most float64) {
	floor := decade(least)
	for _, f := range []float64{5, 2} {
		if least >= f*floor {
			floor *= f
			break
		}
	}
	top := decade(most)
	for _, f := range []float64{1, 2, 5, 10} {
		if most <= f*top*(1+1e-9) {
			top *= f
			break
		}
	}
	a.Log, a.Min, a.Max = true, &floor, &top
}

// curve is a distribution as points: every twentieth part, and the far end more closely.
func curve(q simulate.Quantiles) []point {
	var points []point
	add := func(d time.Duration, p float64) {
		points = append(points, at(d.Seconds(), p, fmt.Sprintf("%.4g%% within %s", 100*p, short(d))))
	}
	n := len(q.Curve) - 1
	for i, d := range q.Curve[:n] {
		add(d, float64(i)/float64(n))
	}
	add(q.P99, 0.99)
	add(q.P999, 0.999)
	add(q.Curve[n], 1)
	return points
}
