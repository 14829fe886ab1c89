package transport

import (
	"context"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// visit is a request's way through the breakers while some key is in trouble.
type visit struct {
	*breaking
	req     *http.Request
	now     time.Time // after the last function of the user's
	held    bool      // some circuit held it
	tickets []ticket
}

// ticket is a request's pass of one breaker, and whose circuit that is.
type ticket struct {
	*pass   // nil if it has none
	circuit *circuit
	breaker *breaker
	key     key
}

// admit takes the request through every circuit that it belongs to, or past all if an operator says so. It returns the error
// of the circuit that refuses. What the request was lent is in its tickets in any case.
func (v *visit) admit() (forced bool, err error) {
	var keys [3]key
	n := v.shared.keys.fill(&keys, v.req)
	v.now = v.shared.now()
	v.shared.sweep(v.now)
	if word, k := v.shared.force(keys[:n]); word.holds() {
		return v.obey(word, k)
	}
	for _, br := range v.shared.rules.Load().breakers {
		if br.circuits.empty() {
			continue
		}
		for _, k := range keys[:n] {
			c := br.circuits.find(k)
			if c == nil {
				continue
			}
			if rest, cause, shut := c.shut(v.now, &br.rule); shut {
				return false, v.refuse(c.name, cause, &OpenError{RetryAfter: rest})
			}
			if leased(v.req.Context(), c) {
				continue
			}
			if forced, err = v.pass(ticket{nil, c, br, k}, keys[:n]); forced || err != nil {
				return forced, err
			}
			v.now = v.shared.now()
		}
	}
	return false, nil
}

// now is the time for what is measured from one moment to another: half as dear as time.Now. Its wall clock is that of the start.
func (s *Shared) now() time.Time { return s.budgets.epoch.Add(s.budgets.now()) }

// pass takes the request through one circuit, when it is its turn. An operator may have spoken by then.
func (v *visit) pass(t ticket, keys []key) (forced bool, err error) {
	p, h, refusal := t.circuit.admit(v.now, &t.breaker.rule, left(v.req))
	switch {
	case refusal != nil:
		return false, v.refuse(t.circuit.name, t.circuit.cause(), refusal)
	case h == nil:
		v.take(t, p)
		return false, nil
	}
	v.held = true
	p, err = h.wait(v.req, t.breaker.rule.Hold)
	waited := time.Since(v.now)
	v.take(t, p)
	word, k := v.shared.force(keys)
	if v.hooks.Wait != nil {
		v.hooks.Wait(v.req.Context(), WaitInfo{
			Request: v.req, Key: t.key.String(), Verdict: h.cause, Duration: waited,
			Sent: err == nil && (word.closed() || p != nil && !word.holds()),
		})
	}
	switch {
	case err != nil:
		return false, err
	case word.holds():
		return v.obey(word, k)
	case p == nil:
		return false, v.refuse(t.circuit.name, t.circuit.cause(), t.circuit.refusal())
	}
	return false, nil
}

// obey does what an operator said.
func (v *visit) obey(word word, k key) (forced bool, err error) {
	if word.closed() {
		return true, nil
	}
	return false, v.refuse(k.String(), word.verdict(), &OpenError{RetryAfter: word.left})
}

// refuse makes the error of a refusal: the verdict that opened the circuit, with the time left.
func (v *visit) refuse(key string, verdict classify.Verdict, refusal *OpenError) error {
	refusal.Key, refusal.held = key, v.held
	verdict.RetryAfter = refusal.RetryAfter
	verdict.Unprocessed = true
	if v.hooks.Refuse != nil {
		v.hooks.Refuse(v.req.Context(), RefuseInfo{Request: v.req, Key: key, Verdict: verdict, RetryAfter: verdict.RetryAfter})
	}
	return verdict.Err(refusal)
}

// take keeps a pass for as long as the request is under way, and tells what it changed.
func (v *visit) take(t ticket, p *pass) {
	if p == nil {
		return
	}
	t.pass = p
	v.tickets = append(v.tickets, t)
	v.tell(v.req, t.key, t.breaker, p.change)
}

// release gives back what the request was lent. If that has been settled, it changes nothing.
func (v *visit) release() {
	for _, t := range v.tickets {
		t.circuit.release(t.pass)
	}
}

// marked is the request as it is sent: one that was lent something says so.
func (v *visit) marked() *http.Request {
	var lent []*pass
	for _, t := range v.tickets {
		if t.lent() {
			lent = append(lent, t.pass)
		}
	}
	if lent == nil {
		return v.req
	}
	return v.req.WithContext(&leaseContext{v.req.Context(), lent})
}

// leaseContext marks a request that was lent something by circuits, so that a chain further in which shares their state does
// not ask them for the same once more.
type leaseContext struct {
	context.Context //nolint:containedctx // it is a context
	lent            []*pass
}

type leaseKey struct{}

func (c *leaseContext) Value(key any) any {
	if key == (leaseKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// leased reports whether a request has been let through the circuit by a chain further out, which still waits for its outcome.
func leased(ctx context.Context, c *circuit) bool {
	for {
		l, _ := ctx.Value(leaseKey{}).(*leaseContext)
		if l == nil {
			return false
		}
		for _, p := range l.lent {
			if p.circuit == c && c.lends(p) {
				return true
			}
		}
		ctx = l.Context //nolint:fatcontext // it goes outward
	}
}
