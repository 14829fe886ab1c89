package transport_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// locked is a backend that refuses the calls on a grant while its token is refreshed. It is 10 ms away, give or take a fifth.
// It serves rate requests a second, refusals too, from a queue without a bound; without a rate it serves all at once.
// Its clients give up on an attempt after two seconds.
type locked struct {
	mu     sync.Mutex
	random *rand.Rand
	unlock time.Time
	rate   float64
	free   time.Time // when the queue will be empty
	calls  int
	flying int // requests under way
	peak   int // the most of them since the lock was released
}

const (
	stormRTT     = 10 * time.Millisecond
	stormTimeout = 2 * time.Second
)

func (l *locked) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	trip := time.Duration((0.8 + 0.4*l.random.Float64()) * float64(stormRTT))
	l.mu.Unlock()
	time.Sleep(trip / 2)

	l.mu.Lock()
	now := time.Now()
	l.calls++
	served := now
	if l.rate > 0 {
		if served.Before(l.free) {
			served = l.free
		}
		served = served.Add(time.Duration(float64(time.Second) / l.rate))
		l.free = served
	}
	if !now.Before(l.unlock) {
		l.flying++
		l.peak = max(l.peak, l.flying)
		defer func() {
			l.mu.Lock()
			l.flying--
			l.mu.Unlock()
		}()
	}
	l.mu.Unlock()
	if wait := served.Sub(now); wait > stormTimeout {
		time.Sleep(stormTimeout)
		return nil, headerTimeoutError{}
	}
	time.Sleep(served.Sub(now))
	refused := time.Now().Before(l.unlock)
	time.Sleep(trip - trip/2)
	if !refused {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
	}
	const body = `{"error":"token_refresh_in_progress","details":{"grant_id":"g"}}`
	return &http.Response{
		StatusCode: 409, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// storm is what a refresh did to the calls on its grant.
type storm struct {
	n, calls, good int
	extra          []time.Duration // from the end of the refresh to the answer
	peak           int
}

func (s storm) perRequest() float64 { return float64(s.calls) / float64(s.n) }
func (s storm) success() float64    { return float64(s.good) / float64(s.n) }

func (s storm) quantile(q float64) time.Duration {
	if len(s.extra) == 0 {
		return 0
	}
	slices.Sort(s.extra)
	return s.extra[min(int(q*float64(len(s.extra))), len(s.extra)-1)]
}

func (s storm) String() string {
	return fmt.Sprintf("%6.2f %8d %8d %8.1f %% %6d", s.perRequest(), s.quantile(0.5).Milliseconds(), s.quantile(0.99).Milliseconds(), 100*s.success(), s.peak)
}

// holds are quantiles of how long a lock is held: lognormal, median 400 ms, 99th percentile 3 s.
func holds(n int) (all []time.Duration) {
	sigma := math.Log(7.5) / 2.3263
	for i := range n {
		p := (float64(i) + 0.5) / float64(n)
		all = append(all, time.Duration(400*math.Exp(sigma*math.Sqrt2*math.Erfinv(2*p-1))*float64(time.Millisecond)))
	}
	return all
}

// simulateStorm lets n calls on one grant start within 50 ms while its token is refreshed, once for each hold.
// The callers name the grant if known.
func simulateStorm(t *testing.T, n int, rate float64, set policy.Set, known bool, holds []time.Duration) (total storm) {
	for i, hold := range holds {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, uint64(i)))
			unlock := time.Now().Add(hold)
			server := &locked{random: random, unlock: unlock, rate: rate}
			chain := newChain(t, server, transport.Config{Classifier: alter(t), Policy: &set})
			ctx := t.Context()
			if known {
				ctx = transport.ForGrant(ctx, "g")
			}
			var (
				wg sync.WaitGroup
				mu sync.Mutex
			)
			for i := range n {
				at := time.Duration(float64(i) / float64(n) * 50 * float64(time.Millisecond))
				wg.Go(func() {
					time.Sleep(at)
					ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
					defer cancel()
					req, _ := http.NewRequestWithContext(ctx, "POST", backend, nil)
					resp, err := chain.RoundTrip(req)
					if err != nil {
						return
					}
					resp.Body.Close()
					if resp.StatusCode == 200 {
						mu.Lock()
						defer mu.Unlock()
						total.good++
						total.extra = append(total.extra, time.Since(unlock))
					}
				})
			}
			wg.Wait()
			total.n += n
			total.calls += server.calls
			total.peak = max(total.peak, server.peak)
		})
	}
	return total
}

// decorrelatedBackOff picks each pause between 100 ms and three times the one before, at most 2 s.
type decorrelatedBackOff struct{ last time.Duration }

func (b *decorrelatedBackOff) Reset() { b.last = ms(100) }

func (b *decorrelatedBackOff) NextBackOff() time.Duration {
	b.last = min(ms(2000), ms(100)+time.Duration(rand.Float64()*float64(3*b.last-ms(100))))
	return b.last
}

// without is the default policy without a gate, with these pauses for refreshes.
func without(p policy.Profile) policy.Set {
	s := policy.Default()
	s.Gate = policy.Gate{}
	s.Profiles[classify.TokenRefreshInProgress] = p
	return s
}

func TestRefreshStorm(t *testing.T) {
	exponential := func(retries int, initial time.Duration, multiplier float64, jitter policy.Jitter, most time.Duration) policy.Profile {
		return policy.Profile{
			Retries: retries, Initial: initial, Multiplier: multiplier, Jitter: jitter, Max: most,
			MaxElapsed: 10 * time.Second, MaxRetryAfter: 10 * time.Second,
		}
	}
	decorrelated := exponential(policy.Unlimited, 0, 0, 0, 0)
	decorrelated.BackOff = func() policy.BackOff { return &decorrelatedBackOff{} }
	gate, wide := policy.Default(), policy.Default()
	wide.Gate.Window = 10_000
	strategies := []struct {
		name  string
		set   policy.Set
		known bool
		check func(n int, rate float64, got storm)
	}{
		{"full jitter 100ms x2 cap 2s", without(exponential(policy.Unlimited, ms(100), 2, policy.FullJitter, ms(2000))), true, nil},
		{"decorrelated 100ms cap 2s", without(decorrelated), true, nil},
		{"+-50% 500ms x1.5, as backoff's default", without(exponential(policy.Unlimited, ms(500), 1.5, 0.5, ms(60_000))), true, nil},
		{"+-50% 200ms x1.25 cap 1s, without gate", without(policy.Default().Profiles[classify.TokenRefreshInProgress]), true, func(n int, rate float64, got storm) {
			if rate == 0 && got.perRequest() < 3 {
				t.Errorf("N = %d: %v; want more than 3 calls for each, or the simulation shows nothing", n, got)
			}
		}},
		{"3 attempts, full jitter 50ms x2", without(exponential(2, ms(50), 2, policy.FullJitter, ms(20_000))), true, nil},
		{"4 attempts, +-20% 100ms x2 cap 1s", without(exponential(3, ms(100), 2, 0.2, ms(1000))), true, nil},
		{"gate, all released at once", wide, true, nil},
		{"gate, grant known from the answer", gate, false, nil},
		{"gate", gate, true, func(n int, rate float64, got storm) {
			calls, late := 1.2, ms(700) // for each request, and the 99th percentile after the refresh
			switch {
			case n == 1:
				calls, late = 6.5, ms(350)
			case rate > 0:
				calls, late = 1.35, ms(3000) // the backend needs 2.5s to serve them all
			case n == 100:
				calls = 1.3
			}
			if got.success() != 1 || got.perRequest() > calls || got.quantile(0.99) > late || got.peak > 32 {
				t.Errorf("N = %d, %v req/s: %v; want success 100%%, at most %v calls for each, %v at the 99th percentile, 32 in flight",
					n, rate, got, calls, late)
			}
		}},
	}
	number := 6
	if raceEnabled {
		number = 1
		t.Log("with the race detector, which takes ten times as long, only the strategies that are held to a number")
	}
	for _, rate := range []float64{0, 400} {
		for _, n := range []int{1, 100, 1000} {
			capacity := "unlimited backend"
			if rate > 0 {
				capacity = fmt.Sprintf("backend of %v req/s", rate)
			}
			t.Logf("N = %d, %s\n%-42s calls/req extra p50 extra p99  success   peak", n, capacity, "")
			for _, s := range strategies {
				if raceEnabled && s.check == nil {
					continue
				}
				many := number
				if n < 1000 {
					many = number * 10
				}
				got := simulateStorm(t, n, rate, s.set, s.known, holds(many))
				t.Logf("%-42s %v", s.name, got)
				if s.check != nil {
					s.check(n, rate, got)
				}
			}
		}
	}
}
