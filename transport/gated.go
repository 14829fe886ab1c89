package transport

import (
	"math"
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
	if !ok || admitted(req.Context(), r.shared) {
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
func (c *call) queue() (*http.Response, error) {
	sent := false
	defer func() {
		if !sent {
			c.leave()
			closeBody(c.req)
		}
	}()
	patience, why := c.shared.gate.Probe.MaxElapsed, policy.OutOfTime
	if patience == 0 {
		patience = math.MaxInt64
	}
	if most := left(c.req) - c.seat.gate.refusal(); most < patience {
		patience, why = most, policy.DeadlineTooNear
	}
	if why, err := c.await(c.start, patience, why); why != policy.Retrying {
		if err == nil {
			err = underway(c.seat.key).Err(&GateError{Waited: c.trail.Waited})
		}
		return c.end(nil, err, classify.Of(nil, err), why)
	}
	a := attempt{start: time.Now()}
	req := c.req.WithContext(&attemptContext{Context: c.req.Context(), attempt: 1, admitted: c.shared})
	sent = true
	a.send(c.next, req)
	return c.run(a)
}

// underway is the verdict of a call that has not asked because another one does.
func underway(k key) classify.Verdict {
	return classify.Verdict{
		Kind: classify.TokenRefreshInProgress, Unprocessed: true, Detail: &classify.Detail{GrantID: k.part},
	}
}

// report tells the gate what came of an attempt, if the call has a seat there. It returns the key of the gate where the call
// may wait before its next attempt, and whether there is one.
func (c *call) report(v classify.Verdict, a attempt) (key, bool) {
	if c.seat != nil {
		refresh := policy.RefreshOf(v)
		if a.err != nil {
			refresh = policy.RefreshUnknown
		}
		c.seat.gate.report(c.seat, refresh, aboutGrant(v))
		c.tidy()
	}
	if !c.shared.policy.Gates(v.Kind) {
		return key{}, false
	}
	return c.shared.keys.gate(c.req, v)
}

// join takes a seat at the gate, or keeps it. A call without gate leaves where it was.
func (c *call) join(k key, gated bool, d policy.Decision, took time.Duration) {
	if c.seat != nil && (!gated || c.seat.key != k) {
		c.leave()
	}
	if !gated {
		return
	}
	if c.seat == nil {
		c.seat = &seat{key: k}
	}
	for range 3 { // a gate that was retired in this very moment is looked up again
		if g := c.seat.gate; g != nil && g.join(c.seat, d.Pause, took, c.shared.gate.Window) {
			return
		}
		c.seat.gate = c.shared.gates.make(k, func() *gate { return &gate{} })
		if c.seat.gate == nil {
			break
		}
	}
	c.seat = nil // no room: the call asks for itself
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
func (c *call) wait(a *attempt, v classify.Verdict, d policy.Decision, decided time.Time) (policy.Reason, error) {
	if c.seat == nil || c.seat.turn == nil {
		a.discard()
		if err := c.pause(decided, d.Pause); err != nil {
			return policy.Canceled, err
		}
		return policy.Retrying, nil
	}
	a.keep()
	why, err := c.await(decided, d.Patience, d.Impatient)
	waited := time.Since(decided)
	c.trail.Records[len(c.trail.Records)-1].Pause = waited
	if why != policy.Retrying && err == nil && a.resp == nil {
		err = v.Err(&GateError{Waited: waited}) // the answer was too long to keep
	}
	return why, err
}

// await waits in line until it is the call's turn, for as long as it has patience.
func (c *call) await(begin time.Time, patience time.Duration, impatient policy.Reason) (why policy.Reason, err error) {
	s := c.seat
	timer := time.NewTimer(patience)
	defer timer.Stop()
	why = policy.Retrying
	select {
	case <-s.turn:
	case <-timer.C:
		if s.gate.impatient(s) {
			why = impatient
		}
	case <-c.req.Context().Done():
		why = policy.Canceled
	//lint:ignore SA1019 http.Client.Timeout sets it
	case <-c.req.Cancel:
		why = policy.Canceled
	}
	s.turn = nil
	waited := time.Since(begin)
	c.trail.Waited += waited
	v, failed := s.gate.outcome(s)
	switch {
	case why == policy.Canceled:
		err = endedError(c.req)
	case failed:
		why, err = policy.Gated, v.Err(&GateError{Waited: waited, Failed: true})
	}
	if why != policy.Retrying {
		c.leave()
	}
	if c.hooks.Wait != nil {
		c.hooks.Wait(c.req.Context(), WaitInfo{
			Request: c.req, Key: s.key.String(), Verdict: underway(s.key), Duration: waited, Sent: why == policy.Retrying,
		})
	}
	return why, err
}
