package simulate

import (
	"iter"
	"slices"
	"time"
)

// drive lets the calls of a source begin, until it ends or the simulation does.
func (w *world) drive(source int) {
	t := &w.scenario.Traffic[source]
	if t.Kind == Closed {
		for client := range t.Clients {
			w.callers.Go(func() { w.guard(func() { w.client(source, client) }) })
		}
		return
	}
	var pause alarm
	n := 0
	for at := range t.arrivals(w, source) {
		c := w.newCall(source, n)
		now := w.now()
		if !pause.wait(w.ctx, next(max(at, now+1), c.slot)-now) {
			return
		}
		w.callers.Go(func() { w.guard(c.run) })
		n++
	}
}

// client lets one client call, again and again.
func (w *world) client(source, client int) {
	t := &w.scenario.Traffic[source]
	random := newStream(w.scenario.Seed, w.number, source, client, 4)
	var pause alarm
	at := t.From
	for n := client; ; n += t.Clients {
		c := w.newCall(source, n)
		c.slot = w.slot(source, client)
		c.process = client % w.scenario.processes()
		at = next(max(at+t.Think.Quantile(random.Float64()), w.now()+1), c.slot)
		if at >= t.end(w.scenario) || !pause.wait(w.ctx, at-w.now()) {
			return
		}
		c.run()
		at = w.now()
	}
}

// end is when no further call begins.
func (t *Traffic) end(s Scenario) time.Duration {
	if t.To == 0 {
		return s.Duration
	}
	return min(t.To, s.Duration)
}

// arrivals are when the calls of a source that is not closed begin, in order.
func (t *Traffic) arrivals(w *world, source int) iter.Seq[time.Duration] {
	end := t.end(w.scenario)
	random := newStream(w.scenario.Seed, w.number, source, 3)
	var all iter.Seq[time.Duration]
	switch t.Kind {
	case Burst:
		all = t.bursts(end, &random)
	case Recorded:
		all = slices.Values(t.Arrivals)
	default:
		all = t.open(end, &random)
	}
	return func(yield func(time.Duration) bool) {
		for at := range all {
			if at >= end || at >= t.From && !yield(at) {
				return
			}
		}
	}
}

// bursts spreads the calls of each burst at random.
func (t *Traffic) bursts(end time.Duration, random *stream) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		for start := t.From; start < end; start += t.Every {
			burst := make([]time.Duration, t.Calls)
			for i := range burst {
				burst[i] = start + time.Duration(random.Float64()*float64(t.Within))
			}
			slices.Sort(burst)
			for _, at := range burst {
				if !yield(at) {
					return
				}
			}
			if t.Every <= 0 {
				return
			}
		}
	}
}

// open is a Poisson process whose rate changes: the time to the next call, counted in calls, is exponential with mean 1.
func (t *Traffic) open(end time.Duration, random *stream) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		rate, steps := t.Rate, t.Steps
		at := float64(t.From)
		for {
			need := random.exp()
			if t.Even {
				need = 0.5 + random.Float64()
			}
			for {
				change := float64(end)
				if len(steps) > 0 {
					change = min(change, float64(steps[0].At))
				}
				if perNano := rate / float64(time.Second); perNano*(change-at) > need {
					at += need / perNano
					break
				} else if change > at {
					need -= perNano * (change - at)
					at = change
				}
				if len(steps) == 0 || at >= float64(end) {
					return
				}
				rate, steps = steps[0].Rate, steps[1:]
			}
			if !yield(time.Duration(at)) {
				return
			}
		}
	}
}
