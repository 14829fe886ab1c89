package simulate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/steadytrip/steadytrip/policy"
)

// Candidate is a policy with a name.
type Candidate struct {
	Name string
	Set  policy.Set
}

// Trial is what a candidate came to.
type Trial struct {
	Candidate
	Result Result
	Missed error // the gates that it missed; nil if it missed none
}

// Axis is a setting of a policy that a [Grid] varies.
type Axis struct {
	Name   string
	Values []Value
}

// Value is a value of an axis.
type Value struct {
	Name  string
	Apply func(*policy.Set) // gives a set, of which nobody else has a part, the value
}

// Grid returns a candidate for every combination of the axes' values, named after them: "retries=2 initial=100ms".
// The base is not changed. Without axes, it is the only one.
func Grid(base policy.Set, axes ...Axis) []Candidate {
	all := []Candidate{{"", base}}
	for _, axis := range axes {
		var more []Candidate
		for _, c := range all {
			for _, v := range axis.Values {
				set := clone(c.Set)
				v.Apply(&set)
				more = append(more, Candidate{strings.TrimSpace(c.Name + " " + axis.Name + "=" + v.Name), set})
			}
		}
		all = more
	}
	return all
}

// clone returns a set that shares nothing with s.
func clone(s policy.Set) policy.Set {
	s.Profiles = maps.Clone(s.Profiles)
	s.Breakers = slices.Clone(s.Breakers)
	for i := range s.Breakers {
		s.Breakers[i].Kinds = slices.Clone(s.Breakers[i].Kinds)
	}
	return s
}

// Search plays a scenario with every candidate, and holds the results against the gates. All of them meet the same calls at the same
// times. The error of a candidate that is not valid names it, and ends the search; what has been found so far is returned.
func (r *Runner) Search(ctx context.Context, s Scenario, candidates []Candidate, gates []Gate) ([]Trial, error) {
	trials := make([]Trial, 0, len(candidates))
	for _, c := range candidates {
		result, err := r.Run(ctx, s, c.Set)
		if err != nil {
			return trials, fmt.Errorf("simulate: candidate %q: %w", c.Name, err)
		}
		trials = append(trials, Trial{c, result, result.Check(gates)})
	}
	return trials, nil
}

// Front returns the trials that no other one is better than: none is at least as good in every one of the metrics, and better in one.
// A trial that could not be measured by one of them is left out. The metrics must have a better side.
func Front(trials []Trial, names ...string) ([]Trial, error) {
	var by []Metric
	for _, name := range names {
		m, ok := metricOf(name)
		if !ok || m.Better == 0 {
			return nil, fmt.Errorf("simulate: %q is no metric: want one of %s", name, metricNames())
		}
		by = append(by, m)
	}
	var measured []Trial
	var points [][]float64
	for _, t := range trials {
		var point []float64
		for _, m := range by {
			if x, why := m.Of(t.Result); why == "" {
				point = append(point, x*float64(m.Better))
			}
		}
		if len(point) == len(by) {
			measured, points = append(measured, t), append(points, point)
		}
	}
	var front []Trial
	for i, t := range measured {
		if !slices.ContainsFunc(points, func(other []float64) bool { return beats(other, points[i]) }) {
			front = append(front, t)
		}
	}
	return front, nil
}

// beats reports whether a is nowhere less than b, and somewhere more.
func beats(a, b []float64) bool {
	more := false
	for i := range a {
		if a[i] < b[i] {
			return false
		}
		more = more || a[i] > b[i]
	}
	return more
}

// Limit returns the greatest factor between least and most by which the scenario's traffic can be multiplied, see [Scenario.Times],
// so that the gates are met: the load from which it still recovers, for example. It halves the interval as often as steps says,
// and takes it that more traffic never helps. It returns 0 if the gates are not met with least.
// With an error it returns the greatest factor that it has seen to meet them.
func (r *Runner) Limit(ctx context.Context, s Scenario, p policy.Set, gates []Gate, least, most float64, steps int) (float64, error) {
	meets := func(factor float64) (bool, error) {
		result, err := r.Run(ctx, s.Times(factor), p)
		return err == nil && result.Check(gates) == nil, err
	}
	if ok, err := meets(least); err != nil || !ok {
		return 0, err
	}
	switch ok, err := meets(most); {
	case err != nil:
		return least, err
	case ok:
		return most, nil
	}
	for range steps {
		middle := (least + most) / 2
		ok, err := meets(middle)
		if err != nil {
			return least, err
		}
		if ok {
			least = middle
		} else {
			most = middle
		}
	}
	return least, nil
}
