package cli

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/steadytrip/steadytrip/examples/tune/internal/report"
	"github.com/steadytrip/steadytrip/examples/tune/internal/vary"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// searching is a search: what it was asked for, and what it has found.
type searching struct {
	inputs

	policy     string
	axes       []vary.Axis
	metrics    [2]simulate.Metric
	candidates []vary.Candidate
	current    int // which of them is the policy at hand
	left       int // combinations that contradict themselves

	trials []simulate.Trial // of the first candidates
	front  []simulate.Trial
}

func (p Program) search() *cobra.Command {
	var (
		sets     policies
		scenario scenarios
		demands  gates
		out      outputs
		settings []string
		metrics  []string
		limit    int
		all      bool
	)
	cmd := &cobra.Command{
		Use:   "search POLICY SCENARIO --vary SETTING=VALUES",
		Short: "Try many settings, and keep those that no other beats",
		Long: `search plays a scenario with every combination of the values that --vary names, and with the policy as it is. All of them meet
the same calls at the same times. It prints the Pareto front: those that no other one beats in both metrics of --axes.
With gates, only those that meet them are in it.

A setting has the path that it has in policy files, a breaker goes by its name. Values are a list, 1,2,3, or a range
and how many values it has, 2s..10s:5.`,
		Example: `  tune search default outage --vary profiles.timeout.retries=0,1,2 --vary budget.ratio=0.05..0.2:4 --axes amplification,success`,
		Args:    exactly("POLICY", "SCENARIO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s := &searching{policy: args[0]}
			s.inputs.policy(p, &sets, args[0])
			s.inputs.scenario(&scenario, args[1])
			s.inputs.gates(&demands)
			s.readMetrics(metrics)
			s.readSettings(settings, limit)
			if err := s.err(); err != nil {
				return err
			}
			stopped := p.try(cmd.Context(), s)
			if stopped != nil && cmd.Context().Err() == nil {
				return stopped
			}
			if err := s.keepBest(); err != nil {
				return err
			}
			if err := p.tellSearch(s, &out, all); err != nil {
				return err
			}
			if stopped != nil {
				return stopped
			}
			if len(s.Gates) > 0 && !slices.ContainsFunc(s.trials, func(t simulate.Trial) bool { return t.Missed == nil }) {
				fmt.Fprintf(p.Stderr, "tune: none of %d policies meets the gates\n", len(s.trials))
				return errMissed
			}
			return nil
		},
	}
	sets.flags(cmd)
	scenario.flags(cmd)
	demands.flags(cmd)
	out.flags(cmd)
	cmd.Flags().StringArrayVar(&settings, "vary", nil, "`setting=values` to try; may be repeated")
	cmd.Flags().StringSliceVar(&metrics, "axes", []string{"amplification", "success"}, "the two `metrics` to choose by")
	cmd.Flags().IntVar(&limit, "limit", 200, "refuse more than `n` combinations")
	cmd.Flags().BoolVar(&all, "all", false, "print all combinations, not only the front")
	return cmd
}

func (s *searching) readMetrics(names []string) {
	if len(names) != 2 || names[0] == names[1] {
		s.fault(fmt.Errorf("--axes is %q: want two metrics, such as amplification,success", strings.Join(names, ",")))
		return
	}
	for i, name := range names {
		m, ok := metric(name)
		if ok && m.Better != 0 {
			s.metrics[i] = m
			continue
		}
		var known []string
		for _, m := range simulate.Metrics() {
			known = append(known, m.Name)
		}
		text := fmt.Sprintf("--axes: %q is no metric: want one of %s", name, strings.Join(known, ", "))
		if near := nearest(name, known); near != "" {
			text += fmt.Sprintf("; did you mean %q?", near)
		}
		s.fault(errors.New(text))
	}
}

func (s *searching) readSettings(texts []string, limit int) {
	if len(texts) == 0 {
		s.fault(errors.New("search needs something to vary: --vary profiles.timeout.retries=1,2,3"))
	}
	sound := true
	for _, text := range texts {
		axis, err := vary.Parse(text)
		if err != nil {
			s.fault(fmt.Errorf("--vary %w", err))
			sound = false
			continue
		}
		s.axes = append(s.axes, axis)
	}
	if !sound || len(s.Sets[0].Profiles) == 0 && s.err() != nil {
		return
	}
	if n := vary.Combinations(s.axes); n > limit {
		s.fault(fmt.Errorf("--vary makes %d combinations: want %d at most, or a higher --limit", n, limit))
		return
	}
	var err error
	if s.candidates, s.left, err = vary.Grid(s.Sets[0], s.axes); err != nil {
		s.fault(named("--vary", err))
		return
	}
	s.mark()
}

// mark finds the candidate that is the policy at hand, or adds it as the first.
func (s *searching) mark() {
	base := s.Sets[0]
	s.current = slices.IndexFunc(s.candidates, func(c vary.Candidate) bool { return same(c.Set, base) })
	if s.current >= 0 {
		return
	}
	s.current = 0
	s.candidates = slices.Insert(s.candidates, 0, vary.Candidate{
		Candidate: simulate.Candidate{Name: s.policy, Set: base}, Values: make([]string, len(s.axes)),
	})
}

// same reports whether two sets, neither of which has functions, are equal.
func same(a, b policy.Set) bool {
	x, errX := policy.New(a)
	y, errY := policy.New(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x.Set(), y.Set())
}

// try plays the scenario with each of the candidates, until ctx ends.
func (p Program) try(ctx context.Context, s *searching) error {
	m := p.meter(fmt.Sprintf("trying %d policies", len(s.candidates)), len(s.candidates))
	defer m.stop()
	for _, c := range s.candidates {
		trials, err := p.Runner.Search(ctx, s.Scenario, []simulate.Candidate{c.Candidate}, s.Gates)
		s.trials = append(s.trials, trials...)
		if err != nil {
			if ctx.Err() != nil {
				err = fmt.Errorf("%d of %d policies were tried", len(s.trials), len(s.candidates))
			}
			return err
		}
		m.next()
	}
	return nil
}

// keepBest finds the front.
func (s *searching) keepBest() error {
	fit := slices.DeleteFunc(slices.Clone(s.trials), func(t simulate.Trial) bool { return t.Missed != nil })
	var err error
	if s.front, err = simulate.Front(fit, s.metrics[0].Name, s.metrics[1].Name); err != nil {
		return err
	}
	m := s.metrics[0]
	slices.SortStableFunc(s.front, func(a, b simulate.Trial) int {
		x, _ := m.Of(a.Result)
		y, _ := m.Of(b.Result)
		switch better := float64(m.Better); {
		case x*better > y*better:
			return -1
		case x*better < y*better:
			return 1
		}
		return 0
	})
	return nil
}

func (s *searching) isBest(t simulate.Trial) bool {
	return slices.ContainsFunc(s.front, func(f simulate.Trial) bool { return f.Name == t.Name })
}

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
