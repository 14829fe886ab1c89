package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

// timeCharts are the charts over time: load, success, the end of the faults, what is under way, breakers and budgets.
func timeCharts(s simulate.Scenario, runs []Run) []chart {
	length := lengthOf(runs)
	if length == 0 {
		return nil
	}
	x := timeAxis(0, float64(length))
	bands := faultBands(runs)
	charts := loadCharts(runs, x)
	charts = append(charts, chart{
		ID: "success", Title: "Success", Group: "time", X: x,
		Note:   "The share of the calls that end in a second which succeed. Where the line has a gap no call ended.",
		Y:      axis{Name: "calls that succeed", Unit: share, Max: new(1.0)},
		Series: perRun(runs, "", "", successOf),
	})
	switch fine, ok := fineChart(s, runs); {
	case ok && length <= burst:
		charts = slices.Insert(charts, 0, fine)
	case ok && locks(s):
		charts = append(charts, fine)
	default:
		if c, ok := endChart(runs, x); ok {
			charts = append(charts, c)
		}
	}
	charts = append(charts, chart{
		ID: "underway", Title: "Under way and waiting", Group: "time", X: x,
		Note: "At the start of each second.",
		Y:    axis{Name: "attempts or calls", Unit: number},
		Series: slices.Concat(
			perRun(runs, "attempts in flight", "", count(func(s simulate.Second) float64 { return float64(s.InFlight) })),
			used(perRun(runs, "attempts held by breakers", "dashed", count(func(s simulate.Second) float64 { return float64(s.Held) }))),
			used(perRun(runs, "calls waiting at gates", "dotted", count(func(s simulate.Second) float64 { return float64(s.Waiting) }))),
		),
	})
	breakers := slices.Concat(
		used(perRun(runs, "open", "", count(func(s simulate.Second) float64 { return float64(s.Open) }))),
		used(perRun(runs, "half-open", "dashed", count(func(s simulate.Second) float64 { return float64(s.HalfOpen) }))),
	)
	if len(breakers) > 0 {
		charts = append(charts, chart{
			ID: "breakers", Title: "Breakers", Group: "time", X: x, Series: breakers,
			Note: "Of all processes, at the start of each second.",
			Y:    axis{Name: "breakers", Unit: number, Whole: true},
		})
	}
	refused := used(perRun(runs, "", "", count(func(s simulate.Second) float64 { return float64(s.RefusedLocally) })))
	if len(refused) > 0 {
		charts = append(charts, chart{
			ID: "local", Title: "Calls ended by a breaker or at a gate", Group: "time", X: x, Series: refused,
			Note: "The backend was not asked, or not once more.",
			Y:    axis{Name: "calls per second", Unit: number},
		})
	}
	tokens := used(perRun(runs, "", "", count(func(s simulate.Second) float64 { return s.Tokens })))
	if len(tokens) > 0 && runs[0].Result.Played <= 1 { // a sum over several times does not say of how many that have not ended
		charts = append(charts, chart{
			ID: "budget", Title: "Retry budget", Group: "time", X: x, Series: tokens,
			Note: "The tokens in hand, of all processes. Without tokens there are no retries.",
			Y:    axis{Name: "tokens", Unit: number},
		})
	}
	for i := range charts {
		if charts[i].Bands == nil {
			charts[i].Bands = bands
		}
	}
	return charts
}

// lengthOf returns for how many seconds something happens, or how long the runs are if that is not much longer.
func lengthOf(runs []Run) int {
	length, busy := 0, 0
	for _, run := range runs {
		for i, s := range run.Result.Timeline {
			length = max(length, i+1)
			if s.Offered+s.Sent+s.Succeeded+s.Failed+s.InFlight+s.Held+s.Waiting > 0 {
				busy = max(busy, i+2)
			}
		}
	}
	if 4*busy < 3*length {
		return busy
	}
	return length
}

// loadCharts shows calls and attempts, a chart for each run, on the same scale.
func loadCharts(runs []Run, x axis) []chart {
	var charts []chart
	top := 0.0
	for i, run := range runs {
		c := chart{
			ID: fmt.Sprintf("load%d", i), Title: "Load", Group: "time", X: x,
			Note: "What is asked for, what the backend is sent for it, and what comes of it." + averaged(run.Result),
			Y:    axis{Name: "per second", Unit: number},
		}
		if len(runs) > 1 {
			c.Title = "Load: " + run.Name
			if i > 0 {
				c.Note = "On the same scale."
			}
		}
		for _, s := range []struct {
			name, color, dash string
			of                func(simulate.Second) int
		}{
			{"calls that succeed", "good", "", func(s simulate.Second) int { return s.Succeeded }},
			{"calls that begin", "soft", "dashed", func(s simulate.Second) int { return s.Offered }},
			{"attempts sent", "a", "", func(s simulate.Second) int { return s.Sent }},
			{"attempts refused by the backend as too many", "b", "dotted", func(s simulate.Second) int { return s.Refused }},
		} {
			line := series{Name: s.name, Color: s.color, Dash: s.dash, Steps: true, Fill: s.color == "good"}
			line.Points = rows(run.Result, count(func(row simulate.Second) float64 {
				return float64(s.of(row))
			}))
			for _, p := range line.Points {
				top = max(top, *p.Y)
			}
			if s.color != "b" || len(used([]series{line})) > 0 {
				c.Series = append(c.Series, line)
			}
		}
		c.Marks = recoveryMarks([]Run{run})
		charts = append(charts, c)
	}
	if len(charts) > 1 {
		top = nice(1.1 * top)
		for i := range charts {
			charts[i].Y.Max = &top
		}
	}
	return charts
}

// burst is how many seconds a chart by the second needs to show more than a few steps.
const burst = 10

func locks(s simulate.Scenario) bool {
	return slices.ContainsFunc(s.Faults, func(f simulate.Fault) bool { return f.Kind == simulate.Lock })
}

// fineChart is what happens around the end of the faults, in steps too short for the charts over all of the time.
func fineChart(s simulate.Scenario, runs []Run) (chart, bool) {
	c := chart{ID: "fine", Title: "Attempts around the end of the faults", Y: axis{Name: "attempts", Unit: number}}
	if locks(s) {
		c.Title = "Attempts around the unlock"
	}
	for i, run := range runs {
		all := run.Result.FaultsEnd
		if len(all) < 2 {
			continue
		}
		step := all[1].At - all[0].At
		from, to := all[0].At.Seconds(), (all[len(all)-1].At + step).Seconds()
		c.X = axis{Name: "time from the end of the faults", Unit: duration, Step: 0.5, Min: &from, Max: &to}
		c.Note = fmt.Sprintf("How many are sent in each %s.", short(step))
		if run.Result.Played > 1 {
			c.Note += fmt.Sprintf(" The average of the %d times that the scenario was played, each moved so that its faults end at 0.", run.Result.Played)
		}
		line := series{Name: run.Name, Color: runColors[i%len(runColors)], Steps: true, Wide: len(runs) > 1 && i == 0}
		if len(runs) == 1 {
			line.Name = "attempts sent"
		}
		for _, row := range all {
			p := point{X: row.At.Seconds()}
			if row.Played > 0 {
				p.Y = new(math.Round(float64(row.Sent)/float64(row.Played)*1e4) / 1e4)
			}
			line.Points = append(line.Points, p)
		}
		line.Points = append(line.Points, point{X: to, Y: line.Points[len(line.Points)-1].Y})
		c.Series = append(c.Series, line)
	}
	c.Series = used(c.Series)
	if len(c.Series) == 0 {
		return chart{}, false
	}
	c.Bands = []band{{"", *c.X.Min, 0}}
	return c, true
}

// endChart is the load around the end of the faults, closer.
func endChart(runs []Run, whole axis) (chart, bool) {
	end := time.Duration(0)
	for _, run := range runs {
		for _, w := range run.Result.Faults {
			if w.To < run.Result.Duration {
				end = max(end, w.To)
			}
		}
	}
	if end == 0 {
		return chart{}, false
	}
	const before, after, most = 10, 30, 120 // seconds; the recovery is shown if it is not too late
	from := max(math.Floor(end.Seconds())-before, 0)
	to := end.Seconds() + after
	marks := recoveryMarks(runs)
	for _, m := range marks {
		if m.At+before <= end.Seconds()+most {
			to = max(to, m.At+before)
		}
	}
	to = min(math.Ceil(to), *whole.Max)
	marks = slices.DeleteFunc(marks, func(m mark) bool { return m.At > to })
	if len(runs) == 1 && to-from > 0.75**whole.Max {
		return chart{}, false // the chart of the load shows as much
	}
	c := chart{
		ID: "end", Title: "Attempts around the end of the faults", X: timeAxis(from, to),
		Y:     axis{Name: "per second", Unit: number},
		Marks: marks,
	}
	within := func(all []point) []point {
		all = slices.DeleteFunc(all, func(p point) bool { return p.X < from || p.X >= to })
		if n := len(all); n > 0 {
			all = append(all, point{X: min(all[n-1].X+1, to), Y: all[n-1].Y})
		}
		return all
	}
	c.Series = []series{{
		Name: "calls that begin", Color: "soft", Dash: "dashed", Steps: true,
		Points: within(rows(runs[0].Result, count(func(s simulate.Second) float64 { return float64(s.Offered) }))),
	}}
	for _, line := range perRun(runs, "attempts sent", "", count(func(s simulate.Second) float64 { return float64(s.Sent) })) {
		line.Points = within(line.Points)
		c.Series = append(c.Series, line)
	}
	for _, b := range faultBands(runs) {
		if b.From, b.To = max(b.From, from), min(b.To, to); b.From < b.To {
			c.Bands = append(c.Bands, b)
		}
	}
	return c, true
}

// value is what a second comes to in a chart; false: nothing.
type value func(s simulate.Second, played float64) (float64, bool)

// count is a number that is summed over the times that the scenario was played: it is shown for one of them.
func count(of func(simulate.Second) float64) value {
	return func(s simulate.Second, played float64) (float64, bool) { return of(s) / played, true }
}

func successOf(s simulate.Second, _ float64) (float64, bool) {
	ended := s.Succeeded + s.Failed
	return float64(s.Succeeded) / float64(max(ended, 1)), ended > 0
}

// rows are the points of a run, one for each second and one to end the last.
func rows(r simulate.Result, of value) []point {
	points := make([]point, 0, len(r.Timeline)+1)
	for _, s := range r.Timeline {
		p := point{X: float64(s.At)}
		if y, ok := of(s, float64(max(r.Played, 1))); ok {
			p.Y = new(math.Round(y*1e4) / 1e4)
		}
		points = append(points, p)
	}
	if n := len(points); n > 0 {
		points = append(points, point{X: points[n-1].X + 1, Y: points[n-1].Y})
	}
	return points
}

// perRun makes a series for each run. With one run it is named after what it shows, else after the run too.
func perRun(runs []Run, what, dash string, of value) []series {
	all := make([]series, len(runs))
	for i, run := range runs {
		name := what
		switch {
		case what == "":
			name = run.Name
		case len(runs) > 1:
			name = run.Name + ": " + what
		}
		all[i] = series{Name: name, Color: runColors[i%len(runColors)], Dash: dash, Steps: true, Wide: len(runs) > 1 && i == 0, Points: rows(run.Result, of)}
	}
	return all
}

// used leaves out the series that are 0 throughout.
func used(all []series) []series {
	return slices.DeleteFunc(all, func(s series) bool {
		return !slices.ContainsFunc(s.Points, func(p point) bool { return p.Y != nil && *p.Y != 0 })
	})
}

// faultBands are the faults that did not last all the time; both runs have met the same ones.
func faultBands(runs []Run) []band {
	bands := []band{}
	for _, run := range runs {
		for _, w := range run.Result.Faults {
			b := band{words(w.Name), w.From.Seconds(), w.To.Seconds()}
			if (w.From > 0 || w.To < run.Result.Duration) && w.From < w.To && !slices.Contains(bands, b) {
				bands = append(bands, b)
			}
		}
	}
	return bands
}

// recoveryMarks are the moments of recovery, of scenarios that were played once.
func recoveryMarks(runs []Run) []mark {
	var marks []mark
	for i, run := range runs {
		r := run.Result
		if r.Played > 1 || r.Recovery.State != simulate.Recovered || r.Recovery.After == 0 {
			continue
		}
		end := time.Duration(0)
		for _, w := range r.Faults {
			if w.From > 0 || w.To < r.Duration {
				end = max(end, w.To)
			}
		}
		name := "recovered after " + short(r.Recovery.After)
		if len(runs) > 1 {
			name = run.Name + ": " + name
		}
		marks = append(marks, mark{Name: name, At: (end + r.Recovery.After).Seconds(), Color: runColors[i%len(runColors)]})
	}
	return marks
}

// averaged says that numbers are those of one time that the scenario was played.
func averaged(r simulate.Result) string {
	if r.Played <= 1 {
		return ""
	}
	note := fmt.Sprintf(" The average of the %d times that the scenario was played.", r.Played)
	if len(r.Faults) > 0 {
		note += " The faults are shaded as they were the last time."
	}
	return note
}

// nice rounds up to a number that an axis may end with.
func nice(x float64) float64 {
	if x <= 0 {
		return 1
	}
	floor := decade(x)
	for _, f := range []float64{1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8} {
		if x <= f*floor {
			return f * floor
		}
	}
	return 10 * floor
}
