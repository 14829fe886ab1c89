package transport

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// State is the state of a breaker. The zero value is Closed.
type State uint8

const (
	// Closed: requests pass.
	Closed State = iota
	// HalfOpen: a few requests pass, to find out whether the rest may.
	HalfOpen
	// Open: no request passes.
	Open
)

// String returns the state as "closed", "half-open" or "open".
func (s State) String() string {
	switch s {
	case HalfOpen:
		return "half-open"
	case Open:
		return "open"
	default:
		return "closed"
	}
}

// MarshalText returns the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Break keeps requests away from a key, by default a host, once the policy says that they are of no use: after a failure
// that carries a hint, until then; after a number of failures in a row, for a while. It refuses with the verdict that opened it
// and with [ErrOpen] in the error's chain, within microseconds and without sending anything; if the policy says so, it first
// holds the request for a while. When the time is over it lets probes through, after as many successes a growing number
// of requests at once, and then all.
//
// Only the kinds that the policy names are failures. Every other answer is a success, whatever its status;
// every other error, and an exchange that the caller ended, is neutral. [Keys] says what a breaker belongs to.
// A policy may have several breakers; a request has to pass all of them.
//
// A nil s is one with [policy.Default], not shared with anything else; nil hooks are none.
func Break(s *Shared, hooks *Hooks) Middleware {
	s = s.orOwn()
	if hooks == nil {
		hooks = &Hooks{}
	}
	return func(next http.RoundTripper) http.RoundTripper { return &breaking{inner{next}, s, hooks} }
}

type breaking struct {
	inner
	shared *Shared
	hooks  *Hooks
}

var _ http.RoundTripper = (*breaking)(nil)

func (b *breaking) RoundTrip(req *http.Request) (*http.Response, error) {
	if !b.shared.calm() && req.Context().Value(leaseKey{}) != b.shared {
		return b.guarded(req)
	}
	resp, err := b.next.RoundTrip(req)
	b.report(req, resp, verdictOf(req, resp, err), err, nil)
	return resp, err
}

// ticket is a request's pass of one breaker, and whose circuit that is.
type ticket struct {
	*pass   // nil if it needed none
	circuit *circuit
	breaker *breaker
	key     key
}

// guarded sends a request while some key is in trouble, if the circuits of its own keys let it through. What it was lent
// comes back even if a hook or the base panics or ends the goroutine.
func (b *breaking) guarded(req *http.Request) (*http.Response, error) {
	var (
		few        [4]ticket
		tickets    = few[:0]
		resp       *http.Response
		err        error
		sent, over bool
	)
	defer func() {
		for _, t := range tickets { // of those that have been settled it changes nothing
			t.circuit.settle(t.pass, neutral, classify.Verdict{}, t.breaker.rule)
		}
		switch {
		case !sent:
			closeBody(req)
		case !over && resp != nil:
			discard(req, resp)
		}
	}()
	forced := false
	tickets, forced, err = b.admit(req, tickets)
	if err != nil {
		return nil, err
	}
	lent := false
	for _, t := range tickets {
		b.tell(req, t.key, t.breaker, t.change)
		lent = lent || t.lent()
	}
	out := req
	if lent {
		// A chain further in that shares the same state must not ask for a pass of its own.
		out = req.WithContext(&leaseContext{req.Context(), b.shared})
	}
	sent = true
	resp, err = b.next.RoundTrip(out)
	if !forced {
		b.report(req, resp, verdictOf(req, resp, err), err, tickets)
	}
	over = true
	return resp, err
}

// leaseContext marks a request that was let through to find out something for the state that it names.
type leaseContext struct {
	context.Context //nolint:containedctx // it is a context
	shared          *Shared
}

type leaseKey struct{}

func (c *leaseContext) Value(key any) any {
	if key == (leaseKey{}) {
		return c.shared
	}
	return c.Context.Value(key)
}

// admit takes a request through every circuit that it belongs to. It returns the error of the one that refuses; what it was lent
// by the others is in the tickets.
func (b *breaking) admit(req *http.Request, tickets []ticket) (_ []ticket, force bool, _ error) {
	keys, n := b.shared.keys.before(req)
	if f, k, state := b.shared.force(keys[:n]); f != nil {
		if state == Open {
			return tickets, true, b.refuse(req, k, f.verdict(), &OpenError{RetryAfter: f.left()})
		}
		return tickets, true, nil
	}
	for _, br := range b.shared.breakers {
		if br.circuits.empty() {
			continue
		}
		for _, k := range keys[:n] {
			c := br.circuits.find(k)
			if c == nil {
				continue
			}
			p, err := b.pass(req, k, br, c)
			if p != nil {
				tickets = append(tickets, ticket{p, c, br, k})
			}
			if err != nil {
				return tickets, false, err
			}
		}
	}
	return tickets, false, nil
}

// pass gets a request through one circuit, now or when it is its turn.
func (b *breaking) pass(req *http.Request, k key, br *breaker, c *circuit) (*pass, error) {
	p, h, refusal := c.admit(br.rule, left(req))
	switch {
	case refusal != nil:
		return nil, b.refuse(req, k, c.cause(), refusal)
	case h == nil:
		return p, nil
	}
	begin, cause := time.Now(), c.cause()
	p, err := h.wait(req, br.rule.Hold)
	if b.hooks.Wait != nil {
		b.hooks.Wait(req.Context(), WaitInfo{
			Request: req, Key: k.String(), Verdict: cause, Duration: time.Since(begin), Sent: p != nil && err == nil,
		})
	}
	if err == nil && p == nil {
		err = b.refuse(req, k, c.cause(), c.refusal())
	}
	return p, err
}

// report tells the circuits what came of an attempt: those that it has a ticket for, and those that it turns out to belong to.
// A circuit is made when there is a failure to remember.
func (b *breaking) report(req *http.Request, resp *http.Response, v classify.Verdict, err error, tickets []ticket) {
	over := false
	defer func() {
		if !over && resp != nil { // a key function or a hook panicked
			discard(req, resp)
		}
	}()
	for _, br := range b.shared.breakers {
		o := judge(br.rule, v, err)
		if o != failure && br.circuits.empty() {
			continue
		}
		about := key{}
		if o == failure {
			about = b.shared.keys.after(req, v)
		}
		ticketed := false
		for _, t := range tickets {
			switch {
			case t.breaker != br:
			case o == failure && t.key != about: // it says nothing about this key
				b.settle(req, resp, t, neutral, v)
			default:
				ticketed = b.settle(req, resp, t, o, v) || ticketed
			}
		}
		switch {
		case ticketed:
		case o == success:
			keys, n := b.shared.keys.before(req)
			for _, k := range keys[:n] {
				if c := br.circuits.find(k); c != nil {
					b.settle(req, resp, ticket{nil, c, br, k}, o, v)
				}
			}
		case o == failure:
			b.remember(req, resp, br, about, v)
		}
	}
	over = true
}

// remember tells a failure to the circuit of its key.
func (b *breaking) remember(req *http.Request, resp *http.Response, br *breaker, about key, v classify.Verdict) {
	for range 3 { // a circuit that was retired in this very moment is looked up again
		c := br.circuits.make(about, func() *circuit { return &circuit{} })
		if c == nil || b.settle(req, resp, ticket{nil, c, br, about}, failure, v) {
			break
		}
	}
}

// settle gives an attempt's outcome to a circuit and tells what that changed. It reports false if the circuit is retired.
func (b *breaking) settle(req *http.Request, resp *http.Response, t ticket, o outcome, v classify.Verdict) bool {
	change, healthy, ok := t.circuit.settle(t.pass, o, v, t.breaker.rule)
	if !ok {
		return false
	}
	if healthy {
		t.breaker.circuits.drop(t.key, t.circuit, (*circuit).retire)
	}
	if resp != nil && change.opened && v.RetryAfter < change.hold {
		// Nobody should come back before the breaker lets them through, the caller of this attempt included.
		v.RetryAfter = change.hold
		classify.Attach(resp, v)
	}
	b.tell(req, t.key, t.breaker, change)
	return true
}

// judge says what an attempt means to a breaker.
func judge(rule policy.Breaker, v classify.Verdict, err error) outcome {
	switch {
	case err != nil && (!v.Kind.Is(classify.Network) || errors.Is(err, ErrOpen)):
		// An error that speaks of an answer is about some other exchange, such as that of a breaker or a token source further in.
		return neutral
	case rule.Counts(v.Kind):
		return failure
	case err != nil:
		return neutral
	}
	return success
}

// refuse makes the error of a refusal: the verdict that opened the circuit, with the time left.
func (b *breaking) refuse(req *http.Request, k key, v classify.Verdict, refusal *OpenError) error {
	refusal.Key = k.String()
	v.RetryAfter = refusal.RetryAfter
	v.Unprocessed = true
	if b.hooks.Refuse != nil {
		b.hooks.Refuse(req.Context(), RefuseInfo{Request: req, Key: refusal.Key, Verdict: v, RetryAfter: v.RetryAfter})
	}
	return v.Err(refusal)
}

func (b *breaking) tell(req *http.Request, k key, br *breaker, change change) {
	if b.hooks.Breaker == nil || change.from == change.to {
		return
	}
	b.hooks.Breaker(req.Context(), BreakerInfo{
		Name: br.rule.Name, Key: k.String(), From: change.from, To: change.to, Verdict: change.verdict, Hold: change.hold,
	})
}
