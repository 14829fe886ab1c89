package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// withOutages adds a breaker on outages, without randomness.
func withOutages(s *policy.Set) {
	b := policy.OutageBreaker()
	b.Jitter, b.Window, b.Failures = 0, 0, 1
	s.Breakers[0].Window = 0
	s.Breakers = append(s.Breakers, b)
}

func TestRequestHasToPassEveryBreaker(t *testing.T) {
	for name, tc := range map[string]struct {
		steps  []http.RoundTripper // at 0s, one after the other
		at     time.Duration
		ended  string
		told   string // since then
		states string // afterwards
	}{
		"one of them is open": {
			[]http.RoundTripper{answer(503, "", "Retry-After", "4")}, time.Second,
			"refused at 1s", "refused for 3s", "outage https://backend.example open",
		},
		"one of them probes": {
			[]http.RoundTripper{answer(503, "", "Retry-After", "4")}, 4 * time.Second,
			"200 at 4s", "outage half-open>closed, outage open>half-open", "",
		},
		"the slot of the one that probes comes back when the other refuses, and its change is told": {
			[]http.RoundTripper{answer(429, "rate_limit_exceeded", "Retry-After", "2"), answer(503, "", "Retry-After", "4")}, 2 * time.Second,
			"refused at 2s", "rate_limit open>half-open, refused for 2s",
			"outage https://backend.example open, rate_limit https://backend.example half-open",
		},
		"both probe with the same request": {
			[]http.RoundTripper{answer(429, "rate_limit_exceeded", "Retry-After", "2"), answer(503, "", "Retry-After", "4")}, 4 * time.Second,
			"200 at 4s", "outage half-open>closed, outage open>half-open, rate_limit half-open>closed, rate_limit open>half-open", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, transport.Keys{}, withOutages)
				c.set(transporttest.Func(func(req *http.Request) (*http.Response, error) {
					return tc.steps[req.ContentLength].RoundTrip(req)
				}))
				c.simultaneous(t, len(tc.steps))
				c.set(ok)
				time.Sleep(tc.at)
				check(t, "ended", c.send(t.Context(), backend).end(), tc.ended)
				check(t, "hooks", c.hears(), tc.told)
				check(t, "in trouble", names(c.shared), tc.states)
				for _, b := range c.shared.Snapshot().Breakers {
					if b.Probes != 0 {
						t.Errorf("%+v keeps a slot", b)
					}
				}
				if tc.at == 2*time.Second { // the slot that came back is there for the next
					time.Sleep(2 * time.Second)
					check(t, "the next", c.send(t.Context(), backend).end(), "200 at 4s")
				}
			})
		})
	}
}

// simultaneous sends requests that reach the base before any is answered; the n-th has n for its ContentLength.
// What the hooks said of them is forgotten.
func (c *crowd) simultaneous(t testing.TB, n int) {
	step := c.step
	c.set(transporttest.After(1, step))
	var calls []*caller
	for i := range n {
		body := &closeCounter{Reader: strings.NewReader("")}
		req := newRequest(t, "GET", backend, "")
		req.Body, req.ContentLength = body, int64(i)
		calls = append(calls, c.sendAs(c, req, body))
	}
	for _, call := range calls {
		call.end()
	}
	c.start = time.Now()
	c.told = nil
}

func TestPanicReleasesTheSlotsOfAllBreakers(t *testing.T) {
	boom := func(f func()) http.RoundTripper {
		return transporttest.Func(func(*http.Request) (*http.Response, error) { f(); return nil, nil })
	}
	hook := func(breaker string, to transport.State, f func()) transport.Hooks {
		return transport.Hooks{Breaker: func(_ context.Context, i transport.BreakerInfo) {
			if i.Name == breaker && i.To == to {
				f()
			}
		}}
	}
	for name, tc := range map[string]struct {
		step  http.RoundTripper
		hooks transport.Hooks
	}{
		"of the base":                                               {boom(func() { panic("base") }), transport.Hooks{}},
		"of the base, that ends the goroutine":                      {boom(runtime.Goexit), transport.Hooks{}},
		"of the hook of the first, as it begins to probe":           {ok, hook("rate_limit", transport.HalfOpen, func() { panic("hook") })},
		"of the hook of the second, as it begins to probe":          {ok, hook("outage", transport.HalfOpen, func() { panic("hook") })},
		"of the hook of the second, that ends the goroutine":        {ok, hook("outage", transport.HalfOpen, runtime.Goexit)},
		"of the hook of the first, as it closes":                    {ok, hook("rate_limit", transport.Closed, func() { panic("hook") })},
		"of the hook of the first, as it closes and ends the whole": {ok, hook("rate_limit", transport.Closed, runtime.Goexit)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, transport.Keys{}, withOutages)
				both := []http.RoundTripper{answer(429, "rate_limit_exceeded", "Retry-After", "2"), answer(503, "", "Retry-After", "2")}
				c.set(transporttest.Func(func(req *http.Request) (*http.Response, error) { return both[req.ContentLength].RoundTrip(req) }))
				c.simultaneous(t, 2)
				time.Sleep(2 * time.Second)
				c.set(tc.step)
				body := &closeCounter{Reader: strings.NewReader("x")}
				req := newRequest(t, "POST", backend, "")
				req.Body = body
				lost := c.sendAs(c.chain(t, transport.Config{Hooks: tc.hooks}), req, body)
				if end := lost.end(); strings.Contains(end, "open body") || lost.err == nil {
					t.Errorf("ended: %s; want the panic and a closed body", end)
				}
				for _, b := range c.shared.Snapshot().Breakers {
					if b.Probes != 0 {
						t.Errorf("%+v: want its slot free", b)
					}
				}
				c.set(ok)
				check(t, "the next", c.send(t.Context(), backend).end(), "200 at 2s")
				check(t, "in trouble", names(c.shared), "")
			})
		})
	}
}

func TestPanicOfTheRefusalsHookLosesNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, transport.Keys{}, withOutages)
		c.set(transporttest.Func(func(req *http.Request) (*http.Response, error) {
			return []http.RoundTripper{limited4s, answer(503, "", "Retry-After", "9")}[req.ContentLength].RoundTrip(req)
		}))
		c.simultaneous(t, 2)
		time.Sleep(4 * time.Second)
		c.set(ok)
		rt := c.chain(t, transport.Config{Hooks: transport.Hooks{Refuse: func(context.Context, transport.RefuseInfo) { panic("hook") }}})
		if v := panicOf(func() { _, _ = exchange(rt, newRequest(t, "GET", backend, "")) }); v != "hook" {
			t.Fatalf("recovered %v, want the hook's panic", v)
		}
		for _, b := range c.shared.Snapshot().Breakers {
			if b.Probes != 0 {
				t.Errorf("%+v keeps the slot of a request that was refused", b)
			}
		}
	})
}

// A hook may look at the state, and change it: it is called under no lock.
func TestHooksMayUseTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shared *transport.Shared
		heard := map[string]int{}
		use := func(what string) {
			heard[what]++
			shared.Snapshot()
			must(t, shared.ForceOpen("another key", time.Second))
			must(t, shared.ForceClosed("another key", time.Second))
			shared.Reset("another key")
			shared.Reset("a third")
		}
		c := newCrowd(t, oneKey, holding(3*time.Second))
		shared = c.shared
		c.RoundTripper = c.chain(t, transport.Config{Hooks: transport.Hooks{
			Attempt: func(context.Context, transport.AttemptInfo) { use("attempt") },
			Call:    func(context.Context, transport.CallInfo) { use("call") },
			Refuse:  func(context.Context, transport.RefuseInfo) { use("refuse") },
			Wait:    func(context.Context, transport.WaitInfo) { use("wait") },
			Breaker: func(context.Context, transport.BreakerInfo) { use("breaker") },
		}})
		c.open(t, backend, "Retry-After", "4")
		time.Sleep(ms(500))
		c.send(t.Context(), backend).end() // refused
		time.Sleep(time.Second)
		c.send(t.Context(), backend).end() // held
		if fmt.Sprint(heard) != "map[attempt:3 breaker:3 call:3 refuse:1 wait:1]" {
			t.Errorf("heard %v", heard)
		}
		shared.Reset("all")
		c.open(t, backend, "Retry-After", "4")
		c.RoundTripper = c.chain(t, transport.Config{Hooks: transport.Hooks{
			Breaker: func(context.Context, transport.BreakerInfo) { shared.Reset("all") }, // of the very key that it is told of
		}})
		time.Sleep(4 * time.Second)
		check(t, "a probe whose hook resets the key", c.send(t.Context(), backend).end(), "200 at 8s")
		check(t, "in trouble", names(shared), "")
	})
}

func TestNestedChainsOnOneStateDoNotRefuseEachOther(t *testing.T) {
	for name, window := range map[string]int{"a probe": 0, "a slot of the window": 32} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, transport.Keys{}, func(s *policy.Set) { s.Breakers[0].Window = window })
				outer := newChain(t, c.RoundTripper, transport.Config{Classifier: alter(t), Shared: c.shared})
				get := func() (int, error) { return exchange(outer, newRequest(t, "GET", backend, "")) }
				c.open(t, backend, "Retry-After", "4")
				time.Sleep(4 * time.Second)
				for range 40 {
					if status, err := get(); status != 200 {
						t.Errorf("%d, %v; want 200", status, err)
					}
				}
				check(t, "in trouble", names(c.shared), "")
				if window > 0 { // all of its slots are for the outer calls
					c.open(t, backend, "Retry-After", "1")
					time.Sleep(time.Second)
					_, _ = get()
					ctx, cancel := context.WithCancel(t.Context())
					c.set(transporttest.Hang())
					c.came = nil
					for range 2 {
						c.sendAs(outer, newRequest(t, "GET", backend, "").WithContext(ctx), nil)
					}
					if s := c.status(t); s.Flying != 2 || len(c.came) != 2 {
						t.Errorf("%d of the window's slots taken by %d requests; want both, by one each", s.Flying, len(c.came))
					}
					cancel()
					synctest.Wait()
					c.shared.Reset(host)
				}
				c.open(t, backend, "Retry-After", "4")
				if _, err := get(); !errors.Is(err, transport.ErrOpen) {
					t.Errorf("%v: want a refusal", err)
				}
				time.Sleep(4 * time.Second)
				c.set(limited4s)
				if status, err := get(); status != 429 {
					t.Errorf("%d, %v; want the probe's own 429", status, err)
				}
				if s := c.status(t); s.State != transport.Open || s.Probes != 0 || !s.Until.Equal(time.Now().Add(4*time.Second)) {
					t.Errorf("%+v: want it open for 4s", s)
				}
			})
		})
	}
}

func TestLeaseIsForItsOwnKeyAndItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, transport.Keys{}, func(s *policy.Set) { s.Breakers[0].Window = 0 })
		const token = "http://backend.example/token" // another server, which the base asks with the context of the request
		var inner, again error
		var answered *http.Response
		outer := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			_, inner = exchange(c, newRequest(t, "GET", token, "").WithContext(req.Context()))
			return c.answer(req)
		}), transport.Config{Classifier: alter(t), Shared: c.shared})
		c.open(t, backend, "Retry-After", "4")
		c.open(t, token, "Retry-After", "60")
		time.Sleep(4 * time.Second)
		answered, err := outer.RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			t.Fatal(err)
		}
		answered.Body.Close()
		if !errors.Is(inner, transport.ErrOpen) {
			t.Errorf("the token's server: %v, want a refusal though the request is another server's probe", inner)
		}
		// Whoever takes the context of the answer's request for a request of his own has no lease.
		c.open(t, backend, "Retry-After", "4")
		_, again = exchange(c, newRequest(t, "GET", backend, "").WithContext(answered.Request.Context()))
		if !errors.Is(again, transport.ErrOpen) {
			t.Errorf("a request with the context of a probe that is over: %v, want a refusal", again)
		}
	})
}

// The lease of the outermost chain holds for the innermost, though one in between has a lease of its own.
func TestLeasesAddUpFromChainToChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, transport.Keys{}, func(s *policy.Set) { s.Breakers[0].Window = 0 })
		forGrant := func(next http.RoundTripper) http.RoundTripper {
			return roundTripFunc(func(req *http.Request) (*http.Response, error) {
				return next.RoundTrip(req.WithContext(transport.ForGrant(req.Context(), "g")))
			})
		}
		rt := transport.Chain(c, transport.Break(c.shared, nil), forGrant, transport.Break(c.shared, nil))
		c.open(t, backend, "Retry-After", "4")
		c.set(limited4s)
		c.shared.Reset(host)
		c.send(transport.ForGrant(t.Context(), "g"), backend)
		c.open(t, backend, "Retry-After", "4")
		check(t, "in trouble", names(c.shared), "rate_limit https://backend.example grant g open, rate_limit https://backend.example open")
		time.Sleep(4 * time.Second)
		if status, err := exchange(rt, newRequest(t, "GET", backend, "")); status != 200 {
			t.Errorf("%d, %v; want the 200 of the one probe of both", status, err)
		}
		check(t, "in trouble", names(c.shared), "")
	})
}

// An outer probe that a chain further in repeats stays one probe: the repetition asks like everyone else.
func TestRetriesInsideOfAProbeAskForThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newShared(t, transport.Keys{}, func(s *policy.Set) {
			s.Profiles = steady().Profiles
			s.Breakers[0].Window = 0
		})
		script := transporttest.Play(limited4s, answer(429, "rate_limit_exceeded", "Retry-After", "2"), transporttest.After(time.Second, ok), ok)
		inner := newChain(t, script, transport.Config{Classifier: alter(t), Shared: shared})
		outer := newChain(t, inner, transport.Config{Classifier: alter(t), Shared: shared})
		_, _ = exchange(inner, newRequest(t, "GET", backend, ""))
		time.Sleep(4 * time.Second)
		probe := make(chan string, 1)
		go func() {
			status, err := exchange(outer, newRequest(t, "GET", backend, ""))
			probe <- fmt.Sprint(status, err)
		}()
		time.Sleep(ms(2500)) // the repetition is under way: it is the probe of the second opening
		if _, err := exchange(inner, newRequest(t, "GET", backend, "")); !errors.Is(err, transport.ErrOpen) {
			t.Errorf("%v: want a refusal, the repetition has the only slot", err)
		}
		check(t, "the outer call", <-probe, "200 <nil>")
		if got := names(shared); got != "" || script.Count() != 3 {
			t.Errorf("in trouble: %s, after %d requests; want nothing after 3", got, script.Count())
		}
	})
}
