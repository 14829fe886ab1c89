package simulate

import (
	"cmp"
	"slices"
	"time"
)

// aftermath is how long after the faults their consequences are looked at.
const aftermath = 30 * time.Second

// phases divides the time by the faults.
func (r *record) phases(res *Result) {
	for i := range r.plays {
		p := &r.plays[i]
		to := p.to
		if to == 0 {
			to = p.end
		}
		for _, part := range [...]struct {
			phase    *Phase
			from, to time.Duration
		}{
			{&res.Before, 0, p.from},
			{&res.During, p.from, to},
			{&res.After, to, p.end},
			{&res.Aftermath, to, min(to+aftermath, p.end)},
		} {
			part.phase.Length += part.to - part.from
			for _, c := range p.calls {
				if part.from <= c.begin && c.begin < part.to {
					part.phase.Calls++
					if c.good {
						part.phase.Succeeded++
					}
				}
				for _, t := range c.tries {
					if part.from <= t.begin && t.begin < part.to {
						part.phase.Attempts++
					}
				}
			}
		}
	}
	for _, p := range [...]*Phase{&res.Before, &res.During, &res.After, &res.Aftermath} {
		p.Success = share(p.Succeeded, p.Calls)
		p.Amplification = share(p.Attempts, p.Calls)
		p.Goodput = perSecond(p.Succeeded, p.Length)
		p.Length /= time.Duration(len(r.plays))
	}
}

// groups divides the calls.
func (r *record) groups(s Scenario, res *Result) {
	res.Hot.Name, res.Others.Name = grantOf(0), "others"
	for _, t := range s.Traffic {
		res.Traffic = append(res.Traffic, Group{Name: cmp.Or(t.Name, string(t.Kind))})
	}
	r.each(func(_ *play, c *call) {
		if c.key == 0 {
			res.Hot.count(c)
		} else {
			res.Others.count(c)
		}
		res.Traffic[c.source].count(c)
	})
}

func (g *Group) count(c *call) {
	g.Calls++
	if c.good {
		g.Succeeded++
	}
	g.Success = share(g.Succeeded, g.Calls)
	g.Attempts += len(c.tries)
	for _, t := range c.tries {
		if t.cause.tooMany() {
			g.Refused++
		}
	}
}

const (
	recoveredShare = 0.99
	recoveredOver  = 2 * time.Second
	recoveredStep  = 100 * time.Millisecond
)

// recovery looks at each time that the scenario was played.
func (r *record) recovery() Recovery {
	var all []time.Duration
	for i := range r.plays {
		switch one := r.plays[i].recovery(); one.State {
		case Never:
			return one
		case Recovered:
			all = append(all, one.After)
		case Unknown:
		}
	}
	if len(all) == 0 {
		return Recovery{State: Unknown}
	}
	slices.Sort(all)
	return Recovery{State: Recovered, After: all[len(all)/2], Longest: all[len(all)-1]}
}

// recovery looks for the last stretch of time in which too many calls failed.
func (p *play) recovery() Recovery {
	if !p.outlasts() {
		return Recovery{State: Unknown}
	}
	steps := int((p.end - p.to + recoveredStep - 1) / recoveredStep)
	calls, good := make([]int, steps), make([]int, steps)
	for _, c := range p.calls {
		if c.begin >= p.to && c.begin < p.end {
			i := int((c.begin - p.to) / recoveredStep)
			calls[i]++
			if c.good {
				good[i]++
			}
		}
	}
	from, n, won := steps, 0, 0 // of the stretch that begins with from
	over := int(recoveredOver / recoveredStep)
	for i := steps - 1; i >= 0; i-- {
		n, won = n+calls[i], won+good[i]
		if i+over < steps {
			n, won = n-calls[i+over], won-good[i+over]
		}
		if float64(won) < recoveredShare*float64(n) {
			break
		}
		from = i
	}
	if from > max(0, steps-over) { // it takes that long to tell
		return Recovery{State: Never}
	}
	return Recovery{State: Recovered, After: time.Duration(from) * recoveredStep}
}

// peak is the most attempts that were under way at once.
func (r *record) peak() (most int) {
	for i := range r.plays {
		var begins, ends []time.Duration
		for _, c := range r.plays[i].calls {
			for _, t := range c.tries {
				begins, ends = append(begins, t.begin), append(ends, t.end)
			}
		}
		slices.Sort(begins)
		slices.Sort(ends)
		over := 0
		for n, begin := range begins {
			for over < len(ends) && ends[over] <= begin {
				over++
			}
			most = max(most, n+1-over)
		}
	}
	return most
}
