package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
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

// switchable answers as its current step says.
type switchable struct {
	mu   sync.Mutex
	step http.RoundTripper
	hits int
}

func (s *switchable) set(step http.RoundTripper) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step = step
}

func (s *switchable) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

func (s *switchable) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.hits++
	step := s.step
	s.mu.Unlock()
	return transporttest.Play(step).RoundTrip(req)
}

var (
	ok        = answer(200, "")
	limited   = answer(429, "rate_limit_exceeded")
	limited4s = answer(429, "rate_limit_exceeded", "Retry-After", "4")
)

// breaker is a chain without retries around a switchable base, with what it tells.
type breaker struct {
	http.RoundTripper
	base    *switchable
	changes []string
}

func newBreaker(t testing.TB, change func(*policy.Set)) *breaker {
	s := steady()
	s.Profiles = nil
	if change != nil {
		change(s)
	}
	b := &breaker{base: &switchable{step: ok}}
	b.RoundTripper = newChain(t, b.base, transport.Config{
		Classifier: alter(t), Policy: s,
		Hooks: transport.Hooks{Breaker: func(_ context.Context, i transport.BreakerInfo) {
			b.changes = append(b.changes, fmt.Sprintf("%v>%v", i.From, i.To))
		}},
	})
	return b
}

// get sends a GET and returns the status, or 0 and the error.
func (b *breaker) get(t testing.TB, url string) (int, error) {
	resp, err := b.RoundTrip(newRequest(t, "GET", url, ""))
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

const backend = "https://backend.example/v1"

func TestBreakerHoldsForTheServersHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, nil)
		b.base.set(limited4s)
		if status, err := b.get(t, backend); status != 429 {
			t.Fatalf("%d, %v; want the 429 itself", status, err)
		}
		b.base.set(ok)
		time.Sleep(ms(1500))
		body := &closeCounter{Reader: strings.NewReader("x")}
		req := newRequest(t, "POST", backend, "")
		req.Body = body
		start := time.Now()
		_, err := b.RoundTrip(req)
		var (
			open   *transport.OpenError
			denied *classify.PolicyViolationError
			v      = classify.Of(nil, err)
		)
		switch {
		case !errors.Is(err, transport.ErrOpen), !errors.As(err, &open), !errors.As(err, &denied):
			t.Errorf("%v: want ErrOpen, *OpenError and *PolicyViolationError in its chain", err)
		case open.RetryAfter != ms(2500), v.RetryAfter != ms(2500), open.Key != "https://backend.example":
			t.Errorf("time left %v and %v for %q; want 2.5s for the host", open.RetryAfter, v.RetryAfter, open.Key)
		case v.Action() != classify.Wait || denied.PolicyError != "rate_limit_exceeded":
			t.Errorf("action %v, policy %q", v.Action(), denied.PolicyError)
		case denied.Timeout() || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
			t.Errorf("%v passes for a timeout or a cancellation", err)
		}
		if body.closed.Load() == 0 {
			t.Error("the refused request's body is open")
		}
		if time.Since(start) != 0 || b.base.count() != 1 {
			t.Errorf("refused after %v and %d requests sent, want at once and 1", time.Since(start), b.base.count())
		}
		time.Sleep(ms(2500) - time.Nanosecond)
		if _, err := b.get(t, backend); !errors.Is(err, transport.ErrOpen) {
			t.Errorf("a nanosecond early: %v, want a refusal", err)
		}
		time.Sleep(time.Nanosecond)
		if status, err := b.get(t, backend); status != 200 {
			t.Errorf("once the hint is over: %d, %v; want 200", status, err)
		}
		if got, want := strings.Join(b.changes, " "), "closed>open open>half-open half-open>closed"; got != want {
			t.Errorf("changes %q, want %q", got, want)
		}
	})
}

func TestBreakerOpensAfterARunOfFailuresWithoutHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, nil)
		fail := func(n int) {
			b.base.set(limited)
			for range n {
				if status, err := b.get(t, backend); status != 429 {
					t.Fatalf("%d, %v; want a 429", status, err)
				}
			}
		}
		fail(5)
		b.base.set(ok)
		b.get(t, backend) // a success ends the run
		fail(6)
		if _, err := b.get(t, backend); !errors.Is(err, transport.ErrOpen) {
			t.Errorf("after six in a row: %v, want a refusal", err)
		}
		time.Sleep(5 * time.Second)
		fail(1) // the probe
		if _, err := b.get(t, backend); !errors.Is(err, transport.ErrOpen) {
			t.Errorf("after a failed probe: %v, want a refusal", err)
		}
	})
}

func TestBreakerCountsOnlyWhatThePolicyNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, step := range map[string]http.RoundTripper{
			"server errors":       answer(500, ""),
			"a revoked grant":     answer(403, "grant_revoked"),
			"other policies":      answer(403, "outside_business_hours"),
			"a reset connection":  transporttest.Fail(transporttest.ErrReset),
			"a refused dial":      transporttest.Fail(transporttest.ErrRefused),
			"a local error":       transporttest.Fail(io.ErrClosedPipe),
			"another host's 429":  nil,
			"a cancelled request": transporttest.Fail(context.Canceled),
		} {
			b := newBreaker(t, nil)
			url := backend
			if step == nil {
				step, url = limited4s, "https://other.example"
			}
			b.base.set(step)
			for range 20 {
				b.get(t, url)
			}
			b.base.set(ok)
			if status, err := b.get(t, backend); status != 200 {
				t.Errorf("after %s: %d, %v; want 200", name, status, err)
			}
		}
	})
}

func TestNeutralOutcomesDoNotEndARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, nil)
		for range 6 {
			b.base.set(limited)
			b.get(t, backend)
			b.base.set(transporttest.Fail(transporttest.ErrReset))
			b.get(t, backend)
		}
		if _, err := b.get(t, backend); !errors.Is(err, transport.ErrOpen) {
			t.Errorf("%v: want a refusal, six failures stand in a row", err)
		}
	})
}

func TestHalfOpenLetsExactlyTheProbesThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, func(s *policy.Set) { s.Breakers[0].Probes = 3 })
		b.base.set(limited4s)
		b.get(t, backend)
		time.Sleep(4 * time.Second)
		b.base.set(transporttest.After(time.Second, ok))
		var (
			wg      sync.WaitGroup
			mu      sync.Mutex
			passed  int
			refused int
		)
		for range 50 {
			wg.Go(func() {
				_, err := b.get(t, backend)
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(err, transport.ErrOpen) {
					refused++
				} else {
					passed++
				}
			})
		}
		wg.Wait()
		if passed != 3 || refused != 47 {
			t.Errorf("%d passed, %d refused; want 3 and 47", passed, refused)
		}
		if status, err := b.get(t, backend); status != 200 {
			t.Errorf("after the probes: %d, %v; want 200", status, err)
		}
	})
}

func TestProbesSlotAlwaysComesBack(t *testing.T) {
	for name, probe := range map[string]http.RoundTripper{
		"a cancelled probe":                   transporttest.Hang(),
		"a probe that meets a neutral error":  transporttest.Fail(transporttest.ErrReset),
		"a probe that panics":                 transporttest.Panic("base"),
		"a probe whose goroutine is finished": transporttest.Func(func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker(t, nil)
				b.base.set(limited4s)
				b.get(t, backend)
				time.Sleep(4 * time.Second)
				b.base.set(probe)
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { _ = recover() }()
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					_, _ = b.RoundTrip(newRequest(t, "GET", backend, "").WithContext(ctx))
				}()
				<-done
				b.base.set(ok)
				if status, err := b.get(t, backend); status != 200 {
					t.Errorf("%d, %v; want 200 from the next probe", status, err)
				}
			})
		})
	}
}

func TestLateSuccessDoesNotCloseTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, nil)
		b.base.set(transporttest.After(time.Second, ok))
		late := make(chan int)
		go func() {
			status, _ := b.get(t, backend)
			late <- status
		}()
		synctest.Wait()
		b.base.set(limited4s)
		b.get(t, backend)
		if status := <-late; status != 200 {
			t.Errorf("the late request got %d, want 200", status)
		}
		if _, err := b.get(t, backend); !errors.Is(err, transport.ErrOpen) {
			t.Errorf("%v: want a refusal, the success was sent before the breaker opened", err)
		}
	})
}

func TestRefusalIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reasons []policy.Reason
		rt := newChain(t, transporttest.Play(answer(429, "rate_limit_exceeded", "Retry-After", "10")), transport.Config{
			Classifier: alter(t),
			Hooks: transport.Hooks{Call: func(_ context.Context, i transport.CallInfo) {
				reasons = append(reasons, i.Reason)
			}},
		})
		start := time.Now()
		for range 2 {
			if resp, err := rt.RoundTrip(newRequest(t, "GET", backend, "")); err == nil {
				resp.Body.Close()
			}
		}
		if time.Since(start) != 0 || len(reasons) != 2 || reasons[0] != policy.RetryAfterTooLong || reasons[1] != policy.Refused {
			t.Errorf("reasons %v after %v; want retry_after_too_long, refused at once", reasons, time.Since(start))
		}
	})
}

func TestRetryThroughTheBreakerAfterAShortHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := transporttest.Play(answer(429, "rate_limit_exceeded", "Retry-After", "1"), ok)
		rt := newChain(t, script, transport.Config{Classifier: alter(t), Policy: steady()})
		start := time.Now()
		resp, err := rt.RoundTrip(newRequest(t, "POST", backend, ""))
		if err != nil || resp.StatusCode != 200 || time.Since(start) != time.Second {
			t.Errorf("%v, %v after %v; want the 200 after 1s", resp, err, time.Since(start))
		}
	})
}

func TestBreakersAreKeptByServerOrByTheUsersKey(t *testing.T) {
	same := [][2]string{
		{"https://backend.example/a", "https://BACKEND.example:443/b?c"},
		{"https://backend.example/a", "https://user:pw@backend.example./b"},
	}
	different := [][2]string{
		{"https://backend.example", "http://backend.example"},
		{"https://backend.example", "https://backend.example:444"},
	}
	refused := func(t *testing.T, urls [2]string) bool {
		all := &classify.Alter{}
		base := &switchable{step: limited4s}
		rt := newChain(t, base, transport.Config{Classifier: all})
		b := &breaker{RoundTripper: rt, base: base}
		b.get(t, urls[0])
		_, err := b.get(t, urls[1])
		return errors.Is(err, transport.ErrOpen)
	}
	synctest.Test(t, func(t *testing.T) {
		for _, urls := range same {
			if !refused(t, urls) {
				t.Errorf("%q and %q have breakers of their own, want one", urls[0], urls[1])
			}
		}
		for _, urls := range different {
			if refused(t, urls) {
				t.Errorf("%q and %q share a breaker", urls[0], urls[1])
			}
		}
		rt := newChain(t, transporttest.Play(limited4s, ok), transport.Config{
			Classifier: alter(t), Key: func(r *http.Request) string { return r.URL.Query().Get("tenant") },
		})
		b := &breaker{RoundTripper: rt}
		b.get(t, backend+"?tenant=a")
		if status, err := b.get(t, backend+"?tenant=b"); status != 200 {
			t.Errorf("tenant b: %d, %v; want 200", status, err)
		}
		_, err := b.get(t, backend+"?tenant=a")
		var open *transport.OpenError
		if !errors.As(err, &open) || open.Key != "a" || strings.Contains(err.Error(), `"a"`) {
			t.Errorf("tenant a: %v, want a refusal that has the key and does not print it", err)
		}
	})
}

func TestManyKeysStayWithinTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := strings.Repeat("x", 4000)
		base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: 429, Header: http.Header{"Retry-After": {"60"}}, Request: req,
				Body: io.NopCloser(strings.NewReader(`{"error":"rate_limit_exceeded","message":"` + body + `"}`)),
			}, nil
		})
		s := steady()
		s.Profiles = nil
		rt := newChain(t, base, transport.Config{Classifier: &classify.Alter{}, Policy: s})
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		for i := range 20_000 {
			resp, err := rt.RoundTrip(newRequest(t, "GET", fmt.Sprintf("https://h%d.example", i), ""))
			if err == nil {
				resp.Body.Close()
			}
		}
		grown := int64(heap()) - int64(before)
		if limit := int64(28 << 20); grown > limit {
			t.Errorf("20 000 keys took %d bytes, want at most %d", grown, limit)
		}
		runtime.KeepAlive(rt)
	})
}

func TestBreakerUnderRace(t *testing.T) {
	var n int
	var mu sync.Mutex
	base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		mu.Lock()
		n++
		status := 200
		if n%5 == 0 {
			status = 429
		}
		mu.Unlock()
		return &http.Response{StatusCode: status, Header: http.Header{"Retry-After-Ms": {"1"}}, Body: http.NoBody, Request: req}, nil
	})
	rt := newChain(t, base, transport.Config{Classifier: &classify.Alter{}, Policy: fast()})
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			for i := range 200 {
				resp, err := rt.RoundTrip(newRequest(t, "GET", fmt.Sprintf("https://h%d.example", (g+i)%4), ""))
				if err == nil {
					resp.Body.Close()
				} else if !errors.Is(err, transport.ErrOpen) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
