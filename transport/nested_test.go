package transport_test

import (
	"context"
	"errors"
	"net/http"
	"path"
	"testing"
	"testing/synctest"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

type nestedKey struct{}

// under returns a middleware that sends a request further under another context.
func under(change func(context.Context) context.Context) transport.Middleware {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripFunc(func(req *http.Request) (*http.Response, error) {
			return next.RoundTrip(req.WithContext(change(req.Context())))
		})
	}
}

var derived = map[string]func(context.Context) context.Context{
	"with a value":   func(ctx context.Context) context.Context { return context.WithValue(ctx, nestedKey{}, 1) },
	"without cancel": context.WithoutCancel,
	"with another end": func(ctx context.Context) context.Context {
		ctx, cancel := context.WithTimeout(ctx, ms(60_000))
		context.AfterFunc(ctx, cancel)
		return ctx
	},
}

// Both chains share their state. The call b becomes the probe when a leaves, in the chain further out: the one further in must not
// wait for it.
func TestSeatOfACallHoldsUnderADerivedContext(t *testing.T) {
	atGate := func(t *testing.T, change func(context.Context) context.Context, sent, ends string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := newOffice(t, ms(300), transport.Config{})
			ofB := func(next http.RoundTripper) http.RoundTripper {
				changed := under(change)(next)
				return roundTripFunc(func(req *http.Request) (*http.Response, error) {
					if path.Base(req.URL.Path) == "b" {
						return changed.RoundTrip(req)
					}
					return next.RoundTrip(req)
				})
			}
			o.RoundTripper = newChain(t, o.RoundTripper, transport.Config{
				Classifier: alter(t), Shared: o.shared, Watch: []transport.Middleware{ofB},
			})
			o.call(t, "a", 0, cancelledAt(ms(150)))
			o.call(t, "b", ms(1), onGrant)
			o.call(t, "c", ms(2), onGrant)
			o.check(t, sent, ends)
		})
	}
	for name, change := range derived {
		t.Run(name, func(t *testing.T) {
			atGate(t, change, "a@0s a@100ms b@150ms b@250ms b@350ms c@350ms", "a:canceled@150ms b:200@350ms c:200@350ms")
		})
	}
	t.Run("a context of another origin costs a bounded wait", func(t *testing.T) {
		atGate(t, func(context.Context) context.Context { return context.Background() },
			"a@0s a@100ms b@150ms b@1.15s c@1.15s", "a:canceled@150ms b:200@1.15s c:200@1.15s")
	})
}

// A Watch middleware makes a call of its own for the second attempt, through a chain that knows the policy to be used up.
func TestPolicyThatACallLearnedHoldsForACallMadeForIt(t *testing.T) {
	for name, change := range derived {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hourly := func(seconds string) http.RoundTripper {
					return answer(429, "rate_limit_exceeded", "Retry-After", seconds, "RateLimit", `"hourly";r=0;t=60`)
				}
				further := newChain(t, transporttest.Play(hourly("60"), ok), transport.Config{Classifier: alter(t), Policy: steady()})
				if status, _ := exchange(further, newRequest(t, "GET", backend, "")); status != 429 {
					t.Fatalf("got %d, want the policy used up", status)
				}
				var attempts []int
				var nested error
				ask := func(next http.RoundTripper) http.RoundTripper {
					return roundTripFunc(func(req *http.Request) (*http.Response, error) {
						attempts = append(attempts, transport.Attempt(req.Context()))
						if transport.Attempt(req.Context()) == 2 {
							_, nested = exchange(transport.Chain(further, under(change)), newRequest(t, "GET", backend, "").WithContext(req.Context()))
						}
						return next.RoundTrip(req)
					})
				}
				rt := newChain(t, transporttest.Play(hourly("1"), ok), transport.Config{
					Classifier: alter(t), Policy: steady(), Watch: []transport.Middleware{ask},
				})
				if status, err := exchange(rt, newRequest(t, "GET", backend, "")); status != 200 || len(attempts) != 2 {
					t.Fatalf("%d, %v after attempts %v; want the second to succeed", status, err, attempts)
				}
				var open *transport.OpenError
				if !errors.As(nested, &open) || open.Key != "https://backend.example policy hourly" {
					t.Errorf("%v (%+v); want the call refused that was made for one whose policy is used up", nested, open)
				}
				if trail := transport.TrailOf(nil, nested); trail.Attempts != 1 || trail.Reason != policy.Refused {
					t.Errorf("%d attempts, %v; want its own first one refused", trail.Attempts, trail.Reason)
				}
			})
		})
	}
}
