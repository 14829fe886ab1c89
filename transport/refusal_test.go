package transport_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

func TestRefusalsSayWhenToComeBackAndNotWhoseTheyAre(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
		mark error
	}{
		{&transport.OpenError{Key: "secret"}, "transport: breaker open, probing", transport.ErrOpen},
		{&transport.OpenError{Key: "secret", RetryAfter: 1234567 * time.Microsecond}, "transport: breaker open for another 1.235s", transport.ErrOpen},
		{&transport.OpenError{Key: "secret", RetryAfter: 99 * 365 * 24 * time.Hour}, "transport: breaker open until it is reset", transport.ErrOpen},
		{&transport.GateError{Waited: 1234567 * time.Microsecond}, "transport: not sent: waited 1.235s, and the grant's token is still being refreshed", transport.ErrGated},
		{&transport.GateError{Failed: true}, "transport: not sent: waited 0s, and the grant's token could not be refreshed", transport.ErrGated},
	} {
		if got := tc.err.Error(); got != tc.want || !errors.Is(tc.err, tc.mark) {
			t.Errorf("got %q, want %q, which is %v", got, tc.want, tc.mark)
		}
	}
}

// A trail of its own is for what the error does not tell: that the call waited. How long refusing took is nobody's business.
func TestARefusalHasATrailOfItsOwnIfItWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := steady()
		set.Breakers[0].Hold = 10 * time.Second
		for name, c := range map[string]struct {
			key  time.Duration // that naming the key takes
			call func(rt http.RoundTripper, shared *transport.Shared) error
			own  bool
			took time.Duration
		}{
			"at once": {0, forcedOpen, false, 0},
			"after a key function that takes its time": {time.Second, forcedOpen, false, time.Second},
			"after it was held":                        {0, forcedOpenWhileHeld, true, 2 * time.Second},
		} {
			p, err := policy.New(*set)
			if err != nil {
				t.Fatal(err)
			}
			shared := transport.NewShared(p, transport.Keys{Key: func(*http.Request) string {
				time.Sleep(c.key)
				return "key"
			}})
			rt := newChain(t, answer(429, "rate_limit_exceeded", "Retry-After", "5"), transport.Config{Shared: shared, Classifier: &classify.Alter{}})
			begin := time.Now()
			err = c.call(rt, shared)
			own, _ := errors.AsType[*transport.CallError](err)
			trail := transport.TrailOf(nil, err)
			if !errors.Is(err, transport.ErrOpen) || (own != nil) != c.own || trail.Reason != policy.Refused || trail.Attempts != 1 {
				t.Errorf("%s: %v, a CallError: %v, %+v; want a refusal, with a CallError: %v", name, err, own != nil, trail, c.own)
			}
			if took := time.Since(begin); took < c.took || c.own && trail.Records[0].Duration != c.took {
				t.Errorf("%s: took %v, by its trail %+v, want %v", name, took, trail.Records, c.took)
			}
		}
	})
}

func forcedOpen(rt http.RoundTripper, shared *transport.Shared) error {
	if err := shared.ForceOpen("key", time.Minute); err != nil {
		return err
	}
	return get(rt)
}

func forcedOpenWhileHeld(rt http.RoundTripper, shared *transport.Shared) error {
	if err := get(rt); err != nil { // opens the breaker
		return err
	}
	time.AfterFunc(2*time.Second, func() { _ = shared.ForceOpen("key", time.Minute) })
	return get(rt)
}

func get(rt http.RoundTripper) error {
	req, err := http.NewRequest(http.MethodGet, backend, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := rt.RoundTrip(req)
	if err == nil {
		err = resp.Body.Close()
	}
	return err
}
