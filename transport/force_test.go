package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

const host = "https://backend.example"

// must fails the test if an operator's word was not taken.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestForcedOpenSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, transport.Keys{}, nil)
		must(t, c.shared.ForceOpen(host, 4*time.Second))
		time.Sleep(ms(1500))
		call := c.send(t.Context(), backend)
		check(t, "ended", call.end(), "refused at 1.5s")
		var open *transport.OpenError
		v := classify.Of(nil, call.err)
		if !errors.As(call.err, &open) || open.Key != host || open.RetryAfter != ms(2500) || v.RetryAfter != ms(2500) ||
			v.Kind != classify.PolicyViolation || v.Code != "forced_open" || !v.Unprocessed {
			t.Errorf("%+v, %+v; want a policy violation with the code forced_open and 2.5s left", open, v)
		}
		check(t, "another host", c.send(t.Context(), "https://other.example").end(), "200 at 1.5s")
		time.Sleep(ms(2500) - 1)
		check(t, "a nanosecond early", strings.Fields(c.send(t.Context(), backend).end())[0], "refused")
		if f := c.shared.Snapshot().Forced; len(f) != 1 || f[0].Key.String() != host || f[0].State != transport.Open || !f[0].Until.Equal(c.start.Add(4*time.Second)) {
			t.Errorf("snapshot: %+v; want the host open until 4s", f)
		}
		time.Sleep(1 * time.Nanosecond)
		if f := c.shared.Snapshot().Forced; len(f) != 0 {
			t.Errorf("snapshot when it is over: %+v, want nothing", f)
		}
		check(t, "when it is over", c.send(t.Context(), backend).end(), "200 at 4s")
		check(t, "hooks", c.hears(), "refused for 2.5s, refused for 1ns")
	})
}

func TestForcedOpenUntilResetNamesNoTime(t *testing.T) {
	for name, tc := range map[string]struct {
		force time.Duration
		want  string
	}{
		"until reset":    {0, "classify: policy_violation: transport: breaker open until it is reset"},
		"for an hour":    {time.Hour, "classify: policy_violation: transport: breaker open for another 59m59s"},
		"for ten years":  {87600 * time.Hour, "classify: policy_violation: transport: breaker open for another 87599h59m59s"},
		"for 99 of them": {867240 * time.Hour, "classify: policy_violation: transport: breaker open until it is reset"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, transport.Keys{}, nil)
				must(t, c.shared.ForceOpen(host, tc.force))
				time.Sleep(time.Second)
				call := c.send(t.Context(), backend)
				check(t, "ended", call.end(), "refused at 1s")
				check(t, "error", call.err.Error(), tc.want)
			})
		})
	}
}

func TestForcedClosedLetsAllThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, transport.Keys{}, nil)
		c.open(t, backend, "Retry-After", "10")
		must(t, c.shared.ForceClosed(host, 4*time.Second))
		c.set(usedUp) // nothing is learned from it either
		for range 20 {
			check(t, "forced closed", c.send(t.Context(), backend).end(), "429 at 0s")
		}
		time.Sleep(4 * time.Second)
		check(t, "when it is over", c.send(t.Context(), backend).end(), "refused at 4s")
		check(t, "hooks", c.hears(), "refused for 6s")
	})
}

func TestForceIsAboutTheKeyThatItNames(t *testing.T) {
	for name, tc := range map[string]struct {
		keys   transport.Keys
		force  func(s *transport.Shared) error
		denied string // of "any", "g" and "mine": calls without grant, with it, with a key of the user's
	}{
		"a server, and its grants with it": {transport.Keys{}, func(s *transport.Shared) error { return s.ForceOpen(host, 0) }, "any g"},
		"a grant":                          {transport.Keys{}, func(s *transport.Shared) error { return s.ForceOpen(host+" grant g", 0) }, "g"},
		"a grant that is open goes before its server that is closed": {transport.Keys{}, func(s *transport.Shared) error {
			return errors.Join(s.ForceOpen(host+" grant g", 0), s.ForceClosed(host, 0))
		}, "g"},
		"a server that is open goes before its grant that is closed": {transport.Keys{}, func(s *transport.Shared) error {
			return errors.Join(s.ForceClosed(host+" grant g", 0), s.ForceOpen(host, 0))
		}, "any g"},
		"the last word counts": {transport.Keys{}, func(s *transport.Shared) error {
			return errors.Join(s.ForceOpen(host, 0), s.ForceClosed(host, time.Second))
		}, ""},
		"a user's own key": {transport.Keys{Key: always("mine")}, func(s *transport.Shared) error {
			return errors.Join(s.ForceOpen("mine", 0), s.ForceClosed(host, 0))
		}, "any g"},
		"a key that nothing has": {transport.Keys{}, func(s *transport.Shared) error { return s.ForceOpen("backend.example", 0) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, tc.keys, nil)
				must(t, tc.force(c.shared))
				var denied []string
				for name, ctx := range map[string]context.Context{"any": t.Context(), "g": transport.ForGrant(t.Context(), "g")} {
					if call := c.send(ctx, backend); strings.HasPrefix(call.end(), "refused") {
						denied = append(denied, name)
					}
				}
				if len(denied) == 2 {
					denied = []string{"any", "g"}
				}
				check(t, "refused", strings.Join(denied, " "), tc.denied)
			})
		})
	}
}

func TestForceOfAnEmptyKeyIsAnError(t *testing.T) {
	s := newShared(t, transport.Keys{}, nil)
	if err := errors.Join(s.ForceOpen("", 0)); err == nil || s.ForceClosed("", time.Second) == nil {
		t.Errorf("%v: want errors", err)
	}
	if f := s.Snapshot().Forced; len(f) != 0 {
		t.Errorf("%+v: want nothing forced", f)
	}
}

func TestForcedKeysAreBounded(t *testing.T) {
	s := newShared(t, transport.Keys{}, nil)
	taken := 0
	for i := range 40_000 {
		if s.ForceOpen(fmt.Sprint("key ", i), 0) == nil {
			taken++
		}
	}
	if got := len(s.Snapshot().Forced); got != taken || taken > 16*1024 || taken < 15_000 {
		t.Errorf("%d of 40 000 taken, %d in the snapshot; want as many as there is room for", taken, got)
	}
	for i := range 1000 { // whose shard is full
		if name := fmt.Sprint("key ", i); s.ForceClosed(name, time.Minute) != nil {
			t.Fatalf("%s: the word about a key that is known cannot be changed", name)
		}
	}
}

func TestOperatorsWordWhileCallersAreHeld(t *testing.T) {
	for name, tc := range map[string]struct {
		grants [2]string                       // of the callers who are held until 2s; the first one's opened the breaker
		say    func(s *transport.Shared) error // at 1s
		ended  string
		told   string
	}{
		"open refuses them at once": {
			[2]string{}, func(s *transport.Shared) error { return s.ForceOpen(host, 3*time.Second) }, "refused at 1s, refused at 1s",
			"held 1s sent false, held 1s sent false, refused for 3s, refused for 3s",
		},
		"closed lets them through at once": {
			[2]string{}, func(s *transport.Shared) error { return s.ForceClosed(host, 0) }, "200 at 1s, 200 at 1s",
			"held 1s sent true, held 1s sent true",
		},
		"a reset lets them through at once": {
			[2]string{}, func(s *transport.Shared) error { s.Reset(host); return nil }, "200 at 1s, 200 at 1s",
			"held 1s sent true, held 1s sent true",
		},
		"open for the server refuses those who wait for a grant of it": {
			[2]string{"g", "g"}, func(s *transport.Shared) error { return s.ForceOpen(host, 3*time.Second) }, "refused at 1s, refused at 1s",
			"held 1s sent false, held 1s sent false, refused for 3s, refused for 3s",
		},
		"open for a grant refuses one who waits for the server, when it is his turn": {
			[2]string{"", "g"}, func(s *transport.Shared) error { return s.ForceOpen(host+" grant g", 3*time.Second) }, "200 at 2s, refused at 2s",
			"held 2s sent false, held 2s sent true, rate_limit half-open>closed, rate_limit open>half-open, refused for 2s",
		},
		"another server's does not concern them": {
			[2]string{}, func(s *transport.Shared) error { return s.ForceOpen("https://other.example", 0) }, "200 at 2s, 200 at 2s",
			"held 2s sent true, held 2s sent true, rate_limit half-open>closed, rate_limit open>half-open",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, transport.Keys{}, holding(3*time.Second))
				as := func(grant string) *caller { return c.send(transport.ForGrant(t.Context(), grant), backend) }
				c.set(answer(429, "rate_limit_exceeded", "Retry-After", "2"))
				as(tc.grants[0])
				c.set(ok)
				c.told = nil
				first, second := as(tc.grants[0]), as(tc.grants[1])
				time.Sleep(time.Second)
				must(t, tc.say(c.shared))
				check(t, "ended", ends(first, second), tc.ended)
				check(t, "hooks", c.hears(), tc.told)
				for _, b := range c.shared.Snapshot().Breakers {
					if b.Held != 0 || b.Probes != 0 || b.Flying != 0 {
						t.Errorf("%+v keeps something", b)
					}
				}
			})
		})
	}
}

// What a request was lent before an operator let it through all the same is there for others.
func TestForcedClosedTakesNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, transport.Keys{}, holding(3*time.Second))
		c.open(t, backend, "Retry-After", "2")
		c.set(transporttest.After(time.Second, limited))
		forced := c.send(transport.ForGrant(t.Context(), "g"), backend)
		must(t, c.shared.ForceClosed(host+" grant g", 0))
		time.Sleep(ms(2001))
		if s := c.status(t); s.State != transport.HalfOpen || s.Probes != 0 {
			t.Errorf("%+v: want the slot free while the request is under way", s)
		}
		c.set(ok)
		check(t, "another call", c.send(t.Context(), backend).end(), "200 at 2.001s")
		check(t, "the forced one", forced.end(), "429 at 3s")
		check(t, "in trouble", names(c.shared), "")
	})
}

func TestResetForgetsAKey(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, c *crowd){
		"that is open":                       func(*testing.T, *crowd) {},
		"that was forced open":               func(t *testing.T, c *crowd) { must(t, c.shared.ForceOpen(host, 0)) },
		"whose probe is under way":           func(t *testing.T, c *crowd) { probing(t, c, ok) },
		"whose probe fails afterwards":       func(t *testing.T, c *crowd) { probing(t, c, limited) },
		"whose probe ends with a hint of 1s": func(t *testing.T, c *crowd) { probing(t, c, answer(429, "rate_limit_exceeded", "Retry-After", "1")) },
		"that is closing": func(t *testing.T, c *crowd) {
			time.Sleep(10 * time.Second)
			c.send(t.Context(), backend)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, transport.Keys{}, func(s *policy.Set) { s.Breakers = append(s.Breakers, policy.OutageBreaker()) })
				c.open(t, backend, "Retry-After", "10")
				c.open(t, "http://backend.example", "Retry-After", "3600")
				prepare(t, c)
				c.set(ok)
				c.shared.Reset(host)
				for range 20 {
					if status, err := exchange(c, newRequest(t, "GET", backend, "")); status != 200 {
						t.Errorf("%d, %v; want 200", status, err)
					}
				}
				check(t, "in trouble", names(c.shared), "rate_limit http://backend.example open")
				time.Sleep(time.Minute) // what was under way has ended
				for range 40 {
					if status, err := exchange(c, newRequest(t, "GET", backend, "")); status != 200 {
						t.Errorf("a minute later: %d, %v; want 200", status, err)
					}
				}
				check(t, "a minute later in trouble", names(c.shared), "rate_limit http://backend.example open")
			})
		})
	}
}

// probing sends a probe, which is answered half a minute later.
func probing(t *testing.T, c *crowd, later http.RoundTripper) {
	time.Sleep(10 * time.Second)
	c.set(transporttest.After(30*time.Second, later))
	c.send(t.Context(), backend)
	if s := c.shared.Snapshot().Breakers[1]; s.State != transport.HalfOpen || s.Probes != 1 {
		t.Fatalf("%+v: want a probe under way", s)
	}
}

// A word that is over, and one about a key that nobody asks for, must not keep all calls from the fast path.
func TestAllIsCalmWhenAWordIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0 // of the key function, which the fast path does not need
		c := newCrowd(t, transport.Keys{Key: func(*http.Request) string { calls++; return "mine" }}, func(s *policy.Set) { s.Budget = policy.Budget{} })
		asked := func() int {
			calls = 0
			_, _ = exchange(c, newRequest(t, "GET", backend, ""))
			return calls
		}
		if n := asked(); n != 0 {
			t.Fatalf("the key function is called %d times while all is well, want 0", n)
		}
		must(t, c.shared.ForceOpen("mine", ms(100)))
		time.Sleep(ms(100))
		if first, second := asked(), asked(); first != 1 || second != 0 {
			t.Errorf("called %d times and %d times when a word is over, want 1 to find it out and 0", first, second)
		}
		must(t, c.shared.ForceOpen("mine", time.Second))
		must(t, c.shared.ForceOpen("nobody's", time.Minute))
		if n := asked(); n != 1 {
			t.Errorf("called %d times while keys are forced, want 1", n)
		}
		time.Sleep(time.Minute)
		asked() // and it is forgotten
		if n := asked(); n != 0 {
			t.Errorf("called %d times when all words are over, want 0", n)
		}
		must(t, c.shared.ForceOpen("mine", 0))
		c.shared.Reset("mine")
		if n := asked(); n != 0 {
			t.Errorf("called %d times after a reset, want 0", n)
		}
	})
}

func TestForceUnderRace(t *testing.T) {
	s := newShared(t, transport.Keys{}, holding(time.Millisecond))
	rt := transport.Chain(&flaky{}, transport.Break(s, nil))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				_, _ = exchange(rt, newRequest(t, "GET", backend, ""))
				s.Snapshot()
			}
		})
		wg.Go(func() {
			for i := range 200 {
				must(t, s.ForceOpen(host, time.Microsecond))
				must(t, s.ForceClosed(host, time.Microsecond))
				if i%3 == 0 {
					s.Reset(host)
				}
			}
		})
	}
	wg.Wait()
	must(t, s.ForceOpen(host, 0))
	if _, err := exchange(rt, newRequest(t, "GET", backend, "")); !errors.Is(err, transport.ErrOpen) {
		t.Errorf("%v: want a refusal, that was the last word", err)
	}
}

// flaky refuses every other request for a moment.
type flaky struct {
	mu sync.Mutex
	n  int
}

func (f *flaky) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: req}
	if f.n%2 == 0 {
		classify.Attach(resp, classify.Verdict{Kind: classify.PolicyRateLimit, RetryAfter: time.Microsecond})
	}
	return resp, nil
}
