package transport_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

var (
	refreshingG = transporttest.Canned("token_refresh_in_progress").Detail("grant_id", "g")
	otherGone   = transporttest.Canned("grant_revoked").Detail("grant_id", "other")
)

func TestGateDoesNotBelieveAnAnswerAboutAnotherGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newChain(t, transporttest.Play(refreshingG, otherGone, ok), transport.Config{Classifier: alter(t)})
		on := transport.ForGrant(t.Context(), "g")
		go func() { _, _ = exchange(rt, newRequest(t, "GET", backend, "").WithContext(on)) }()
		time.Sleep(ms(10))
		if status, err := exchange(rt, newRequest(t, "GET", backend, "").WithContext(on)); status != 200 {
			t.Errorf("%d, %v; want the 200: the revoked grant is another", status, err)
		}
	})
}

func TestGatesWindowHoldsOverSeveralRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var flying, most atomic.Int32
		var over atomic.Bool
		base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			switch {
			case !over.Load():
				return transporttest.Play(refreshingG).RoundTrip(req)
			case req.Method == "GET": // quick: the one that asks
				return transporttest.Play(ok).RoundTrip(req)
			}
			n := flying.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(ms(900))
			flying.Add(-1)
			return transporttest.Play(ok).RoundTrip(req)
		})
		rt := newChain(t, base, transport.Config{Classifier: alter(t)})
		send := func(method string) {
			go func() {
				_, _ = exchange(rt, newRequest(t, method, backend, "").WithContext(transport.ForGrant(t.Context(), "g")))
			}()
			synctest.Wait()
		}
		for range 5 {
			over.Store(false)
			send("GET")
			for range 32 {
				send("POST")
			}
			over.Store(true)
			time.Sleep(ms(150))
		}
		time.Sleep(time.Minute)
		if got := most.Load(); got > 32 {
			t.Errorf("%d in flight, want the window of 32", got)
		}
	})
}

func TestGateTellsACallThatHasEndedThatItHas(t *testing.T) {
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"cancelled, with a deadline that is near": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithTimeout(ctx, ms(5))
			cancel()
			return ctx, cancel
		},
		"past its deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithDeadline(ctx, time.Now().Add(-time.Second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := newChain(t, transporttest.Play(refreshingG).Repeat(), transport.Config{Classifier: alter(t)})
				on := transport.ForGrant(t.Context(), "g")
				go func() { _, _ = exchange(rt, newRequest(t, "GET", backend, "").WithContext(on)) }()
				time.Sleep(ms(10))
				for range 50 { // it was a coin flip
					ctx, cancel := end(on)
					_, err := exchange(rt, newRequest(t, "GET", backend, "").WithContext(ctx))
					if !errors.Is(err, ctx.Err()) {
						t.Fatalf("%v: want %v in it", err, ctx.Err())
					}
					cancel()
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestOneSlowRefusalDoesNotTurnOthersAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newChain(t, transporttest.Play(
			transporttest.After(5*time.Second, refreshingG), transporttest.After(5*time.Second, ok), ok,
		).Repeat(), transport.Config{Classifier: alter(t)})
		on := transport.ForGrant(t.Context(), "g")
		go func() { _, _ = exchange(rt, newRequest(t, "GET", backend, "").WithContext(on)) }()
		time.Sleep(ms(5010))
		ctx, cancel := context.WithTimeout(on, 4*time.Second)
		defer cancel()
		begin := time.Now()
		_, err := exchange(rt, newRequest(t, "GET", backend, "").WithContext(ctx))
		if waited := time.Since(begin); waited < 3*time.Second {
			t.Errorf("%v after %v, want it to wait for as long as leaves a second", err, waited)
		}
		time.Sleep(time.Minute)
	})
}
