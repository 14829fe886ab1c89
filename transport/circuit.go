package transport

import (
	"container/list"
	"strings"
	"sync"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// outcome is what an attempt means to a breaker.
type outcome uint8

const (
	neutral outcome = iota
	success
	failure
)

// circuit is the state of one key that is in trouble: failures in a row, a trip that is not over, or one whose end
// lets requests back in bit by bit. A key without a circuit is healthy. Its methods do not block and call nobody.
type circuit struct {
	name     string // of its key
	mu       sync.Mutex
	rule     *policy.Breaker  // as the policy said last; it does not change
	failures int              // in a row, while closed
	trip     *trip            // nil while closed
	until    time.Time        // when the trip's hold ends
	verdict  classify.Verdict // what caused the trip
	closing  *closing         // after a trip; nil once all may pass again
	held     list.List        // of *held, first come first
	alarm    alarm            // runs advance, as long as somebody is held
	seen     time.Time        // when somebody asked or reported last
	retired  bool             // no longer in the registry
}

// closing is the time after a trip, in which the requests in flight are bounded so that not all come at once.
type closing struct {
	limit  int // grows with each success; 0 is no bound
	flying int
	ends   time.Time
	pace   time.Duration // between two requests, if the answer that caused the trip advertised a rate
	next   time.Time     // when the pace allows another
}

// change is a change of state, to be told to the hooks once no lock is held. Without one, from and to are equal.
type change struct {
	from, to State
	verdict  classify.Verdict
	hold     time.Duration
	opened   bool // by what was just settled
}

// pass is the leave to send one request through a circuit in trouble.
type pass struct {
	circuit *circuit
	probe   *lease   // of the trip's; nil if the request is no probe
	closing *closing // that it flies in; nil if in none
	change  change
}

// shut reports whether the circuit turns everybody away, for how long and because of what. It has lent nothing then.
func (c *circuit) shut(now time.Time, rule *policy.Breaker) (rest time.Duration, cause classify.Verdict, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rule.Hold > 0 || c.trip == nil || c.trip.state != Open || !now.Before(c.until) {
		return 0, classify.Verdict{}, false
	}
	c.rule, c.seen = rule, now
	return c.until.Sub(now), c.verdict, true
}

// admit lets an attempt through now, or says why not. An attempt with patience, until its caller's deadline, may be held instead.
func (c *circuit) admit(now time.Time, rule *policy.Breaker, patience time.Duration) (*pass, *held, *OpenError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rule, c.seen = rule, now
	if c.held.Len() == 0 {
		if p := c.try(now); p != nil {
			return p, nil, nil
		}
	}
	patience = min(rule.Hold, patience-1) // a turn at the deadline is too late
	if rule.Hold > 0 && c.turn(now, c.held.Len()).Sub(now) <= patience && !c.retired {
		return nil, c.hold(now, patience), nil
	}
	return nil, nil, c.refused(now)
}

// try returns the pass of an attempt if it may be sent now, else nil.
func (c *circuit) try(now time.Time) *pass {
	if c.trip != nil {
		from := c.trip.state
		if from == Open && now.Before(c.until) { // gobreaker would look at the clock again, and say the same
			return nil
		}
		probe := c.trip.admit(c.rule.Open)
		if probe == nil {
			return nil
		}
		return &pass{circuit: c, probe: probe, change: change{from: from, to: c.trip.state, verdict: c.verdict}}
	}
	cl := c.closing
	if cl == nil {
		return &pass{circuit: c}
	}
	if cl.full() && now.Before(cl.ends) || now.Before(cl.next) {
		return nil
	}
	cl.flying++
	cl.next = now.Add(cl.pace)
	return &pass{circuit: c, closing: cl}
}

// settle takes in what came of an attempt, with or without a pass, and says whether the key is healthy again.
// A failure brings a random number in [0, 1). It reports false, and does nothing, if the circuit is retired.
func (c *circuit) settle(p *pass, o outcome, v classify.Verdict, rule *policy.Breaker, random float64) (ch change, healthy, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retired {
		return change{}, false, false
	}
	now := time.Now()
	c.rule, c.seen = rule, now
	before, trip := c.state(), c.trip
	if p.late() && (o != failure || v.RetryAfter <= 0) {
		o = neutral
	}
	probe := p.end(o)
	switch o {
	case failure:
		c.fail(probe, v, random)
	case success:
		if c.state() == Closed { // all along, or after enough probes
			c.close(now)
		}
	case neutral:
	}
	ch = change{from: before, to: c.state(), verdict: c.verdict, opened: c.trip != trip && c.trip != nil}
	if ch.to == Open {
		ch.hold = time.Until(c.until)
	}
	c.advance(now)
	return ch, c.healthy(), true
}

// release takes back a pass whose request came to nothing.
func (c *circuit) release(p *pass) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.end(neutral)
	c.advance(time.Now())
}

// lends reports whether the pass stands for a slot that the circuit waits for.
func (c *circuit) lends(p *pass) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return p.closing != nil && p.closing == c.closing || p.probe != nil && p.probe.done != nil && p.probe.trip == c.trip
}

// lent reports whether the pass stands for a slot that has to come back.
func (p *pass) lent() bool { return p != nil && (p.probe != nil || p.closing != nil) }

// late reports whether the pass was a probe's that took so long that it lost its slot. What comes of it says nothing any more,
// unless the server itself speaks of the present.
func (p *pass) late() bool { return p != nil && p.probe != nil && p.probe.done == nil }

// end gives up a pass with what came of its request. It returns whether that was a probe of the circuit's present trip.
// Ending a pass once more, or none, does nothing.
func (p *pass) end(o outcome) bool {
	if p == nil {
		return false
	}
	if cl := p.closing; cl != nil {
		p.closing = nil
		cl.flying--
		if o == success && cl.limit > 0 {
			cl.limit++
		}
		return false
	}
	return p.probe.end(o) && p.probe.trip == p.circuit.trip
}

// fail opens the circuit if there is reason enough. A hint always is: it speaks of the present, whenever the request was sent.
// A failure without one is, if a probe met it or if there were enough in a row; while the circuit is open it adds nothing.
func (c *circuit) fail(probe bool, v classify.Verdict, random float64) {
	hold := min(v.RetryAfter, c.rule.MaxOpen)
	if hold <= 0 {
		if c.trip == nil {
			c.failures++
		}
		if !probe && (c.trip != nil || c.failures < c.rule.Failures) {
			return
		}
		hold = c.rule.Open + time.Duration(random*float64(c.rule.Jitter)*float64(c.rule.Open))
	}
	hold = max(hold, minHold)
	if !probe && c.trip != nil && time.Now().Add(hold).Before(c.until) {
		return
	}
	c.trip, c.verdict, c.failures, c.closing = newTrip(hold, c.rule.Probes), public(v), 0, nil
	c.until = time.Now().Add(hold) // not before the trip would let a probe through
	c.sift()
}

// close goes on after a success: from a trip that is over to letting requests back in, and from there to health.
func (c *circuit) close(now time.Time) {
	c.failures = 0
	switch cl, pace := c.closing, c.pace(); {
	case c.trip != nil:
		if c.rule.Window > 0 || pace > 0 && c.held.Len() > 0 {
			c.closing = &closing{
				limit: min(2*c.rule.Probes, c.rule.Window), ends: now.Add(c.rule.Open), pace: pace, next: c.trip.last.Add(pace),
			}
		}
		c.trip = nil
	case cl != nil && c.held.Len() == 0 && (cl.limit >= c.rule.Window || !now.Before(cl.ends)):
		c.closing = nil
	}
}

// full reports whether there are as many requests in flight as the window allows.
func (cl *closing) full() bool { return cl.limit > 0 && cl.flying >= cl.limit }

func (c *circuit) healthy() bool { return c.trip == nil && c.closing == nil && c.failures == 0 }

// public is the part of a verdict that concerns every caller of a key, and not only the one that got the answer. Its texts are copies:
// those of the verdict are in one piece with all else that the answer said.
func public(v classify.Verdict) classify.Verdict {
	v.Code = strings.Clone(v.Code)
	if d := v.Detail; d != nil {
		v.Detail = &classify.Detail{Status: d.Status, PolicyError: strings.Clone(d.PolicyError), RateLimit: d.RateLimit}
	}
	return v
}

func (c *circuit) state() State {
	if c.trip == nil {
		return Closed
	}
	return c.trip.state
}

// cause is the verdict that opened the circuit.
func (c *circuit) cause() classify.Verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.verdict
}

// reset forgets everything, and lets those held through.
func (c *circuit) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures, c.trip, c.closing = 0, nil, nil
	c.advance(time.Now())
}

// refusal says how long it still refuses.
func (c *circuit) refusal() *OpenError {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused(time.Now())
}

func (c *circuit) refused(now time.Time) *OpenError {
	end := c.until
	if c.trip == nil && c.closing != nil {
		end = c.closing.next
	}
	return &OpenError{RetryAfter: max(0, end.Sub(now))}
}

// retire marks the circuit as gone if its key is healthy, and reports whether it is.
func (c *circuit) retire() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	healthy := c.healthy()
	c.retired = c.retired || healthy
	return healthy
}

// spare marks the circuit as gone if it can be forgotten to make room for another: one that only counts failures, that lets
// requests back in, or whose hold is over with nobody asking. One that is open, probing, or waited for cannot.
func (c *circuit) spare() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	idle := c.idle(time.Now())
	c.retired = c.retired || idle
	return idle
}

// stale marks the circuit as gone if it can be forgotten because nobody has asked for a long time, and reports whether it can.
func (c *circuit) stale() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	stale := c.idle(now) && min(now.Sub(c.seen), now.Sub(c.until)) > c.rule.MaxOpen
	c.retired = c.retired || stale
	return stale
}

func (c *circuit) idle(now time.Time) bool {
	switch {
	case c.held.Len() > 0:
		return false
	case c.trip == nil:
		return true
	case c.trip.state == Open:
		return !now.Before(c.until)
	}
	return !c.trip.probing(now, c.rule.Open)
}
