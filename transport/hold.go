package transport

import (
	"container/list"
	"net/http"
	"time"
)

// held is an attempt that waits for its turn at an open breaker. What is in it is guarded by the circuit.
type held struct {
	circuit *circuit
	place   *list.Element // nil once it is no longer in line
	turn    chan *pass    // receives once: a pass, or nil for a refusal
}

// hold puts an attempt at the end of the line.
func (c *circuit) hold() *held {
	h := &held{circuit: c, turn: make(chan *pass, 1)}
	h.place = c.held.PushBack(h)
	c.advance()
	return h
}

// advance lets those in line through for as long as they may, and sees to it that it runs again when another may.
// If the circuit opened for longer than anybody may be held, all are refused.
func (c *circuit) advance() {
	now := time.Now()
	stay := c.trip != nil && c.trip.state == Open && c.until.Sub(now) > c.rule.Hold
	for e := c.held.Front(); e != nil; e = c.held.Front() {
		var p *pass
		if !stay {
			if p = c.try(now); p == nil {
				break
			}
		}
		h := c.held.Remove(e).(*held) //nolint:errcheck,forcetypeassert // it holds nothing else
		h.place = nil
		h.turn <- p
	}
	c.alarm.set(c.nextTurn(now), c.ring)
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
	case c.closing.flying >= c.closing.limit && c.closing.next.Before(c.closing.ends) && now.Before(c.closing.ends):
		return c.closing.ends
	}
	return c.closing.next
}

func (c *circuit) ring() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alarm.rang()
	c.advance()
}

// pace is the time between two requests at the rate that the answer which opened the circuit advertised; 0 if it told none,
// or if nobody is held anyway.
func (c *circuit) pace() time.Duration {
	if c.rule.Hold <= 0 || c.verdict.Detail == nil || c.verdict.Detail.RateLimit == nil {
		return 0
	}
	l := c.verdict.Detail.RateLimit
	if l.Limit <= 0 || l.Window <= 0 {
		return 0
	}
	return min(l.Window/time.Duration(l.Limit), c.rule.Hold)
}

// abandon takes an attempt out of the line. If its turn had come, it returns the pass.
func (h *held) abandon() (*pass, bool) {
	h.circuit.mu.Lock()
	defer h.circuit.mu.Unlock()
	if h.place != nil {
		h.circuit.held.Remove(h.place)
		h.place = nil
		h.circuit.advance()
		return nil, false
	}
	return <-h.turn, true
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
		p, _ := h.abandon()
		return p, nil
	case <-req.Context().Done():
	//lint:ignore SA1019 http.Client.Timeout sets it
	case <-req.Cancel:
	}
	p, _ := h.abandon()
	return p, endedError(req)
}

// left is how long a request's caller has patience.
func left(req *http.Request) time.Duration {
	if deadline, ok := req.Context().Deadline(); ok {
		return time.Until(deadline)
	}
	return 1<<63 - 1
}
