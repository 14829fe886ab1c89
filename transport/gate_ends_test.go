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
)

func TestGateFailedRefreshEndsEveryWait(t *testing.T) {
	for code, status := range map[string]int{"grant_revoked": 403, "grant_expired": 403, "credential_revoked": 401, "grant_deleted": 410} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, time.Hour, transport.Config{})
				o.steps = map[string]http.RoundTripper{"a2": answerOn("g", status, code)}
				o.call(t, "a", 0)
				o.call(t, "b", ms(1))
				o.call(t, "c", ms(2), onGrant)
				o.call(t, "d", ms(3), onGrant, dueIn(t, time.Second))
				o.check(t, "a@0s b@1ms a@100ms",
					fmt.Sprintf("a:%d@100ms b:%s@100ms c:%[2]s@100ms d:%[2]s@100ms", status, code))
			})
		})
	}
}

func TestGateFailedRefreshIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, time.Hour, transport.Config{})
		o.steps = map[string]http.RoundTripper{"a2": answerOn("g", 403, "grant_revoked")}
		o.call(t, "a", 0)
		o.call(t, "b", ms(1))
		o.call(t, "c", ms(2), onGrant)
		o.calls.Wait()
		for name, waited := range map[string]time.Duration{"b": ms(99), "c": ms(98)} {
			came := o.came[name]
			var (
				revoked *classify.GrantRevokedError
				gated   *transport.GateError
			)
			switch v := classify.Of(nil, came.err); {
			case !errors.As(came.err, &revoked) || revoked.GrantID != "g":
				t.Errorf("%s: %v, want a *GrantRevokedError of the grant g", name, came.err)
			case !errors.Is(came.err, transport.ErrGated) || !errors.As(came.err, &gated) || !gated.Failed || gated.Waited != waited:
				t.Errorf("%s: %+v, want ErrGated and a *GateError that waited %v for a refresh that failed", name, gated, waited)
			case v.Action() != classify.Reauthorize || v.Code != "grant_revoked" || !v.Unprocessed:
				t.Errorf("%s: verdict %+v, want that of the answer, of a request that was not carried out", name, v)
			case came.trail.Reason != policy.Gated || came.trail.Waited != waited:
				t.Errorf("%s: trail %+v, want the reason gated and a wait of %v", name, came.trail, waited)
			case errors.Is(came.err, context.Canceled) || errors.Is(came.err, context.DeadlineExceeded):
				t.Errorf("%s: %v passes for a cancellation", name, came.err)
			}
		}
	})
}

func TestGateClosesTheBodiesOfThoseWhoAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, time.Hour, transport.Config{})
		o.refuse = lingering(ms(10), refreshing)
		o.steps = map[string]http.RoundTripper{"a2": lingering(ms(30), answerOn("g", 403, "grant_revoked"))}
		bodies := map[string]*closeCounter{}
		body := func(name string) io.ReadCloser {
			bodies[name] = &closeCounter{Reader: strings.NewReader("x")}
			return bodies[name]
		}
		first := func(name string) change { // the body that it would have been sent with
			body := body(name)
			return func(req *http.Request) *http.Request {
				req.Body = body
				return onGrant(req)
			}
		}
		second := func(name string) change { // after it was refused
			body := body(name)
			return uploading(func() (io.ReadCloser, error) { return body, nil })
		}
		o.call(t, "a", 0)
		o.call(t, "b", ms(11), second("told, had asked"))
		o.call(t, "c", ms(12), first("told"))
		o.call(t, "d", ms(13), second("left, had asked"), cancelledAt(ms(50)))
		o.call(t, "e", ms(14), first("left"), cancelledAt(ms(51)))
		o.call(t, "f", ms(15), second("out of time, had asked"), dueIn(t, ms(130)))
		o.call(t, "g", ms(16), first("out of time"), dueIn(t, ms(100)))
		o.checkEnds(t, "d:canceled@50ms e:canceled@51ms g:token_refresh_in_progress@90ms f:409@120ms "+
			"a:403@140ms b:grant_revoked@140ms c:grant_revoked@140ms")
		for name, body := range bodies {
			if got := body.closed.Load(); got != 1 {
				t.Errorf("%s: body closed %d times, want once", name, got)
			}
		}
	})
}

// What the probe's own request is told, beyond the refresh, does not concern the others.
func TestGateOpensWithAnyAnswerThatIsNoRefusal(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		code   string
	}{
		"a 404":                                {404, "name_taken"},
		"a 422":                                {422, "validation_error"},
		"a 403 for a missing scope":            {403, "insufficient_scope"},
		"a 403 for a missing provider's scope": {403, "scope_reauth_required"},
		"a 401 for the key":                    {401, "invalid_key"},
		"an internal error":                    {500, ""},
		"an approval that it needs":            {202, ""},
		"a redirect":                           {307, ""},
		"another conflict":                     {409, "name_taken"},
		"a 410 without a code":                 {410, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, ms(50), transport.Config{})
				o.steps = map[string]http.RoundTripper{"a2": answer(tc.status, tc.code)}
				o.call(t, "a", 0)
				o.call(t, "b", ms(1))
				o.call(t, "c", ms(2), onGrant)
				o.check(t, "a@0s b@1ms a@100ms b@100ms c@100ms", fmt.Sprintf("a:%d@100ms b:200@100ms c:200@100ms", tc.status))
			})
		})
	}
}

// The backend refuses within 10 ms. At 0 ms a call asks; its second request, at 110 ms, has no answer until 950 ms.
// At 20 ms come b, which asks before it waits, and c, which does not.
func TestGateWaitEndsWithItsCallersPatience(t *testing.T) {
	own := errors.New("shutting down")
	bounded := func(change func(*policy.Set)) *policy.Set {
		s := gating()
		change(s)
		return s
	}
	for name, tc := range map[string]struct {
		policy  *policy.Set
		change  change
		timeout time.Duration // of the http.Client
		ends    string
		reason  policy.Reason
		is      []error // what errors are
	}{
		"at its deadline, less the time that a refusal takes": {
			change: dueIn(t, ms(300)),
			ends:   "b:409@290ms c:token_refresh_in_progress@290ms", reason: policy.DeadlineTooNear, is: []error{transport.ErrGated},
		},
		"at the timeout of its client, less the time that a refusal takes": {
			timeout: ms(300),
			ends:    "b:409@310ms c:token_refresh_in_progress@310ms", reason: policy.DeadlineTooNear, is: []error{transport.ErrGated},
		},
		"when it has waited for as long as the gate's profile allows": {
			policy: bounded(func(s *policy.Set) { s.Gate.Probe.MaxElapsed = ms(500) }),
			ends:   "c:token_refresh_in_progress@520ms b:409@530ms", reason: policy.OutOfTime, is: []error{transport.ErrGated},
		},
		"when it has taken as long as the policy allows": {
			policy: bounded(func(s *policy.Set) { s.MaxElapsed = ms(500) }),
			ends:   "b:409@520ms c:token_refresh_in_progress@520ms", reason: policy.OutOfTime, is: []error{transport.ErrGated},
		},
		"when its caller leaves": {
			change: cancelledAt(ms(300)),
			ends:   "b:canceled@300ms c:canceled@300ms", reason: policy.Canceled, is: []error{context.Canceled},
		},
		"when its caller leaves for a reason": {
			change: func(req *http.Request) *http.Request {
				ctx, cancel := context.WithCancelCause(req.Context())
				time.AfterFunc(ms(300), func() { cancel(own) })
				return req.WithContext(ctx)
			},
			ends: "b:canceled@300ms c:canceled@300ms", reason: policy.Canceled, is: []error{context.Canceled, own},
		},
		"when its caller closes the Cancel channel": {
			change: stoppedAt(ms(300)),
			ends:   "b:canceled@300ms c:canceled@300ms", reason: policy.Canceled, is: []error{context.Canceled},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, ms(50), transport.Config{Policy: tc.policy})
				o.refuse = lingering(ms(10), refreshing)
				o.steps = map[string]http.RoundTripper{"a2": lingering(ms(840), ok)}
				if chain := o.RoundTripper; tc.timeout != 0 {
					o.RoundTripper = roundTripFunc(func(req *http.Request) (*http.Response, error) {
						if strings.HasSuffix(req.URL.Path, "a") {
							return chain.RoundTrip(req)
						}
						return (&http.Client{Transport: chain, Timeout: tc.timeout}).Do(req)
					})
				}
				o.call(t, "a", 0)
				o.call(t, "b", ms(20), tc.change)
				o.call(t, "c", ms(20), tc.change, onGrant)
				o.check(t, "a@0s b@20ms a@110ms", tc.ends+" a:200@950ms")
				for _, name := range []string{"b", "c"} {
					came := o.came[name]
					if came.trail.Reason != tc.reason {
						t.Errorf("%s: stopped for %v, want %v", name, came.trail.Reason, tc.reason)
					}
					for _, want := range tc.is {
						if came.err != nil && !errors.Is(came.err, want) {
							t.Errorf("%s: %v, want %v in its chain", name, came.err, want)
						}
					}
				}
			})
		})
	}
}

// A timer may be late, so that no time left is no margin.
func TestGateReturnsBeforeTheDeadlineHoweverFastRefusalsAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, time.Hour, transport.Config{})
		o.call(t, "a", 0, cancelledAt(ms(950)))
		o.call(t, "b", ms(20), dueIn(t, ms(300)))
		o.call(t, "c", ms(20), dueIn(t, ms(300)), onGrant)
		o.checkEnds(t, "b:409@290ms c:token_refresh_in_progress@290ms a:canceled@950ms")
	})
}

func TestGateCountsTheTimeThatHooksTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, time.Hour, transport.Config{Hooks: transport.Hooks{
			Attempt: func(_ context.Context, i transport.AttemptInfo) {
				if strings.HasSuffix(i.Request.URL.Path, "b") {
					time.Sleep(ms(100))
				}
			},
		}})
		o.call(t, "a", 0, cancelledAt(ms(950)))
		o.call(t, "b", ms(20), dueIn(t, ms(300)))
		o.checkEnds(t, "b:409@290ms a:canceled@950ms")
	})
}

func TestGateCallOutOfTimeSaysThatTheRefreshGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, time.Hour, transport.Config{})
		o.refuse = lingering(ms(10), refreshing)
		o.call(t, "a", 0, cancelledAt(time.Second))
		o.call(t, "b", ms(20), onGrant, dueIn(t, ms(300)))
		o.calls.Wait()
		var (
			late  *classify.TokenRefreshInProgressError
			gated *transport.GateError
		)
		err := o.came["b"].err
		if !errors.As(err, &late) || !errors.As(err, &gated) || gated.Failed || gated.Waited != ms(270) {
			t.Errorf("%v, %+v; want a *TokenRefreshInProgressError and a *GateError that waited 270ms for a refresh that goes on", err, gated)
		}
		if v := classify.Of(nil, err); !v.Unprocessed || v.Detail == nil || v.Detail.GrantID != "g" {
			t.Errorf("verdict %+v, want one of a request that was not sent, on the grant g", v)
		}
	})
}
