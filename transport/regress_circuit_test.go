package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestProbeOfAnEarlierTripDoesNotMoveTheBreaker(t *testing.T) {
	for name, probe := range map[string]http.RoundTripper{"that fails": limited, "that succeeds": ok} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := steady()
				s.Profiles = nil
				b := &breaker{base: &switchable{}}
				b.RoundTripper = newChain(t, b.base, transport.Config{Classifier: alter(t), Policy: s})
				sent := make(chan struct{}, 2)
				send := func(step http.RoundTripper) {
					b.base.set(step)
					go func() {
						defer func() { sent <- struct{}{} }()
						_, _ = b.get(t, backend)
					}()
					synctest.Wait()
				}
				send(transporttest.After(5*time.Second, answer(429, "rate_limit_exceeded", "Retry-After", "60")))
				b.base.set(limited4s)
				_, _ = b.get(t, backend)
				time.Sleep(4 * time.Second)
				send(transporttest.After(3*time.Second, probe)) // on its way when the other answer opens the breaker anew
				<-sent
				<-sent
				b.base.set(ok)
				time.Sleep(10 * time.Second)
				var open *transport.OpenError
				if _, err := b.get(t, backend); !errors.As(err, &open) || open.RetryAfter != 48*time.Second {
					t.Errorf("%v: want a refusal for another 48s", err)
				}
			})
		})
	}
}

func TestLaterHintExtendsAnOpenBreakerAndNeverShortensIt(t *testing.T) {
	for hint, left := range map[string]time.Duration{"2": 56 * time.Second, "120": 117 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b := newBreaker(t, nil)
			b.base.set(transporttest.After(time.Second, answer(429, "rate_limit_exceeded", "Retry-After", hint)))
			go func() { _, _ = b.get(t, backend) }()
			synctest.Wait()
			b.base.set(answer(429, "rate_limit_exceeded", "Retry-After", "60"))
			_, _ = b.get(t, backend)
			b.base.set(ok)
			time.Sleep(4 * time.Second)
			var open *transport.OpenError
			if _, err := b.get(t, backend); !errors.As(err, &open) || open.RetryAfter != left {
				t.Errorf("after 60s and then %ss: %v, want a refusal for another %v", hint, err, left)
			}
		})
	}
}

func TestHintIsHonouredUpToMaxOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, func(s *policy.Set) { s.Breakers[0].MaxOpen = time.Minute })
		b.base.set(answer(429, "rate_limit_exceeded", "Retry-After", "3600"))
		_, _ = b.get(t, backend)
		b.base.set(ok)
		var open *transport.OpenError
		if _, err := b.get(t, backend); !errors.As(err, &open) || open.RetryAfter != time.Minute {
			t.Errorf("%v: want a refusal for a minute", err)
		}
		time.Sleep(time.Minute)
		if status, err := b.get(t, backend); status != 200 {
			t.Errorf("a minute later: %d, %v; want 200", status, err)
		}
	})
}

func TestBreakerWithoutHintHoldsForOpenAndItsJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := policy.Default()
		s.Breakers[0].Kinds, s.Breakers[0].Failures = []classify.Kind{classify.ProviderRateLimit}, 1
		p, err := policy.New(s)
		if err != nil {
			t.Fatal(err)
		}
		least, most, key := time.Hour, time.Duration(0), ""
		hooks := transport.Hooks{Breaker: func(_ context.Context, i transport.BreakerInfo) {
			least, most = min(least, i.Hold), max(most, i.Hold)
		}}
		rt := transport.Chain(&counting{status: 429}, transport.Break(transport.NewShared(p, transport.Keys{Key: func(*http.Request) string { return key }}), &hooks))
		for i := range 500 {
			key = strconv.Itoa(i)
			_, _ = exchange(rt, newRequest(t, "GET", backend, ""))
		}
		low, high := s.Breakers[0].Open, s.Breakers[0].Open+time.Duration(float64(s.Breakers[0].Jitter)*float64(s.Breakers[0].Open))
		if spread := (high - low) / 10; least < low || most > high || least > low+spread || most < high-spread {
			t.Errorf("500 holds from %v to %v; want them spread over %v to %v", least, most, low, high)
		}
	})
}

func TestBreakersHookHearsOfChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, nil)
		for _, step := range []http.RoundTripper{limited, limited, ok, limited, ok, ok} {
			b.base.set(step)
			_, _ = b.get(t, backend)
		}
		if len(b.changes) != 0 {
			t.Errorf("told of %v, though the breaker stayed closed", b.changes)
		}
		b.base.set(limited4s)
		for range 3 {
			_, _ = b.get(t, backend)
		}
		if got := fmt.Sprint(b.changes); got != "[closed>open]" {
			t.Errorf("told of %v, want one change to open", got)
		}
	})
}

func TestOpenBreakersAreNotForgottenForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const room, crowd = 16 * 1024, 20_000
		s := policy.Default()
		s.Breakers[0].Kinds = []classify.Kind{classify.ProviderRateLimit}
		p, err := policy.New(s)
		if err != nil {
			t.Fatal(err)
		}
		key := ""
		base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"60"}}, Body: http.NoBody, Request: req}, nil
		})
		rt := transport.Chain(base, transport.Break(transport.NewShared(p, transport.Keys{Key: func(*http.Request) string { return key }}), nil))
		req := newRequest(t, "GET", backend, "")
		refused := func(from, to int) (n int) {
			for i := from; i < to; i++ {
				key = strconv.Itoa(i)
				if _, err := exchange(rt, req); errors.Is(err, transport.ErrOpen) {
					n++
				}
			}
			return n
		}
		refused(0, crowd)
		early := refused(0, crowd/4)
		if early != crowd/4 {
			t.Errorf("%d of the first %d keys are refused, want all: they came while there was room", early, crowd/4)
		}
		if n := early + refused(crowd/4, crowd); n > room {
			t.Errorf("%d keys are refused, want at most the %d that there is room for", n, room)
		}
	})
}

// asking is an error that runs a function when it is asked whether it is a refusal, which a breaker does in the middle
// of its work.
type asking struct{ asked func() }

func (e *asking) Error() string { return "own error of the base" }

func (e *asking) Is(target error) bool {
	if target == transport.ErrOpen {
		e.asked()
	}
	return false
}

func TestFailureCountsThoughASuccessEndsTheRunAtThatMoment(t *testing.T) {
	s := policy.Default()
	s.Breakers[0].Kinds, s.Breakers[0].Failures = []classify.Kind{classify.Network}, 2
	p, err := policy.New(s)
	if err != nil {
		t.Fatal(err)
	}
	for moment := 1; ; moment++ { // each time that the breaker asks
		var fault error
		rt := transport.Chain(roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if fault != nil {
				return nil, fault
			}
			return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
		}), transport.Break(transport.NewShared(p, transport.Keys{}), nil))
		send := func(err error) error {
			fault = err
			_, err = exchange(rt, newRequest(t, "GET", backend, ""))
			return err
		}
		asked := 0
		_ = send(errors.New("the first of a run"))
		_ = send(&asking{func() {
			if asked++; asked == moment {
				_ = send(nil)
			}
		}})
		if asked < moment {
			return
		}
		_ = send(errors.New("the second of a run"))
		if err := send(nil); !errors.Is(err, transport.ErrOpen) {
			t.Errorf("moment %d: %v, want a refusal after two failures in a row", moment, err)
		}
	}
}
