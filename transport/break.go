package transport

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// ErrOpen marks the refusals of an open breaker: errors.Is(err, transport.ErrOpen).
var ErrOpen = errors.New("transport: breaker open")

// OpenError says that a breaker turned an attempt away: nothing was sent. It comes wrapped in the typed error of the verdict
// that opened the breaker, whose RetryAfter is the time left.
type OpenError struct {
	Key        string        // what the breaker belongs to; not part of the text
	RetryAfter time.Duration // until the breaker lets requests through again; 0 while it probes
}

// Error says when to come back. It does not name the key, which a user may have made of a secret.
func (e *OpenError) Error() string {
	if e.RetryAfter <= 0 {
		return ErrOpen.Error() + ", probing"
	}
	return fmt.Sprintf("%v for another %v", ErrOpen, e.RetryAfter.Round(time.Millisecond))
}

// Unwrap returns [ErrOpen].
func (e *OpenError) Unwrap() error { return ErrOpen }

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
// and with [ErrOpen] in the error's chain, within microseconds and without sending anything. When the time is over it lets
// probes through, and closes after as many successes.
//
// Only the kinds that the policy names are failures. Every other answer is a success, whatever its status;
// every other error, and an exchange that the caller ended, is neutral.
//
// A nil p is [policy.Default]; a nil keyOf takes scheme, host and port of the URL; nil hooks are none.
func Break(p *policy.Policy, keyOf func(*http.Request) string, hooks *Hooks) Middleware {
	if hooks == nil {
		hooks = &Hooks{}
	}
	rule := p.Set().Breaker
	return func(next http.RoundTripper) http.RoundTripper {
		if len(rule.Kinds) == 0 {
			return next
		}
		return &breaking{
			inner: inner{next}, rule: rule, keyOf: keyOf, hooks: hooks,
			circuits: newRegistry((*circuit).spare),
		}
	}
}

type breaking struct {
	inner
	rule     policy.Breaker
	keyOf    func(*http.Request) string
	hooks    *Hooks
	circuits *registry[circuit] // of the keys in trouble; empty while all is well
}

var _ http.RoundTripper = (*breaking)(nil)

func (b *breaking) RoundTrip(req *http.Request) (*http.Response, error) {
	if !b.circuits.empty() {
		if k, c := b.circuit(req); c != nil { // a healthy key has none
			return b.guarded(req, k, c)
		}
	}
	resp, err := b.next.RoundTrip(req)
	b.report(req, resp, verdictOf(req, resp, err), err)
	return resp, err
}

// circuit returns the circuit of a request that is about to be sent.
func (b *breaking) circuit(req *http.Request) (key, *circuit) {
	found := false
	defer func() {
		if !found { // the key function panicked
			closeBody(req)
		}
	}()
	k := b.key(req)
	found = true
	return k, b.circuits.find(k)
}

// guarded sends a request whose key is in trouble, if its circuit lets it through. A probe's slot comes back even if a hook
// or the base panics or ends the goroutine.
func (b *breaking) guarded(req *http.Request, k key, c *circuit) (*http.Response, error) {
	probe, change, refusal := c.admit(b.rule)
	if refusal != nil {
		defer closeBody(req)
		return nil, b.refuse(req, k, c, refusal)
	}
	if probe == nil {
		resp, err := b.next.RoundTrip(req)
		b.report(req, resp, verdictOf(req, resp, err), err)
		return resp, err
	}
	var (
		resp       *http.Response
		err        error
		sent, over bool
	)
	defer func() {
		c.settle(probe, neutral, classify.Verdict{}, b.rule) // of a probe that has reported it changes nothing
		switch {
		case !sent:
			closeBody(req)
		case !over && resp != nil:
			discard(req, resp)
		}
	}()
	b.tell(req, k, change)
	sent = true
	resp, err = b.next.RoundTrip(req)
	b.settle(req, resp, k, c, probe, verdictOf(req, resp, err), err) // of a probe that is too late it changes nothing
	over = true
	return resp, err
}

// report tells the key's circuit what came of an attempt that was no probe.
// A circuit is made when there is a failure to remember.
func (b *breaking) report(req *http.Request, resp *http.Response, v classify.Verdict, err error) {
	o := b.judge(v, err)
	if o == neutral || o == success && b.circuits.empty() {
		return
	}
	over := false
	defer func() {
		if !over && resp != nil { // the key function or a hook panicked
			discard(req, resp)
		}
	}()
	k := b.key(req)
	for range 3 { // a circuit that was retired in this very moment is looked up again
		c := b.circuits.find(k)
		if c == nil && o == failure {
			c = b.circuits.make(k, func() *circuit { return &circuit{} })
		}
		if c == nil || b.settle(req, resp, k, c, nil, v, err) {
			break
		}
	}
	over = true
}

// settle gives an attempt's outcome to a circuit and tells what that changed. It reports false if the circuit is retired.
func (b *breaking) settle(req *http.Request, resp *http.Response, k key, c *circuit, probe *lease, v classify.Verdict, err error) bool {
	change, healthy, ok := c.settle(probe, b.judge(v, err), v, b.rule)
	if !ok {
		return false
	}
	if healthy {
		b.circuits.drop(k, c, (*circuit).retire)
	}
	if resp != nil && change.opened && v.RetryAfter < change.hold {
		// Nobody should come back before the breaker lets them through, the caller of this attempt included.
		v.RetryAfter = change.hold
		classify.Attach(resp, v)
	}
	b.tell(req, k, change)
	return true
}

// judge says what an attempt means to the breaker.
func (b *breaking) judge(v classify.Verdict, err error) outcome {
	switch {
	case err != nil && (!v.Kind.Is(classify.Network) || errors.Is(err, ErrOpen)):
		// An error that speaks of an answer is about some other exchange, such as that of a breaker or a token source further in.
		return neutral
	case b.rule.Counts(v.Kind):
		return failure
	case err != nil:
		return neutral
	}
	return success
}

func (b *breaking) key(req *http.Request) key { return keyFor(req, b.keyOf, hostKey) }

// refuse makes the error of a refusal: the verdict that opened the circuit, with the time left.
func (b *breaking) refuse(req *http.Request, k key, c *circuit, refusal *OpenError) error {
	refusal.Key = k.String()
	v := c.cause()
	v.RetryAfter = refusal.RetryAfter
	v.Unprocessed = true
	if b.hooks.Refuse != nil {
		b.hooks.Refuse(req.Context(), RefuseInfo{Request: req, Key: refusal.Key, Verdict: v, RetryAfter: v.RetryAfter})
	}
	return v.Err(refusal)
}

func (b *breaking) tell(req *http.Request, k key, change change) {
	if b.hooks.Breaker == nil || change.from == change.to {
		return
	}
	b.hooks.Breaker(req.Context(), BreakerInfo{
		Key: k.String(), From: change.from, To: change.to, Verdict: change.verdict, Hold: change.hold,
	})
}
