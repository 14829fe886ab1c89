package transport

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// What a call does at the gate of its grant. The gate itself is in gate.go.

// enter takes a seat at the gate of a request that is about to be sent; nil if it can go at once: nobody says what grant it is
// about, the gate is open, or a chain further out has let it through.
func (r *retrying) enter(req *http.Request) *seat {
	known := false
	defer func() {
		if !known { // the key function panicked
			closeBody(req)
		}
	}()
	k, ok := r.shared.keys.gate(req, classify.Verdict{})
	known = true
	if !ok || admitted(req.Context(), r.shared) != nil || !r.shared.rules.Load().policy.Gates(classify.TokenRefreshInProgress) {
		return nil
	}
	g := r.shared.gates.find(k)
	if g == nil {
		return nil
	}
	s := &seat{gate: g, key: k}
	if !g.enter(s) {
		return nil
	}
	return s
}

// queue begins a call that has to wait before it is sent.
func (r *retrying) queue(req *http.Request, s *seat) (*http.Response, error) {
	c := &call{retrying: r, req: req, rules: r.shared.rules.Load(), start: time.Now(), seat: s}
	sent := false
	defer func() {
		c.leave() // if a hook or the base panicked; otherwise it has left
		if !sent {
			closeBody(c.req)
		}
	}()
	k, patience, why := c.seat.key, c.rules.patience, policy.OutOfTime
	if most := left(c.req) - c.seat.gate.refusal(); most < patience {
		patience, why = most, policy.DeadlineTooNear
	}
	if why, err := c.await(c.start, patience, why); why != policy.Retrying {
		if err == nil {
			err = underway(k).Err(&GateError{Waited: c.trail.Waited})
		}
		return c.end(nil, err, classify.Of(nil, err), why)
	}
	c.queued = true
	a := attempt{start: time.Now()}
	c.sent = &attemptContext{Context: c.req.Context(), attempt: 1, shared: c.shared, seat: c.seat}
	sent = true
	a.send(c.judge, c.req.WithContext(c.sent))
	return c.run(a)
}

// grantOf is the grant that an answer names; empty if it names none.
func grantOf(v classify.Verdict) string {
	if v.Detail == nil {
		return ""
	}
	return v.Detail.GrantID
}

// underway is the verdict of a call that has not asked because another one does.
func underway(k key) classify.Verdict {
	return classify.Verdict{
		Kind: classify.TokenRefreshInProgress, Unprocessed: true, Detail: &classify.Detail{GrantID: k.part},
	}
}

// report tells the gate what came of an attempt, if the call has a seat there. It reports whether the call can wait at a gate
// before its next attempt; it has a seat there then.
func (c *call) report(v classify.Verdict, err error) (gated bool) {
	if c.seat != nil {
		refresh := policy.RefreshOf(v)
		if err != nil || refresh == policy.RefreshFailed && c.seat.key.part != cmp.Or(grantOf(v), c.seat.key.part) {
			refresh = policy.RefreshUnknown // of this grant
		}
		c.seat.gate.report(c.seat, refresh, aboutGrant(v))
		if refresh != policy.RefreshUnderway {
			c.tidy()
		}
	}
	if !c.rules.policy.Gates(v.Kind) {
		return false
	}
	k, known := c.shared.keys.gate(c.req, v)
	return known && c.sit(k)
}

// sit takes a seat at a gate, if the call has none there. It reports false if there is no room for another gate.
func (c *call) sit(k key) bool {
	if c.seat != nil && c.seat.key == k {
		return true
	}
	c.leave()
	g := c.shared.gates.make(k, func() *gate { return &gate{} })
	if g == nil {
		return false
	}
	c.seat = &seat{gate: g, key: k}
	if outer := admitted(c.req.Context(), c.shared); outer != nil && outer.gate == g {
		g.pass(outer, c.seat)
	}
	return true
}

// join takes part in the gate where the call has its seat. A call that is not gated leaves.
func (c *call) join(gated bool, d policy.Decision, took time.Duration) {
	if !gated {
		c.leave()
		return
	}
	k := c.seat.key
	for range 3 { // a gate that was retired in this very moment is looked up again
		if c.seat.gate.join(c.seat, d.Pause, took, c.rules.gate.Window) {
			return
		}
		c.leave()
		if !c.sit(k) {
			return // the call asks for itself
		}
	}
	c.leave()
}

// leave gives up the call's seat, if it has one.
func (c *call) leave() {
	if c.seat != nil {
		c.seat.gate.leave(c.seat)
		c.tidy()
		c.seat = nil
	}
}

// tidy forgets the gate if it is of no more use.
func (c *call) tidy() { c.shared.gates.drop(c.seat.key, c.seat.gate, (*gate).retire) }

// wait lets the time until the next attempt pass: the decision's pause, or what it takes another call to find out.
// It returns policy.Retrying if the attempt is to be made, else why not, and the error to be returned if it is not the answer.
func (c *call) wait(a *attempt, v classify.Verdict, d policy.Decision) (policy.Reason, error) {
	decided := a.end
	if c.seat == nil || c.seat.turn == nil {
		a.discard()
		if err := c.pause(decided, d.Pause); err != nil {
			c.leave()
			return policy.Canceled, err
		}
		return policy.Retrying, nil
	}
	a.keep()
	why, err := c.await(decided, d.Patience, d.Impatient)
	waited := time.Since(decided)
	c.trail.last().Pause = waited
	if why != policy.Retrying && err == nil && a.resp == nil {
		err = v.Err(&GateError{Waited: waited}) // the answer was too long to keep
	}
	return why, err
}

// await waits in line until it is the call's turn, for as long as it has patience.
func (c *call) await(begin time.Time, patience time.Duration, impatient policy.Reason) (why policy.Reason, err error) {
	s := c.seat
	timer := time.NewTimer(patience - time.Since(begin))
	defer timer.Stop()
	late := false
	select {
	case <-s.turn:
	case <-timer.C:
		late = true
	case <-c.req.Context().Done():
	//lint:ignore SA1019 http.Client.Timeout sets it
	case <-c.req.Cancel:
	}
	waited := time.Since(begin)
	c.trail.Waited += waited
	why = policy.Retrying
	if ended := Ended(c.req); ended != nil && (patience <= 0 || !errors.Is(ended, context.DeadlineExceeded)) {
		why, err = policy.Canceled, endedError(c.req)
	} else if (late || waited >= patience) && s.gate.impatient(s) { // its deadline may have passed too, when the timer is late
		why = impatient
	} else if ended != nil { // even if its turn came at the same time
		why, err = policy.Canceled, endedError(c.req)
	} else if v := s.gate.outcome(s); v != nil {
		why, err = policy.Gated, v.Err(&GateError{Waited: waited, Failed: true})
	}
	if why == policy.Retrying {
		s.turn = nil
	} else {
		c.leave()
	}
	if c.hooks.Wait != nil {
		c.hooks.Wait(c.req.Context(), WaitInfo{
			Request: c.req, Key: s.key.String(), Verdict: underway(s.key), Duration: waited,
			Gate: true, Sent: why == policy.Retrying,
		})
	}
	return why, err
}
