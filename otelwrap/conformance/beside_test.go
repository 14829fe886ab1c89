package conformance

import (
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

func TestBesideOtelhttp(t *testing.T) {
	again := func() *replies { return &replies{all: []reply{{status: 503, body: "busy"}, {status: 200}}} }
	t.Run("inside of the chain its spans tell of resends and verdicts", func(t *testing.T) {
		l := newLab()
		cfg := transport.Config{Policy: quick(), Watch: []transport.Middleware{
			func(next http.RoundTripper) http.RoundTripper { return l.theirs(next) },
		}}
		base := again()
		finish(l.chain(t, base, cfg, otelwrap.Options{BesideOtelhttp: true}).RoundTrip(get(t.Context(), t, "https://api.example/v1")))
		spans := l.ended(t, trace.SpanKindClient)
		if len(spans) != 2 {
			t.Fatalf("%d CLIENT spans, want one for each attempt", len(spans))
		}
		first, second := setOf(spans[0].Attributes()), setOf(spans[1].Attributes())
		if first["steadytrip.kind"] != "provider_unavailable" || first["steadytrip.action"] != "retry" || first["http.request.resend_count"] != nil {
			t.Errorf("the first span is %v, want the verdict and no resend", first)
		}
		if second["steadytrip.kind"] != nil || second["http.request.resend_count"] != int64(1) {
			t.Errorf("the second span is %v, want no verdict and the first resend", second)
		}
		for i, req := range base.sent {
			if got := len(req.Header.Values("Traceparent")); got != 1 {
				t.Errorf("attempt %d has %d traceparents, want 1", i+1, got)
			}
		}
		l.checkFamily(t)
		points, _ := l.metric(t, "http.client.request.duration")
		n := uint64(0)
		for _, p := range points {
			n += p.count
		}
		if n != 2 {
			t.Errorf("%d durations of requests, want the two of otelhttp", n)
		}
	})
	t.Run("outside of the chain its one span tells all", func(t *testing.T) {
		l := newLab()
		rt := l.theirs(l.chain(t, again(), transport.Config{Policy: quick()}, otelwrap.Options{BesideOtelhttp: true, NoCallSpan: true}))
		finish(rt.RoundTrip(get(t.Context(), t, "https://api.example/v1")))
		spans := l.ended(t, trace.SpanKindClient)
		if len(spans) != 1 || len(l.spans.Ended()) != 1 {
			t.Fatalf("%d spans, want one", len(l.spans.Ended()))
		}
		got := setOf(spans[0].Attributes())
		if got["http.request.resend_count"] != int64(1) || got["steadytrip.attempts"] != int64(2) || got["steadytrip.stop_reason"] != "succeeded" {
			t.Errorf("the span is %v, want two attempts, one of them a resend", got)
		}
	})
	t.Run("without otelhttp the call's span stays what it is", func(t *testing.T) {
		l := newLab()
		finish(l.chain(t, again(), transport.Config{Policy: quick()}, otelwrap.Options{BesideOtelhttp: true}).RoundTrip(get(t.Context(), t, "https://api.example/v1")))
		spans := l.ended(t, trace.SpanKindInternal)
		if len(spans) != 1 || setOf(spans[0].Attributes())["http.request.resend_count"] != nil {
			t.Errorf("spans %v, want one, of kind INTERNAL and without attributes of HTTP", spans)
		}
	})
}
