package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/steadytrip/steadytrip/examples/tune/internal/report"
	"github.com/steadytrip/steadytrip/examples/tune/internal/vary"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// What a search prints.

func (p Program) tellSearch(s *searching, out *outputs, all bool) error {
	if err := out.write(report.Report{
		Title: s.policy + " varied in " + s.Scenario.Name, Scenario: s.Scenario, Trials: s.trials, Front: s.front,
		Current: s.candidates[s.current].Name, Axes: [2]string{s.metrics[0].Name, s.metrics[1].Name}, Gates: s.Gates,
	}); err != nil {
		return err
	}
	if out.json {
		return p.printJSON(s.summary())
	}
	fmt.Fprintf(p.Stdout, "%s: %s\n%d of %d policies tried", p.title(s.Scenario.Name), s.Scenario.About, len(s.trials), len(s.candidates))
	if s.left > 0 {
		fmt.Fprintf(p.Stdout, ", %d combinations contradict themselves", s.left)
	}
	fmt.Fprintf(p.Stdout, "; best by %s and %s:\n\n", s.metrics[0].Name, s.metrics[1].Name)
	p.printTrials(s, all)
	return nil
}

func (p Program) printTrials(s *searching, all bool) {
	shown := append([]simulate.Trial(nil), s.front...)
	for i, t := range s.trials {
		if !s.isBest(t) && (all || i == s.current) {
			shown = append(shown, t)
		}
	}
	var head []string
	for _, a := range s.axes {
		head = append(head, brief(a.Path))
	}
	columns := []simulate.Metric{s.metrics[0], s.metrics[1]}
	for _, name := range []string{"success", "amplification", "p99", "recovery"} {
		if m, _ := metric(name); !slices.ContainsFunc(columns, func(c simulate.Metric) bool { return c.Name == name }) {
			columns = append(columns, m)
		}
	}
	for _, m := range columns {
		head = append(head, m.Name)
	}
	t := p.table(append(head, "")...)
	for _, trial := range shown {
		i := slices.IndexFunc(s.candidates, func(c vary.Candidate) bool { return c.Name == trial.Name })
		var row table.Row
		for _, value := range s.candidates[i].Values {
			if value == "" {
				value = "as it is"
			}
			row = append(row, value)
		}
		for _, m := range columns {
			cell := "-"
			if x, why := m.Of(trial.Result); why == "" {
				cell = m.Format(x)
			}
			row = append(row, cell)
		}
		t.AppendRow(append(row, p.remarks(s, trial, i)))
	}
	fmt.Fprintln(p.Stdout, t.Render())
}

// brief returns the last two parts of a path.
func brief(path string) string {
	parts := strings.Split(path, ".")
	return strings.Join(parts[max(len(parts)-2, 0):], ".")
}

// remarks says what there is to know about a trial.
func (p Program) remarks(s *searching, t simulate.Trial, i int) string {
	var remarks []string
	if s.isBest(t) {
		remarks = append(remarks, p.good("front"))
	}
	if i == s.current {
		remarks = append(remarks, p.title("current"))
	}
	if t.Missed != nil {
		remarks = append(remarks, p.bad("misses "+strings.Join(missedGates(t.Result, s.Gates), ", ")))
	}
	return strings.Join(remarks, ", ")
}

func missedGates(r simulate.Result, all []simulate.Gate) []string {
	var missed []string
	for _, v := range judge(r, all) {
		if !v.Met {
			missed = append(missed, v.Gate)
		}
	}
	return missed
}

// searchSummary is a search for machines.
type searchSummary struct {
	Policy         string         `json:"policy"`
	Scenario       string         `json:"scenario"`
	Seed           uint64         `json:"seed"`
	Axes           [2]string      `json:"axes"`
	Gates          []string       `json:"gates"`
	Combinations   int            `json:"combinations"`   // with the policy as it is
	Contradictions int            `json:"contradictions"` // combinations that no policy can have
	Trials         []trialSummary `json:"trials"`         // fewer than combinations if the search was interrupted
}

type trialSummary struct {
	Name    string             `json:"name"`
	Current bool               `json:"current"`
	Front   bool               `json:"front"`
	Missed  []string           `json:"missed"`  // gates
	Values  map[string]string  `json:"values"`  // of the settings that vary; none for the policy as it is
	Metrics map[string]float64 `json:"metrics"` // those that could be measured; times in seconds, -1 is never
}

func (s *searching) summary() searchSummary {
	sum := searchSummary{
		Policy: s.policy, Scenario: s.Scenario.Name, Seed: s.Scenario.Seed, Axes: [2]string{s.metrics[0].Name, s.metrics[1].Name},
		Gates: texts(s.Gates), Combinations: len(s.candidates), Contradictions: s.left, Trials: []trialSummary{},
	}
	for i, t := range s.trials {
		values := make(map[string]string)
		for j, a := range s.axes {
			if value := s.candidates[i].Values[j]; value != "" {
				values[a.Path] = value
			}
		}
		sum.Trials = append(sum.Trials, trialSummary{
			Name: t.Name, Current: i == s.current, Front: s.isBest(t), Missed: append([]string{}, missedGates(t.Result, s.Gates)...),
			Values: values, Metrics: measured(t.Result),
		})
	}
	return sum
}
