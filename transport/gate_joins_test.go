package transport_test

import (
	"io"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// Both chains share their state.
func TestGateOfNestedChainsDoesNotWaitForItself(t *testing.T) {
	for name, tc := range map[string]struct {
		change     change // of the call that asks first
		sent, ends string
	}{
		"the refresh ends": {
			nil, "a@100ms a@200ms a@300ms b@300ms c@300ms", "a:200@300ms b:200@300ms c:200@300ms",
		},
		"the call that asks leaves": {
			cancelledAt(ms(150)), "a@100ms b@150ms b@250ms b@350ms c@350ms", "a:canceled@150ms b:200@350ms c:200@350ms",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, ms(300), transport.Config{})
				o.RoundTripper = newChain(t, o.RoundTripper, transport.Config{Classifier: alter(t), Shared: o.shared})
				o.call(t, "a", 0, tc.change)
				o.call(t, "b", ms(1), onGrant)
				o.call(t, "c", ms(2), onGrant)
				o.check(t, "a@0s "+tc.sent, tc.ends)
			})
		})
	}
}

func TestGateIsNotJoinedByCallsThatAreNotRepeated(t *testing.T) {
	for name, change := range map[string]change{
		"marked NoRetry": func(req *http.Request) *http.Request { return req.WithContext(transport.NoRetry(req.Context())) },
		"with a body that cannot be read again": func(req *http.Request) *http.Request {
			req.Body = io.NopCloser(io.LimitReader(strings.NewReader("x"), 1))
			return req
		},
		"whose GetBody fails": uploading(func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, ms(150), transport.Config{})
				o.call(t, "x", 0, change)
				o.call(t, "a", ms(1))
				o.call(t, "y", ms(2), change)
				o.call(t, "b", ms(3))
				o.check(t, "x@0s a@1ms y@2ms b@3ms a@101ms a@201ms b@201ms", "x:409@0s y:409@2ms a:200@201ms b:200@201ms")
			})
		})
	}
}

func TestGateIsNotJoinedWithoutARetryLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := gating()
		set.MaxAttempts = 1
		o := newOffice(t, ms(150), transport.Config{Policy: set})
		o.call(t, "a", 0)
		o.call(t, "b", ms(1), onGrant)
		o.check(t, "a@0s b@1ms", "a:409@0s b:409@1ms")
	})
}

// A call that waits before it is sent needs no retry for that.
func TestGateIsWaitedAtByCallsThatAreNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(150), transport.Config{})
		o.call(t, "a", 0)
		o.call(t, "b", ms(1), onGrant, func(req *http.Request) *http.Request { return req.WithContext(transport.NoRetry(req.Context())) })
		o.check(t, "a@0s a@100ms a@200ms b@200ms", "a:200@200ms b:200@200ms")
	})
}

func TestGatePanickingKeyFunctionLeavesNothingOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(150), transport.Config{Grant: func(req *http.Request) string {
			if path.Base(req.URL.Path) == "b" {
				panic("key")
			}
			return ""
		}})
		body := &closeCounter{Reader: strings.NewReader("x")}
		o.call(t, "a", 0)
		o.call(t, "b", ms(50), func(req *http.Request) *http.Request {
			req.Body = body
			return req
		})
		o.check(t, "a@0s a@100ms a@200ms", "b:key@50ms a:200@200ms")
		if got := body.closed.Load(); got != 1 {
			t.Errorf("body closed %d times, want once", got)
		}
	})
}

func TestGateIsThatOfTheConfiguredGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(150), transport.Config{Grant: func(*http.Request) string { return "of the caller" }})
		o.steps = map[string]http.RoundTripper{"a1": answerOn("of the answer", 409, "token_refresh_in_progress")}
		o.call(t, "a", 0)
		o.call(t, "b", ms(1))
		o.check(t, "a@0s a@100ms a@200ms b@200ms", "a:200@200ms b:200@200ms")
	})
}

// sleepy is a source of equal pauses that takes its time.
type sleepy struct{ sleep, pause time.Duration }

func (sleepy) Reset() {}

func (s sleepy) NextBackOff() time.Duration {
	time.Sleep(s.sleep)
	return s.pause
}

// The call a finds the gate and is held up; meanwhile b, which comes later, asks and gets through, and the gate is forgotten.
func TestGateThatIsForgottenMeanwhileIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := gating()
		var sources atomic.Int32
		set.Gate.Probe.BackOff = func() policy.BackOff {
			if sources.Add(1) == 1 {
				return sleepy{sleep: ms(50), pause: ms(150)} // which begins with the end of the attempt
			}
			return sleepy{pause: ms(20)}
		}
		o := newOffice(t, ms(200), transport.Config{Policy: set})
		o.steps = map[string]http.RoundTripper{"b2": ok}
		o.call(t, "a", 0)
		o.call(t, "b", ms(10))
		o.call(t, "c", ms(60), onGrant)
		o.check(t, "a@0s b@10ms b@30ms a@150ms a@300ms c@300ms", "b:200@30ms a:200@300ms c:200@300ms")
	})
}
