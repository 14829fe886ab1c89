// Package late installs the global providers after a chain was made. It is a package of its own because globals stay.
package late

import (
	"context"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

// base answers, and keeps the header that it was sent.
type base struct{ header http.Header }

func (b *base) RoundTrip(req *http.Request) (*http.Response, error) {
	b.header = req.Header
	return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}, Request: req}, nil
}

// sampled asks for the attributes of spans at their start.
type sampled struct{ methods *[]string }

func (s sampled) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	for _, kv := range p.Attributes {
		if kv.Key == "http.request.method" {
			*s.methods = append(*s.methods, kv.Value.AsString())
		}
	}
	return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
}

func (sampled) Description() string { return "test" }

// installed says that the globals are set, which cannot be undone.
var installed bool

func TestProvidersThatAreInstalledLater(t *testing.T) {
	if installed {
		t.Skip("once in a process")
	}
	installed = true
	made := map[string]http.RoundTripper{}
	under := &base{}
	for name, opts := range map[string]otelwrap.Options{"with calls": {}, "without": {NoCallSpan: true}} {
		rt, err := otelwrap.New(under, transport.Config{}, opts)
		if err != nil {
			t.Fatal(err)
		}
		made[name] = rt
		for range 3 {
			send(t, rt)
		}
	}
	if under.header.Get("Traceparent") != "" {
		t.Error("a trace is propagated without any provider, want none")
	}
	spans, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
	var methods []string
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithSampler(sampled{&methods})))
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	otel.SetTextMapPropagator(propagation.TraceContext{})

	send(t, made["with calls"])
	if got := spans.Ended(); len(got) != 2 || len(got[0].Attributes()) < 4 || len(methods) != 1 {
		t.Errorf("spans %v, and samplers saw the method %d times, want a call, an attempt with its attributes, and once", got, len(methods))
	}
	for _, s := range spans.Ended() {
		if got := s.InstrumentationScope(); got.Name != "github.com/steadytrip/steadytrip/otelwrap" || got.SchemaURL == "" {
			t.Errorf("the scope is %+v, want otelwrap's, with a schema", got)
		}
	}
	if under.header.Get("Traceparent") == "" {
		t.Error("no trace is propagated, want one")
	}
	send(t, made["without"])
	if got := spans.Ended(); len(got) != 3 || got[2].SpanKind() != trace.SpanKindClient || len(got[2].Attributes()) < 4 {
		t.Errorf("spans %v, want one more, with its attributes", got)
	}
	send(t, made["without"])
	if len(methods) != 3 {
		t.Errorf("samplers saw the method %d times, want 3, once for each attempt", len(methods))
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	count := uint64(0)
	for _, scope := range all.ScopeMetrics {
		if scope.Scope.Name != "github.com/steadytrip/steadytrip/otelwrap" || scope.Scope.SchemaURL == "" {
			t.Errorf("the scope is %+v, want otelwrap's, with a schema", scope.Scope)
		}
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == "http.client.request.duration" {
				count = h.DataPoints[0].Count
				want := []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
				if got := h.DataPoints[0].Bounds; len(got) != len(want) || got[0] != want[0] || got[13] != want[13] {
					t.Errorf("buckets %v, want %v", got, want)
				}
			}
		}
	}
	if count != 3 {
		t.Errorf("%d durations, want 3", count)
	}
}

func send(t *testing.T, rt http.RoundTripper) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "https://api.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rt.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
}
