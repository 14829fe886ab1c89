package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func always(name string) func(*http.Request) string {
	return func(*http.Request) string { return name }
}

// usedUp is a refusal of the backend's for a minute.
var usedUp = transporttest.Canned("rate_limit_exceeded").Header("Retry-After", "60")

func TestBreakerOfARefusalBelongsToWhatIsKnown(t *testing.T) {
	const host = "https://backend.example"
	var (
		byPolicy = usedUp.Header("RateLimit", `"hourly";r=0;t=60`)
		byGrant  = usedUp.Detail("grant_id", "theirs")
		byBoth   = byPolicy.Detail("grant_id", "theirs")
	)
	for name, tc := range map[string]struct {
		keys   transport.Keys
		marked string // the grant of the context
		step   http.RoundTripper
		want   string
	}{
		"the user's key goes first":                     {transport.Keys{Key: always("mine"), Grant: always("g")}, "c", byBoth, "mine"},
		"the grant that the user's function names":      {transport.Keys{Grant: always("g")}, "c", byBoth, host + " grant g"},
		"the grant of the context":                      {transport.Keys{}, "c", byBoth, host + " grant c"},
		"of the context, if the function has no answer": {transport.Keys{Grant: always("")}, "c", byBoth, host + " grant c"},
		"the policy that the answer names":              {transport.Keys{}, "", byBoth, host + " policy hourly"},
		"also if the user's functions have no answer":   {transport.Keys{Key: always(""), Grant: always("")}, "", byPolicy, host + " policy hourly"},
		"the grant that the answer names":               {transport.Keys{}, "", byGrant, host + " grant theirs"},
		"the server, if nothing is named":               {transport.Keys{}, "", usedUp, host},
		"a policy with requests left is not the one that is used up": {
			transport.Keys{}, "", usedUp.Header("RateLimit", `"hourly";r=3;t=60`), host,
		},
		"of several policies, the one that is used up": {
			transport.Keys{}, "", usedUp.Header("RateLimit", `"hourly";r=3;t=60, "daily";r=0;t=60`), host + " policy daily",
		},
		"an outage is the server's, whatever is named": {
			transport.Keys{Grant: always("g")}, "c",
			transporttest.Answer(503, `{"details":{"grant_id":"theirs"}}`).Header("Retry-After", "60").Header("RateLimit", `"hourly";r=0;t=60`), host,
		},
		"an outage of the user's key is that key's": {
			transport.Keys{Key: always("mine")}, "", transporttest.Answer(503, "").Header("Retry-After", "60"), "mine",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, tc.keys, func(s *policy.Set) { s.Breakers = append(s.Breakers, policy.OutageBreaker()) })
				c.set(tc.step)
				ctx := t.Context()
				if tc.marked != "" {
					ctx = transport.ForGrant(ctx, tc.marked)
				}
				c.send(ctx, backend)
				all := c.shared.Snapshot().Breakers
				if len(all) != 1 || all[0].Key.String() != tc.want || all[0].State != transport.Open {
					t.Errorf("in trouble: %s; want %s open and nothing else", names(c.shared), tc.want)
				}
			})
		})
	}
}

func TestBreakerOfAGrantRefusesThatGrantOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, transport.Keys{}, nil)
		c.set(usedUp.Detail("grant_id", "a")) // nobody said so before
		c.send(t.Context(), backend)
		c.set(ok)
		to := func(grant, url string) string { return c.send(transport.ForGrant(t.Context(), grant), url).end() }
		check(t, "the grant", to("a", backend), "refused at 0s")
		check(t, "another grant", to("b", backend), "200 at 0s")
		check(t, "the same grant at another server", to("a", "https://other.example"), "200 at 0s")
		check(t, "a call that names no grant", c.send(t.Context(), backend).end(), "200 at 0s")
		time.Sleep(time.Minute)
		check(t, "the grant, a minute later", to("a", backend), "200 at 1m0s")
		check(t, "in trouble", names(c.shared), "rate_limit https://backend.example grant a closed")
	})
}

func TestRefusalOfAPolicySaysNothingAboutItsServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, transport.Keys{}, nil)
		c.open(t, backend, "Retry-After", "4")
		time.Sleep(4 * time.Second)
		c.set(usedUp.Header("RateLimit", `"hourly";r=0;t=60`))
		c.send(t.Context(), backend)
		check(t, "after a probe that another policy refused", names(c.shared),
			"rate_limit https://backend.example half-open, rate_limit https://backend.example policy hourly open")
		c.set(ok)
		check(t, "the next", c.send(t.Context(), backend).end(), "200 at 4s")
	})
}

func TestRetriesAreKeptAwayFromThePolicyThatTheyLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := steady()
		hourly := func(seconds string) http.RoundTripper {
			return answer(429, "rate_limit_exceeded", "Retry-After", seconds, "RateLimit", `"hourly";r=0;t=60`)
		}
		script := transporttest.Play(hourly("1"), hourly("60"), ok)
		rt := newChain(t, script, transport.Config{Classifier: alter(t), Policy: s})
		learned := make(chan error, 1)
		go func() {
			_, err := exchange(rt, newRequest(t, "GET", backend, ""))
			learned <- err
		}()
		synctest.Wait() // it has been refused, and will try again at 1s
		if status, _ := exchange(rt, newRequest(t, "GET", backend, "")); status != 429 {
			t.Errorf("another call got %d, want the 429: it cannot know its policy", status)
		}
		if status, err := exchange(rt, newRequest(t, "GET", backend, "")); status != 200 {
			t.Errorf("a call that another policy is for got %d, %v; want 200", status, err)
		}
		err := <-learned
		var open *transport.OpenError
		if !errors.As(err, &open) || open.RetryAfter != 59*time.Second || open.Key != "https://backend.example policy hourly" {
			t.Errorf("%v (%+v): want a refusal of the policy for another 59s", err, open)
		}
		if trail := transport.TrailOf(nil, err); trail.Attempts != 2 || trail.Reason != policy.Refused {
			t.Errorf("%d attempts, %v; want the second one refused", trail.Attempts, trail.Reason)
		}
		if script.Count() != 3 {
			t.Errorf("%d requests were sent, want 3", script.Count())
		}
	})
}

func TestKeysWithOddCharactersStayApart(t *testing.T) {
	odd := []string{
		"a", "A", " ", "a ", " a", "a b", "a policy b", "grant a", "a\x00b", "a\nb", "ключ", "\xff\xfe", "https://backend.example", "../..",
		"<script>", `"quoted"`, strings.Repeat("long ", 1000),
	}
	synctest.Test(t, func(t *testing.T) {
		for what, keys := range map[string]func(*string) transport.Keys{
			"grants": func(name *string) transport.Keys {
				return transport.Keys{Grant: func(*http.Request) string { return *name }}
			},
			"the user's keys": func(name *string) transport.Keys {
				return transport.Keys{Key: func(*http.Request) string { return *name }}
			},
		} {
			name := ""
			c := newCrowd(t, keys(&name), nil)
			send := func(n string) string {
				name = n
				how, _, _ := strings.Cut(c.send(t.Context(), backend).end(), " ")
				return how
			}
			for i, n := range odd {
				c.set(ok)
				if got := send(n); got != "200" {
					t.Errorf("%s: %q: %s before it was in trouble, want 200", what, n, got)
				}
				c.set(usedUp)
				send(n)
				c.set(ok)
				if got := send(n); got != "refused" {
					t.Errorf("%s: %q: %s, want a refusal", what, n, got)
				}
				if got := len(c.shared.Snapshot().Breakers); got != i+1 {
					t.Errorf("%s: %d breakers after %q, want %d", what, got, n, i+1)
				}
			}
			for _, b := range c.shared.Snapshot().Breakers { // an operator uses the names as they are told
				c.shared.Reset(b.Key.String())
			}
			if got := names(c.shared); got != "" {
				t.Errorf("%s: after a reset of each, still in trouble: %q", what, got)
			}
		}
	})
}

// A panic of the user's functions, at whichever of their calls, leaves nothing open and no slot taken.
func TestPanickingKeyFunctionsLoseNoSlot(t *testing.T) {
	for name, tc := range map[string]struct {
		key, grant string
		state      func(c *crowd, t *testing.T)
		step       http.RoundTripper
	}{
		"the grant's, about a probe": {"", "g", func(*crowd, *testing.T) { time.Sleep(time.Second) }, ok},
		"the grant's, about a probe that fails": {
			"", "g", func(*crowd, *testing.T) { time.Sleep(time.Second) }, answer(429, "rate_limit_exceeded", "Retry-After", "1"),
		},
		"the grant's, about a slot of the window": {"", "g", closeAfterASecond, ok},
		"the key's, about a slot of the window":   {"k", "", closeAfterASecond, ok},
		"the key's, about a failure in the window": {
			"k", "", closeAfterASecond, answer(429, "rate_limit_exceeded", "Retry-After", "1"),
		},
		"the grant's, about two breakers at once": {"", "g", closeAfterASecond, transporttest.Answer(503, "")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for n := 1; ; n++ { // the call of the functions that panics
					calls := 0
					say := func(name string) string {
						if calls++; calls == 0 {
							panic("key")
						}
						return name
					}
					c := newCrowd(t, transport.Keys{
						Key:   func(*http.Request) string { return say(tc.key) },
						Grant: func(*http.Request) string { return say(tc.grant) },
					}, func(s *policy.Set) { s.Breakers = append(s.Breakers, policy.OutageBreaker()) })
					c.open(t, backend, "Retry-After", "1")
					tc.state(c, t)
					base := &counting{}
					c.set(roundTripFunc(func(req *http.Request) (*http.Response, error) {
						resp, err := tc.step.RoundTrip(req)
						body := &closeCounter{Reader: resp.Body}
						base.bodies = append(base.bodies, body)
						resp.Body = body
						return resp, err
					}))
					calls = -n
					end := c.send(t.Context(), backend).end()
					if strings.Contains(end, "open body") || base.open() != 0 {
						t.Errorf("panic of call %d: %s, %d answers are open", n, end, base.open())
					}
					panicked := strings.Contains(end, "panic")
					c.set(ok)
					calls = 1
					if panicked {
						time.Sleep(2 * time.Second) // less than a slot is kept, longer than the hint
						for _, b := range c.shared.Snapshot().Breakers {
							if b.Flying != 0 || b.Probes != 0 {
								t.Errorf("panic of call %d: %+v keeps a slot", n, b)
							}
						}
					}
					if status, err := exchange(c, newRequest(t, "GET", backend, "")); panicked && status != 200 {
						t.Errorf("panic of call %d: the next caller got %d, %v; want 200", n, status, err)
					}
					if !panicked {
						if n < 3 {
							t.Errorf("only %d calls of the functions, want some more to try", n-1)
						}
						return
					}
				}
			})
		})
	}
}

func closeAfterASecond(c *crowd, t *testing.T) {
	time.Sleep(time.Second)
	_, _ = exchange(c, newRequest(t, "GET", backend, ""))
}

func TestHostsAreKnownByEverySpellingOfThePort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, hosts := range [][2]string{
			{"backend.example", "backend.example:"},
			{"backend.example", "BACKEND.example.:443"},
			{"backend.example:8443", "Backend.Example.:8443"},
			{"[2001:db8::1]", "[2001:DB8::1]:443"},
		} {
			c := newCrowd(t, transport.Keys{}, func(s *policy.Set) { s.Breakers[0].Kinds = []classify.Kind{classify.AlterSDK} })
			for i, want := range []int{429, 0} {
				req := newRequest(t, "GET", backend, "")
				req.URL.Host = hosts[i]
				c.set(usedUp)
				if status, err := exchange(c, req); status != want {
					t.Errorf("%q: %d, %v; want %d", hosts[i], status, err, want)
				}
			}
		}
	})
}

// A breaker that is found by answers only may never be asked again. It must not keep all other calls from the fast path.
func TestBreakersThatNobodyAsksAreForgotten(t *testing.T) {
	for name, tc := range map[string]struct {
		step http.RoundTripper
		url  string
		kept time.Duration // until it is forgotten, if MaxOpen is a minute
	}{
		"of a policy, that was open":       {usedUp.Header("RateLimit", `"hourly";r=0;t=60`), backend, 2 * time.Minute},
		"of a server that nobody calls":    {usedUp, backend, 2 * time.Minute},
		"of a server that failed one time": {limited, backend, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, transport.Keys{}, func(s *policy.Set) { s.Breakers[0].MaxOpen = time.Minute })
				c.set(tc.step)
				c.send(t.Context(), tc.url)
				c.set(ok)
				other := func() { _, _ = exchange(c, newRequest(t, "GET", "https://other.example", "")) }
				time.Sleep(tc.kept)
				other()
				if names(c.shared) == "" {
					t.Errorf("forgotten after %v, want it kept for that long", tc.kept)
				}
				time.Sleep(time.Second)
				other()
				if got := names(c.shared); got != "" {
					t.Errorf("a second later: %s, want it forgotten", got)
				}
			})
		})
	}
}

func TestBreakerThatIsAskedIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, transport.Keys{}, func(s *policy.Set) { s.Breakers[0].MaxOpen = 5 * time.Second })
		c.set(limited)
		for range 5 { // one less than open it
			time.Sleep(5 * time.Second)
			c.send(t.Context(), backend)
		}
		if s := c.status(t); s.Failures != 5 {
			t.Errorf("%d failures in a row are known, want 5", s.Failures)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c.set(transporttest.Hang())
		time.Sleep(4 * time.Second)
		c.send(ctx, backend)
		time.Sleep(4 * time.Second)
		c.send(ctx, fmt.Sprint(backend, "/more"))
		if s := c.status(t); s.Failures != 5 {
			t.Errorf("%d failures in a row are known, want 5", s.Failures)
		}
	})
}
