package transport_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// metered is a backend with policies of ten requests a second each, counted in windows of a second; the path names the policy.
// It refuses what is beyond with a hint of one second. A request takes 10 ms.
type metered struct {
	mu        sync.Mutex
	advertise bool // whether refusals tell the rate
	windows   map[string]time.Time
	used      map[string]int
	refused   map[string]int
}

func (m *metered) RoundTrip(req *http.Request) (*http.Response, error) {
	name := req.URL.Path
	time.Sleep(5 * time.Millisecond)
	m.mu.Lock()
	if now := time.Now(); now.Sub(m.windows[name]) >= time.Second {
		m.windows[name], m.used[name] = now, 0
	}
	m.used[name]++
	refuse := m.used[name] > 10
	if refuse {
		m.refused[name]++
	}
	m.mu.Unlock()
	time.Sleep(5 * time.Millisecond)
	if !refuse {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
	}
	const body = `{"error":"rate_limit_exceeded"}`
	h := http.Header{"Content-Type": {"application/json"}, "Retry-After": {"1"}}
	if m.advertise {
		h.Set("RateLimit", strconv.Quote(name[1:])+";r=0;t=1")
		h.Set("RateLimit-Policy", strconv.Quote(name[1:])+";q=10;w=1")
	}
	return &http.Response{
		StatusCode: 429, Header: h, Request: req, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// overload is what the calls of ten policies came to, the first of which is used beyond its limit.
type overload struct {
	hot, others float64 // share of calls that succeeded
	refused     int     // by the backend, of the hot policy
}

func (o overload) String() string {
	return fmt.Sprintf("%7.1f %% %8d %8.1f %%", 100*o.hot, o.refused, 100*o.others)
}

// simulateOverload lets ten policies be used for a minute, five times a second each; in its middle, for twenty seconds,
// one of them is used hot times a second. Callers have ten seconds.
func simulateOverload(t *testing.T, cfg transport.Config, advertise bool, hot float64) (o overload) {
	synctest.Test(t, func(t *testing.T) {
		server := &metered{advertise: advertise, windows: map[string]time.Time{}, used: map[string]int{}, refused: map[string]int{}}
		cfg.Classifier = alter(t)
		chain := newChain(t, server, cfg)
		var (
			wg         sync.WaitGroup
			mu         sync.Mutex
			calls, won [10]int
		)
		start := time.Now()
		for p := range 10 {
			random := rand.New(rand.NewPCG(3, uint64(p)))
			wg.Go(func() {
				for {
					at, rate := time.Since(start), 5.0
					if p == 0 && at >= 20*time.Second && at < 40*time.Second {
						rate = hot
					}
					if at >= time.Minute {
						return
					}
					time.Sleep(time.Duration((0.5 + random.Float64()) / rate * float64(time.Second)))
					wg.Go(func() {
						ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
						defer cancel()
						req, _ := http.NewRequestWithContext(ctx, "POST", fmt.Sprintf("https://backend.example/policy-%d", p), nil)
						resp, err := chain.RoundTrip(req)
						mu.Lock()
						defer mu.Unlock()
						calls[p]++
						if err != nil {
							return
						}
						resp.Body.Close()
						if resp.StatusCode == 200 {
							won[p]++
						}
					})
				}
			})
		}
		wg.Wait()
		o.hot, o.refused = float64(won[0])/float64(calls[0]), server.refused["/policy-0"]
		sent, good := 0, 0
		for p := 1; p < 10; p++ {
			sent, good = sent+calls[p], good+won[p]
		}
		o.others = float64(good) / float64(sent)
	})
	return o
}

func TestOnePolicyOfTenIsUsedBeyondItsLimit(t *testing.T) {
	byPolicy := func(req *http.Request) string { return req.URL.Path }
	set := func(change func(*policy.Set)) *policy.Set {
		s := policy.Default()
		change(&s)
		return &s
	}
	never := set(func(s *policy.Set) { s.Profiles, s.Breakers = nil, nil })
	stubborn := set(func(s *policy.Set) {
		s.Breakers, s.Budget = nil, policy.Budget{}
		s.Profiles[classify.PolicyRateLimit] = policy.Profile{
			Retries: 4, Initial: ms(1), Max: ms(1), Multiplier: 1, MaxRetryAfter: 10 * time.Second,
		}
	})
	patient := set(func(s *policy.Set) { s.Breakers[0].Hold = 3 * time.Second })
	tests := []struct {
		name      string
		cfg       transport.Config
		advertise bool
		check     func(hot float64, got overload) bool
	}{
		{"no retry", transport.Config{Policy: never}, false, nil},
		{"Retry-After exact, 5 attempts", transport.Config{Policy: stubborn}, false, nil},
		{"breaker of the whole host", transport.Config{}, false, nil},
		{"breaker of the policy, by a key function", transport.Config{Key: byPolicy}, false, func(hot float64, got overload) bool {
			return got.refused <= 25 && got.others == 1
		}},
		{"breaker of the policy, named by the answer", transport.Config{}, true, func(hot float64, got overload) bool {
			return got.others == 1
		}},
		{"breaker of the policy, held for 3s", transport.Config{Policy: patient, Key: byPolicy}, true, func(hot float64, got overload) bool {
			return got.refused <= 5 && got.others == 1 && (hot > 11 || got.hot > 0.99)
		}},
	}
	for _, hot := range []float64{30, 11} {
		t.Logf("one policy used %v times a second, 10 allowed\n%-46s success  refused  others", hot, "")
		for _, tt := range tests {
			got := simulateOverload(t, tt.cfg, tt.advertise, hot)
			t.Logf("%-44s %v", tt.name, got)
			if tt.check != nil && !tt.check(hot, got) {
				t.Errorf("%s: %v is not what it should come to", tt.name, got)
			}
		}
	}
}
