package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// answer is a step that answers with a JSON body; fields are name, value, name, value...
func answer(status int, code string, fields ...string) http.RoundTripper {
	return transporttest.Func(func(req *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i < len(fields); i += 2 {
			h.Set(fields[i], fields[i+1])
		}
		return &http.Response{
			StatusCode: status, Header: h, Request: req, ContentLength: -1,
			Body: io.NopCloser(strings.NewReader(`{"error":"` + code + `"}`)),
		}, nil
	})
}

// steady is the default policy without randomness, so that pauses are exact.
func steady() *policy.Set {
	s := policy.Default()
	for kind, p := range s.Profiles {
		p.Jitter = 0
		s.Profiles[kind] = p
	}
	s.Breakers[0].Jitter = 0
	return &s
}

func alter(t testing.TB) classify.Classifier {
	t.Helper()
	c, err := classify.ForAlter("backend.example")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func TestPausesAreThoseOfTheProfile(t *testing.T) {
	for name, tc := range map[string]struct {
		method string
		steps  []http.RoundTripper
		status int // 0: an error
		reason policy.Reason
		waited time.Duration
	}{
		"a refresh in progress, three times": {
			"POST", []http.RoundTripper{transporttest.Times(3, answer(409, "token_refresh_in_progress")), answer(200, "")},
			200, policy.Succeeded, ms(200) + ms(250) + 312500*time.Microsecond,
		},
		"another conflict is never repeated": {
			"GET", []http.RoundTripper{answer(409, "name_taken")}, 409, policy.NotRetryable, 0,
		},
		"a refused connection is tried again at once, then with pauses": {
			"POST", []http.RoundTripper{transporttest.Times(3, transporttest.Fail(transporttest.ErrRefused)), answer(200, "")},
			200, policy.Succeeded, ms(100) + ms(200),
		},
		"a reset may have been acted on": {
			"POST", []http.RoundTripper{transporttest.Fail(transporttest.ErrReset)}, 0, policy.NotIdempotent, 0,
		},
		"a reset of a GET is tried once more": {
			"GET", []http.RoundTripper{transporttest.Times(2, transporttest.Fail(transporttest.ErrReset))}, 0, policy.Exhausted, ms(200),
		},
		"profiles keep their own sequences": {
			"GET", []http.RoundTripper{
				answer(409, "token_refresh_in_progress"), transporttest.Fail(transporttest.ErrRefused),
				answer(409, "token_refresh_in_progress"), transporttest.Fail(transporttest.ErrRefused), answer(200, ""),
			},
			200, policy.Succeeded, ms(200) + 0 + ms(250) + ms(100),
		},
		"a POST that got a 503 is not repeated": {
			"POST", []http.RoundTripper{answer(503, "")}, 503, policy.NotIdempotent, 0,
		},
		"the server's hint is a floor": {
			"GET", []http.RoundTripper{answer(503, "", "Retry-After", "2"), answer(200, "")}, 200, policy.Succeeded, 2 * time.Second,
		},
		"a long hint hands the answer back at once": {
			"GET", []http.RoundTripper{answer(503, "", "Retry-After", "3600")}, 503, policy.RetryAfterTooLong, 0,
		},
		"a revoked grant passes through": {
			"GET", []http.RoundTripper{answer(403, "grant_revoked")}, 403, policy.NotRetryable, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := transporttest.Play(tc.steps...)
				var call transport.CallInfo
				attempts := 0
				rt := newChain(t, script, transport.Config{
					Classifier: alter(t), Policy: steady(),
					Hooks: transport.Hooks{
						Call:    func(_ context.Context, info transport.CallInfo) { call = info },
						Attempt: func(_ context.Context, info transport.AttemptInfo) { attempts = info.Attempt },
					},
				})
				start := time.Now()
				resp, err := rt.RoundTrip(newRequest(t, tc.method, "https://backend.example/v1", ""))
				if took := time.Since(start); took != tc.waited || call.Waited != tc.waited {
					t.Errorf("took %v, the hook says %v; want %v", took, call.Waited, tc.waited)
				}
				status := 0
				if err == nil {
					status = resp.StatusCode
					resp.Body.Close()
				}
				if status != tc.status || call.Status != tc.status {
					t.Errorf("status %d (hook: %d), error %v; want %d", status, call.Status, err, tc.status)
				}
				if call.Reason != tc.reason {
					t.Errorf("stopped for %v, want %v", call.Reason, tc.reason)
				}
				if call.Attempts != script.Count() || attempts != script.Count() {
					t.Errorf("hooks tell of %d and %d attempts, want %d", call.Attempts, attempts, script.Count())
				}
				if err := script.Check(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestDeadlineTooNearHandsTheAnswerBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), ms(150))
		defer cancel()
		start := time.Now()
		resp, err := newChain(t, transporttest.Play(answer(503, "")), transport.Config{Policy: steady()}).
			RoundTrip(newRequest(t, "GET", "https://api.example", "").WithContext(ctx))
		if err != nil || resp.StatusCode != 503 || time.Since(start) != 0 {
			t.Errorf("%v, %v after %v; want the 503 at once", resp, err, time.Since(start))
		}
	})
}

func TestCancelledPauseReturnsTheCause(t *testing.T) {
	own := errors.New("shutting down")
	for name, tc := range map[string]struct {
		cancel func(context.Context) (context.Context, func())
		is     []error
		kind   classify.Kind
	}{
		"cancelled": {func(ctx context.Context) (context.Context, func()) {
			return context.WithCancel(ctx)
		}, []error{context.Canceled}, classify.Canceled},
		"cancelled with a cause": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			return ctx, func() { cancel(own) }
		}, []error{own, context.Canceled}, classify.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := tc.cancel(t.Context())
				time.AfterFunc(ms(70), cancel)
				again := &closeCounter{Reader: strings.NewReader("x")}
				req := newRequest(t, "PUT", "https://api.example", "x").WithContext(ctx)
				req.GetBody = func() (io.ReadCloser, error) { return again, nil }
				script := transporttest.Play(answer(503, ""))
				start := time.Now()
				_, err := newChain(t, script, transport.Config{Policy: steady()}).RoundTrip(req)
				if took := time.Since(start); took != ms(70) {
					t.Errorf("returned after %v, want 70ms", took)
				}
				for _, want := range tc.is {
					if !errors.Is(err, want) {
						t.Errorf("%v: want %v in its chain", err, want)
					}
				}
				if got := classify.Of(nil, err).Kind; got != tc.kind {
					t.Errorf("kind %v, want %v", got, tc.kind)
				}
				if again.closed.Load() == 0 {
					t.Error("the body for the attempt that was never made is open")
				}
				if err := script.Check(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestRequestCancelChannelEndsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		time.AfterFunc(ms(70), func() { close(stop) })
		req := newRequest(t, "GET", "https://api.example", "")
		//lint:ignore SA1019 http.Client.Timeout sets it
		req.Cancel = stop
		start := time.Now()
		_, err := newChain(t, transporttest.Play(answer(503, "")), transport.Config{Policy: steady()}).RoundTrip(req)
		if err == nil || time.Since(start) != ms(70) {
			t.Errorf("%v after %v, want an error after 70ms", err, time.Since(start))
		}
	})
}

func TestAttemptNumberRidesInTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type callersKey struct{}
		var seen []int
		note := func(next http.RoundTripper) http.RoundTripper {
			return roundTripFunc(func(r *http.Request) (*http.Response, error) {
				seen = append(seen, transport.Attempt(r.Context()))
				if r.Context().Value(callersKey{}) != "kept" {
					t.Error("the caller's context value is lost")
				}
				return next.RoundTrip(r)
			})
		}
		script := transporttest.Play(transporttest.Times(2, answer(409, "token_refresh_in_progress")), answer(200, ""))
		rt := newChain(t, script, transport.Config{Classifier: alter(t), PerAttempt: []transport.Middleware{note}})
		ctx := context.WithValue(t.Context(), callersKey{}, "kept")
		resp, err := rt.RoundTrip(newRequest(t, "GET", "https://backend.example", "").WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if len(seen) != 3 || seen[0] != 1 || seen[1] != 2 || seen[2] != 3 {
			t.Errorf("attempts %v, want 1 2 3", seen)
		}
	})
}

func TestRetryServesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := transporttest.Play(answer(503, ""), transporttest.Fail(transporttest.ErrRefused), answer(200, ""))
		resp, err := transport.Chain(script, transport.Retry(nil, nil)).RoundTrip(newRequest(t, "GET", "https://api.example", ""))
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("%v, %v; want the 200", resp, err)
		}
	})
}

func TestPanickingHookLeavesNoAnswerOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &closeCounter{Reader: strings.NewReader("{}")}
		base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 503, Body: body, Request: req}, nil
		})
		rt := newChain(t, base, transport.Config{Hooks: transport.Hooks{
			Attempt: func(context.Context, transport.AttemptInfo) { panic("hook") },
		}})
		defer func() {
			if v := recover(); v != "hook" {
				t.Errorf("recovered %v, want the hook's panic", v)
			}
			if body.closed.Load() == 0 {
				t.Error("the answer is open")
			}
		}()
		_, _ = rt.RoundTrip(newRequest(t, "GET", "https://api.example", ""))
	})
}

// TestEveryDefaultProfile holds the whole schedule of each profile of the default policy, jitter aside.
func TestEveryDefaultProfile(t *testing.T) {
	const provider = "https://api.example/v1"
	sum := func(n int, each func(i int) time.Duration) (all time.Duration) {
		for i := range n {
			all += each(i)
		}
		return all
	}
	// A refresh is asked for again for ten seconds: 200 ms, growing by a quarter up to a second.
	refresh := func(i int) time.Duration {
		d := ms(200)
		for range i {
			d = min(time.Duration(float64(d)*1.25), time.Second)
		}
		return d
	}
	// A dial is tried at once, then after 100 ms, doubling up to two seconds, for ten seconds.
	dial := func(i int) time.Duration {
		if i == 0 {
			return 0
		}
		return min(ms(100)<<(i-1), 2*time.Second)
	}
	for name, tc := range map[string]struct {
		url      string
		step     http.RoundTripper
		attempts int
		waited   time.Duration
		reason   policy.Reason
	}{
		"a refresh in progress":      {backend, answer(409, "token_refresh_in_progress"), 15, sum(14, refresh), policy.OutOfTime},
		"a refused connection":       {provider, transporttest.Fail(transporttest.ErrRefused), 7, sum(6, dial), policy.BudgetSpent},
		"a dial that takes too long": {provider, transporttest.Fail(transporttest.ErrDialTimeout), 7, sum(6, dial), policy.BudgetSpent},
		"a reset connection":         {provider, transporttest.Fail(transporttest.ErrReset), 2, ms(200), policy.Exhausted},
		"a backend out of service":   {backend, answer(503, ""), 2, ms(200), policy.Exhausted},
		"a provider out of service":  {provider, answer(504, ""), 2, ms(200), policy.Exhausted},
		"a provider's rate limit":    {provider, answer(429, ""), 3, 3 * time.Second, policy.Exhausted},
		"a policy's rate limit":      {backend, answer(429, "rate_limit_exceeded"), 3, 3 * time.Second, policy.Exhausted},
		"an unknown host":            {provider, transporttest.Fail(transporttest.ErrNoSuchHost), 1, 0, policy.NotRetryable},
		"an internal error":          {provider, answer(500, ""), 1, 0, policy.NotRetryable},
		"a policy that says no":      {backend, answer(403, "outside_business_hours"), 1, 0, policy.NoProfile},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := transporttest.Play(tc.step).Repeat()
				rt := newChain(t, script, transport.Config{Classifier: alter(t), Policy: steady()})
				start := time.Now()
				resp, err := rt.RoundTrip(newRequest(t, "GET", tc.url, ""))
				if err == nil {
					resp.Body.Close()
				}
				trail := transport.TrailOf(resp, err)
				if script.Count() != tc.attempts || trail.Waited != tc.waited || time.Since(start) != tc.waited || trail.Reason != tc.reason {
					t.Errorf("%d attempts, waited %v of %v, %v; want %d, %v, %v",
						script.Count(), trail.Waited, time.Since(start), trail.Reason, tc.attempts, tc.waited, tc.reason)
				}
			})
		})
	}
}
