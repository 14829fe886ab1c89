package transport_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// At 0 ms a call asks; b has asked at 1 ms before it waits, and c, at 2 ms, has not.
func TestGateTrailsTellTheWait(t *testing.T) {
	for name, tc := range map[string]struct {
		steps  map[string]http.RoundTripper
		change change // of b and c
		trails map[string]string
	}{
		"the refresh ends": {trails: map[string]string{
			"a": "409+100ms 409+100ms 409+100ms 200+0s succeeded: 4 attempts, waited 300ms",
			"b": "409+299ms 200+0s succeeded: 2 attempts, waited 299ms",
			"c": "200+0s succeeded: 1 attempts, waited 298ms",
		}},
		"the refresh fails": {
			steps: map[string]http.RoundTripper{"a2": answerOn("g", 403, "grant_revoked")},
			trails: map[string]string{
				"a": "409+100ms 403+0s not_retryable: 2 attempts, waited 100ms",
				"b": "409+99ms gated: 1 attempts, waited 99ms",
				"c": "gated: 0 attempts, waited 98ms",
			},
		},
		"the callers leave": {
			change: cancelledAt(ms(50)),
			trails: map[string]string{
				"a": "409+100ms 409+100ms 409+100ms 200+0s succeeded: 4 attempts, waited 300ms",
				"b": "409+49ms canceled: 1 attempts, waited 49ms",
				"c": "canceled: 0 attempts, waited 48ms",
			},
		},
		"one is refused again": {
			steps: map[string]http.RoundTripper{"a2": ok, "c1": lingering(ms(10), ok)},
			trails: map[string]string{
				"a": "409+100ms 200+0s succeeded: 2 attempts, waited 100ms",
				"b": "409+99ms 409+100ms 409+100ms 200+0s succeeded: 4 attempts, waited 299ms",
				"c": "200+0s succeeded: 1 attempts, waited 98ms",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, ms(250), transport.Config{})
				o.steps = tc.steps
				o.call(t, "a", 0)
				o.call(t, "b", ms(1), tc.change)
				o.call(t, "c", ms(2), tc.change, onGrant)
				o.calls.Wait()
				for name, want := range tc.trails {
					trail := o.came[name].trail
					if got := fmt.Sprintf("%s: %d attempts, waited %v", story(trail), trail.Attempts, trail.Waited); got != want {
						t.Errorf("%s: %s\nwant %s", name, got, want)
					}
				}
			})
		})
	}
}

// The hooks look at the shared state, which they could not do under a lock of the gate.
func TestGateHooksTellTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu   sync.Mutex
			o    *office
			told = map[string]string{}
		)
		tell := func(req *http.Request, format string, args ...any) {
			gates := o.shared.Snapshot().Gates
			mu.Lock()
			defer mu.Unlock()
			closed := len(gates) == 1 && gates[0].Closed
			told[path.Base(req.URL.Path)] += fmt.Sprintf(format, args...) + fmt.Sprintf(" (closed: %v); ", closed)
		}
		o = newOffice(t, ms(150), transport.Config{Hooks: transport.Hooks{
			Attempt: func(_ context.Context, i transport.AttemptInfo) {
				tell(i.Request, "attempt %d: %d, %v", i.Attempt, i.Status, i.Decision.Reason)
			},
			Wait: func(_ context.Context, i transport.WaitInfo) {
				tell(i.Request, "waited %v for %v at %v, sent: %v", i.Duration, i.Verdict.Kind, i.Key, i.Sent)
			},
			Call: func(_ context.Context, i transport.CallInfo) {
				tell(i.Request, "call: %d attempts, waited %v of %v, %v", i.Attempts, i.Waited, i.Duration, i.Reason)
			},
		}})
		o.call(t, "a", 0)
		o.call(t, "b", ms(1))
		o.call(t, "c", ms(2), onGrant)
		o.call(t, "d", ms(3), onGrant, cancelledAt(ms(50)))
		o.calls.Wait()
		const at = "token_refresh_in_progress at https://backend.example grant g"
		for name, want := range map[string]string{
			"a": "attempt 1: 409, retrying (closed: true); attempt 2: 409, retrying (closed: true); " +
				"attempt 3: 200, succeeded (closed: false); call: 3 attempts, waited 200ms of 200ms, succeeded (closed: false); ",
			"b": "attempt 1: 409, retrying (closed: true); waited 199ms for " + at + ", sent: true (closed: false); " +
				"attempt 2: 200, succeeded (closed: false); call: 2 attempts, waited 199ms of 199ms, succeeded (closed: false); ",
			"c": "waited 198ms for " + at + ", sent: true (closed: false); " +
				"attempt 1: 200, succeeded (closed: false); call: 1 attempts, waited 198ms of 198ms, succeeded (closed: false); ",
			"d": "waited 47ms for " + at + ", sent: false (closed: true); " +
				"call: 0 attempts, waited 47ms of 47ms, canceled (closed: true); ",
		} {
			if got := told[name]; got != want {
				t.Errorf("%s: %s\nwant %s", name, strings.ReplaceAll(got, "; ", "\n\t"), strings.ReplaceAll(want, "; ", "\n\t"))
			}
		}
	})
}

// A hook holds each call up until its turn has come and its caller has left.
func TestGateSendsNobodyWhoHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(50), transport.Config{Hooks: transport.Hooks{
			Attempt: func(_ context.Context, i transport.AttemptInfo) {
				if path.Base(i.Request.URL.Path) == "b" {
					time.Sleep(ms(150))
				}
			},
		}})
		o.call(t, "a", 0)
		const n = 30
		for range n {
			o.call(t, "b", ms(1), cancelledAt(ms(120)))
		}
		o.check(t, "a@0s"+strings.Repeat(" b@1ms", n)+" a@100ms", "a:200@100ms"+strings.Repeat(" b:canceled@151ms", n))
	})
}

// A hook holds each call up until its deadline has passed. It has an answer, and no use for another.
func TestGateReturnsTheAnswerItKeptEvenWhenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, time.Hour, transport.Config{Hooks: transport.Hooks{
			Attempt: func(_ context.Context, i transport.AttemptInfo) {
				if path.Base(i.Request.URL.Path) == "b" {
					time.Sleep(ms(400))
				}
			},
		}})
		o.call(t, "a", 0, cancelledAt(ms(950)))
		const n = 30
		for range n {
			o.call(t, "b", ms(20), dueIn(t, ms(300)))
		}
		o.checkEnds(t, strings.Repeat("b:409@420ms ", n)+"a:canceled@950ms")
		if got := o.came["b"].trail.Reason; got != policy.DeadlineTooNear {
			t.Errorf("stopped for %v, want a deadline that is too near", got)
		}
	})
}

// The first refusal asks for a pause of ten years.
func TestGateWaitsAsLongAsItTakes(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, change := range map[string]func(*policy.Set){
		"a profile of 292 years":    func(s *policy.Set) { s.Gate.Probe.MaxElapsed = math.MaxInt64 },
		"a profile without a bound": func(s *policy.Set) { s.Gate.Probe.MaxElapsed, s.Gate.Probe.Retries = 0, 5 },
		"a policy of 292 years": func(s *policy.Set) {
			s.Gate.Probe.MaxElapsed, s.Gate.Probe.Retries, s.MaxElapsed = 0, 5, math.MaxInt64
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := gating()
				set.Gate.Probe.MaxRetryAfter, set.Gate.Probe.LongHint = math.MaxInt64, policy.Honour
				change(set)
				o := newOffice(t, ms(50), transport.Config{Policy: set})
				o.steps = map[string]http.RoundTripper{"a1": transporttest.Func(func(req *http.Request) (*http.Response, error) {
					resp, err := refreshing.RoundTrip(req)
					resp.Header.Set("Retry-After", fmt.Sprint(int64(10*year/time.Second)))
					return resp, err
				})}
				o.call(t, "a", 0)
				o.call(t, "b", ms(1))
				o.call(t, "c", ms(2), onGrant)
				o.call(t, "d", ms(3), onGrant, cancelledAt(year))
				at := fmt.Sprint(10 * year)
				o.check(t, "a@0s b@1ms a@"+at+" b@"+at+" c@"+at,
					fmt.Sprint("d:canceled@", year, " a:200@"+at+" b:200@"+at+" c:200@"+at))
			})
		})
	}
}

// Each of these calls asks in its turn, when the one before has used up its attempts.
func TestGateNoCallTakesLongerThanTheProfileAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, math.MaxInt64, transport.Config{})
		const n = 20
		for range n {
			o.call(t, "a", 0, onGrant)
		}
		o.calls.Wait()
		if took := time.Since(o.start); took != 10*time.Second {
			t.Errorf("the last call ended after %v, want the 10s of the profile", took)
		}
		if kind := classify.Of(o.came["a"].resp, o.came["a"].err).Kind; kind != classify.TokenRefreshInProgress {
			t.Errorf("%v, want a refresh in progress", kind)
		}
		o.checkEmpty(t)
	})
}
