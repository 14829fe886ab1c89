package conformance

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

// An attempt that a breaker holds until it is its turn is sent late, and its span begins when it is sent.
func TestAWaitForABreakerIsToldOnTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend, err := classify.ForAlter("api.example")
		if err != nil {
			t.Fatal(err)
		}
		p := quick()
		for i := range p.Breakers {
			p.Breakers[i].Hold = 5 * time.Second
		}
		l := newLab()
		limited := reply{429, `{"error":"rate_limit_exceeded"}`, http.Header{"Retry-After": {"2"}}}
		rt := l.chain(t, &replies{all: []reply{limited, {status: 200}}}, transport.Config{Classifier: backend, Policy: p}, otelwrap.Options{})
		finish(rt.RoundTrip(get(transport.NoRetry(t.Context()), t, "https://api.example/v1")))
		begin := time.Now()
		finish(rt.RoundTrip(get(t.Context(), t, "https://api.example/v1")))
		calls, attempts := l.ended(t, trace.SpanKindInternal), l.ended(t, trace.SpanKindClient)
		if len(calls) != 2 || len(attempts) != 2 {
			t.Fatalf("%d calls and %d attempts, want 2 and 2", len(calls), len(attempts))
		}
		waited := time.Since(begin)
		if waited < time.Second || attempts[1].StartTime().Sub(calls[1].StartTime()) != waited {
			t.Errorf("the attempt began %v after its call, want %v, which is more than a second",
				attempts[1].StartTime().Sub(calls[1].StartTime()), waited)
		}
		got := setOf(calls[1].Attributes())
		for key, want := range (set{"steadytrip.wait.duration": waited.Seconds(), "steadytrip.attempts": int64(1)}) {
			if got[key] != want {
				t.Errorf("%s is %v, want %v", key, got[key], want)
			}
		}
		if by, ok := got["steadytrip.wait.by"].([]string); !ok || len(by) != 1 || by[0] != "breaker" {
			t.Errorf("waited by %v, want by the breaker alone", got["steadytrip.wait.by"])
		}
		if reasons, ok := got["steadytrip.wait.for"].([]string); !ok || len(reasons) != 1 || reasons[0] != "policy_rate_limit" {
			t.Errorf("waited for %v, want policy_rate_limit", got["steadytrip.wait.for"])
		}
		if calls[1].Status().Code != codes.Unset {
			t.Errorf("status %v, want Unset", calls[1].Status().Code)
		}
		if got, want := l.counts(t, "steadytrip.client.wait.duration"), "wait.type=breaker 1"; got != want {
			t.Errorf("waits %q, want %q", got, want)
		}
	})
}
