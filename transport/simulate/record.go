package simulate

import (
	"cmp"
	"slices"
	"time"
)

// record is what was noted, each time that the scenario was played.
type record struct {
	plays   []play
	samples []sample // sums of those of all plays
}

// play is one time that the scenario was played.
type play struct {
	calls    []*call // in the order of their sources and numbers
	faults   []window
	from, to time.Duration // the faults that do not last for all of the time; to is 0 if they do not end
	end      time.Duration // when calls began no more
}

func (r *record) add(w *world) {
	p := play{calls: w.calls, faults: w.backend.faults, end: w.scenario.Duration}
	slices.SortFunc(p.calls, func(a, b *call) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.number, b.number))
	})
	p.from = p.end
	for _, f := range p.faults {
		if f.from == 0 && f.to >= p.end || f.from >= p.end {
			continue
		}
		p.from = min(p.from, f.from)
		p.to = max(p.to, f.to)
	}
	if p.to > p.end {
		p.to = 0
	}
	r.plays = append(r.plays, p)
	for i, one := range w.samples {
		if i == len(r.samples) {
			r.samples = append(r.samples, sample{})
		}
		r.samples[i].plus(one)
	}
}

// outlasts reports whether faults ended before the play did.
func (p *play) outlasts() bool { return p.to > 0 && p.to < p.end }

// each yields all calls, with the time in which they were made.
func (r *record) each(yield func(p *play, c *call)) {
	for i := range r.plays {
		for _, c := range r.plays[i].calls {
			yield(&r.plays[i], c)
		}
	}
}

// result counts everything.
func (r *record) result(s Scenario) Result {
	res := Result{
		Scenario: s.Name, Seed: s.Seed, Duration: s.Duration, Played: len(r.plays),
		Reasons: map[string]int{}, Kinds: map[string]int{}, Faults: []Window{},
	}
	var good, bad, waited, extra []time.Duration
	r.each(func(p *play, c *call) {
		res.Calls++
		res.Attempts += len(c.tries)
		for _, t := range c.tries {
			res.Answers.count(t.cause)
		}
		if c.waited > 0 {
			waited = append(waited, c.waited)
		}
		switch c.local {
		case breaker:
			res.ByBreaker++
		case gate:
			res.ByGate++
		case nobody:
		}
		if !c.good {
			res.Reasons[c.reason.String()]++
			res.Kinds[c.kind.String()]++
			bad = append(bad, c.end-c.begin)
			return
		}
		res.Succeeded++
		good = append(good, c.end-c.begin)
		if p.to > 0 && c.begin < p.to && c.end >= p.to {
			extra = append(extra, c.end-p.to)
		}
	})
	res.Success = share(res.Succeeded, res.Calls)
	res.Goodput = perSecond(res.Succeeded, s.Duration*time.Duration(len(r.plays)))
	res.Amplification = share(res.Attempts, res.Calls)
	res.Refused = res.Answers.RateLimited + res.Answers.Shed
	res.Latency, res.TimeToFail, res.Waited, res.Extra = quantiles(good), quantiles(bad), quantiles(waited), quantiles(extra)
	for _, f := range r.plays[len(r.plays)-1].faults {
		res.Faults = append(res.Faults, Window{cmp.Or(f.Name, string(f.Kind)), f.from, min(f.to, s.Duration)})
	}
	r.phases(&res)
	r.groups(s, &res)
	res.Recovery = r.recovery()
	res.PeakInFlight = r.peak()
	res.Timeline = r.timeline()
	res.FaultsEnd = r.faultsEnd()
	return res
}

func (a *Answers) count(c cause) {
	switch c {
	case served:
		a.Served++
	case refreshing:
		a.Refreshing++
	case limited:
		a.RateLimited++
	case shed:
		a.Shed++
	case failed:
		a.Failed++
	case disconnected:
		a.Disconnected++
	case lost:
		a.Lost++
	case gaveUp:
		a.GaveUp++
	}
}

// tooMany reports whether the backend refused an attempt for being one too many.
func (c cause) tooMany() bool { return c == limited || c == shed }

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func perSecond(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// quantiles sorts all.
func quantiles(all []time.Duration) Quantiles {
	q := Quantiles{Count: len(all), Curve: []time.Duration{}}
	if len(all) == 0 {
		return q
	}
	slices.Sort(all)
	at := func(p float64) time.Duration { return all[min(int(p*float64(len(all))), len(all)-1)] }
	q.P50, q.P90, q.P99, q.P999, q.Max = at(0.5), at(0.9), at(0.99), at(0.999), all[len(all)-1]
	for i := range 21 {
		q.Curve = append(q.Curve, at(float64(i)/20))
	}
	return q
}
