package transport_test

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// budgetOf is the one budget that there is.
func budgetOf(t testing.TB, s *transport.Shared) transport.BudgetStatus {
	t.Helper()
	all := s.Snapshot().Budgets
	if len(all) != 1 {
		t.Fatalf("%+v, want one budget", all)
	}
	return all[0]
}

// Many goroutines count in one budget, in nine tenths of its window, while its tokens are spent, somebody looks at it, and the policy is
// replaced by an equal one.
func TestBudgetCountsEveryCallOnce(t *testing.T) {
	const tenths, workers, calls, failing, retried = 9, 8, 1000, 200, 5
	synctest.Test(t, func(t *testing.T) {
		s := newShared(t, oneKey, func(s *policy.Set) {
			s.Breakers = nil
			s.Budget = policy.Budget{Ratio: 0.5, Min: 1, Window: 10 * time.Second}
			s.Profiles = map[classify.Kind]policy.Profile{classify.ProviderUnavailable: {Retries: 1, Initial: 1, Max: 1, Multiplier: 1, Cost: 1}}
		})
		rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			status := 200
			if req.Method == "POST" || req.Method == "PUT" && transport.Attempt(req.Context()) == 1 {
				status = 503
			}
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
		}), transport.Config{Shared: s})
		send := func(method string, n int) {
			req := newRequest(t, method, backend, "")
			for range n {
				if _, err := exchange(rt, req); err != nil {
					t.Error(err)
				}
			}
		}
		send("POST", failing) // which is not repeated; so the capacity is never reached
		send("GET", failing)
		for range tenths {
			var wg sync.WaitGroup
			for range workers {
				wg.Go(func() {
					send("GET", calls/2)
					send("PUT", retried)
					send("GET", calls/2)
				})
			}
			wg.Go(func() {
				for range calls {
					s.Snapshot()
				}
			})
			wg.Go(func() {
				for range calls / 10 {
					follow(t, s, func(*policy.Set) {})
				}
			})
			wg.Wait()
			time.Sleep(time.Second)
		}
		const retries = tenths * workers * retried
		const successes = failing + tenths*workers*calls + retries
		want := transport.BudgetStatus{
			Key:      transport.Key{Own: "all"},
			Tokens:   1 + 0.5*successes - retries,
			Capacity: 0.5 * (successes + failing + retries),
		}
		if got := budgetOf(t, s); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// Traffic is counted until its last moment, whichever call took notice of the time.
func TestSetPolicyKeepsTheTrafficOfThisMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared(t, oneKey, func(s *policy.Set) { s.Budget = policy.Budget{Ratio: 1, Min: 1, Window: 10 * time.Second} })
		rt := newChain(t, ok, transport.Config{Shared: s})
		send := func(n int) {
			for range n {
				if _, err := exchange(rt, newRequest(t, "GET", backend, "")); err != nil {
					t.Fatal(err)
				}
			}
		}
		send(1)
		time.Sleep(500 * time.Millisecond)
		send(99)
		follow(t, s, func(s *policy.Set) { s.Budget.Window = time.Second })
		send(1)
		if got := budgetOf(t, s).Capacity; got != 11 { // a tenth of a hundred, evenly spread
			t.Errorf("a capacity of %v, want 11", got)
		}
		time.Sleep(500 * time.Millisecond)
		send(1)
		if got := budgetOf(t, s).Capacity; got != 7 {
			t.Errorf("a capacity of %v half a window later, want 7", got)
		}
		send(5)
		time.Sleep(2 * time.Second)
		send(1)
		if got := budgetOf(t, s).Capacity; got != 1 {
			t.Errorf("a capacity of %v two windows later, want 1", got)
		}
	})
}

// A bucket that was used within a window keeps its tokens, however many other keys there are.
func TestBudgetInUseIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared(t, transport.Keys{Key: func(req *http.Request) string { return req.URL.Path }}, func(s *policy.Set) { s.Breakers = nil })
		rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
		}), transport.Config{Shared: s})
		req := newRequest(t, "GET", backend, "")
		req.URL.Path = "used"
		send := func() {
			if _, err := exchange(rt, req); err != nil {
				t.Fatal(err)
			}
		}
		send()
		time.Sleep(900 * time.Millisecond)
		send()
		time.Sleep(9500 * time.Millisecond) // 10 s are a window
		for i := range 60_000 {
			req.URL.Path = strconv.Itoa(i)
			send()
		}
		for _, b := range s.Snapshot().Budgets {
			if b.Key.Own == "used" {
				return
			}
		}
		t.Error("the bucket of a key that was used within a window is forgotten")
	})
}
