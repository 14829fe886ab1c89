package conformance

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

const foreign = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestEachAttemptCarriesItsOwnSpan(t *testing.T) {
	for name, header := range map[string]http.Header{
		"no header at all":                   nil,
		"no trace":                           {"Accept": {"*/*"}},
		"a trace of the caller's":            {"Traceparent": {foreign}, "Tracestate": {"canary=1"}, "Baggage": {"a=1"}},
		"a trace, spelt in lower case":       {"traceparent": {foreign}, "tracestate": {"canary=1"}},
		"a trace, spelt in an unusual way":   {"TraceParent": {foreign}, "TRACESTATE": {"canary=1"}},
		"several traces, which is a mistake": {"Traceparent": {foreign, foreign}, "TRACEPARENT": {foreign}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab()
			base := &replies{all: []reply{{status: 503}, {status: 200}}}
			var signed []string
			sign := func(next http.RoundTripper) http.RoundTripper {
				return roundTrip(func(req *http.Request) (*http.Response, error) {
					signed = append(signed, req.Header.Get("Traceparent"))
					return next.RoundTrip(req)
				})
			}
			req := get(t.Context(), t, "https://api.example/v1")
			req.Header = header.Clone()
			rt := l.chain(t, base, transport.Config{Policy: quick(), PerAttempt: []transport.Middleware{sign}}, otelwrap.Options{})
			finish(rt.RoundTrip(req))
			spans := l.ended(t, trace.SpanKindClient)
			if len(spans) != 2 {
				t.Fatalf("%d attempts, want 2", len(spans))
			}
			for i, s := range spans {
				var got []string
				for key, values := range base.sent[i].Header {
					if strings.EqualFold(key, "traceparent") {
						got = append(got, values...)
					}
					if strings.EqualFold(key, "tracestate") {
						t.Errorf("attempt %d has the tracestate of another trace", i+1)
					}
				}
				want := "00-" + s.SpanContext().TraceID().String() + "-" + s.SpanContext().SpanID().String() + "-01"
				if len(got) != 1 || got[0] != want || signed[i] != want {
					t.Errorf("attempt %d carries %v, and the signer saw %q, want %s", i+1, got, signed[i], want)
				}
				if header.Get("Baggage") != base.sent[i].Header.Get("Baggage") {
					t.Errorf("attempt %d has baggage %q, want the caller's", i+1, base.sent[i].Header.Get("Baggage"))
				}
			}
			if !maps.EqualFunc(req.Header, header, slices.Equal) || (req.Header == nil) != (header == nil) {
				t.Errorf("the caller's header is %v, want it as it was: %v", req.Header, header)
			}
		})
	}
}

// Without an SDK, what the caller's context carries goes on.
func TestPropagationWithoutAnSDK(t *testing.T) {
	base := &replies{all: []reply{{status: 200}}}
	rt, err := otelwrap.New(base, transport.Config{}, otelwrap.Options{TracerProvider: nooptrace.NewTracerProvider(), Propagator: propagator})
	if err != nil {
		t.Fatal(err)
	}
	member, err := baggage.NewMember("a", "1")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	ctx := propagator.Extract(t.Context(), mapCarrier{"traceparent": foreign})
	for range 3 {
		req := get(baggage.ContextWithBaggage(ctx, bag), t, "https://api.example/v1")
		finish(rt.RoundTrip(req))
		got := base.sent[len(base.sent)-1].Header
		if got.Get("Traceparent") != foreign || got.Get("Baggage") != "a=1" {
			t.Errorf("sent %v, want the caller's trace and baggage", got)
		}
		if len(req.Header) != 0 {
			t.Errorf("the caller's header is %v, want it as it was", req.Header)
		}
	}
	req := get(t.Context(), t, "https://api.example/v1")
	finish(rt.RoundTrip(req))
	if base.sent[len(base.sent)-1] != req {
		t.Error("with nothing to tell the base got another request than the caller's, want the same")
	}
}

type mapCarrier map[string]string

func (m mapCarrier) Get(key string) string { return m[key] }
func (m mapCarrier) Set(key, value string) { m[key] = value }
func (m mapCarrier) Keys() []string        { return slices.Collect(maps.Keys(m)) }
