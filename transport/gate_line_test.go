package transport_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// windowed is the policy of gating with a window of n.
func windowed(n int) *policy.Set {
	s := gating()
	s.Gate.Window = n
	return s
}

// In these tests the call a asks at 0 ms and gets through at 100 ms; b, c and so on wait from 1, 2, ... ms on.

func TestGateSendsThoseWhoWaitedInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(50), transport.Config{Policy: windowed(1)})
		o.then = lingering(ms(10), ok)
		o.call(t, "a", 0)
		o.call(t, "b", ms(1), onGrant)
		o.call(t, "c", ms(2))
		o.call(t, "d", ms(3), onGrant)
		o.call(t, "e", ms(4))
		o.check(t, "a@0s c@2ms e@4ms a@100ms b@110ms c@120ms d@130ms e@140ms",
			"a:200@110ms b:200@120ms c:200@130ms d:200@140ms e:200@150ms")
	})
}

func TestGateSendsTheNextTheMomentOneIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(50), transport.Config{Policy: windowed(2)})
		o.steps = map[string]http.RoundTripper{
			"b1": lingering(ms(10), ok), "c1": lingering(ms(25), ok), "d1": lingering(ms(10), ok), "e1": lingering(ms(10), ok),
		}
		o.call(t, "a", 0)
		for i, name := range []string{"b", "c", "d", "e", "f"} {
			o.call(t, name, ms(i+1), onGrant)
		}
		o.check(t, "a@0s a@100ms b@100ms c@100ms d@110ms e@120ms f@125ms",
			"a:200@100ms b:200@110ms d:200@120ms c:200@125ms f:200@125ms e:200@130ms")
	})
}

func TestGateIsOpenForWhoComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(50), transport.Config{Policy: windowed(1)})
		o.steps = map[string]http.RoundTripper{"b1": lingering(ms(50), ok)}
		o.call(t, "a", 0)
		o.call(t, "b", ms(1), onGrant)
		o.call(t, "c", ms(2), onGrant)
		o.call(t, "d", ms(110), onGrant)
		o.check(t, "a@0s a@100ms b@100ms d@110ms c@150ms", "a:200@100ms d:200@110ms b:200@150ms c:200@150ms")
	})
}

func TestGateGivesThePlaceOfASlowRequestToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(50), transport.Config{Policy: windowed(2)})
		o.then = lingering(5*time.Second, ok)
		o.steps = map[string]http.RoundTripper{"a2": ok}
		o.call(t, "a", 0)
		for i, name := range []string{"b", "c", "d", "e", "f"} {
			o.call(t, name, ms(i+1), onGrant)
		}
		o.check(t, "a@0s a@100ms b@100ms c@100ms d@1.1s e@1.1s f@2.1s",
			"a:200@100ms b:200@5.1s c:200@5.1s d:200@6.1s e:200@6.1s f:200@7.1s")
	})
}

func TestGateGivesThePlaceOfAFailedRequestToTheNext(t *testing.T) {
	for name, tc := range map[string]struct {
		step   http.RoundTripper
		change change
		hooks  transport.Hooks
		ends   string
	}{
		"it is refused for good":            {step: answer(404, "name_taken"), ends: "b:404@100ms c:200@100ms"},
		"the backend is unavailable":        {step: answer(503, ""), ends: "b:503@100ms c:200@100ms"},
		"its connection is lost":            {step: transporttest.Fail(transporttest.ErrReset), ends: "b:connection_lost@100ms c:200@100ms"},
		"the grant turns out to be revoked": {step: answerOn("g", 403, "grant_revoked"), ends: "b:403@100ms c:grant_revoked@100ms"},
		"its base panics":                   {step: transporttest.Panic("base"), ends: "b:base@100ms c:200@100ms"},
		"its goroutine ends":                {step: exiting, ends: "b:exit@100ms c:200@100ms"},
		"its caller leaves":                 {step: transporttest.Hang(), change: cancelledAt(ms(130)), ends: "b:canceled@130ms c:200@130ms"},
		"its hook panics before it is sent": {hooks: waitingOf("b", func() { panic("hook") }), ends: "b:hook@100ms c:200@100ms"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, ms(50), transport.Config{Policy: windowed(1), Hooks: tc.hooks})
				o.steps = map[string]http.RoundTripper{"b1": tc.step}
				o.call(t, "a", 0)
				o.call(t, "b", ms(1), onGrant, tc.change)
				o.call(t, "c", ms(2), onGrant)
				o.checkEnds(t, "a:200@100ms "+tc.ends)
			})
		})
	}
}

// In the tests below the refresh goes on although the call a got through.

func TestGateClosesAgainBeforeAnotherIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(300), transport.Config{Policy: windowed(1)})
		o.steps = map[string]http.RoundTripper{"a2": ok}
		o.call(t, "a", 0)
		o.call(t, "b", ms(1))
		o.call(t, "c", ms(2), onGrant)
		o.call(t, "d", ms(250), onGrant)
		o.check(t, "a@0s b@1ms a@100ms b@100ms b@200ms b@300ms c@300ms d@300ms",
			"a:200@100ms b:200@300ms c:200@300ms d:200@300ms")
	})
}

func TestGateIsNotOpenedByWhoWasSentBeforeItClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(300), transport.Config{Policy: windowed(2)})
		o.steps = map[string]http.RoundTripper{"a2": ok, "c1": lingering(ms(10), ok)}
		o.call(t, "a", 0)
		o.call(t, "b", ms(1))
		o.call(t, "c", ms(2), onGrant)
		o.call(t, "d", ms(3), onGrant)
		o.check(t, "a@0s b@1ms a@100ms b@100ms c@100ms b@200ms b@300ms d@300ms",
			"a:200@100ms c:200@110ms b:200@300ms d:200@300ms")
	})
}

func TestGateKeepsTheOrderOfThoseWhoAreRefusedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(300), transport.Config{Policy: windowed(3)})
		o.steps = map[string]http.RoundTripper{"a2": ok, "c1": lingering(ms(20), refreshing), "d1": lingering(ms(10), refreshing)}
		o.call(t, "a", 0)
		o.call(t, "b", ms(1), cancelledAt(ms(150))) // it asks from 100 ms on, and each in turn when the one before leaves
		o.call(t, "c", ms(2), onGrant, cancelledAt(ms(160)))
		o.call(t, "d", ms(3), onGrant, cancelledAt(ms(170)))
		o.call(t, "e", ms(4), onGrant, cancelledAt(ms(180)))
		o.call(t, "f", ms(5), onGrant)
		o.check(t, "a@0s b@1ms a@100ms b@100ms c@100ms d@100ms c@150ms d@160ms e@170ms f@180ms f@280ms f@380ms",
			"a:200@100ms b:canceled@150ms c:canceled@160ms d:canceled@170ms e:canceled@180ms f:200@380ms")
	})
}

// A call whose time is up while the gate is open has waited for its turn only, and goes.
func TestGateSendsWhoCannotWaitForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(50), transport.Config{Policy: windowed(1)})
		o.refuse = lingering(ms(10), refreshing)
		o.steps = map[string]http.RoundTripper{"b1": lingering(ms(500), ok)}
		o.call(t, "a", 0)
		o.call(t, "b", ms(20), onGrant)
		o.call(t, "c", ms(30), onGrant, dueIn(t, ms(300)))
		o.call(t, "d", ms(40), onGrant)
		o.check(t, "a@0s a@110ms b@110ms c@290ms d@610ms", "a:200@110ms c:200@290ms b:200@610ms d:200@610ms")
	})
}
