package report

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// sample is a report to look at.
type sample struct {
	name   string
	charts int // that it has
	Report
}

func find(t *testing.T, name string) simulate.Scenario {
	t.Helper()
	s, err := simulate.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func gates(t *testing.T, text string) []simulate.Gate {
	t.Helper()
	all, err := simulate.ParseGates(text)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// samples are a run, a comparison and a search, played for the test.
func samples(t *testing.T) []sample {
	t.Helper()
	return []sample{{"outage", 9, outage(t)}, {"storm", 8, storm(t)}, {"search", 1, searched(t)}, {"markup", 9, markup()}}
}

func outage(t *testing.T) Report {
	s := find(t, "outage")
	s.Duration = 85 * time.Second
	set := policy.Default()
	set.Breakers = append(set.Breakers, policy.OutageBreaker())
	return Report{
		Title: "outage, with a breaker on outages", Scenario: s, Runs: []Run{{Name: "with outage breaker", Set: set, Result: simulate.Run(t, s, set)}},
		Gates:  gates(t, "amplification_during <= 1.15\nrecovery <= 4s\nsuccess_before >= 99.9%"),
		Missed: []string{"want recovery <= 4s, got 4.3s"},
	}
}

func storm(t *testing.T) Report {
	s := find(t, "refresh-storm")
	s.Repeat = 2
	none := policy.Set{MaxAttempts: 1}
	a, b := simulate.Run(t, s, policy.Default()), simulate.Run(t, s, none)
	c := simulate.Compare(a, b, "default", "no retries")
	return Report{
		Title: "refresh-storm: default and no retries", Scenario: s, Comparison: &c,
		Runs:  []Run{{Name: "default", Set: policy.Default(), Result: a}, {Name: "no retries", Set: none, Result: b}},
		Gates: gates(t, "success >= 99%\nrefused <= 25"), Missed: []string{"no retries: want success >= 99%, got 0.00%"},
	}
}

func searched(t *testing.T) Report {
	s := find(t, "lossy-network")
	s.Duration = 10 * time.Second
	axis := func(name string, apply func(*policy.Set, int), values ...int) simulate.Axis {
		a := simulate.Axis{Name: name}
		for _, v := range values {
			a.Values = append(a.Values, simulate.Value{Name: fmt.Sprint(v), Apply: func(set *policy.Set) { apply(set, v) }})
		}
		return a
	}
	retries := func(set *policy.Set, n int) {
		for _, kind := range []classify.Kind{classify.Network, classify.Dial, classify.DialTimeout} {
			p := set.Profiles[kind]
			p.Retries = n
			set.Profiles[kind] = p
		}
	}
	pause := func(set *policy.Set, n int) {
		p := set.Profiles[classify.Network]
		p.Initial = time.Duration(n) * time.Millisecond
		p.Max = max(p.Max, p.Initial)
		set.Profiles[classify.Network] = p
	}
	candidates := simulate.Grid(
		policy.Default(),
		axis("retries", retries, 0, 1, 2),
		axis("budget_percent", func(set *policy.Set, n int) { set.Budget.Ratio, set.Budget.Min = float64(n)/100, 1 }, 1, 10),
		axis("initial_ms", pause, 100, 700),
	)
	candidates = append(candidates, simulate.Candidate{Name: "default", Set: policy.Default()})
	want := gates(t, "success >= 99%")
	trials, err := simulate.On(t).Search(t.Context(), s, candidates, want)
	if err != nil {
		t.Fatal(err)
	}
	axes := [2]string{"p99.9", "success"}
	front, err := simulate.Front(trials, axes[:]...)
	if err != nil {
		t.Fatal(err)
	}
	return Report{Title: "Search: lossy-network", Scenario: s, Trials: trials, Front: front, Current: "default", Axes: axes, Gates: want}
}

// write returns the page of a report.
func write(t *testing.T, r Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
