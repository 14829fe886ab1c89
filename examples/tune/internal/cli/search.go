package cli

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

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
