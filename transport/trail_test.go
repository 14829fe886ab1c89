package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// story is a trail in one line: what each attempt came to and the pause after it.
func story(t transport.Trail) string {
	var b strings.Builder
	for _, r := range t.Records {
		what := fmt.Sprint(r.Status)
		if r.Err != nil {
			what = r.Verdict.Kind.String()
		}
		fmt.Fprintf(&b, "%s+%v ", what, r.Pause)
	}
	return b.String() + t.Reason.String()
}

func TestTrailTellsEachAttempt(t *testing.T) {
	refresh, refused := answer(409, "token_refresh_in_progress"), transporttest.Fail(transporttest.ErrRefused)
	for name, tc := range map[string]struct {
		steps []http.RoundTripper
		want  string
	}{
		"a success at once leaves none":         {[]http.RoundTripper{ok}, "not_decided"},
		"a success after retries":               {[]http.RoundTripper{refresh, refused, refresh, ok}, "409+200ms connection_refused+0s 409+250ms 200+0s succeeded"},
		"a failure that is not retried":         {[]http.RoundTripper{answer(403, "grant_revoked")}, "403+0s not_retryable"},
		"retries that end in an answer":         {[]http.RoundTripper{answer(503, ""), answer(503, "")}, "503+200ms 503+0s exhausted"},
		"retries that end in an error":          {[]http.RoundTripper{answer(503, ""), transporttest.Fail(io.ErrUnexpectedEOF), transporttest.Fail(io.ErrUnexpectedEOF)}, "503+200ms connection_lost+200ms connection_lost+0s exhausted"},
		"a profile changes, the call stays one": {[]http.RoundTripper{refused, answer(503, ""), answer(401, "invalid_key")}, "connection_refused+0s 503+200ms 401+0s not_retryable"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := newChain(t, transporttest.Play(tc.steps...), transport.Config{Classifier: alter(t), Policy: steady()})
				client := &http.Client{Transport: rt}
				resp, err := client.Get(backend)
				if err == nil {
					resp.Body.Close()
				}
				trail := transport.TrailOf(resp, err)
				if got := story(trail); got != tc.want {
					t.Errorf("trail %q, want %q", got, tc.want)
				}
				if trail.Attempts != len(trail.Records) {
					t.Errorf("%d attempts, %d records", trail.Attempts, len(trail.Records))
				}
			})
		})
	}
}

func TestTrailIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := steady()
		s.MaxAttempts = 1000
		s.Profiles[classify.TokenRefreshInProgress] = policy.Profile{Retries: 99, Initial: ms(1), Max: ms(1), Multiplier: 1}
		rt := newChain(t, transporttest.Play(answer(409, "token_refresh_in_progress")).Repeat(), transport.Config{Classifier: alter(t), Policy: s})
		resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if trail := transport.TrailOf(resp, nil); trail.Attempts != 100 || len(trail.Records) != 32 || trail.Waited != ms(99) {
			t.Errorf("%d attempts, %d records, %v waited; want 100, 32 and 99ms", trail.Attempts, len(trail.Records), trail.Waited)
		}
	})
}

func TestNestedChainsRetryOnce(t *testing.T) {
	for name, step := range map[string]http.RoundTripper{
		"answers": answer(503, ""),
		"errors":  transporttest.Fail(transporttest.ErrReset),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := transporttest.Play(step).Repeat()
				rt := http.RoundTripper(script)
				for range 3 {
					rt = newChain(t, rt, transport.Config{Policy: steady()})
				}
				resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
				if err == nil {
					resp.Body.Close()
				}
				trail := transport.TrailOf(resp, err)
				if script.Count() != 2 || trail.Attempts != 2 || !trail.Nested || trail.Reason != policy.Exhausted {
					t.Errorf("%d attempts, trail %+v; want 2 in all, told by a nested trail", script.Count(), trail)
				}
			})
		})
	}
}

func TestResentResponseRequestHasATrailOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newChain(t, transporttest.Play(answer(503, ""), answer(503, ""), ok, answer(503, ""), ok), transport.Config{Policy: steady()})
		resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		for i, want := range []string{"not_decided", "503+200ms 200+0s succeeded"} {
			if resp, err = rt.RoundTrip(resp.Request); err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := story(transport.TrailOf(resp, nil)); got != want {
				t.Errorf("call %d: trail %q, want %q", i+2, got, want)
			}
		}
	})
}

func TestErrorsTellOuterRetriesToStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newChain(t, transporttest.Play(transporttest.Fail(transporttest.ErrReset)).Repeat(), transport.Config{Policy: steady()})
		_, err := (&http.Client{Transport: rt}).Get(backend)
		var (
			aws   interface{ RetryableError() bool }
			azure interface{ NonRetriable() }
			outer *url.Error
			typed interface{ ErrorType() string }
		)
		if !errors.As(err, &aws) || aws.RetryableError() {
			t.Errorf("%v: want RetryableError() false", err)
		}
		if !errors.As(err, &azure) {
			t.Errorf("%v: want NonRetriable()", err)
		}
		if !errors.As(err, &outer) || outer.Timeout() || !errors.As(err, &typed) || typed.ErrorType() != "connection_lost" {
			t.Errorf("%v: want a *url.Error that is no timeout, of type connection_lost", err)
		}
	})
}

func TestMarksInTheContext(t *testing.T) {
	for name, tc := range map[string]struct {
		method string
		mark   func(context.Context) context.Context
		reason policy.Reason
		count  int
	}{
		"a POST is not repeated":                    {"POST", func(ctx context.Context) context.Context { return ctx }, policy.NotIdempotent, 1},
		"a POST that is marked idempotent is":       {"POST", transport.Idempotent, policy.Exhausted, 2},
		"a GET that is marked NoRetry is not":       {"GET", transport.NoRetry, policy.Forbidden, 1},
		"NoRetry wins over the mark for idempotent": {"GET", func(ctx context.Context) context.Context { return transport.NoRetry(transport.Idempotent(ctx)) }, policy.Forbidden, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := transporttest.Play(answer(503, "")).Repeat()
				req := newRequest(t, tc.method, backend, "")
				resp, err := newChain(t, script, transport.Config{Policy: steady()}).RoundTrip(req.WithContext(tc.mark(req.Context())))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if got := transport.TrailOf(resp, nil).Reason; got != tc.reason || script.Count() != tc.count {
					t.Errorf("%v after %d attempts, want %v after %d", got, script.Count(), tc.reason, tc.count)
				}
			})
		})
	}
}

func TestCountRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := transporttest.Play(transporttest.Times(2, transporttest.Fail(transporttest.ErrRefused)), ok)
		rt := newChain(t, script, transport.Config{PerAttempt: []transport.Middleware{transport.CountRetries("x-retry-count")}})
		req := newRequest(t, "GET", backend, "")
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		for i, a := range script.Attempts() {
			want := []string{"", "1", "2"}[i]
			if got := a.Header.Get("X-Retry-Count"); got != want {
				t.Errorf("attempt %d says %q, want %q", i+1, got, want)
			}
		}
		if len(req.Header) != 0 {
			t.Error("the caller's request has the header too")
		}
	})
}

func TestLogSaysWhatHappenedAndNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
			Level: slog.LevelDebug,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		}))
		rt := newChain(t, transporttest.Play(
			ok,
			answer(503, "canary"), ok,
			answer(503, "canary"), answer(503, "canary"),
			answer(429, "rate_limit_exceeded", "Retry-After", "30", "X-Canary", "canary"),
		), transport.Config{
			Classifier: alter(t), Policy: steady(), Logger: logger,
			Key: func(*http.Request) string { return "canary" },
		})
		for range 5 {
			req := newRequest(t, "GET", "https://canary:canary@backend.example/canary?key=canary#canary", "")
			req.Header.Set("Authorization", "canary")
			if resp, err := rt.RoundTrip(req); err == nil {
				resp.Body.Close()
			} else if strings.Contains(err.Error(), "canary") {
				t.Errorf("error %q holds a secret", err)
			}
		}
		const want = `level=DEBUG msg="attempt failed, trying again" method=GET host=backend.example attempt=1 status=503 kind=backend_unavailable duration=0s pause=200ms
level=INFO msg="call succeeded after retries" method=GET host=backend.example attempts=2 status=200 kind=unclassified action=none reason=succeeded duration=200ms waited=200ms
level=DEBUG msg="attempt failed, trying again" method=GET host=backend.example attempt=1 status=503 kind=backend_unavailable duration=0s pause=200ms
level=WARN msg="call failed after retries" method=GET host=backend.example attempts=2 status=503 kind=backend_unavailable action=retry reason=exhausted duration=200ms waited=200ms
level=WARN msg="breaker changed its state" breaker=rate_limit from=closed to=open kind=policy_rate_limit hold=30s
level=INFO msg="call failed" method=GET host=backend.example attempts=1 status=429 kind=policy_rate_limit action=wait reason=retry_after_too_long duration=0s waited=0s
level=WARN msg="breaker refused an attempt" method=GET host=backend.example kind=policy_rate_limit retry_after=30s
level=INFO msg="call failed" method=GET host=backend.example attempts=1 status=0 kind=policy_rate_limit action=wait reason=refused duration=0s waited=0s
`
		if got := out.String(); got != want {
			t.Errorf("logged\n%s\nwant\n%s", got, want)
		}
	})
}

func TestBudgetRefusesRetriesAndHasItsReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &switchable{step: answer(503, "")}
		var reasons []policy.Reason
		rt := newChain(t, base, transport.Config{Policy: steady(), Hooks: transport.Hooks{
			Call: func(_ context.Context, i transport.CallInfo) { reasons = append(reasons, i.Reason) },
		}})
		send := func(n int) {
			for range n {
				resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
		}
		send(4)
		if base.count() != 3*2+1 || reasons[3] != policy.BudgetSpent {
			t.Errorf("%d attempts, then %v; want 7 attempts, the fourth call without a retry for budget_spent", base.count(), reasons[3])
		}
		base.set(answer(404, ""))
		send(10) // the server is well: ten answers earn a retry
		base.set(answer(503, ""))
		before := base.count()
		send(2)
		if got := base.count() - before; got != 3 {
			t.Errorf("%d attempts for two calls, want 3: one retry was earned", got)
		}
	})
}

func TestBudgetTakesBackWhatWasNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &switchable{step: answer(503, "")}
		rt := newChain(t, base, transport.Config{Policy: steady()})
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(ms(100), cancel)
			_, err := rt.RoundTrip(newRequest(t, "GET", backend, "").WithContext(ctx))
			if got := transport.TrailOf(nil, err).Reason; got != policy.Canceled {
				t.Fatalf("%v (%v), want canceled during the pause: the budget is whole", got, err)
			}
		}
	})
}

func TestLongHintsByProfile(t *testing.T) {
	for rule, want := range map[policy.LongHint]time.Duration{policy.Stop: 0, policy.Clamp: 10 * time.Second, policy.Honour: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			s := steady()
			p := s.Profiles[classify.ProviderUnavailable]
			p.LongHint = rule
			s.Profiles[classify.ProviderUnavailable] = p
			rt := newChain(t, transporttest.Play(answer(503, "", "Retry-After", "60"), ok), transport.Config{Policy: s})
			start := time.Now()
			resp, err := rt.RoundTrip(newRequest(t, "GET", backend+"x", ""))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if took := time.Since(start); took != want {
				t.Errorf("%v: waited %v, want %v", rule, took, want)
			}
		})
	}
}
