package transport_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// failing is a source of pauses of 100 ms; the first one panics at its second pause.
type failing struct {
	first bool
	asked int
}

func (*failing) Reset() {}

func (f *failing) NextBackOff() time.Duration {
	if f.asked++; f.first && f.asked == 2 {
		panic("source")
	}
	return ms(100)
}

// twiceThen is a GetBody that does something at its second call.
func twiceThen(do func() (io.ReadCloser, error)) change {
	n := 0
	return uploading(func() (io.ReadCloser, error) {
		if n++; n == 2 {
			return do()
		}
		return io.NopCloser(strings.NewReader("x")), nil
	})
}

// At 0 ms a call asks, at 1 ms another joins after its own refusal and at 2 ms a third one without having asked.
// The refresh takes 300 ms.
func TestGateProbeThatDiesHandsOn(t *testing.T) {
	const (
		at100 = "b@100ms b@200ms b@300ms c@300ms"
		at150 = "b@150ms b@250ms b@350ms c@350ms"
	)
	for name, tc := range map[string]struct {
		step       http.RoundTripper // of the probe's second attempt, at 100 ms
		change     func(t *testing.T) change
		config     func(*transport.Config)
		sent, ends string // from then on
	}{
		"its caller leaves in a pause": {
			change: func(*testing.T) change { return cancelledAt(ms(150)) },
			sent:   at150, ends: "a:canceled@150ms b:200@350ms c:200@350ms",
		},
		"its caller closes the Cancel channel in a pause": {
			change: func(*testing.T) change { return stoppedAt(ms(150)) },
			sent:   at150, ends: "a:canceled@150ms b:200@350ms c:200@350ms",
		},
		"its caller leaves in a pause, and the hook that is told panics": {
			change: func(*testing.T) change { return cancelledAt(ms(150)) },
			config: func(cfg *transport.Config) {
				cfg.Hooks.Call = func(_ context.Context, i transport.CallInfo) {
					if i.Reason == policy.Canceled {
						panic("hook")
					}
				}
			},
			sent: at150, ends: "a:hook@150ms b:200@350ms c:200@350ms",
		},
		"its caller leaves while it is sent": {
			step: transporttest.Hang(), change: func(*testing.T) change { return cancelledAt(ms(150)) },
			sent: at150, ends: "a:canceled@150ms b:200@350ms c:200@350ms",
		},
		"its caller leaves while it is sent, and the base takes no notice": {
			step: lingering(5*time.Second, ok), change: func(*testing.T) change { return cancelledAt(ms(150)) },
			sent: "b@1.1s c@1.1s", ends: "b:200@1.1s c:200@1.1s a:200@5.1s",
		},
		"its deadline passes while it is sent": {
			step: transporttest.Hang(), change: func(t *testing.T) change { return dueIn(t, ms(150)) },
			sent: at150, ends: "a:deadline@150ms b:200@350ms c:200@350ms",
		},
		"its deadline is nearer than the next pause": {
			change: func(t *testing.T) change { return dueIn(t, ms(150)) },
			sent:   at100, ends: "a:409@100ms b:200@300ms c:200@300ms",
		},
		"its base panics": {
			step: transporttest.Panic("base"), sent: at100, ends: "a:base@100ms b:200@300ms c:200@300ms",
		},
		"its goroutine ends": {
			step: exiting, sent: at100, ends: "a:exit@100ms b:200@300ms c:200@300ms",
		},
		"its GetBody fails": {
			change: func(*testing.T) change {
				return twiceThen(func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe })
			},
			sent: at100, ends: "a:409@100ms b:200@300ms c:200@300ms",
		},
		"its GetBody panics": {
			change: func(*testing.T) change { return twiceThen(func() (io.ReadCloser, error) { panic("body") }) },
			sent:   at100, ends: "a:body@100ms b:200@300ms c:200@300ms",
		},
		"its hook panics": {
			config: func(cfg *transport.Config) {
				cfg.Hooks.Attempt = func(_ context.Context, i transport.AttemptInfo) {
					if path.Base(i.Request.URL.Path) == "a" && i.Attempt == 2 {
						panic("hook")
					}
				}
			},
			sent: at100, ends: "a:hook@100ms b:200@300ms c:200@300ms",
		},
		"its source of pauses panics": {
			config: func(cfg *transport.Config) {
				var sources atomic.Int32
				cfg.Policy = gating()
				cfg.Policy.Gate.Probe.BackOff = func() policy.BackOff { return &failing{first: sources.Add(1) == 1} }
			},
			sent: at100, ends: "a:source@100ms b:200@300ms c:200@300ms",
		},
		"its key function panics": {
			config: func(cfg *transport.Config) {
				start := time.Now()
				cfg.Grant = func(req *http.Request) string {
					if path.Base(req.URL.Path) == "a" && time.Since(start) == ms(100) {
						panic("key")
					}
					return ""
				}
			},
			sent: at100, ends: "a:key@100ms b:200@300ms c:200@300ms",
		},
		"its attempts are used up": {
			config: func(cfg *transport.Config) {
				cfg.Policy = gating()
				cfg.Policy.MaxAttempts = 2
			},
			sent: "b@100ms c@100ms c@200ms", ends: "a:409@100ms b:409@100ms c:409@200ms",
		},
		"its connection is lost": {
			step: transporttest.Fail(transporttest.ErrReset), sent: at100, ends: "a:connection_lost@100ms b:200@300ms c:200@300ms",
		},
		"it gets a 502": {
			step: answer(502, ""), sent: at100, ends: "a:502@100ms b:200@300ms c:200@300ms",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var (
					cfg    transport.Config
					change change
				)
				if tc.config != nil {
					tc.config(&cfg)
				}
				if tc.change != nil {
					change = tc.change(t)
				}
				o := newOffice(t, ms(300), cfg)
				o.steps = map[string]http.RoundTripper{"a2": tc.step}
				o.call(t, "a", 0, change)
				o.call(t, "b", ms(1))
				o.call(t, "c", ms(2), onGrant)
				o.check(t, "a@0s b@1ms a@100ms "+tc.sent, tc.ends)
			})
		})
	}
}

// The call that asks leaves after 150 ms, and the one that takes over ends as well.
func TestGateCallThatTookOverHandsOnToo(t *testing.T) {
	for name, tc := range map[string]struct {
		step       http.RoundTripper // of the attempt for which it takes over
		change     change
		hooks      transport.Hooks
		sent, ends string // from then on
	}{
		"its base panics": {
			step: transporttest.Panic("base"),
			sent: "b@150ms c@150ms c@250ms c@350ms", ends: "b:base@150ms c:200@350ms",
		},
		"its goroutine ends": {
			step: exiting,
			sent: "b@150ms c@150ms c@250ms c@350ms", ends: "b:exit@150ms c:200@350ms",
		},
		"its connection is lost": {
			step: transporttest.Fail(transporttest.ErrReset),
			sent: "b@150ms c@150ms c@250ms c@350ms", ends: "b:connection_lost@150ms c:200@350ms",
		},
		"its caller leaves while it is sent": {
			step: transporttest.Hang(), change: cancelledAt(ms(180)),
			sent: "b@150ms c@180ms c@280ms c@380ms", ends: "b:canceled@180ms c:200@380ms",
		},
		"its caller leaves in the pause after it": {
			change: cancelledAt(ms(180)),
			sent:   "b@150ms c@180ms c@280ms c@380ms", ends: "b:canceled@180ms c:200@380ms",
		},
		"its hook panics before it is sent": {
			hooks: waitingOf("b", func() { panic("hook") }),
			sent:  "c@150ms c@250ms c@350ms", ends: "b:hook@150ms c:200@350ms",
		},
		"its hook ends the goroutine before it is sent": {
			hooks: waitingOf("b", runtime.Goexit),
			sent:  "c@150ms c@250ms c@350ms", ends: "b:exit@150ms c:200@350ms",
		},
	} {
		for _, asked := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s (had asked: %v)", name, asked), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := newOffice(t, ms(300), transport.Config{Hooks: tc.hooks})
					sent, known := "a@0s a@100ms ", onGrant
					o.steps = map[string]http.RoundTripper{"b1": tc.step}
					if asked {
						sent, known = "a@0s b@1ms a@100ms ", nil
						o.steps = map[string]http.RoundTripper{"b2": tc.step}
					}
					o.call(t, "a", 0, cancelledAt(ms(150)))
					o.call(t, "b", ms(1), known, tc.change)
					o.call(t, "c", ms(2), onGrant)
					o.check(t, sent+tc.sent, "a:canceled@150ms "+tc.ends)
				})
			})
		}
	}
}

func TestGateGoesOnWhenAllWhoWaitLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(250), transport.Config{})
		o.call(t, "a", 0)
		o.call(t, "b", ms(1), cancelledAt(ms(50)))
		o.call(t, "c", ms(2), cancelledAt(ms(51)))
		o.call(t, "d", ms(3), onGrant, cancelledAt(ms(52)))
		o.call(t, "e", ms(400), onGrant)
		time.Sleep(ms(60))
		if gates := o.shared.Snapshot().Gates; len(gates) != 1 || !gates[0].Closed || gates[0].Waiting != 0 {
			t.Errorf("gates %+v, want one that is closed, where nobody waits", gates)
		}
		o.check(t, "a@0s b@1ms c@2ms a@100ms a@200ms a@300ms e@400ms",
			"b:canceled@50ms c:canceled@51ms d:canceled@52ms a:200@300ms e:200@400ms")
	})
}

func TestGateIsForgottenWithTheLastCallAtIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, time.Hour, transport.Config{})
		o.call(t, "a", 0, cancelledAt(ms(70)))
		o.call(t, "b", ms(1), cancelledAt(ms(50)))
		time.Sleep(ms(71))
		o.checkEmpty(t)
		o.call(t, "c", ms(80), onGrant, cancelledAt(ms(100)))
		o.check(t, "a@0s b@1ms c@80ms", "b:canceled@50ms a:canceled@70ms c:canceled@171ms")
	})
}

func TestGateSurvivesThatEverybodyLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, time.Hour, transport.Config{})
		for round := range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			start := time.Since(o.start)
			for range 200 {
				o.call(t, "a", start, func(req *http.Request) *http.Request { return onGrant(req.WithContext(ctx)) })
			}
			time.Sleep(ms(150))
			cancel()
			o.calls.Wait()
			if took := time.Since(o.start) - start; took != ms(150) {
				t.Fatalf("round %d: the last one left after %v, want 150ms", round, took)
			}
			o.checkEmpty(t)
		}
	})
}
