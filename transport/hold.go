package transport

import (
	"container/list"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// held is an attempt that waits for its turn at an open breaker. What is in it is guarded by the circuit.
type held struct {
	circuit *circuit
	cause   classify.Verdict // what opened the breaker
	place   *list.Element    // nil once it is no longer in line
	last    time.Time        // when its turn would be of use for the last time
	turn    chan *pass       // receives once: a pass, or nil for a refusal
}

// hold puts an attempt at the end of the line.
func (c *circuit) hold(now time.Time, patience time.Duration) *held {
	h := &held{circuit: c, cause: c.verdict, last: now.Add(patience), turn: make(chan *pass, 1)}
	h.place = c.held.PushBack(h)
	c.advance(now)
	return h
}

// turn is when the attempt that n others stand before will have its turn, if the answers come at once.
func (c *circuit) turn(now time.Time, n int) time.Time {
	pace, first := c.pace(), now
	switch {
	case c.trip != nil && c.trip.state == Open:
		first = c.until
	case c.trip != nil:
		first = c.trip.last.Add(pace)
	case c.closing != nil:
		first = c.closing.next
	}
	if first.Before(now) {
		first = now
	}
	return first.Add(time.Duration(n) * pace)
}

// sift refuses those in line for whom it will not be their turn in time: the circuit has opened for another while.
func (c *circuit) sift() {
	now, n := time.Now(), 0
	for e := c.held.Front(); e != nil; {
		h := e.Value.(*held) //nolint:errcheck,forcetypeassert // it holds nothing else
		e = e.Next()
		if c.turn(now, n).After(h.last) {
			h.leave(nil)
			continue
		}
		n++
	}
}

// advance lets those in line through for as long as they may, and sees to it that it runs again when another may.
func (c *circuit) advance(now time.Time) {
	for e := c.held.Front(); e != nil; e = c.held.Front() {
		p := c.try(now)
		if p == nil {
			break
		}
		e.Value.(*held).leave(p) //nolint:errcheck,forcetypeassert // it holds nothing else
	}
	if next := c.nextTurn(now); !next.Equal(c.alarm.at) {
		c.alarm.set(next, c.ring)
	}
}

// dismiss refuses all in line.
func (c *circuit) dismiss() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.held.Front(); e != nil; e = c.held.Front() {
		e.Value.(*held).leave(nil) //nolint:errcheck,forcetypeassert // it holds nothing else
	}
	c.advance(time.Now())
}

// nextTurn is when the first in line may be let through if nothing else happens; zero if there is none, or if only
// an answer can tell.
func (c *circuit) nextTurn(now time.Time) time.Time {
	switch {
	case c.held.Len() == 0:
		return time.Time{}
	case c.trip != nil && c.trip.state == Open:
		return c.until
	case c.trip != nil:
		return c.trip.nextLoss(c.rule.Open)
	case c.closing.full() && c.closing.next.Before(c.closing.ends) && now.Before(c.closing.ends):
		return c.closing.ends
	}
	return c.closing.next
}

func (c *circuit) ring() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alarm.set(time.Time{}, nil) // if it has been set to a later time meanwhile, advance sets it again
	c.advance(time.Now())
}

// pace is the time between two requests at the rate that the answer which opened the circuit advertised; 0 if it told none,
// or if nobody is held anyway.
func (c *circuit) pace() time.Duration {
	if c.rule.Hold <= 0 || c.verdict.Detail == nil || c.verdict.Detail.RateLimit == nil {
		return 0
	}
	l := c.verdict.Detail.RateLimit
	if l.Limit <= 0 || l.Window <= 0 || l.Remaining > 0 { // of a policy that is not used up it says nothing
		return 0
	}
	return min(l.Window/time.Duration(l.Limit), c.rule.Hold)
}

// leave takes an attempt out of the line and tells it why.
func (h *held) leave(p *pass) {
	h.circuit.held.Remove(h.place)
	h.place = nil
	h.turn <- p
}

// abandon takes an attempt out of the line. If its turn has come it returns the pass, nil if it was refused.
func (h *held) abandon(late bool) *pass {
	c := h.circuit
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if late { // perhaps not too late, if the alarm is late too
		c.advance(now)
	}
	if h.place == nil {
		return <-h.turn
	}
	c.held.Remove(h.place)
	h.place = nil
	c.advance(now)
	return nil
}

// wait waits for the attempt's turn, at most for patience and not past the caller's context, whose error it returns.
// A nil pass is a refusal.
func (h *held) wait(req *http.Request, patience time.Duration) (*pass, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case p := <-h.turn:
		return p, nil
	case <-timer.C:
		return h.abandon(true), nil
	case <-req.Context().Done():
	//lint:ignore SA1019 http.Client.Timeout sets it
	case <-req.Cancel:
	}
	return h.abandon(false), endedError(req)
}

// left is how long a request's caller has patience.
func left(req *http.Request) time.Duration {
	if deadline, ok := req.Context().Deadline(); ok {
		return time.Until(deadline)
	}
	return 1<<63 - 1
}
