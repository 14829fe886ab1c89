package transport_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/transport"
)

// A request that is not refused within a second counts as one that got through.
func TestGateDoesNotWaitForSlowWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(50), transport.Config{})
		o.steps = map[string]http.RoundTripper{"a2": lingering(30*time.Second, ok)}
		o.call(t, "a", 0)
		o.call(t, "b", ms(1))
		o.call(t, "c", ms(2), onGrant)
		o.call(t, "d", 2*time.Second, onGrant)
		o.check(t, "a@0s b@1ms a@100ms b@1.1s c@1.1s d@2s", "b:200@1.1s c:200@1.1s d:200@2s a:200@30.1s")
	})
}

func TestGateFindsOutLaterThatAProbeIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(50), transport.Config{})
		o.steps = map[string]http.RoundTripper{"a2": lingering(30*time.Second, ok)}
		o.call(t, "a", 0)
		o.call(t, "b", 20*time.Second, onGrant) // nobody has waited before
		o.check(t, "a@0s a@100ms b@20s", "b:200@20s a:200@30.1s")
	})
}

func TestGateDoesNotWaitForSlowWorkOfWhoTookOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(50), transport.Config{})
		o.steps = map[string]http.RoundTripper{"b1": lingering(30*time.Second, ok)}
		o.call(t, "a", 0, cancelledAt(ms(70)))
		o.call(t, "b", ms(1), onGrant)
		o.call(t, "c", ms(2), onGrant)
		o.check(t, "a@0s b@70ms c@1.07s", "a:canceled@70ms c:200@1.07s b:200@30.07s")
	})
}

func TestGateWaitsForSlowRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, 5*time.Second, transport.Config{})
		o.refuse = lingering(3*time.Second, refreshing)
		o.call(t, "a", 0)
		o.call(t, "b", ms(1))
		o.check(t, "a@0s b@1ms a@3.1s a@6.2s b@6.2s", "a:200@6.2s b:200@6.2s")
	})
}

func TestGateTakesBackAProbeWhoseRefusalCameLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(1150), transport.Config{})
		o.steps = map[string]http.RoundTripper{"a2": lingering(3*time.Second, refreshing)}
		o.call(t, "a", 0)
		o.call(t, "b", ms(1))
		o.check(t, "a@0s b@1ms a@100ms b@1.1s b@1.2s a@3.2s", "b:200@1.2s a:200@3.2s")
	})
}

// A call that asked and then fails for another reason pauses for that, and waits again if it is refused again.
func TestGateTakesBackACallThatFailedOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(350), transport.Config{})
		o.steps = map[string]http.RoundTripper{"a2": answer(502, "")}
		o.call(t, "a", 0, func(req *http.Request) *http.Request { return req.WithContext(transport.Idempotent(req.Context())) })
		o.call(t, "b", ms(1))
		o.check(t, "a@0s b@1ms a@100ms b@100ms b@200ms a@300ms b@300ms a@400ms b@400ms", "a:200@400ms b:200@400ms")
	})
}
