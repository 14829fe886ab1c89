package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// holding keeps callers waiting for up to d, and lets any number of them through at once when the breaker closes.
func holding(d time.Duration) func(*policy.Set) {
	return func(s *policy.Set) { s.Breakers[0].Hold, s.Breakers[0].Window = d, 0 }
}

// paced2 asks for two seconds and advertises two requests a second.
var paced2 = []string{"Retry-After", "2", "RateLimit", `"p";r=0;t=2`, "RateLimit-Policy", `"p";q=2;w=1`}

func TestHeldCallersAreSentInOrderWhenTheirTurnComes(t *testing.T) {
	const second = time.Second
	for name, tc := range map[string]struct {
		change  func(*policy.Set)
		fields  []string      // of the answer that opens the breaker
		trip    time.Duration // of the base
		wait    time.Duration // before the callers come
		arrived string
		ended   string
	}{
		"the first is the probe, and its success sends the others": {
			holding(3 * second), []string{"Retry-After", "2"}, ms(100), 0,
			"2s a, 2.1s b, 2.1s c, 2.1s d, 2.1s e",
			"200 at 2.1s, 200 at 2.2s, 200 at 2.2s, 200 at 2.2s, 200 at 2.2s",
		},
		"a window lets two of them go at once, then more with each success": {
			func(s *policy.Set) { s.Breakers[0].Hold, s.Breakers[0].Window = 3*second, 32 },
			[]string{"Retry-After", "2"}, ms(100), 0,
			"2s a, 2.1s b, 2.1s c, 2.2s d, 2.2s e",
			"200 at 2.1s, 200 at 2.2s, 200 at 2.2s, 200 at 2.3s, 200 at 2.3s",
		},
		"an advertised rate spaces them out from the probe on": {
			holding(5 * second), paced2, ms(100), 0,
			"2s a, 2.5s b, 3s c, 3.5s d, 4s e",
			"200 at 2.1s, 200 at 2.6s, 200 at 3.1s, 200 at 3.6s, 200 at 4.1s",
		},
		"a probe that takes longer than the rate asks for delays only those behind it": {
			holding(5 * second), paced2, ms(700), 0,
			"2s a, 2.7s b, 3.2s c, 3.7s d, 4.2s e",
			"200 at 2.7s, 200 at 3.4s, 200 at 3.9s, 200 at 4.4s, 200 at 4.9s",
		},
		"who would not have a turn in time is refused at once": {
			holding(3 * second), paced2, ms(100), 0,
			"2s a, 2.5s b, 3s c",
			"200 at 2.1s, 200 at 2.6s, 200 at 3.1s, refused at 0s, refused at 0s",
		},
		"who comes later finds more room in the line": {
			holding(second), paced2, ms(100), ms(1400),
			"2s a",
			"200 at 2.1s, refused at 1.4s, refused at 1.4s, refused at 1.4s, refused at 1.4s",
		},
		"a breaker that is open for longer than Hold keeps nobody": {
			holding(second), []string{"Retry-After", "2"}, ms(100), ms(999),
			"",
			"refused at 999ms, refused at 999ms, refused at 999ms, refused at 999ms, refused at 999ms",
		},
		"a turn after exactly Hold is in time, the answer to the probe is not": {
			holding(second), []string{"Retry-After", "2"}, ms(100), second,
			"2s a",
			"200 at 2.1s, refused at 2s, refused at 2s, refused at 2s, refused at 2s",
		},
		"a pace that is longer than Hold is cut to it": {
			holding(3 * second), []string{"Retry-After", "1", "RateLimit", `"p";r=0;t=1`, "RateLimit-Policy", `"p";q=1;w=3600`}, ms(100), 0,
			"1s a",
			"200 at 1.1s, refused at 0s, refused at 0s, refused at 0s, refused at 0s",
		},
		"the rate of a policy that is not used up paces nobody": {
			holding(3 * second), []string{"Retry-After", "1", "RateLimit", `"p";r=7;t=1`, "RateLimit-Policy", `"p";q=1;w=1`}, ms(100), 0,
			"1s a, 1.1s b, 1.1s c, 1.1s d, 1.1s e",
			"200 at 1.1s, 200 at 1.2s, 200 at 1.2s, 200 at 1.2s, 200 at 1.2s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, oneKey, tc.change)
				c.open(t, backend, tc.fields...)
				c.set(transporttest.After(tc.trip, ok))
				time.Sleep(tc.wait)
				calls := c.sendAll(t.Context(), "a", "b", "c", "d", "e")
				check(t, "ended", ends(calls...), tc.ended)
				check(t, "arrived", c.arrivals(), tc.arrived)
			})
		})
	}
}

func TestHooksTellOfTheWaitAndOfEachChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, oneKey, holding(time.Second))
		c.open(t, backend, "Retry-After", "2")
		time.Sleep(ms(1500))
		calls := c.sendAll(t.Context(), "a")
		s := c.status(t)
		if s.Held != 1 || s.State != transport.Open || !s.Until.Equal(c.start.Add(2*time.Second)) {
			t.Errorf("snapshot: %d held, %v until %v; want 1, open until 2s after the start", s.Held, s.State, s.Until.Sub(c.start))
		}
		calls[0].end()
		check(t, "hooks", c.hears(), "held 500ms sent true, rate_limit half-open>closed, rate_limit open>half-open")
	})
}

func TestHoldHeedsTheCallersDeadline(t *testing.T) {
	for name, tc := range map[string]struct {
		deadline time.Duration
		ended    string
	}{
		"a deadline before the turn is refused at once": {ms(1999), "refused at 0s"},
		"a turn at the deadline itself is too late":     {ms(2000), "refused at 0s"},
		"a turn before the deadline is waited for":      {ms(2001), "200 at 2s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, oneKey, holding(3*time.Second))
				c.open(t, backend, "Retry-After", "2")
				ctx, cancel := context.WithTimeout(t.Context(), tc.deadline)
				defer cancel()
				check(t, "ended", c.send(ctx, backend).end(), tc.ended)
			})
		})
	}
}

func TestHeldCallersLeaveWhenTheyAreCancelled(t *testing.T) {
	own := errors.New("shutting down")
	for name, tc := range map[string]struct {
		leave func(req *http.Request) *http.Request // after 700 ms
		is    []error
		kind  classify.Kind
	}{
		"by the context": {func(req *http.Request) *http.Request {
			ctx, cancel := context.WithCancel(req.Context())
			time.AfterFunc(ms(700), cancel)
			return req.WithContext(ctx)
		}, []error{context.Canceled}, classify.Canceled},
		"by the context, with a cause": {func(req *http.Request) *http.Request {
			ctx, cancel := context.WithCancelCause(req.Context())
			time.AfterFunc(ms(700), func() { cancel(own) })
			return req.WithContext(ctx)
		}, []error{context.Canceled, own}, classify.Canceled},
		"by the request's Cancel channel": {func(req *http.Request) *http.Request {
			stop := make(chan struct{})
			time.AfterFunc(ms(700), func() { close(stop) })
			//lint:ignore SA1019 http.Client.Timeout sets it
			req.Cancel = stop
			return req
		}, []error{context.Canceled}, classify.Canceled},
		"by a deadline that a slow probe runs into": {func(req *http.Request) *http.Request {
			ctx, cancel := context.WithTimeout(req.Context(), ms(700))
			t.Cleanup(cancel)
			return req.WithContext(ctx)
		}, []error{context.DeadlineExceeded}, classify.Deadline},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, oneKey, holding(3*time.Second))
				c.open(t, backend, "Retry-After", "1")
				time.Sleep(time.Second)
				c.set(transporttest.After(2*time.Second, ok))
				probe := c.sendAll(t.Context(), "probe")
				c.set(ok)
				body := &closeCounter{Reader: strings.NewReader("x")}
				req := newRequest(t, "POST", backend, "")
				req.Body = body
				leaving := c.sendAs(c, tc.leave(req), body)
				behind := c.sendAll(t.Context(), "behind")
				<-leaving.done
				if leaving.ended != ms(1700) || body.closed.Load() == 0 {
					t.Errorf("left at %v, body closed %d times; want 1.7s, closed", leaving.ended, body.closed.Load())
				}
				for _, want := range tc.is {
					if !errors.Is(leaving.err, want) {
						t.Errorf("%v: want %v in its chain", leaving.err, want)
					}
				}
				if got := classify.Of(nil, leaving.err).Kind; got != tc.kind || errors.Is(leaving.err, transport.ErrOpen) {
					t.Errorf("%v, kind %v; want %v and no refusal", leaving.err, got, tc.kind)
				}
				if s := c.status(t); s.Held != 1 {
					t.Errorf("%d in line, want 1", s.Held)
				}
				check(t, "the others", ends(append(probe, behind...)...), "200 at 3s, 200 at 3s")
				check(t, "hooks", c.hears(), "rate_limit open>half-open, held 700ms sent false, held 2s sent true, rate_limit half-open>closed")
			})
		})
	}
}

func TestCancelledBeforeItIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, oneKey, holding(3*time.Second))
		c.open(t, backend, "Retry-After", "2")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(io.ErrUnexpectedEOF)
		call := c.send(ctx, backend)
		<-call.done
		if call.ended != 0 || !errors.Is(call.err, io.ErrUnexpectedEOF) || call.body.closed.Load() == 0 {
			t.Errorf("%v at %v; want the caller's own cause at once", call.err, call.ended)
		}
		if s := c.status(t); s.Held != 0 {
			t.Errorf("%d in line, want nobody", s.Held)
		}
	})
}

func TestTurnOfWhoLeavesInThatMomentGoesToTheNext(t *testing.T) {
	for i := range 200 { // whichever of the two is seen first
		synctest.Test(t, func(t *testing.T) {
			c := newCrowd(t, oneKey, holding(3*time.Second))
			c.open(t, backend, "Retry-After", "2")
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(2*time.Second, cancel)
			leaving := c.send(ctx, "https://backend.example/leaving")
			behind := c.sendAll(t.Context(), "behind")
			<-leaving.done
			if leaving.err != nil && !errors.Is(leaving.err, context.Canceled) {
				t.Errorf("round %d: %v, want an answer or the cancellation", i, leaving.err)
			}
			check(t, fmt.Sprintf("round %d: the next", i), ends(behind...), "200 at 2s")
			if !strings.Contains(c.hears(), "open>half-open") {
				t.Errorf("round %d: the hooks heard %q, want the change to half-open too", i, c.hears())
			}
		})
	}
}
