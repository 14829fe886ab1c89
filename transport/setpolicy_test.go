package transport_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/policy/policyfile"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// follow puts another version of the policy in force.
func follow(t testing.TB, s *transport.Shared, change func(*policy.Set)) {
	t.Helper()
	set := s.Policy().Set()
	change(&set)
	if err := s.SetPolicy(set); err != nil {
		t.Fatal(err)
	}
}

func TestSetPolicyKeepsWhatBreakersKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, oneKey, nil)
		c.open(t, backend, "Retry-After", "10")
		follow(t, c.shared, func(s *policy.Set) { s.Breakers[0].Open, s.Breakers[0].MaxOpen = time.Second, 2*time.Second })
		check(t, "an open breaker", c.send(t.Context(), backend).end(), "refused at 0s")
		time.Sleep(9 * time.Second)
		check(t, "before its time is over", c.send(t.Context(), backend).end(), "refused at 9s")
		time.Sleep(time.Second)
		check(t, "after", c.send(t.Context(), backend).end(), "200 at 10s")
		c.open(t, backend, "Retry-After", "10")
		time.Sleep(2 * time.Second)
		check(t, "a trip under the new rule", c.send(t.Context(), backend).end(), "200 at 12s")
	})
}

// What the policy says reaches a breaker that does nothing but refuse.
func TestSetPolicyWhileABreakerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, transport.Keys{}, func(s *policy.Set) { s.Breakers[0].MaxOpen = time.Minute })
		c.open(t, backend, "Retry-After", "10")
		check(t, "by the first rule", c.send(t.Context(), backend).end(), "refused at 0s")
		follow(t, c.shared, func(s *policy.Set) { s.Breakers[0].MaxOpen = 5 * time.Second })
		check(t, "by the second", c.send(t.Context(), backend).end(), "refused at 0s")
		c.set(ok)
		time.Sleep(16 * time.Second)
		check(t, "another server", c.send(t.Context(), "https://other.example").end(), "200 at 16s")
		if got := names(c.shared); got != "" {
			t.Errorf("6s after its end: %s, want it forgotten, as the second rule says", got)
		}
	})
}

func TestSetPolicyCountsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, oneKey, func(s *policy.Set) { s.Breakers = append(s.Breakers, policy.OutageBreaker()) })
		c.set(answer(503, ""))
		for range 3 {
			check(t, "an outage", strings.Fields(c.send(t.Context(), backend).end())[0], "503")
		}
		follow(t, c.shared, func(s *policy.Set) { s.Breakers[1].Failures = 4 })
		check(t, "the fourth failure", strings.Fields(c.send(t.Context(), backend).end())[0], "503")
		check(t, "the next", c.send(t.Context(), backend).end(), "refused at 0s")
	})
}

// What comes of a request goes by the rule of the moment, not by that of its start.
func TestSetPolicyWhileARequestIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, oneKey, func(s *policy.Set) { s.Breakers = append(s.Breakers, policy.OutageBreaker()) })
		c.set(answer(503, ""))
		check(t, "an outage", c.send(t.Context(), backend).end(), "503 at 0s")
		c.set(transporttest.After(time.Second, answer(503, "")))
		under := c.send(t.Context(), backend)
		follow(t, c.shared, func(s *policy.Set) { s.Breakers[1].Failures = 2 })
		check(t, "the second failure", under.end(), "503 at 1s")
		check(t, "the next", c.send(t.Context(), backend).end(), "refused at 1s")
	})
}

// While there is no budget nothing is spent, and a budget that shrinks takes its tokens along only as far as they go.
func TestSetPolicyBetweenBudgetAndNone(t *testing.T) {
	s := transport.NewShared(nil, oneKey)
	rt := newChain(t, transporttest.Fail(transporttest.ErrReset), transport.Config{Shared: s})
	spend := func() int {
		_, err := exchange(rt, newRequest(t, "GET", backend, ""))
		return transport.TrailOf(nil, err).Attempts
	}
	follow(t, s, func(s *policy.Set) {
		s.Budget = policy.Budget{}
		s.Profiles[classify.Network] = policy.Profile{Retries: 20, Initial: 1, Max: 1, Multiplier: 1, Cost: 1}
		delete(s.Profiles, classify.Timeout)
		delete(s.Profiles, classify.ConnectionLost)
	})
	for _, tc := range []struct {
		budget policy.Budget
		want   int // attempts
	}{
		{policy.Budget{}, 21},
		{policy.Budget{Ratio: 0.1, Min: 100, Window: time.Hour}, 21}, // 80 tokens are left
		{policy.Budget{}, 21},
		{policy.Budget{Ratio: 0.1, Min: 10, Window: time.Minute}, 11},
		{policy.Budget{Ratio: 0.1, Min: 10, Window: time.Hour}, 1},
		{policy.Budget{}, 21},
	} {
		follow(t, s, func(s *policy.Set) { s.Budget = tc.budget })
		for _, b := range s.Snapshot().Budgets {
			if b.Capacity != tc.budget.Min || b.Tokens > b.Capacity {
				t.Errorf("%+v of %+v, want no more tokens than its capacity", b, tc.budget)
			}
		}
		if got := spend(); got != tc.want {
			t.Errorf("%d attempts with %+v, want %d", got, tc.budget, tc.want)
		}
	}
}

// A call that had a budget when it failed has none once there is none.
func TestSetPolicyEndsTheBudgetOfACallUnderWay(t *testing.T) {
	s := newShared(t, oneKey, func(s *policy.Set) {
		s.Budget = policy.Budget{Ratio: 0.1, Min: 1, Window: time.Hour}
		s.Profiles = map[classify.Kind]policy.Profile{classify.Network: {Retries: 9, Initial: 1, Max: 1, Multiplier: 1, Cost: 1}}
	})
	attempts := 0
	base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if attempts++; attempts == 2 { // which has taken the only token
			follow(t, s, func(s *policy.Set) { s.Budget = policy.Budget{} })
		}
		return transporttest.Fail(transporttest.ErrReset).RoundTrip(req)
	})
	_, err := exchange(newChain(t, base, transport.Config{Shared: s}), newRequest(t, "GET", backend, ""))
	if trail := transport.TrailOf(nil, err); trail.Attempts != 10 || trail.Reason != policy.Exhausted {
		t.Errorf("%d attempts, %v; want 10, exhausted", trail.Attempts, trail.Reason)
	}
}

func TestSetPolicyLetsGoOfBreakersThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, oneKey, holding(5*time.Second))
		c.open(t, backend, "Retry-After", "4")
		held := c.send(t.Context(), backend+"/held")
		time.Sleep(time.Second)
		follow(t, c.shared, func(s *policy.Set) { s.Breakers = nil })
		check(t, "who was held", held.end(), "200 at 1s")
		check(t, "who comes", c.send(t.Context(), backend).end(), "200 at 1s")
		if got := names(c.shared); got != "" {
			t.Errorf("breakers in trouble: %s, want none", got)
		}
		follow(t, c.shared, func(s *policy.Set) { s.Breakers = policy.Default().Breakers })
		check(t, "once there is one again", c.send(t.Context(), backend).end(), "200 at 1s")
		c.open(t, backend, "Retry-After", "1")
		check(t, "which can open", c.send(t.Context(), backend).end(), "refused at 1s")
	})
}

// A request may be under way while its breaker becomes another, or none.
func TestSetPolicyDuringAProbe(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*policy.Set)
		after  string // the probe's success
	}{
		"with another rule":   {func(s *policy.Set) { s.Breakers[0].Open = time.Minute }, "200 at 2s"},
		"under another name":  {func(s *policy.Set) { s.Breakers[0].Name = "other" }, "200 at 2s"},
		"with no breaker":     {func(s *policy.Set) { s.Breakers = nil }, "200 at 2s"},
		"that is no longer 1": {func(s *policy.Set) { s.Breakers = append([]policy.Breaker{policy.OutageBreaker()}, s.Breakers...) }, "200 at 2s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, oneKey, func(s *policy.Set) { s.Breakers[0].Window = 0 })
				c.open(t, backend, "Retry-After", "1")
				time.Sleep(time.Second)
				c.set(transporttest.After(time.Second, ok))
				probe := c.send(t.Context(), backend)
				follow(t, c.shared, tc.change)
				check(t, "the probe", probe.end(), "200 at 2s")
				if got := names(c.shared); got != "" { // the probe's success was counted where its slot was
					t.Errorf("breakers in trouble after the probe: %s, want none", got)
				}
				c.set(ok)
				check(t, "after it", c.send(t.Context(), backend).end(), tc.after)
				if got := names(c.shared); got != "" {
					t.Errorf("breakers in trouble: %s, want none", got)
				}
			})
		})
	}
}

func TestSetPolicyKeepsBudgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := transport.NewShared(nil, oneKey)
		base := transporttest.Fail(transporttest.ErrReset)
		rt := newChain(t, base, transport.Config{Shared: s})
		if _, err := exchange(rt, newRequest(t, "GET", backend, "")); err == nil {
			t.Fatal("want an error")
		}
		tokens := func() float64 {
			all := s.Snapshot().Budgets
			if len(all) != 1 {
				t.Fatalf("%+v, want one budget", all)
			}
			return all[0].Tokens
		}
		left := tokens()
		if left >= 3 {
			t.Fatalf("%v tokens left, want some spent", left)
		}
		follow(t, s, func(s *policy.Set) { s.Budget.Ratio, s.Budget.Min, s.Budget.Window = 0.5, 10, time.Minute })
		if got := tokens(); got != left {
			t.Errorf("%v tokens under another budget, want the %v there were", got, left)
		}
		if got := s.Snapshot().Budgets[0].Capacity; got != 10 {
			t.Errorf("a capacity of %v, want the 10 of the budget in force", got)
		}
		follow(t, s, func(s *policy.Set) { s.Budget = policy.Budget{} })
		if all := s.Snapshot().Budgets; len(all) != 0 {
			t.Errorf("%+v, want no budget", all)
		}
		follow(t, s, func(s *policy.Set) { s.Budget = policy.Default().Budget })
		if got := tokens(); got != left {
			t.Errorf("%v tokens once there is a budget again, want the %v there were", got, left)
		}
	})
}

func TestSetPolicyWhileCallsWaitAtAGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(450), transport.Config{})
		o.call(t, "a", 0, onGrant)
		o.call(t, "b", ms(10), onGrant)
		time.Sleep(ms(200))
		follow(t, o.shared, func(s *policy.Set) { s.Gate = policy.Gate{} })
		o.call(t, "c", ms(210), onGrant) // is sent at once, and retries alone: after 200, 250 ms...
		o.check(t, "a@0s a@100ms a@200ms c@210ms a@300ms a@400ms c@410ms a@500ms b@500ms c@660ms", "a:200@500ms b:200@500ms c:200@660ms")
	})
}

// A call that waits before it is sent has the patience of the policy that it found.
func TestPatienceIsThatOfThePolicyAtTheStart(t *testing.T) {
	for name, change := range map[string]func(*policy.Set){
		"the set's":   func(s *policy.Set) { s.MaxElapsed = ms(300) },
		"the probe's": func(s *policy.Set) { s.Gate.Probe.MaxElapsed = ms(300) },
		"the lesser":  func(s *policy.Set) { s.MaxElapsed, s.Gate.Probe.MaxElapsed = ms(300), ms(900) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, ms(650), transport.Config{})
				o.call(t, "a", 0)
				time.Sleep(ms(5))
				follow(t, o.shared, change)
				o.call(t, "b", ms(10), onGrant)
				o.checkEnds(t, "b:token_refresh_in_progress@310ms a:200@700ms")
			})
		})
	}
}

func TestCallsFollowTheProfilesThatTheyBeganWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := policy.New(*steady())
		if err != nil {
			t.Fatal(err)
		}
		s, start := transport.NewShared(p, transport.Keys{}), time.Now()
		var sent []time.Duration
		rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			sent = append(sent, time.Since(start))
			if len(sent) == 2 {
				follow(t, s, func(s *policy.Set) {
					delete(s.Profiles, classify.ConnectionRefused)
					delete(s.Profiles, classify.Network)
				})
			}
			return transporttest.Fail(transporttest.ErrRefused).RoundTrip(req)
		}), transport.Config{Shared: s})
		_, err = exchange(rt, newRequest(t, "GET", backend, ""))
		began := transport.TrailOf(nil, err).Attempts
		if began < 3 {
			t.Errorf("%d attempts, want the call to go on as it began", began)
		}
		_, err = exchange(rt, newRequest(t, "GET", backend, ""))
		if trail := transport.TrailOf(nil, err); trail.Attempts > 1 {
			t.Errorf("%d attempts of the next call, want one: nothing is retried any more", trail.Attempts)
		}
	})
}

func TestSetPolicyRefusesABadSet(t *testing.T) {
	s := transport.NewShared(nil, transport.Keys{})
	before := s.Policy()
	bad := policy.Default()
	bad.MaxAttempts, bad.Budget.Ratio = 0, 2
	err := s.SetPolicy(bad)
	if err == nil || !strings.Contains(err.Error(), "MaxAttempts") || !strings.Contains(err.Error(), "Budget.Ratio") {
		t.Errorf("%v; want both faults", err)
	}
	if s.Policy() != before {
		t.Error("the policy in force is another")
	}
}

func TestSetPolicyOwnsItsCopy(t *testing.T) {
	s := transport.NewShared(nil, transport.Keys{})
	set := policy.Default()
	if err := s.SetPolicy(set); err != nil {
		t.Fatal(err)
	}
	set.Breakers[0].Name = "changed"
	delete(set.Profiles, classify.Network)
	got := s.Policy().Set()
	if _, ok := got.Profiles[classify.Network]; got.Breakers[0].Name == "changed" || !ok {
		t.Error("the caller's changes reach the policy in force")
	}
}

func TestSetPolicyUnderLoad(t *testing.T) {
	sets := []policy.Set{policy.Default(), policy.Interactive(), policy.Batch(), policy.Agent()}
	sets[0].Breakers = append(sets[0].Breakers, policy.OutageBreaker())
	s := transport.NewShared(nil, transport.Keys{})
	var n atomic.Int64
	rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		switch n.Add(1) % 5 {
		case 0:
			return transporttest.Fail(transporttest.ErrReset).RoundTrip(req)
		case 1:
			return answer(409, "token_refresh_in_progress").RoundTrip(req)
		}
		return ok.RoundTrip(req)
	}), transport.Config{Classifier: alter(t), Shared: s})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var calls, setting sync.WaitGroup
	done := make(chan struct{})
	setting.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			if err := s.SetPolicy(sets[i%len(sets)]); err != nil {
				t.Error(err)
			}
			s.Snapshot()
		}
	})
	for i := range 8 {
		calls.Go(func() {
			for range 5 {
				req := newRequest(t, "GET", backend, "").WithContext(ctx)
				if i%2 == 0 {
					req = onGrant(req)
				}
				if _, err := exchange(rt, req); errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a call is stuck: %v", err)
				}
			}
		})
	}
	calls.Wait()
	close(done)
	setting.Wait()
	if snap := s.Snapshot(); len(snap.Gates) > 0 {
		t.Errorf("gates are left behind: %+v", snap.Gates)
	}
}

func TestSuccessIsFreeUnderAnotherPolicy(t *testing.T) {
	s := transport.NewShared(nil, transport.Keys{})
	resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}
	rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		resp.Request = req
		return resp, nil
	}), transport.Config{Shared: s})
	if err := s.SetPolicy(policy.Agent()); err != nil {
		t.Fatal(err)
	}
	req := newRequest(t, "GET", backend, "")
	if n := testing.AllocsPerRun(100, func() { _, _ = rt.RoundTrip(req) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// A file that changes while a program runs changes what the next calls do; one with mistakes changes nothing, and says so.
func TestPolicyFileIsFollowedUnderLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(text string) { // in one step, so that nobody sees half of it
		t.Helper()
		if err := errors.Join(os.WriteFile(path+".new", []byte(text), 0o600), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	write("extends: none\nmax_attempts: 1\n")
	s := transport.NewShared(nil, transport.Keys{})
	rt := newChain(t, transporttest.Fail(transporttest.ErrReset), transport.Config{Shared: s})
	attempts := func() int {
		_, err := exchange(rt, newRequest(t, "GET", backend, ""))
		return max(1, transport.TrailOf(nil, err).Attempts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	said := make(chan error, 10)
	watching.Go(func() { policyfile.Watch(ctx, path, time.Millisecond, s.SetPolicy, func(err error) { said <- err }) })
	await := func(want int) {
		t.Helper()
		for limit := time.Now().Add(10 * time.Second); attempts() != want; {
			if time.Now().After(limit) {
				t.Fatalf("still not %d attempts", want)
			}
		}
	}
	await(1)
	write("extends: none\nmax_attempts: 3\nprofiles: {network: {retries: 1, initial: 1ms, max: 1ms, multiplier: 1}}\n")
	await(2)
	write("extends: none\nmax_attempts: 3\nprofiles: {network: {retries: many}}\n")
	select {
	case err := <-said:
		if !strings.Contains(err.Error(), "policy.yaml:3:31") || !strings.Contains(err.Error(), "profiles.network.retries") {
			t.Errorf("%v; want the place and the field", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody said that the file has a mistake")
	}
	if got := attempts(); got != 2 {
		t.Errorf("%d attempts with a bad file, want the 2 of the policy before", got)
	}
}
