package simulate

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Unit says what a metric's number counts, and how it is written.
type Unit string

const (
	// Share: a part of a whole, from 0 to 1; written "99.9%".
	Share Unit = "share"
	// Ratio: one number for each of another; written "1.2".
	Ratio Unit = "ratio"
	// Count: how many; written "25".
	Count Unit = "count"
	// Time: how long, in seconds; written "700ms".
	Time Unit = "time"
)

// Metric is a number that a [Result] comes to. [Metrics] has them all.
type Metric struct {
	Name   string // as gates call it
	About  string // what it is, in a line
	Unit   Unit
	Better int // 1 if more is better, -1 if less is, 0 if neither

	get func(*Result) (value float64, why string)
}

// Of returns the metric's number for a result; a time is in seconds. If there was nothing to be measured, why says so.
// A recovery that never came is an infinite time.
func (m Metric) Of(r Result) (value float64, why string) { return m.get(&r) }

// Format writes a number of the metric, rounded for people.
func (m Metric) Format(value float64) string {
	switch m.Unit {
	case Share:
		return strconv.FormatFloat(100*value, 'f', 2, 64) + "%"
	case Ratio:
		return strconv.FormatFloat(value, 'f', 2, 64)
	case Time:
		if value > maxTime.Seconds() {
			return "never"
		}
		return short(time.Duration(value * float64(time.Second)))
	case Count:
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// short writes a time in three digits or so.
func short(d time.Duration) string {
	for _, step := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= 10*step {
			return d.Round(step / 10).String()
		}
	}
	return d.Round(time.Microsecond / 10).String()
}

// Metrics returns all metrics.
func Metrics() []Metric { return append([]Metric(nil), metrics...) }

func metricOf(name string) (Metric, bool) {
	for _, m := range metrics {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

var metrics = allMetrics()

func allMetrics() []Metric {
	all := []Metric{
		{"success", "calls that succeed", Share, 1, func(r *Result) (float64, string) { return r.Success, none(r.Calls, "calls") }},
		{"success_before", "those that begin before the faults", Share, 1, phaseShare(func(r *Result) *Phase { return &r.Before })},
		{"success_during", "those that begin during the faults", Share, 1, phaseShare(func(r *Result) *Phase { return &r.During })},
		{"success_after", "those that begin after the faults", Share, 1, phaseShare(func(r *Result) *Phase { return &r.After })},
		{"success_hot", "those on grant 0", Share, 1, func(r *Result) (float64, string) { return r.Hot.Success, none(r.Hot.Calls, "calls on it") }},
		{"success_others", "those on the other grants", Share, 1, func(r *Result) (float64, string) { return r.Others.Success, none(r.Others.Calls, "calls on them") }},
		{"goodput", "calls that succeed in a second", Ratio, 1, func(r *Result) (float64, string) { return r.Goodput, "" }},
		{"amplification", "attempts for each call", Ratio, -1, func(r *Result) (float64, string) { return r.Amplification, none(r.Calls, "calls") }},
		{"amplification_before", "before the faults", Ratio, -1, phaseLoad(func(r *Result) *Phase { return &r.Before })},
		{"amplification_during", "during the faults", Ratio, -1, phaseLoad(func(r *Result) *Phase { return &r.During })},
		{"amplification_after", "in the 30s after the faults", Ratio, -1, phaseLoad(func(r *Result) *Phase { return &r.Aftermath })},
		{"attempts", "attempts that are sent", Count, -1, count(func(r *Result) int { return r.Attempts })},
		{"refused", "attempts that the backend refuses for being too many", Count, -1, count(func(r *Result) int { return r.Refused })},
		{"refused_hot", "those on grant 0", Count, -1, count(func(r *Result) int { return r.Hot.Refused })},
		{"by_breaker", "calls that a breaker refuses", Count, -1, count(func(r *Result) int { return r.ByBreaker })},
		{"by_gate", "calls that end at a gate", Count, -1, count(func(r *Result) int { return r.ByGate })},
		{"peak_in_flight", "attempts under way at once, at most", Count, -1, count(func(r *Result) int { return r.PeakInFlight })},
		{"recovery", "from the end of the faults until calls succeed again, the longest", Time, -1, recoveryTime},
	}
	for _, d := range []struct {
		prefix, about string
		of            func(*Result) *Quantiles
	}{
		{"", "how long calls take that succeed", func(r *Result) *Quantiles { return &r.Latency }},
		{"fail_", "how long calls take that fail", func(r *Result) *Quantiles { return &r.TimeToFail }},
		{"extra_", "from the end of the faults to the answers of calls begun before", func(r *Result) *Quantiles { return &r.Extra }},
	} {
		for _, q := range []struct {
			name, about string
			of          func(*Quantiles) time.Duration
		}{
			{"p50", "half of them", func(q *Quantiles) time.Duration { return q.P50 }},
			{"p90", "90% of them", func(q *Quantiles) time.Duration { return q.P90 }},
			{"p99", "99% of them", func(q *Quantiles) time.Duration { return q.P99 }},
			{"p99.9", "99.9% of them", func(q *Quantiles) time.Duration { return q.P999 }},
			{"max", "all of them", func(q *Quantiles) time.Duration { return q.Max }},
		} {
			all = append(all, Metric{d.prefix + q.name, d.about + ", " + q.about, Time, -1, func(r *Result) (float64, string) {
				return q.of(d.of(r)).Seconds(), none(d.of(r).Count, "such calls")
			}})
		}
	}
	return all
}

// none says that there is nothing to be measured, if n is 0.
func none(n int, what string) string {
	if n == 0 {
		return "there were no " + what
	}
	return ""
}

func phaseShare(of func(*Result) *Phase) func(*Result) (float64, string) {
	return func(r *Result) (float64, string) { return of(r).Success, none(of(r).Calls, "calls then") }
}

func phaseLoad(of func(*Result) *Phase) func(*Result) (float64, string) {
	return func(r *Result) (float64, string) { return of(r).Amplification, none(of(r).Calls, "calls then") }
}

func count(of func(*Result) int) func(*Result) (float64, string) {
	return func(r *Result) (float64, string) { return float64(of(r)), "" }
}

func recoveryTime(r *Result) (float64, string) {
	switch r.Recovery.State {
	case Recovered:
		return r.Recovery.Longest.Seconds(), ""
	case Never:
		return infinite, ""
	case Unknown:
	}
	return 0, "no fault ended before the calls did"
}

// parseValue reads a number as the metric's unit has it written.
func (u Unit) parseValue(text string) (float64, error) {
	switch u {
	case Share:
		number, percent := strings.CutSuffix(text, "%")
		x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if percent {
			x = math.Round(x*1e10) / 1e12 // so that 99.9% is 0.999, and no number beside it
		}
		if err != nil || !(x >= 0 && x <= 1) {
			return 0, fmt.Errorf("want a share such as 99.9%% or 0.999")
		}
		return x, nil
	case Time:
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("want a time such as 700ms")
		}
		return d.Seconds(), nil
	case Ratio, Count:
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x >= 0 && x < infinite) {
		return 0, fmt.Errorf("want a number such as 1.2")
	}
	return x, nil
}
