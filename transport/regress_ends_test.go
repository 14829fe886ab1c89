package transport_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// An answer that Retry itself has to judge has come when it is judged, whoever watches.
func TestAnAttemptLastsUntilItIsJudged(t *testing.T) {
	for name, hooks := range map[string]*transport.Hooks{
		"nobody watches": nil,
		"a hook does":    {Attempt: func(context.Context, transport.AttemptInfo) {}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := roundTripFunc(func(req *http.Request) (*http.Response, error) {
					body := transporttest.NewBody(transporttest.Pause(ms(100)), transporttest.Final(`{"error":"busy"}`))
					return &http.Response{StatusCode: 503, Header: http.Header{}, ContentLength: -1, Body: body, Request: req}, nil
				})
				s := newShared(t, transport.Keys{}, func(s *policy.Set) { s.Profiles = steady().Profiles })
				resp, err := transport.Retry(s, hooks)(slow).RoundTrip(newRequest(t, "GET", backend, ""))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				var took []string
				for _, r := range transport.TrailOf(resp, nil).Records {
					took = append(took, r.Duration.String())
				}
				check(t, "the attempts", fmt.Sprint(took), "[100ms 100ms]")
			})
		})
	}
}

// The wall clock may have been set since the start, or have gone on while the machine slept. A deadline may speak of it alone.
func TestADeadlineOfTheWallClockThatWasSet(t *testing.T) {
	for name, tc := range map[string]struct {
		set      time.Duration // since the start
		deadline time.Duration
		steps    []http.RoundTripper
	}{
		"forward, and there is no time": {time.Hour, ms(100), []http.RoundTripper{answer(503, "", "Retry-After", "1")}},
		"back, and there is time":       {-time.Hour, time.Minute, []http.RoundTripper{answer(503, ""), answer(200, "")}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShared(t, transport.Keys{}, func(s *policy.Set) { s.Profiles = fast().Profiles })
			turnBack(t, s, tc.set)
			ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(tc.deadline).Round(0))
			defer cancel()
			script := transporttest.Play(tc.steps...)
			status, err := exchange(newChain(t, script, transport.Config{Shared: s}), newRequest(t, "GET", backend, "").WithContext(ctx))
			if err != nil || script.Count() != len(tc.steps) {
				t.Errorf("%d, %v after %d attempts, want an answer after %d", status, err, script.Count(), len(tc.steps))
			}
		})
	}
}

// turnBack makes the wall clock of the start show that much less than it did, as if it had been set forward since.
func turnBack(t *testing.T, s *transport.Shared, d time.Duration) {
	t.Helper()
	epoch := reflect.ValueOf(s).Elem().FieldByName("budgets").Elem().FieldByName("epoch")
	at := (*time.Time)(unsafe.Pointer(epoch.UnsafeAddr()))                    // no clock of a test's has a wall that moves
	wall := (*uint64)(unsafe.Pointer(epoch.FieldByName("wall").UnsafeAddr())) // its seconds stand above 30 bits of nanoseconds
	before := *at
	*wall -= uint64(d/time.Second) << 30
	if got := before.Round(0).Sub(at.Round(0)); got != d || at.Sub(before) != 0 {
		t.Fatalf("the wall clock was turned by %v and the other by %v, want %v and 0s", got, at.Sub(before), d)
	}
}
