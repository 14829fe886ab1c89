package transport_test

import (
	"context"
	"errors"
	"math"
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

// refusedAfter answers after d with a refusal that asks for a pause.
func refusedAfter(d time.Duration, seconds string) http.RoundTripper {
	return transporttest.After(d, answer(429, "rate_limit_exceeded", "Retry-After", seconds))
}

func TestHeldCallersWhenTheProbeDoesNotSucceed(t *testing.T) {
	for name, tc := range map[string]struct {
		probe  http.RoundTripper // sent at 2s
		others string            // how those behind it end, who came at 0s and at 1s
		told   string
	}{
		"a probe that hangs makes them wait for Hold and no longer": {
			transporttest.Hang(), "refused at 3s, refused at 4s",
			"held 2s sent true, rate_limit open>half-open, held 3s sent false, refused for 0s, held 3s sent false, refused for 0s",
		},
		"a probe that is refused for longer than Hold makes them refused at once": {
			refusedAfter(ms(100), "4"), "refused at 2.1s, refused at 2.1s",
			"held 2s sent true, rate_limit open>half-open, " +
				"held 1.1s sent false, held 2.1s sent false, rate_limit half-open>open, refused for 4s, refused for 4s",
		},
		"a probe that is refused for a while makes those refused at once whose turn will be too late": {
			refusedAfter(ms(100), "1"), "refused at 2.1s, 200 at 3.1s",
			"held 2s sent true, rate_limit open>half-open, " +
				"held 2.1s sent false, rate_limit half-open>open, refused for 1s, " +
				"held 2.1s sent true, rate_limit half-open>closed, rate_limit open>half-open",
		},
		"a probe that fails without a hint opens the breaker for Open, which is longer than Hold": {
			transporttest.After(ms(100), limited), "refused at 2.1s, refused at 2.1s",
			"held 2s sent true, rate_limit open>half-open, " +
				"held 1.1s sent false, held 2.1s sent false, rate_limit half-open>open, refused for 5s, refused for 5s",
		},
		"a probe that meets a neutral error leaves its slot to the next": {
			transporttest.After(ms(100), transporttest.Fail(transporttest.ErrReset)), "200 at 2.1s, 200 at 2.1s",
			"held 2s sent true, rate_limit open>half-open, held 1.1s sent true, held 2.1s sent true, rate_limit half-open>closed",
		},
		"a probe that panics leaves its slot to the next": {
			transporttest.After(ms(100), transporttest.Panic("base")), "200 at 2.1s, 200 at 2.1s",
			"held 2s sent true, rate_limit open>half-open, held 1.1s sent true, held 2.1s sent true, rate_limit half-open>closed",
		},
		"a probe whose goroutine is ended leaves its slot to the next": {
			transporttest.After(ms(100), transporttest.Func(func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil })),
			"200 at 2.1s, 200 at 2.1s",
			"held 2s sent true, rate_limit open>half-open, held 1.1s sent true, held 2.1s sent true, rate_limit half-open>closed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, oneKey, holding(3*time.Second))
				c.open(t, backend, "Retry-After", "2")
				c.set(tc.probe)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				probe := c.send(ctx, backend)
				first := c.send(t.Context(), backend)
				time.Sleep(time.Second)
				second := c.send(t.Context(), backend)
				time.Sleep(ms(1001))
				c.set(ok)
				check(t, "those behind the probe", ends(first, second), tc.others)
				check(t, "hooks", c.hears(), tc.told)
				cancel()
				<-probe.done
			})
		})
	}
}

func TestHintThatComesWhileCallersAreHeld(t *testing.T) {
	for name, tc := range map[string]struct {
		hint  string // of an answer that comes at 1s
		ended string // of callers who come at 0s, one of them with a deadline at 3.5s
	}{
		"a shorter one changes nothing":                        {"1", "200 at 2s, 200 at 2s"},
		"a longer one moves their turn":                        {"2", "200 at 3s, 200 at 3s"},
		"one beyond a deadline refuses that caller at once":    {"3", "200 at 4s, refused at 1s"},
		"one that is too long for all refuses all at once":     {"4", "refused at 1s, refused at 1s"},
		"one of a hundred years is cut to MaxOpen, and is one": {"99999999999", "refused at 1s, refused at 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, oneKey, holding(4*time.Second))
				c.set(refusedAfter(time.Second, tc.hint))
				late := c.send(t.Context(), backend)
				c.open(t, backend, "Retry-After", "2")
				ctx, cancel := context.WithTimeout(t.Context(), ms(3500))
				defer cancel()
				check(t, "ended", ends(c.send(t.Context(), backend), c.send(ctx, backend)), tc.ended)
				check(t, "the late answer", late.end(), "429 at 1s")
			})
		})
	}
}

func TestThoseFurtherBackAreTheFirstToBeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, oneKey, holding(4*time.Second))
		c.set(transporttest.After(time.Second, answer(429, "rate_limit_exceeded", "Retry-After", "2", "RateLimit", `"p";r=0;t=2`, "RateLimit-Policy", `"p";q=1;w=1`)))
		late := c.send(t.Context(), backend)
		c.open(t, backend, "Retry-After", "2")
		held := c.sendAll(t.Context(), "a", "b", "c", "d") // all of them at 2s, until the other answer says 3s and one a second
		check(t, "ended", ends(held...), "200 at 3s, 200 at 4s, refused at 1s, refused at 1s")
		late.end()
	})
}

func TestRefusalByALineThatIsFullTellsWhenItMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, oneKey, func(s *policy.Set) { s.Breakers[0].Hold = 3 * time.Second })
		c.open(t, backend, "Retry-After", "1", "RateLimit", `"p";r=0;t=1`, "RateLimit-Policy", `"p";q=1;w=3600`)
		time.Sleep(time.Second)
		c.sendAll(t.Context(), "probe") // the next goes three seconds later: the pace is cut to Hold
		time.Sleep(ms(500))
		calls := c.sendAll(t.Context(), "a", "b")
		check(t, "ended", ends(calls...), "200 at 4s, refused at 1.5s")
		check(t, "hooks", c.hears(), "rate_limit half-open>closed, rate_limit open>half-open, refused for 2.5s, held 2.5s sent true")
	})
}

func TestLineBehindAProbeThatTakesLong(t *testing.T) {
	for name, tc := range map[string]struct {
		hold   time.Duration
		fields []string // of the answer that opens the breaker until 2s
		at     time.Duration
		ended  string // of three callers behind a probe of 2s, which takes 700 ms or for ever
		hangs  bool
	}{
		"counts the pace from the probe": {time.Second, paced2, ms(2250), "200 at 2.7s, 200 at 3.2s, refused at 2.25s", false},
		"takes its slot after Open":      {10 * time.Second, []string{"Retry-After", "2"}, ms(2100), "200 at 7s, 200 at 7s, 200 at 7s", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, oneKey, holding(tc.hold))
				c.open(t, backend, tc.fields...)
				time.Sleep(2 * time.Second)
				c.set(transporttest.After(ms(700), ok))
				if tc.hangs {
					c.set(transporttest.Hang())
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c.send(ctx, backend)
				c.set(ok)
				time.Sleep(tc.at - 2*time.Second)
				check(t, "ended", ends(c.sendAll(t.Context(), "a", "b", "c")...), tc.ended)
			})
		})
	}
}

// A wait whose end is computed a moment too early must not become a loop: virtual time would stand still for ever.
func TestHoldingNeverSpins(t *testing.T) {
	for name, change := range map[string]func(*policy.Breaker){
		"a breaker that opens for a nanosecond":      func(b *policy.Breaker) { b.Open = 1 },
		"with a window that is full":                 func(b *policy.Breaker) { b.Open, b.Window = 1, 1 },
		"a Hold that is as long as there is":         func(b *policy.Breaker) { b.Hold = math.MaxInt64 },
		"a Hold of a nanosecond":                     func(b *policy.Breaker) { b.Hold = 1 },
		"probes that lose their slots at once":       func(b *policy.Breaker) { b.Open, b.Probes = 1, 3 },
		"a window that is lifted in the very moment": func(b *policy.Breaker) { b.Open, b.Window = ms(1), 2 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, oneKey, func(s *policy.Set) {
					b := &s.Breakers[0]
					b.Failures, b.Hold = 1, time.Second
					change(b)
				})
				c.open(t, backend)
				c.set(transporttest.After(ms(1), ok))
				before := time.Now()
				calls := c.sendAll(t.Context(), "a", "b", "c", "d")
				for _, call := range calls {
					call.end()
				}
				if took := time.Since(before); took > 6*time.Second {
					t.Errorf("took %v, want an end soon", took)
				}
			})
		})
	}
}

func TestPanicOfAHookAfterTheWaitLosesNoTurn(t *testing.T) {
	for name, hooks := range map[string]transport.Hooks{
		"of the wait":    {Wait: func(context.Context, transport.WaitInfo) { panic("hook") }},
		"of the breaker": {Breaker: func(_ context.Context, i transport.BreakerInfo) { panicAt(i.To == transport.HalfOpen) }},
		"of the wait, that ends the goroutine": {Wait: func(context.Context, transport.WaitInfo) {
			runtime.Goexit()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, oneKey, holding(3*time.Second))
				c.open(t, backend, "Retry-After", "2")
				body := &closeCounter{Reader: strings.NewReader("x")}
				req := newRequest(t, "POST", backend, "")
				req.Body = body
				lost := c.sendAs(c.chain(t, transport.Config{Hooks: hooks}), req, body)
				behind := c.send(t.Context(), backend)
				check(t, "the next", behind.end(), "200 at 2s")
				<-lost.done
				if lost.err == nil || errors.Is(lost.err, transport.ErrOpen) || lost.ended != 2*time.Second || lost.body.closed.Load() == 0 {
					t.Errorf("%v at %v, body closed %d times; want the panic at 2s and a closed body", lost.err, lost.ended, lost.body.closed.Load())
				}
				if c.arrivals() != "2s v1" {
					t.Errorf("arrived: %s; want the next one only", c.arrivals())
				}
			})
		})
	}
}

func panicAt(now bool) {
	if now {
		panic("hook")
	}
}
