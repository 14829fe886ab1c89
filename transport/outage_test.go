package transport_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// queueing is a backend that serves one request after the other, in 5 ms each, from a queue without a bound, and stops for a while.
// It serves what its clients have given up on too, as backends do: that is what makes an outage outlast its cause.
// A client waits a second for its header and then sees a timeout.
type queueing struct {
	mu         sync.Mutex
	stop, heal time.Time // nothing is served in between
	free       time.Time // when the queue will be empty
	attempts   int       // that arrived while it stood still
}

const (
	serviceTime   = 5 * time.Millisecond
	headerTimeout = time.Second
)

type headerTimeoutError struct{}

func (headerTimeoutError) Error() string { return "timeout awaiting response headers" }
func (headerTimeoutError) Timeout() bool { return true }

func (q *queueing) RoundTrip(req *http.Request) (*http.Response, error) {
	q.mu.Lock()
	now := time.Now()
	begin := now
	if begin.Before(q.free) {
		begin = q.free
	}
	if !begin.Before(q.stop) && begin.Before(q.heal) {
		begin = q.heal
	}
	q.free = begin.Add(serviceTime)
	if !now.Before(q.stop) && now.Before(q.heal) {
		q.attempts++
	}
	wait := q.free.Sub(now)
	q.mu.Unlock()
	if wait > headerTimeout {
		time.Sleep(headerTimeout)
		return nil, headerTimeoutError{}
	}
	time.Sleep(wait)
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: req}, nil
}

// outage is what an outage did to the clients.
type outage struct {
	perRequest float64       // attempts for each request that began while the backend stood still
	recovery   time.Duration // from the backend's return to the last call that failed
	success    float64
}

// simulateOutage lets 20 clients with a chain of their own send 160 requests a second, of 200 that the backend can serve,
// for two minutes of which it stands still for ten seconds.
func simulateOutage(t *testing.T, set policy.Set) (o outage) {
	synctest.Test(t, func(t *testing.T) {
		const (
			clients = 20
			rate    = 160.0
			stop    = 20 * time.Second
			hold    = 10 * time.Second
			length  = 120 * time.Second
		)
		start := time.Now()
		backend := &queueing{stop: start.Add(stop), heal: start.Add(stop + hold)}
		var chains []http.RoundTripper
		for range clients {
			chains = append(chains, newChain(t, backend, transport.Config{Policy: &set}))
		}
		var (
			wg               sync.WaitGroup
			mu               sync.Mutex
			calls, good, hit int
			last             time.Time
		)
		random := rand.New(rand.NewPCG(1, 2))
		for time.Since(start) < length {
			time.Sleep(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
			chain := chains[random.IntN(clients)]
			begin := time.Now()
			calls++
			if !begin.Before(backend.stop) && begin.Before(backend.heal) {
				hit++
			}
			wg.Go(func() {
				req, _ := http.NewRequestWithContext(context.Background(), "GET", "http://backend.example", nil)
				resp, err := chain.RoundTrip(req)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					last = time.Now()
					return
				}
				good++
				resp.Body.Close()
			})
		}
		wg.Wait()
		o = outage{float64(backend.attempts) / float64(hit), last.Sub(backend.heal), float64(good) / float64(calls)}
	})
	return o
}

func TestRetriesDoNotKeepAnOutageGoing(t *testing.T) {
	never := policy.Default()
	never.Profiles = nil
	unbounded := policy.Default()
	unbounded.Budget = policy.Budget{}
	without, with, reckless := simulateOutage(t, never), simulateOutage(t, policy.Default()), simulateOutage(t, unbounded)
	t.Logf("without retries: %+v", without)
	t.Logf("with the default policy: %+v", with)
	t.Logf("with the default policy less its budget: %+v", reckless)
	if with.perRequest > 1.15 {
		t.Errorf("%.3f attempts for each request during the outage, want at most 1.15", with.perRequest)
	}
	if most := without.recovery * 6 / 5; with.recovery > most {
		t.Errorf("recovered after %v, want at most %v, a fifth more than without retries", with.recovery, most)
	}
	if reckless.recovery < 2*without.recovery && reckless.perRequest < 1.5 {
		t.Errorf("without a budget it looks no worse (%+v): the simulation shows nothing", reckless)
	}
}
