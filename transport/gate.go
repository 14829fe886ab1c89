package transport

import (
	"container/list"
	"sync"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// unrefused is when a request that has got no answer counts as one that was let through, unless refusals have been seen to take
// half as long: refusals come fast. It ends the wait for a probe whose request takes long to carry out, or that never reports.
const unrefused = time.Second

// quickest is what an attempt is taken to last at least, when there has to be time for one before a deadline: a timer may be late,
// and what is returned just before a deadline is of no use.
const quickest = 10 * time.Millisecond

// gate is where the calls on one grant meet while its token is refreshed. It is closed as long as it has a probe.
// Once the probe gets through it opens: those who wait are sent, a window of them at a time, and calls that start
// pass freely. Its methods do not block and call nobody.
type gate struct {
	mu      sync.Mutex
	probe   *seat         // the call that asks; nil if the gate is open
	lease   time.Time     // when the probe, without an answer, counts as let through
	waiting list.List     // of *seat, first come first
	flying  list.List     // of *seat: sent and without an answer, oldest first; a window of them at most
	window  int           // as the policy said last
	took    time.Duration // how long the last refusal took
	alarm   alarm         // runs expire
	last    uint64        // the number of the seat that came last
	retired bool          // no longer in the registry
}

// role is what a call is to its gate.
type role uint8

const (
	outside  role = iota // it has no part in it
	waiting              // for what the probe finds out
	probing              // it asks for all
	released             // it is sent, or about to be, as one of a window
	told                 // the refresh failed: it need not ask
)

// seat is a call's place at a gate. What is in it is guarded by the gate.
type seat struct {
	gate    *gate
	key     key
	number  uint64 // in the order of arrival; 0 until it takes part
	role    role
	place   *list.Element     // among the waiting or the flying
	since   time.Time         // that it flies
	verdict *classify.Verdict // of the refresh that failed; nil unless it was told
	turn    chan struct{}     // receives once, when the wait is over
}

// join takes part, after a refusal that took so long: as the probe if there is none, else as one of the waiting.
// The probe keeps its part, and will ask again after the pause. Who was sent and is refused closes the gate again
// before another is sent in its place. It reports false if the gate is retired.
func (g *gate) join(s *seat, pause, took time.Duration, window int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.retired {
		return false
	}
	g.window, g.took = window, took
	if s.role == released {
		g.flying.Remove(s.place)
	}
	switch {
	case s.role == probing:
	case g.probe == nil:
		g.arrive(s)
		g.probe, s.role, s.place = s, probing, nil
	default:
		g.wait(s)
	}
	if s.role == probing {
		g.lease = time.Now().Add(pause + g.unrefused())
	}
	g.setAlarm()
	return true
}

// enter takes part before anything was sent. It reports false if the gate is open.
func (g *gate) enter(s *seat) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.probe == nil {
		return false
	}
	g.wait(s)
	g.setAlarm()
	return true
}

// refusal returns how long one is expected to take: a call that starts later cannot end before its deadline.
func (g *gate) refusal() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return min(max(g.took, quickest), unrefused) // that one may have taken long for reasons of its own
}

func (g *gate) unrefused() time.Duration { return max(unrefused, 2*g.took) }

// arrive gives a seat its number.
func (g *gate) arrive(s *seat) {
	if s.number == 0 {
		g.last++
		s.number = g.last
	}
}

// wait puts a seat in line: at the end, or where it was before it was sent and refused.
func (g *gate) wait(s *seat) {
	g.arrive(s)
	s.role, s.turn = waiting, make(chan struct{}, 1)
	if e := g.waiting.Back(); e == nil || seatOf(e).number < s.number {
		s.place = g.waiting.PushBack(s)
		return
	}
	e := g.waiting.Front()
	for seatOf(e).number < s.number {
		e = e.Next()
	}
	s.place = g.waiting.InsertBefore(s, e)
}

// pass gives the part of a call that was sent to another seat: that of a chain further in, which would wait for itself otherwise.
func (g *gate) pass(from, to *seat) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch from.role {
	case probing:
		g.probe = to
	case released:
		from.place.Value = to
	case outside, waiting, told:
		return
	}
	to.number, to.role, to.place, to.since = from.number, from.role, from.place, from.since
	from.role, from.place = outside, nil
}

// report takes in what an answer to a call with a seat says about the refresh. After a refusal the call keeps its part,
// until it joins or leaves; otherwise it has none any more.
func (g *gate) report(s *seat, r policy.Refresh, v classify.Verdict) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch r {
	case policy.RefreshUnderway:
		return
	case policy.RefreshOver:
		if s.role == probing { // any other was sent before anything that is known of the refresh
			g.probe, s.role = nil, outside
		}
	case policy.RefreshFailed:
		for e := g.waiting.Front(); e != nil; e = g.waiting.Front() {
			g.wake(e, told).verdict = &v
		}
	case policy.RefreshUnknown:
	}
	g.part(s)
}

// leave ends a call's part in the gate. If it was the probe, the next one in line takes over.
func (g *gate) leave(s *seat) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.part(s)
}

// impatient ends the part of a call that has waited for too long, and reports whether it has to give up: not if its wait is
// over by now, or if it was only waiting to be sent. Then it goes, outside of the window.
func (g *gate) impatient(s *seat) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.role != waiting {
		return false
	}
	g.part(s)
	return g.probe != nil
}

// outcome returns the verdict of a failed refresh if that is what ended the wait, else nil.
func (g *gate) outcome(s *seat) *classify.Verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	return s.verdict
}

// part takes a seat out of wherever it is.
func (g *gate) part(s *seat) {
	switch s.role {
	case waiting:
		g.waiting.Remove(s.place)
	case released:
		g.flying.Remove(s.place)
	case probing:
		g.probe = nil
		if e := g.waiting.Front(); e != nil {
			g.probe = g.wake(e, probing)
			g.lease = time.Now().Add(g.unrefused())
		}
	case outside, told:
	}
	s.role, s.place = outside, nil
	g.release()
}

// release sends those who wait for as long as the window allows it.
func (g *gate) release() {
	for g.probe == nil && g.flying.Len() < g.window {
		e := g.waiting.Front()
		if e == nil {
			break
		}
		s := g.wake(e, released)
		s.since, s.place = time.Now(), g.flying.PushBack(s)
	}
	g.setAlarm()
}

// wake ends the wait of a seat.
func (g *gate) wake(e *list.Element, r role) *seat {
	s := seatOf(e)
	g.waiting.Remove(e)
	s.role, s.place = r, nil
	s.turn <- struct{}{}
	return s
}

// expire gives up on answers that have not come in time.
func (g *gate) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.alarm.rang()
	now := time.Now()
	if g.probe != nil && !now.Before(g.lease) {
		g.probe.role, g.probe = outside, nil
	}
	for e := g.flying.Front(); e != nil; e = g.flying.Front() {
		s := seatOf(e)
		if now.Sub(s.since) < g.unrefused() {
			break
		}
		g.flying.Remove(e)
		s.role, s.place = outside, nil
	}
	g.release()
}

// setAlarm sees to it that expire runs when it should, as long as somebody waits.
func (g *gate) setAlarm() {
	var next time.Time
	switch e := g.flying.Front(); {
	case g.waiting.Len() == 0:
	case g.probe != nil:
		next = g.lease
	case e != nil:
		next = seatOf(e).since.Add(g.unrefused())
	}
	g.alarm.set(next, g.expire)
}

// retire marks the gate as gone if nobody needs it, and reports whether it is.
func (g *gate) retire() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retired = g.retired || g.probe == nil && g.waiting.Len() == 0 && g.flying.Len() == 0
	return g.retired
}

func seatOf(e *list.Element) *seat {
	return e.Value.(*seat) //nolint:errcheck,forcetypeassert // the lists hold nothing else
}
