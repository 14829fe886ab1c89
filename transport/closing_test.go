package transport_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// window bounds what is in flight while the breaker closes.
func window(n int) func(*policy.Set) {
	return func(s *policy.Set) { s.Breakers[0].Window = n }
}

// closing returns a crowd whose breaker has had as many successes as it takes to close, at 1s, and the requests that end it
// are answered at once.
func closing(t testing.TB, change func(*policy.Set)) *crowd {
	c := newCrowd(t, oneKey, change)
	c.open(t, backend, "Retry-After", "1")
	time.Sleep(time.Second)
	for c.status(t).State != transport.Closed {
		if status, err := exchange(c, newRequest(t, "GET", backend, "")); status != 200 {
			t.Fatalf("%d, %v; want 200 for a probe", status, err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.came, c.told = nil, nil
	return c
}

// hanging sends n requests that hang until they are cancelled, and returns how many of them got through.
func hanging(ctx context.Context, c *crowd, n int) int {
	c.set(transporttest.Hang())
	before := len(c.came)
	for range n {
		c.send(ctx, backend)
	}
	synctest.Wait()
	c.set(ok)
	return len(c.came) - before
}

func TestWindowGrowsByOneWithEachSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := closing(t, window(32))
		c.set(transporttest.After(ms(100), ok))
		var passed []int
		for range 6 { // as many callers as would like to come, every 100 ms
			before := len(c.came)
			for range 50 {
				c.send(t.Context(), backend)
			}
			passed = append(passed, len(c.came)-before)
			time.Sleep(ms(100))
			synctest.Wait()
		}
		// Two, and each of them makes room for one more: they double until the window of 32 has been reached.
		check(t, "passed", fmt.Sprint(passed), "[2 4 8 16 50 50]")
		if got := names(c.shared); got != "" {
			t.Errorf("still in trouble: %s", got)
		}
	})
}

func TestWindowIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := closing(t, window(32))
		ctx, cancel := context.WithCancel(t.Context())
		passed := hanging(ctx, c, 5)
		s := c.status(t)
		if passed != 2 || s.Window != 2 || s.Flying != 2 || s.State != transport.Closed || s.Verdict.Kind.Action().String() != "wait" {
			t.Errorf("%d passed; snapshot: %+v; want 2, a window of 2 with 2 in flight", passed, s)
		}
		check(t, "hooks", c.hears(), "refused for 0s, refused for 0s, refused for 0s")
		cancel()
		synctest.Wait()
		if s := c.status(t); s.Window != 2 || s.Flying != 0 {
			t.Errorf("snapshot: %+v; want nothing in flight and the window as it was", s)
		}
	})
}

func TestWindowStartsWithTwoForEachProbe(t *testing.T) {
	for name, tc := range map[string]struct {
		probes, window, passed int
	}{
		"one probe":                         {1, 32, 2},
		"three probes":                      {3, 32, 6},
		"a window smaller than two":         {1, 1, 1},
		"a window smaller than the probes'": {10, 7, 7},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := closing(t, func(s *policy.Set) { s.Breakers[0].Probes, s.Breakers[0].Window = tc.probes, tc.window })
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if passed := hanging(ctx, c, 50); passed != tc.passed {
					t.Errorf("%d passed, want %d", passed, tc.passed)
				}
			})
		})
	}
}

func TestWithoutWindowAllPassAfterTheProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, oneKey, window(0))
		c.open(t, backend, "Retry-After", "1")
		time.Sleep(time.Second)
		_, _ = exchange(c, newRequest(t, "GET", backend, ""))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if passed := hanging(ctx, c, 50); passed != 50 {
			t.Errorf("%d passed, want all of the 50", passed)
		}
		if got := names(c.shared); got != "" {
			t.Errorf("still in trouble: %s", got)
		}
	})
}

func TestWindowIsLiftedAfterOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := closing(t, window(32)) // for five seconds
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		time.Sleep(5*time.Second - 1)
		if passed := hanging(ctx, c, 50); passed != 2 {
			t.Errorf("%d passed a nanosecond before the end, want 2", passed)
		}
		time.Sleep(1 * time.Nanosecond)
		if passed := hanging(ctx, c, 50); passed != 50 {
			t.Errorf("%d passed at the end, want all of the 50", passed)
		}
		_, _ = exchange(c, newRequest(t, "GET", backend, ""))
		if got := names(c.shared); got != "" {
			t.Errorf("after a success still in trouble: %s", got)
		}
	})
}

func TestSlotOfTheWindowAlwaysComesBack(t *testing.T) {
	lost := func(f func()) http.RoundTripper {
		return transporttest.After(ms(10), transporttest.Func(func(*http.Request) (*http.Response, error) { f(); return nil, nil }))
	}
	for name, tc := range map[string]struct {
		step  http.RoundTripper
		hooks transport.Hooks
		limit int // of the window afterwards
	}{
		"after a success":                    {transporttest.After(ms(10), ok), transport.Hooks{}, 4},
		"after a success whose body is lost": {transporttest.After(ms(10), transporttest.Answer(200, "").Stream(transporttest.Stall())), transport.Hooks{}, 4},
		"after a failure that counts":        {transporttest.After(ms(10), limited), transport.Hooks{}, 2},
		"after an answer that is no failure": {transporttest.After(ms(10), answer(500, "")), transport.Hooks{}, 4},
		"after a neutral error":              {transporttest.After(ms(10), transporttest.Fail(transporttest.ErrReset)), transport.Hooks{}, 2},
		"after a panic":                      {lost(func() { panic("base") }), transport.Hooks{}, 2},
		"after the end of the goroutine":     {lost(runtime.Goexit), transport.Hooks{}, 2},
		"after a cancellation":               {transporttest.Hang(), transport.Hooks{}, 2},
		"after a panic of the hook that hears of the call": {
			transporttest.After(ms(10), ok), transport.Hooks{Call: func(context.Context, transport.CallInfo) { panic("hook") }}, 4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := closing(t, window(32))
				rt := c.chain(t, transport.Config{Hooks: tc.hooks})
				c.set(tc.step)
				ctx, cancel := context.WithTimeout(t.Context(), ms(20))
				defer cancel()
				var calls []*caller
				for range 2 {
					body := &closeCounter{Reader: strings.NewReader("x")}
					req := newRequest(t, "POST", backend, "").WithContext(ctx)
					req.Body = body
					calls = append(calls, c.sendAs(rt, req, body))
				}
				if s := c.status(t); s.Flying != 2 {
					t.Fatalf("%d in flight, want 2", s.Flying)
				}
				for _, call := range calls {
					if end := call.end(); strings.Contains(end, "open body") || strings.HasPrefix(end, "refused") {
						t.Errorf("ended: %s", end)
					}
				}
				if s := c.status(t); s.Flying != 0 || s.Window != tc.limit {
					t.Errorf("%d in flight in a window of %d; want none in %d", s.Flying, s.Window, tc.limit)
				}
			})
		})
	}
}

func TestBreakerThatClosesOpensAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		step     http.RoundTripper
		requests int
		left     string
	}{
		"at a hint":                      {answer(429, "rate_limit_exceeded", "Retry-After", "7"), 1, "refused for 7s"},
		"after enough failures in a row": {limited, 6, "refused for 5s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := closing(t, window(32))
				c.set(transporttest.After(time.Minute, ok))
				late := c.send(t.Context(), backend) // in the window that is over by the time that it is answered
				c.set(tc.step)
				for range tc.requests {
					_, _ = exchange(c, newRequest(t, "GET", backend, ""))
				}
				c.set(ok)
				_, _ = exchange(c, newRequest(t, "GET", backend, ""))
				check(t, "hooks", c.hears(), "rate_limit closed>open, "+tc.left)
				late.end()
				if s := c.status(t); s.State != transport.Open {
					t.Errorf("%v after a late success, want it open until somebody asks", s.State)
				}
				_, _ = exchange(c, newRequest(t, "GET", backend, ""))
				if s := c.status(t); s.State != transport.Closed || s.Window != 2 || s.Flying != 0 {
					t.Errorf("after the next probe: %+v; want a window of 2", s)
				}
			})
		})
	}
}

// What the calls of a server go through must not cost more and more after a trip: once all is well, nothing is remembered.
func TestAllIsCalmAfterATrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := closing(t, window(3))
		for range 3 {
			_, _ = exchange(c, newRequest(t, "GET", backend, ""))
		}
		if got := names(c.shared); got != "" {
			t.Errorf("still in trouble: %s", got)
		}
	})
}

func TestAnswerTellsTheLongestHoldOfAllBreakers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, transport.Keys{}, func(s *policy.Set) {
			long, short := s.Breakers[0], s.Breakers[0]
			long.Name, long.Open, long.Failures = "long", time.Minute, 1
			short.Name, short.Open, short.Failures = "short", time.Second, 1
			s.Breakers = []policy.Breaker{long, short}
		})
		c.set(limited)
		resp, err := c.RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := classify.Of(resp, nil).RetryAfter; got != time.Minute {
			t.Errorf("retry after %v, want the minute for which the first one refuses", got)
		}
	})
}
