package transport_test

import (
	"context"
	"errors"
	"fmt"
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

// counting answers every request with the same status and remembers the bodies of its answers. It is for one goroutine.
type counting struct {
	status int
	hint   string // the answers' Retry-After, if not empty
	bodies []*closeCounter
}

func (b *counting) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	h := http.Header{"Content-Type": {"application/json"}}
	if b.hint != "" {
		h.Set("Retry-After", b.hint)
	}
	text := "{}"
	if b.status == http.StatusTooManyRequests {
		text = `{"error":"rate_limit_exceeded"}`
	}
	body := &closeCounter{Reader: strings.NewReader(text)}
	b.bodies = append(b.bodies, body)
	return &http.Response{StatusCode: b.status, Header: h, Body: body, ContentLength: -1, Request: req}, nil
}

// open returns how many of the answers nobody has closed.
func (b *counting) open() (n int) {
	for _, body := range b.bodies {
		if body.closed.Load() == 0 {
			n++
		}
	}
	return n
}

// exchange sends a request, closes its answer and returns the status.
func exchange(rt http.RoundTripper, req *http.Request) (int, error) {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// panicOf returns what f panics with, or nil.
func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func TestPanicAroundAProbeCostsNothing(t *testing.T) {
	change := func(from, to transport.State, boom func()) transport.Config {
		return transport.Config{Hooks: transport.Hooks{Breaker: func(_ context.Context, i transport.BreakerInfo) {
			if i.From == from && i.To == to {
				boom()
			}
		}}}
	}
	for name, tc := range map[string]struct {
		status int           // of the probe's answer
		hold   time.Duration // that the probe's answer asks for
		config func(boom func()) transport.Config
	}{
		"in the hook of a breaker that begins to probe": {200, 0, func(boom func()) transport.Config {
			return change(transport.Open, transport.HalfOpen, boom)
		}},
		"in the hook of a breaker that closes": {200, 0, func(boom func()) transport.Config {
			return change(transport.HalfOpen, transport.Closed, boom)
		}},
		"in the hook of a breaker that opens again": {429, 4 * time.Second, func(boom func()) transport.Config {
			return change(transport.HalfOpen, transport.Open, boom)
		}},
		"in the classifier": {503, 0, func(boom func()) transport.Config {
			return transport.Config{Classifier: classify.ClassifierFunc(func(o classify.Outcome) classify.Verdict {
				boom()
				return (&classify.Alter{}).Classify(o)
			})}
		}},
		"in the hook of the attempt": {200, 0, func(boom func()) transport.Config {
			return transport.Config{Hooks: transport.Hooks{Attempt: func(context.Context, transport.AttemptInfo) { boom() }}}
		}},
		"in the hook of the call": {200, 0, func(boom func()) transport.Config {
			return transport.Config{Hooks: transport.Hooks{Call: func(context.Context, transport.CallInfo) { boom() }}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				armed := false
				cfg := tc.config(func() {
					if armed {
						panic("own panic")
					}
				})
				if cfg.Classifier == nil {
					cfg.Classifier = &classify.Alter{}
				}
				cfg.Policy = steady()
				cfg.Policy.Profiles = nil
				base := &counting{status: 429, hint: "4"}
				rt := newChain(t, base, cfg)
				if status, err := exchange(rt, newRequest(t, "GET", backend, "")); status != 429 {
					t.Fatalf("%d, %v; want the 429", status, err)
				}
				time.Sleep(4 * time.Second)
				base.status, armed = tc.status, true
				body := &closeCounter{Reader: strings.NewReader("x")}
				req := newRequest(t, "POST", backend, "")
				req.Body = body
				if v := panicOf(func() { _, _ = exchange(rt, req) }); v != "own panic" {
					t.Fatalf("recovered %v, want the panic", v)
				}
				if body.closed.Load() == 0 || base.open() != 0 {
					t.Errorf("request's body closed %d times, %d answers open; want none open", body.closed.Load(), base.open())
				}
				base.status, armed = 200, false
				time.Sleep(tc.hold)
				if status, err := exchange(rt, newRequest(t, "GET", backend, "")); status != 200 {
					t.Errorf("the next caller got %d, %v; want 200", status, err)
				}
			})
		})
	}
}

func TestPanickingKeyFunctionLeavesNothingOpen(t *testing.T) {
	for name, tc := range map[string]struct{ before, status int }{
		"about a probe":                     {429, 200},
		"about the first failure of a key":  {200, 429},
		"about a success":                   {200, 200},
		"about a failure that no one minds": {200, 404},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for n := 1; ; n++ { // the call of the function that panics
					calls, s := 0, steady()
					s.Profiles = nil
					base := &counting{status: tc.before, hint: "4"}
					rt := newChain(t, base, transport.Config{Classifier: &classify.Alter{}, Policy: s, Key: func(*http.Request) string {
						if calls++; calls == 0 {
							panic("key")
						}
						return "key"
					}})
					_, _ = exchange(rt, newRequest(t, "GET", backend, ""))
					time.Sleep(4 * time.Second)
					body := &closeCounter{Reader: strings.NewReader("x")}
					req := newRequest(t, "POST", backend, "")
					req.Body, base.status, calls = body, tc.status, -n
					panicked := panicOf(func() { _, _ = exchange(rt, req) })
					if body.closed.Load() == 0 || base.open() != 0 {
						t.Errorf("panic of call %d: request's body closed %d times, %d answers open; want none open", n, body.closed.Load(), base.open())
					}
					base.status, calls = 200, 1
					time.Sleep(4 * time.Second) // less than a probe keeps its slot
					if status, err := exchange(rt, newRequest(t, "GET", backend, "")); status != 200 {
						t.Errorf("panic of call %d: the next caller got %d, %v; want 200", n, status, err)
					}
					if panicked == nil {
						return
					}
				}
			})
		})
	}
}

func TestProbeThatHangsLosesItsSlotToTheNextCaller(t *testing.T) {
	for name, late := range map[string]http.RoundTripper{
		"and succeeds late":       ok,
		"and fails late":          limited,
		"and says nothing at all": transporttest.Fail(transporttest.ErrReset),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker(t, nil)
				b.base.set(limited4s)
				_, _ = b.get(t, backend)
				time.Sleep(4 * time.Second)
				b.base.set(transporttest.After(time.Minute, late))
				done := make(chan struct{})
				go func() {
					defer close(done)
					_, _ = b.get(t, backend)
				}()
				synctest.Wait()
				b.base.set(ok)
				time.Sleep(5*time.Second - time.Nanosecond) // Breaker.Open is five seconds
				if _, err := b.get(t, backend); !errors.Is(err, transport.ErrOpen) {
					t.Errorf("a nanosecond early: %v, want a refusal", err)
				}
				time.Sleep(time.Nanosecond)
				if status, err := b.get(t, backend); status != 200 {
					t.Errorf("%d, %v; want 200 from the next probe", status, err)
				}
				<-done
				b.base.set(limited)
				for range 5 { // one less than open it
					if status, err := b.get(t, backend); status != 429 {
						t.Errorf("%d, %v; want the 429, the late result counts for nothing", status, err)
					}
				}
				if got, want := strings.Join(b.changes, " "), "closed>open open>half-open half-open>closed"; got != want {
					t.Errorf("changes %q, want %q", got, want)
				}
			})
		})
	}
}

func TestRetryDoesNotWaitForTheBreakerThatItsOwnFailureOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := steady()
		s.Breakers[0].Failures = 1
		script, start := transporttest.Play(limited), time.Now()
		resp, err := newChain(t, script, transport.Config{Classifier: alter(t), Policy: s}).RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if v := classify.Of(resp, nil); resp.StatusCode != 429 || v.RetryAfter != s.Breakers[0].Open || time.Since(start) != 0 {
			t.Errorf("%d, retry after %v, after %v; want the 429 at once, with the %v of the breaker", resp.StatusCode, v.RetryAfter, time.Since(start), s.Breakers[0].Open)
		}
		if reason := transport.TrailOf(resp, nil).Reason; reason != policy.RetryAfterTooLong {
			t.Errorf("stopped for %v, want %v", reason, policy.RetryAfterTooLong)
		}
	})
}

func TestWhatTheCallerEndedOpensNoBreaker(t *testing.T) {
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"a deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, ms(1))
		},
		"a cancellation": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(ms(1), cancel)
			return ctx, cancel
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBreaker(t, func(s *policy.Set) {
				s.Breakers[0].Kinds, s.Breakers[0].Failures = []classify.Kind{classify.Network}, 1
			})
			lost := transporttest.Func(func(req *http.Request) (*http.Response, error) {
				<-req.Context().Done()
				return nil, transporttest.ErrReset
			})
			for _, step := range []http.RoundTripper{transporttest.Hang(), lost} {
				b.base.set(step)
				ctx, cancel := end(t.Context())
				_, _ = exchange(b, newRequest(t, "GET", backend, "").WithContext(ctx))
				cancel()
			}
			b.base.set(ok)
			if status, err := b.get(t, backend); status != 200 {
				t.Errorf("after %s: %d, %v; want 200", name, status, err)
			}
			b.base.set(transporttest.Fail(transporttest.ErrReset))
			_, _ = b.get(t, backend)
			if _, err := b.get(t, backend); !errors.Is(err, transport.ErrOpen) {
				t.Errorf("after a failure of the network: %v, want a refusal", err)
			}
		})
	}
}

func TestAnotherExchangesRateLimitOpensNoBreakerHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, nil)
		b.base.set(transporttest.Fail(fmt.Errorf("token: %w", classify.Verdict{Kind: classify.PolicyRateLimit, RetryAfter: time.Minute}.Err(nil))))
		for range 10 {
			_, _ = b.get(t, backend)
		}
		b.base.set(ok)
		if status, err := b.get(t, backend); status != 200 {
			t.Errorf("%d, %v; want 200, this host never refused anything", status, err)
		}
	})
}

func TestRefusalSaysThatNothingWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, func(s *policy.Set) {
			s.Breakers[0].Kinds, s.Breakers[0].Failures = []classify.Kind{classify.BackendUnavailable}, 1
		})
		b.base.set(answer(503, ""))
		_, _ = b.get(t, backend)
		if _, err := b.get(t, backend); !errors.Is(err, transport.ErrOpen) || !classify.Of(nil, err).Unprocessed {
			t.Errorf("%v, verdict %+v; want a refusal that is unprocessed", err, classify.Of(nil, err))
		}
	})
}

func TestRefusalSaysNothingOfTheCallerWhoGotTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker{base: &switchable{step: ok}}
		b.RoundTripper = newChain(t, b.base, transport.Config{
			Classifier: alter(t), Policy: steady(), Key: func(*http.Request) string { return "tenant" },
		})
		b.base.set(transporttest.Canned("rate_limit_exceeded").Detail("grant_id", "grant-7").Header("RateLimit", `"hourly";r=0;t=2`))
		_, _ = b.get(t, backend)
		_, err := b.get(t, backend)
		d := classify.Of(nil, err).Detail
		if !errors.Is(err, transport.ErrOpen) || d == nil {
			t.Fatalf("%v: want a refusal with details", err)
		}
		if d.GrantID != "" || d.Message != "" || len(d.Details()) != 0 {
			t.Errorf("%+v tells of another caller", d)
		}
		if d.Status != 429 || d.PolicyError != "rate_limit_exceeded" || d.RateLimit == nil || d.RateLimit.Policy != "hourly" {
			t.Errorf("%+v: want the status, the policy and its limit, which concern everybody", d)
		}
	})
}

func TestBreakerKnowsAServerByEverySpelling(t *testing.T) {
	for _, urls := range [][2]string{
		{"https://backend.example:8443/", "https://backend.example.:8443/"},
		{"https://backend.example/", "https://backend.example.:443/"},
		{"https://backend.example/", "https://backend.example:/"},
		{"http://backend.example/", "http://backend.example:80/"},
		{"http://[::1]/", "http://[::1]:80/"},
	} {
		synctest.Test(t, func(t *testing.T) {
			base := &counting{status: 429, hint: "4"}
			rt := newChain(t, base, transport.Config{Classifier: &classify.Alter{}})
			_, _ = exchange(rt, newRequest(t, "GET", urls[0], ""))
			if _, err := exchange(rt, newRequest(t, "GET", urls[1], "")); !errors.Is(err, transport.ErrOpen) {
				t.Errorf("%q and %q: %v, want a refusal by the one breaker", urls[0], urls[1], err)
			}
		})
	}
}
