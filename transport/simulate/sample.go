package simulate

import (
	"math"
	"time"

	"github.com/steadytrip/steadytrip/transport"
)

// second is the length of a row of the time line.
const second = time.Second

// sample is what the processes know together at the start of a second.
type sample struct {
	open, halfOpen int // breakers
	held           int // attempts that wait at a breaker
	waiting        int // calls that wait at a gate
	tokens         float64
}

// sample looks at the processes once a second, as long as the simulation lasts.
func (w *world) sample() {
	var pause alarm
	for n := 0; ; n++ {
		if n > 0 && !pause.wait(w.ctx, next(time.Duration(n)*second, 0)-w.now()) {
			return
		}
		var s sample
		for _, p := range w.processes {
			s.add(p.shared.Snapshot())
		}
		w.samples = append(w.samples, s)
		if w.watch == nil {
			continue
		}
		if err := w.watch(w.progress()); err != nil {
			w.fail(err)
		}
	}
}

func (s *sample) add(snap transport.Snapshot) {
	for _, b := range snap.Breakers {
		switch b.State {
		case transport.Open:
			s.open++
		case transport.HalfOpen:
			s.halfOpen++
		case transport.Closed:
		}
		s.held += b.Held
	}
	for _, g := range snap.Gates {
		s.waiting += g.Waiting
	}
	for _, b := range snap.Budgets {
		s.tokens = min(s.tokens+b.Tokens, math.MaxFloat64)
	}
}

// plus adds what another one counted.
func (s *sample) plus(o sample) {
	s.open += o.open
	s.halfOpen += o.halfOpen
	s.held += o.held
	s.waiting += o.waiting
	s.tokens = min(s.tokens+o.tokens, math.MaxFloat64)
}

func (w *world) progress() Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Progress{
		Played: w.number, Repeat: w.scenario.repeat(), At: w.now(), Duration: w.scenario.Duration,
		Calls: len(w.calls), Succeeded: w.good,
	}
}
