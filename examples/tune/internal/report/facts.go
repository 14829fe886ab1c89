package report

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

// fact is a line about the scenario, or a few of them.
type fact struct {
	Name  string
	Lines []string
}

// facts say in words what the scenario is.
func facts(s simulate.Scenario) []fact {
	run := []string{fmt.Sprintf("%s of calls, seed %d", short(s.Duration), s.Seed)}
	if s.Repeat > 1 {
		run = append(run, fmt.Sprintf("played %d times, counted together", s.Repeat))
	}
	if s.Processes > 1 {
		run = append(run, fmt.Sprintf("%d processes, each with breakers, budgets and gates of its own", s.Processes))
	}
	all := []fact{{"Run", run}}
	traffic := fact{Name: "Traffic"}
	for _, t := range s.Traffic {
		traffic.Lines = append(traffic.Lines, trafficLine(t))
	}
	faults := fact{Name: "Faults"}
	for _, f := range s.Faults {
		faults.Lines = append(faults.Lines, faultLine(f, s))
	}
	if len(faults.Lines) == 0 {
		faults.Lines = []string{"none"}
	}
	return append(all, traffic, fact{"Backend", backendLines(s.Backend)}, faults)
}

func trafficLine(t simulate.Traffic) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch t.Kind {
	case simulate.Open:
		how := "at random moments"
		if t.Even {
			how = "evenly spaced"
		}
		add("%s calls a second, %s", decimal(t.Rate), how)
		for _, step := range t.Steps {
			add("%s from %s on", decimal(step.Rate), short(step.At))
		}
	case simulate.Burst:
		add("%s calls within %s", thousands(t.Calls), short(t.Within))
		if t.Every > 0 {
			add("again every %s", short(t.Every))
		}
	case simulate.Closed:
		add("%s clients, each calls again %s after an answer", thousands(t.Clients), delay(t.Think))
	case simulate.Recorded:
		add("%s recorded calls", thousands(len(t.Arrivals)))
	}
	if t.From > 0 {
		add("from %s", short(t.From))
	}
	if t.To > 0 {
		add("to %s", short(t.To))
	}
	if t.Keys.Count > 1 {
		grants := fmt.Sprintf("on %d grants", t.Keys.Count)
		if t.Keys.Hot > 0 {
			grants += fmt.Sprintf(", %s of them on the first", percent(t.Keys.Hot))
		}
		parts = append(parts, grants)
	}
	switch {
	case t.NamesGrant && t.NamesPolicy:
		add("callers name their grant and their policy")
	case t.NamesGrant:
		add("callers name their grant")
	case t.NamesPolicy:
		add("callers name their policy")
	}
	if t.Deadline > 0 {
		add("deadline %s", short(t.Deadline))
	} else {
		add("no deadline")
	}
	line := cmp.Or(t.Method, "GET") + ", " + strings.Join(parts, ", ")
	if t.Name != "" {
		line = t.Name + ": " + line
	}
	return line
}

func backendLines(b simulate.Backend) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if b.RTT > 0 {
		trip := "round trip " + short(b.RTT)
		if b.Spread > 0 {
			trip += " ± " + percent(b.Spread)
		}
		add("%s", trip)
	}
	if b.Latency.Median > 0 {
		add("serving takes %s", delay(b.Latency))
	}
	switch {
	case b.Rate > 0:
		add("serves %s requests a second", decimal(b.Rate))
	case b.Workers == 0:
		add("serves any number of requests")
	}
	if b.Workers > 0 {
		add("serves %d at once", b.Workers)
	}
	if b.Rate > 0 || b.Workers > 0 {
		switch {
		case b.Queue == 0:
			add("a queue without a bound")
		case b.Full == simulate.Lose:
			add("a queue of %d, connections are lost when it is full", b.Queue)
		default:
			add("a queue of %d, 503 when it is full", b.Queue)
		}
	}
	if b.Hint > 0 {
		add("asks for %s of patience", short(b.Hint))
	}
	if b.AttemptTimeout > 0 {
		add("clients wait %s for an attempt", short(b.AttemptTimeout))
	}
	if b.Plain {
		add("answers as any HTTP API")
	}
	return lines
}

func faultLine(f simulate.Fault, s simulate.Scenario) string {
	part := "all requests"
	if f.Share > 0 && f.Share < 1 {
		part = percent(f.Share) + " of the requests"
	}
	var what string
	switch f.Kind {
	case simulate.Lock:
		what = "the token is being refreshed: 409"
		if f.Hold.Median > 0 {
			what += ", for " + delay(f.Hold)
		}
	case simulate.Stop:
		what = "nothing is served, requests wait"
	case simulate.Slow:
		what = "serving takes " + decimal(f.Factor) + " times as long"
	case simulate.Fail:
		what = fmt.Sprintf("%s are answered with %d", part, f.Status)
	case simulate.Refuse:
		what = part + " get no connection"
	case simulate.Hang:
		what = part + " get no answer"
	case simulate.Drop:
		what = part + " are served, and their connections are lost before the answer"
	case simulate.RateLimit:
		what = fmt.Sprintf("429 above %d requests in %s for each policy", f.Limit, short(f.Window))
		if f.Hint {
			what += ", with Retry-After"
		}
		if f.Fields {
			what += ", with RateLimit fields"
		}
	default:
		what = string(f.Kind)
	}
	line := cmp.Or(f.Name, words(string(f.Kind))) + ": " + what
	switch {
	case f.Hold.Median > 0:
		line += ", from " + short(f.At)
	case f.For > 0:
		line += fmt.Sprintf(", from %s to %s", short(f.At), short(f.At+f.For))
	case f.At > 0 && f.At < s.Duration:
		line += ", from " + short(f.At) + " on"
	default:
		line += ", all the time"
	}
	if len(f.Keys) > 0 {
		line += ", grants " + strings.Trim(strings.ReplaceAll(fmt.Sprint(f.Keys), " ", ", "), "[]")
	}
	return line
}

// delay writes a time that varies.
func delay(d simulate.Delay) string {
	if d.P99 == 0 {
		return short(d.Median)
	}
	return fmt.Sprintf("%s (99%%: %s)", short(d.Median), short(d.P99))
}

func decimal(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func percent(x float64) string { return strconv.FormatFloat(100*x, 'g', 4, 64) + "%" }
