package transport

import (
	"errors"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/internal/dice"
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
// A breaker that nobody asks is forgotten when it could have begun to probe for as long as its MaxOpen, and failures in a row
// are when there was no request for as long.
//
// A nil s is one with [policy.Default], not shared with anything else; nil hooks are none.
func Break(s *Shared, hooks *Hooks) Middleware {
	s = s.orOwn()
	if hooks == nil {
		hooks = &Hooks{}
	}
	return func(next http.RoundTripper) http.RoundTripper {
		return &breaking{inner{next}, judgingOf(next), s, hooks}
	}
}

type breaking struct {
	inner
	judge  judging // next
	shared *Shared
	hooks  *Hooks
}

var _ judging = (*breaking)(nil)

func (b *breaking) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, v, err := b.judged(req)
	if err == nil {
		attach(resp, v)
	}
	return resp, err
}

func (b *breaking) judged(req *http.Request) (*http.Response, *classify.Verdict, error) {
	if !b.shared.calm() {
		return b.guarded(req)
	}
	resp, v, err := b.judge.judged(req)
	if err != nil || v != nil || !b.shared.calm() {
		b.report(req, resp, v, err, nil)
	}
	return resp, v, err
}

// guarded sends a request while some key is in trouble, if the circuits of its own keys let it through. What it was lent
// comes back even if a hook or the base panics or ends the goroutine.
func (b *breaking) guarded(req *http.Request) (resp *http.Response, v *classify.Verdict, err error) {
	way := visit{breaking: b, req: req}
	sent, over := false, false
	defer func() {
		way.release()
		switch {
		case !sent:
			closeBody(req)
		case !over && resp != nil:
			discard(req, resp)
		}
	}()
	forced, err := way.admit()
	if err != nil {
		return nil, nil, err
	}
	if forced { // whatever the breakers think of it
		way.release()
		way.tickets = nil
	}
	sent = true
	resp, v, err = b.judge.judged(way.marked())
	if !forced {
		b.report(req, resp, v, err, way.tickets)
	}
	over = true
	return resp, v, err
}

// sweep forgets now and then what nobody asks for any more, so that all is calm again.
func (s *Shared) sweep(now time.Time) {
	for _, b := range s.rules.Load().breakers {
		b.circuits.sweep(now, (*circuit).stale)
	}
	s.forced.sweep(now, (*forced).spare)
}

// report tells the circuits what came of an attempt: those that it has a ticket for, and those that it turns out to belong to.
// A circuit is made when there is a failure to remember. The verdict of an answer that opened a circuit gets the time that
// this holds: nobody should come back before every breaker lets them through, the caller of this attempt included.
func (b *breaking) report(req *http.Request, resp *http.Response, v *classify.Verdict, err error, tickets []ticket) {
	f := finding{breaking: b, req: req}
	switch {
	case err != nil:
		f.verdict = verdictOfError(req, err)
	case v != nil:
		f.verdict = *v
	}
	over := false
	defer func() {
		if !over && resp != nil { // a key function or a hook panicked
			discard(req, resp)
		}
	}()
	for _, br := range b.shared.rules.Load().breakers {
		o := judge(br.rule, f.verdict, err)
		if o != failure && br.circuits.empty() {
			continue
		}
		about := key{}
		if o == failure {
			about = b.shared.keys.after(req, f.verdict)
		}
		ticketed := false
		for _, t := range tickets {
			if t.breaker.circuits != br.circuits {
				continue
			}
			t.breaker = br                      // its rule may be another by now
			if o == failure && t.key != about { // it says nothing about this key
				f.settle(t, neutral)
			} else {
				ticketed = f.settle(t, o) || ticketed
			}
		}
		switch {
		case ticketed:
		case o == success:
			keys, n := b.shared.keys.before(req)
			for _, k := range keys[:n] {
				if c := br.circuits.find(k); c != nil {
					f.settle(ticket{nil, c, br, k}, o)
				}
			}
		case o == failure:
			f.remember(br, about)
		}
	}
	over = true
	if err == nil && v != nil {
		v.RetryAfter = max(v.RetryAfter, f.hold)
	}
}

// finding is what came of an attempt, as the circuits are told.
type finding struct {
	*breaking
	req     *http.Request
	verdict classify.Verdict
	hold    time.Duration // the longest that a circuit has opened for because of it
}

// remember tells a failure to the circuit of its key.
func (f *finding) remember(br *breaker, about key) {
	for range 3 { // a circuit that was retired in this very moment is looked up again
		c := br.circuits.make(about, func() *circuit { return &circuit{name: about.String(), rule: &br.rule, seen: time.Now()} })
		if c == nil || f.settle(ticket{nil, c, br, about}, failure) {
			break
		}
	}
}

// settle gives an attempt's outcome to a circuit and tells what that changed. It reports false if the circuit is retired.
func (f *finding) settle(t ticket, o outcome) bool {
	random := 0.0
	if o == failure {
		random = dice.Float64(f.req.Context())
	}
	change, healthy, ok := t.circuit.settle(t.pass, o, f.verdict, &t.breaker.rule, random)
	if !ok {
		return false
	}
	if healthy {
		t.breaker.circuits.drop(t.key, t.circuit, (*circuit).retire)
	}
	if change.opened {
		f.hold = max(f.hold, change.hold)
	}
	f.tell(f.req, t.key, t.breaker, change)
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

func (b *breaking) tell(req *http.Request, k key, br *breaker, change change) {
	if b.hooks.Breaker == nil || change.from == change.to {
		return
	}
	b.hooks.Breaker(req.Context(), BreakerInfo{
		Name: br.rule.Name, Key: k.String(), From: change.from, To: change.to, Verdict: change.verdict, Hold: change.hold,
	})
}
