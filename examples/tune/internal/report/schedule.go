package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// scheduleChart shows when one call sends its retries, for every profile of the policy. It returns false if nothing is retried.
func scheduleChart(s simulate.Scenario, run Run, i, runs int) (chart, bool) {
	const maxRetries = 100
	c := chart{
		ID: fmt.Sprintf("schedule%d", i), Title: "The retries of one call", Item: true,
		X: axis{Name: "time since the first failure", Unit: duration},
	}
	if runs > 1 {
		c.Title += ": " + run.Name
	}
	bounds := deadlines(s, run)
	all := run.Schedule.Profiles
	if all == nil {
		all = Profiles(run.Set)
	}
	n := maxRetries
	if run.Schedule.Retries > 0 {
		n = min(n, run.Schedule.Retries)
	}
	if run.Set.MaxAttempts > 0 {
		n = min(n, run.Set.MaxAttempts-1)
	}
	var never []string
	ranges := series{Name: "where jitter may move it", Color: runColors[i%len(runColors)], Kind: "range"}
	sent := series{Name: "a retry, without jitter", Color: runColors[i%len(runColors)], Kind: "points", Symbol: "circle", Size: 8}
	least, most := time.Duration(0), time.Duration(0)
	var moments [][]moment
	for _, r := range all {
		short, _, _ := strings.Cut(r.Name, ": ")
		name := words(short)
		list := schedule(r.Profile, n, bounds)
		if len(list) == 0 {
			never = append(never, name)
			continue
		}
		c.Y.Categories = append(c.Y.Categories, name)
		moments = append(moments, list)
		for _, m := range list {
			for _, d := range []time.Duration{m.earliest, m.at} {
				if d >= time.Millisecond && (least == 0 || d < least) {
					least = d
				}
			}
			most = max(most, m.latest)
		}
	}
	if len(moments) == 0 {
		return chart{}, false
	}
	for _, b := range bounds {
		if b.at <= 3*most {
			c.Marks = append(c.Marks, mark{Name: b.name, At: b.at.Seconds(), Color: "soft"})
			most = max(most, b.at)
		}
	}
	least = max(least, most/5000, time.Millisecond)
	logAxis(&c.X, least.Seconds(), most.Seconds())
	for y, list := range moments {
		for k, m := range list {
			text := []string{
				c.Y.Categories[y],
				fmt.Sprintf("retry %d at %s", k+1, short(m.at)),
				fmt.Sprintf("after a pause of %s", short(m.pause)),
			}
			if m.earliest != m.latest {
				text = append(text, fmt.Sprintf("with jitter %s to %s", short(m.earliest), short(m.latest)))
				from := max(m.earliest.Seconds(), *c.X.Min)
				if to := max(m.latest.Seconds(), from); to > from {
					ranges.Points = append(ranges.Points, at(from, float64(y)), at(to, float64(y)), point{X: to})
				}
			}
			sent.Points = append(sent.Points, at(max(m.at.Seconds(), *c.X.Min), float64(y), text...))
		}
	}
	c.Series = []series{sent}
	if len(ranges.Points) > 0 {
		c.Series = []series{ranges, sent}
	}
	c.Height = 110 + 26*len(moments)
	c.Note = "If every attempt fails at once in the same way, and the server gives no hints. Retries without a pause stand at the left end."
	if len(never) > 0 {
		c.Note += " Never retried: " + strings.Join(never, ", ") + "."
	}
	return c, true
}

// bound ends a call.
type bound struct {
	name string
	at   time.Duration
}

// deadlines are what ends a call, whatever failed, the soonest first: the deadlines of the callers, and the policy's own bound.
func deadlines(s simulate.Scenario, run Run) []bound {
	callers := []time.Duration{run.Schedule.Deadline}
	for _, t := range s.Traffic {
		callers = append(callers, t.Deadline)
	}
	var all []bound
	for _, d := range callers {
		b := bound{"caller's deadline " + short(d), d}
		if d > 0 && !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	if limit := run.Set.MaxElapsed; limit > 0 {
		all = append(all, bound{"policy's bound " + short(limit), limit})
	}
	slices.SortStableFunc(all, func(a, b bound) int { return int(a.at - b.at) })
	return all
}

// moment is when a retry is sent, and between which bounds jitter moves that.
type moment struct{ pause, earliest, at, latest time.Duration }

// schedule returns the retries that end before every bound.
func schedule(p policy.Profile, n int, bounds []bound) []moment {
	var (
		list []moment
		last moment
	)
	for _, pause := range p.Schedule(n) {
		low, high := pause, pause
		switch {
		case p.BackOff != nil: // its jitter is its own
		case p.Jitter >= policy.FullJitter:
			low = 0
		case p.Jitter > 0:
			half := time.Duration(float64(pause) * float64(p.Jitter))
			low, high = pause-half, pause+half
		}
		m := moment{pause, last.earliest + low, last.at + pause, last.latest + high}
		if p.MaxElapsed > 0 {
			m.latest = min(m.latest, p.MaxElapsed)
		}
		if len(bounds) > 0 {
			m.latest = min(m.latest, bounds[0].at)
			if m.at >= bounds[0].at {
				break
			}
		}
		list, last = append(list, m), m
	}
	return list
}
