package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

func metricOf(name string) (simulate.Metric, error) {
	for _, m := range simulate.Metrics() {
		if m.Name == name {
			return m, nil
		}
	}
	return simulate.Metric{}, fmt.Errorf("report: %q is no metric", name)
}

// plane is the two metrics by which the trials of a search are shown.
type plane struct{ x, y simulate.Metric }

// of returns where a trial is. It is nowhere if it could not be measured, or is infinite.
func (p plane) of(t simulate.Trial) (x, y float64, ok bool) {
	x, whyX := p.x.Of(t.Result)
	y, whyY := p.y.Of(t.Result)
	return x, y, whyX == "" && whyY == "" && !math.IsInf(x, 0) && !math.IsInf(y, 0)
}

// same reports whether two trials are at the same place.
func (p plane) same(a, b simulate.Trial) bool {
	ax, ay, _ := p.of(a)
	bx, by, _ := p.of(b)
	return ax == bx && ay == by
}

// spot is the trials that came to the same.
type spot struct {
	x, y                  float64
	names                 []string
	missed                []string // by the first of the trials
	front, current, meets bool
}

func searchChart(r Report, p plane) chart {
	c := chart{
		ID: "search", Title: "The search", Item: true, Height: 460,
		X: axisOf(p.x), Y: axisOf(p.y),
	}
	front := make(map[string]bool)
	for _, t := range r.Front {
		front[t.Name] = true
	}
	var (
		spots   []*spot
		nowhere int
	)
	for _, t := range r.Trials {
		x, y, ok := p.of(t)
		if !ok {
			nowhere++
			continue
		}
		i := slices.IndexFunc(spots, func(s *spot) bool { return s.x == x && s.y == y })
		if i < 0 {
			i = len(spots)
			spots = append(spots, &spot{x: x, y: y})
		}
		s := spots[i]
		s.names = append(s.names, t.Name)
		s.front = s.front || front[t.Name]
		s.current = s.current || r.Current != "" && t.Name == r.Current
		s.meets = s.meets || t.Missed == nil
		if t.Missed != nil && s.missed == nil {
			s.missed = missedLines(t)
		}
	}
	slices.SortStableFunc(spots, func(a, b *spot) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y)) })
	line := series{Name: "best trade-offs (Pareto front)", Color: "a", Kind: "path", Symbol: "circle", Size: 10}
	short := series{Name: "on the front, but misses a gate", Color: "a", Kind: "points", Symbol: "circle", Size: 10, Hollow: true}
	meets := series{Name: "other candidates", Color: "good", Kind: "points", Symbol: "rect", Size: 7}
	if len(r.Gates) > 0 {
		meets.Name = "others that meet the gates"
	}
	misses := series{Name: "others that miss a gate", Color: "dim", Kind: "points", Symbol: "triangle", Size: 9}
	current := series{Name: "the policy at hand", Color: "b", Kind: "points", Symbol: "diamond", Size: 17}
	for _, s := range spots {
		point := at(s.x, s.y, s.text(p)...)
		switch {
		case s.front:
			line.Points = append(line.Points, point)
			if !s.meets {
				short.Points = append(short.Points, point)
			}
		case s.current: // has a point of its own
		case s.meets:
			meets.Points = append(meets.Points, point)
		default:
			misses.Points = append(misses.Points, point)
		}
		if s.current {
			point.Text = append([]string{r.Current}, point.Text...)
			if s.names[0] == r.Current || len(s.names) > 1 {
				point.Text = s.text(p)
				point.Text[0] = r.Current
			}
			current.Points = append(current.Points, point)
		}
	}
	for _, s := range []series{misses, meets, line, short, current} {
		if len(s.Points) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	c.Note = fmt.Sprintf("%s (%s), against %s (%s). Each point is a candidate; points at the same place are one.",
		p.y.Name, p.y.About, p.x.Name, p.x.About)
	if nowhere > 0 {
		c.Note += fmt.Sprintf(" %s not shown: %s or %s was never reached or could not be measured.", plural(nowhere, "candidate is", "candidates are"), p.x.Name, p.y.Name)
	}
	fit(&c.X, spots, func(s *spot) float64 { return s.x })
	fit(&c.Y, spots, func(s *spot) float64 { return s.y })
	for _, g := range r.Gates {
		if g.Metric == p.x.Name || g.Metric == p.y.Name {
			c.Marks = append(c.Marks, mark{Name: g.String(), At: g.Value, Y: g.Metric == p.y.Name, Color: "soft"})
		}
	}
	c.Marks = slices.DeleteFunc(c.Marks, func(m mark) bool {
		a := c.X
		if m.Y {
			a = c.Y
		}
		return a.Min != nil && m.At < *a.Min || a.Max != nil && m.At > *a.Max
	})
	return c
}

// text is what a pointer shows of a spot.
func (s *spot) text(p plane) []string {
	const most = 6
	text := slices.Clone(s.names[:min(len(s.names), most)])
	if more := len(s.names) - most; more > 0 {
		text = append(text, fmt.Sprintf("and %d more", more))
	}
	text = append(text, p.x.Name+" "+p.x.Format(s.x), p.y.Name+" "+p.y.Format(s.y))
	if s.front {
		text = append(text, "on the Pareto front")
	}
	if !s.meets {
		text = append(text, s.missed...)
	}
	return text
}

// axisOf is an axis for the numbers of a metric.
func axisOf(m simulate.Metric) axis {
	a := axis{Name: words(m.Name), Fit: true}
	switch m.Unit {
	case simulate.Share:
		a.Unit = share
	case simulate.Time:
		a.Unit = duration
	case simulate.Count, simulate.Ratio:
		a.Unit = number
	}
	better := "more is better"
	if m.Better < 0 {
		better = "less is better"
	}
	a.Name += " (" + better + ")"
	return a
}

// fit chooses a logarithmic axis where the numbers span much, and else leaves some room on both sides of them.
func fit(a *axis, spots []*spot, of func(*spot) float64) {
	least, most := math.Inf(1), math.Inf(-1)
	for _, s := range spots {
		least, most = min(least, of(s)), max(most, of(s))
	}
	switch {
	case len(spots) == 0:
	case a.Unit != share && wide(least, most):
		logAxis(a, least, most)
	case least == most:
		a.Fit = false
	}
}

// missedLines are the gates that a trial missed, without the name of the package.
func missedLines(t simulate.Trial) []string {
	if t.Missed == nil {
		return nil
	}
	lines := strings.Split(t.Missed.Error(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "simulate: ")
	}
	return lines
}

// candidate is a row of the table of the search: a trial, and how many others come to the same.
type candidate struct {
	Name, X, Y     string
	Same           int
	Front, Current bool
	Missed         []string
}

// candidates are the trials on the front, and the policy at hand.
func candidates(r Report, p plane) []candidate {
	list := slices.Clone(r.Front)
	onFront := func(name string) bool {
		return slices.ContainsFunc(r.Front, func(t simulate.Trial) bool { return t.Name == name })
	}
	for _, t := range r.Trials {
		if r.Current != "" && t.Name == r.Current && !onFront(t.Name) {
			list = append(list, t)
		}
	}
	slices.SortStableFunc(list, func(a, b simulate.Trial) int {
		ax, ay, _ := p.of(a)
		bx, by, _ := p.of(b)
		return cmp.Or(cmp.Compare(ax, bx), cmp.Compare(ay, by))
	})
	var all []candidate
	for i, t := range list {
		c := candidate{
			Name: t.Name, X: valueOf(p.x, t.Result), Y: valueOf(p.y, t.Result),
			Front: onFront(t.Name), Current: r.Current != "" && t.Name == r.Current, Missed: missedLines(t),
		}
		if i > 0 && !c.Current && !all[len(all)-1].Current && p.same(t, list[i-1]) {
			all[len(all)-1].Same++
			continue
		}
		all = append(all, c)
	}
	return all
}

// valueOf is a metric of a result, for people.
func valueOf(m simulate.Metric, r simulate.Result) string {
	x, why := m.Of(r)
	if why != "" {
		return "–"
	}
	return format(m, x)
}

// format writes a number of a metric in few digits.
func format(m simulate.Metric, x float64) string {
	switch {
	case m.Unit == simulate.Time && !math.IsInf(x, 0):
		return short(time.Duration(x * float64(time.Second)))
	case m.Unit == simulate.Count:
		return thousands(int(x))
	}
	return m.Format(x)
}

// thousands writes a number with thin spaces between its thousands.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
