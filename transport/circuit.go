package transport

import (
	"math/rand/v2"
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

// circuit is the state of one key that is in trouble: failures in a row, or a trip that is not over.
// A key without a circuit is healthy.
type circuit struct {
	mu       sync.Mutex
	failures int              // in a row, while closed
	trip     *trip            // nil while closed
	until    time.Time        // when the trip's hold ends
	verdict  classify.Verdict // what caused the trip
	retired  bool             // no longer in the registry
}

// change is a change of state, to be told to the hooks once no lock is held. Without one, from and to are equal.
type change struct {
	from, to State
	verdict  classify.Verdict
	hold     time.Duration
	opened   bool // by what was just settled
}

// admit lets an attempt through, as a probe if the circuit is half-open, or says why not.
func (c *circuit) admit(rule policy.Breaker) (*lease, change, *OpenError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trip == nil {
		return nil, change{}, nil
	}
	from := c.trip.state
	probe := c.trip.admit(rule.Open)
	if probe == nil {
		return nil, change{}, &OpenError{RetryAfter: max(0, time.Until(c.until))}
	}
	return probe, change{from: from, to: c.trip.state, verdict: c.verdict}, nil
}

// settle takes in what came of an attempt, probe or not, and says whether the key is healthy again.
// It reports false, and does nothing, if the circuit is retired.
func (c *circuit) settle(probe *lease, o outcome, v classify.Verdict, rule policy.Breaker) (ch change, healthy, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retired {
		return change{}, false, false
	}
	before, trip := c.state(), c.trip
	current := probe.end(o) && probe.trip == c.trip
	switch o {
	case failure:
		c.fail(current, v, rule)
	case success:
		if c.state() == Closed { // all along, or after enough probes
			c.trip, c.failures = nil, 0
		}
	case neutral:
	}
	ch = change{from: before, to: c.state(), verdict: c.verdict, opened: c.trip != trip && c.trip != nil}
	if ch.to == Open {
		ch.hold = time.Until(c.until)
	}
	return ch, c.trip == nil && c.failures == 0, true
}

// fail opens the circuit if there is reason enough. A hint always is: it speaks of the present, whenever the request was sent.
// A failure without one is, if a probe met it or if there were enough in a row; while the circuit is open it adds nothing.
func (c *circuit) fail(probe bool, v classify.Verdict, rule policy.Breaker) {
	hold := min(v.RetryAfter, rule.MaxOpen)
	if hold <= 0 {
		if c.trip == nil {
			c.failures++
		}
		if !probe && (c.trip != nil || c.failures < rule.Failures) {
			return
		}
		hold = rule.Open + time.Duration(rand.Float64()*float64(rule.Jitter)*float64(rule.Open))
	}
	until := time.Now().Add(hold)
	if !probe && c.trip != nil && until.Before(c.until) {
		return
	}
	c.trip, c.until, c.verdict, c.failures = newTrip(hold, rule.Probes), until, public(v), 0
}

// public is the part of a verdict that concerns every caller of a key, and not only the one that got the answer.
func public(v classify.Verdict) classify.Verdict {
	if d := v.Detail; d != nil {
		v.Detail = &classify.Detail{Status: d.Status, PolicyError: d.PolicyError, RateLimit: d.RateLimit}
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

// retire marks the circuit as gone if its key is healthy, and reports whether it is.
func (c *circuit) retire() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	healthy := c.trip == nil && c.failures == 0
	c.retired = c.retired || healthy
	return healthy
}

// spare marks the circuit as gone if it can be forgotten to make room for another: one that only counts failures,
// or whose hold is over with nobody asking. One that is open or probing cannot.
func (c *circuit) spare() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	idle := c.trip == nil || c.trip.state == Open && !time.Now().Before(c.until)
	c.retired = c.retired || idle
	return idle
}
