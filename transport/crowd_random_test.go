package transport_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// moody answers at random: it succeeds, refuses with and without hints and rates, fails, hangs, panics and ends goroutines.
func moody(r *rand.Rand) http.RoundTripper {
	var step http.RoundTripper
	switch r.IntN(12) {
	case 0:
		step = limited
	case 1:
		step = answer(429, "rate_limit_exceeded", "Retry-After-Ms", fmt.Sprint(1+r.IntN(5000)))
	case 2:
		step = answer(429, "rate_limit_exceeded", "Retry-After", "1", "RateLimit", `"p";r=0;t=1`, "RateLimit-Policy", fmt.Sprintf(`"p";q=%d;w=1`, 1+r.IntN(20)))
	case 3:
		step = answer(503, "")
	case 4:
		step = transporttest.Fail(transporttest.ErrReset)
	case 5:
		step = transporttest.Panic("base")
	case 6:
		step = transporttest.Func(func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil })
	case 7:
		return transporttest.Hang()
	default:
		step = ok
	}
	return transporttest.After(time.Duration(r.IntN(400))*time.Millisecond, step)
}

// Whatever callers, the base and an operator do, no slot and no place in line is lost, and time never stands still.
func TestARandomCrowdLosesNothing(t *testing.T) {
	rounds := 60
	if raceEnabled || testing.Short() {
		rounds = 15
	}
	for seed := range rounds {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(seed), 1))
			var mu sync.Mutex
			dice := func(n int) int {
				mu.Lock()
				defer mu.Unlock()
				return r.IntN(n)
			}
			c := newCrowd(t, transport.Keys{}, func(s *policy.Set) {
				o := policy.OutageBreaker()
				for _, b := range []*policy.Breaker{&s.Breakers[0], &o} {
					b.Hold = time.Duration(r.IntN(4)) * time.Second
					b.Window, b.Probes, b.Failures = r.IntN(5), 1+r.IntN(3), 1+r.IntN(3)
					b.Open = time.Duration(1+r.IntN(3000)) * time.Millisecond
				}
				s.Breakers = append(s.Breakers, o)
			})
			c.set(roundTripFunc(func(req *http.Request) (*http.Response, error) {
				mu.Lock()
				step := moody(r)
				mu.Unlock()
				return step.RoundTrip(req)
			}))
			inner := c.RoundTripper
			if seed%3 == 0 { // a chain around the chain, on the same state
				inner = newChain(t, inner, transport.Config{Classifier: alter(t), Shared: c.shared})
			}
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					for range 10 {
						time.Sleep(time.Duration(dice(500)) * time.Millisecond)
						ctx := t.Context()
						if dice(2) == 0 {
							ctx = transport.ForGrant(ctx, fmt.Sprint("g", dice(2)))
						}
						ctx, cancel := context.WithTimeout(ctx, time.Duration(1+dice(4000))*time.Millisecond)
						body := &closeCounter{Reader: http.NoBody}
						req := newRequest(t, "POST", backend, "").WithContext(ctx)
						req.Body = body
						call := c.begin(inner, req, nil)
						<-call.done
						cancel()
						if body.closed.Load() == 0 {
							t.Errorf("seed %d: %v, and the body is open", seed, call.err)
						}
					}
				})
			}
			wg.Go(func() { // the operator
				for range 20 {
					time.Sleep(time.Duration(dice(800)) * time.Millisecond)
					key := []string{host, host + " grant g0", host + " grant g1", host + " policy p"}[dice(4)]
					switch d := time.Duration(1+dice(300)) * time.Millisecond; dice(4) {
					case 0:
						must(t, c.shared.ForceOpen(key, d))
					case 1:
						must(t, c.shared.ForceClosed(key, d))
					case 2:
						c.shared.Reset(key)
					default:
						c.shared.Snapshot()
					}
				}
			})
			wg.Wait()
			for _, b := range c.shared.Snapshot().Breakers {
				if b.Held+b.Probes+b.Flying != 0 {
					t.Errorf("seed %d: %+v keeps something of calls that are over", seed, b)
				}
			}
			c.set(ok)
			time.Sleep(policy.Default().Breakers[0].MaxOpen - time.Second)
			for range 10 {
				for _, grant := range []string{"", "g0", "g1"} {
					call := c.send(transport.ForGrant(t.Context(), grant), backend)
					if <-call.done; call.status != 200 {
						t.Errorf("seed %d: %d, %v five minutes later, want 200", seed, call.status, call.err)
					}
				}
			}
		})
	}
}

// The same without virtual time, for the race detector and for real timers.
func TestHoldUnderRace(t *testing.T) {
	shared := newShared(t, transport.Keys{}, func(s *policy.Set) {
		b := &s.Breakers[0]
		b.Hold, b.Open, b.Window = 20*time.Millisecond, time.Millisecond, 3
	})
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(1, 2))
	dice := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n)
	}
	rt := transport.Chain(roundTripFunc(func(req *http.Request) (*http.Response, error) {
		resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: req}
		switch dice(8) {
		case 0:
			classify.Attach(resp, classify.Verdict{Kind: classify.PolicyRateLimit, RetryAfter: time.Duration(dice(3000)) * time.Microsecond})
		case 1:
			panic("base")
		case 2:
			time.Sleep(time.Duration(dice(300)) * time.Microsecond)
		}
		return resp, nil
	}), transport.Break(shared, nil))
	var wg sync.WaitGroup
	for range 24 {
		wg.Go(func() {
			for range 60 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(dice(6000))*time.Microsecond)
				_ = panicOf(func() { _, _ = exchange(rt, newRequest(t, "GET", backend, "").WithContext(ctx)) })
				cancel()
				if dice(40) == 0 {
					shared.Reset(host)
				}
			}
		})
	}
	wg.Wait()
	for _, b := range shared.Snapshot().Breakers {
		if b.Held+b.Probes+b.Flying != 0 {
			t.Errorf("%+v keeps something of calls that are over", b)
		}
	}
}
