package transport_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

func TestPresetsDoNotKeepAnOutageGoing(t *testing.T) {
	never := policy.Default()
	never.Profiles = nil
	without := simulateOutage(t, never)
	for _, tt := range []struct {
		name       string
		set        policy.Set
		perRequest float64
		recovery   time.Duration // at most
	}{
		{"Interactive is as harmless as Default", policy.Interactive(), 1.15, without.recovery * 6 / 5},
		{"the breaker of Agent lets the backend come back", policy.Agent(), 0.3, without.recovery / 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := simulateOutage(t, tt.set)
			t.Logf("%+v", got)
			if got.perRequest > tt.perRequest || got.recovery > tt.recovery {
				t.Errorf("got %+v, want at most %v attempts for each request, and recovery after at most %s", got, tt.perRequest, tt.recovery)
			}
		})
	}
}

// worked is what became of a job.
type worked struct {
	failed   int // calls
	attempts int // while the backend was down
}

// simulateJob lets ten workers make a thousand calls each, one after the other, of 50 ms each. After 20 s the backend is down
// for that long: it refuses connections, or answers 503.
func simulateJob(t *testing.T, set policy.Set, down time.Duration, refuse bool) (w worked) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu    sync.Mutex
			wg    sync.WaitGroup
			begin = time.Now().Add(20 * time.Second)
		)
		chain := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			answer := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: req}
			if since := time.Since(begin); since >= 0 && since < down {
				mu.Lock()
				w.attempts++
				mu.Unlock()
				if refuse {
					time.Sleep(time.Millisecond)
					return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
				}
				answer.StatusCode = 503
			}
			time.Sleep(50 * time.Millisecond)
			return answer, nil
		}), transport.Config{Policy: &set})
		for range 10 {
			wg.Go(func() {
				for range 1000 {
					req, _ := http.NewRequestWithContext(context.Background(), "GET", "http://backend.example", nil)
					resp, err := chain.RoundTrip(req)
					if err == nil && resp.StatusCode == 200 {
						resp.Body.Close()
						continue
					}
					if err == nil {
						resp.Body.Close()
					}
					mu.Lock()
					w.failed++
					mu.Unlock()
					time.Sleep(100 * time.Millisecond) // a worker that gives up a call goes on to the next
				}
			})
		}
		wg.Wait()
	})
	return w
}

func TestBatchSitsOutAnOutage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		refuse bool
	}{{"that refuses connections", true}, {"that answers 503", false}} {
		t.Run(tt.name, func(t *testing.T) {
			const down = 5 * time.Minute
			hasty, patient := simulateJob(t, policy.Default(), down, tt.refuse), simulateJob(t, policy.Batch(), down, tt.refuse)
			t.Logf("Default: %+v, Batch: %+v", hasty, patient)
			if patient.failed > 20 || patient.attempts > 100 {
				t.Errorf("got %+v, want at most 20 failed calls and 100 attempts", patient)
			}
			if hasty.failed < 1000 {
				t.Errorf("with Default only %d calls fail: the simulation shows nothing", hasty.failed)
			}
		})
	}
}
