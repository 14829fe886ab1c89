package conformance

import (
	"context"
	"math"
	"net/http"
	"runtime"
	"testing"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

// still answers with the same answer each time and costs nothing itself.
type still struct{ resp http.Response }

func (s *still) RoundTrip(req *http.Request) (*http.Response, error) {
	s.resp = http.Response{StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, Request: req}
	return &s.resp, nil
}

// providers is where telemetry goes in a measurement.
type providers struct {
	name   string
	tracer trace.TracerProvider
	meter  metric.MeterProvider
	most   float64 // of otelhttp's allocations
}

// dropped ends spans as an exporter's queue would take them, and costs nothing itself.
type dropped struct{}

func (dropped) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (dropped) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (dropped) Shutdown(context.Context) error                  { return nil }
func (dropped) ForceFlush(context.Context) error                { return nil }

func allProviders() []providers {
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	return []providers{
		{"globals not set", otel.GetTracerProvider(), otel.GetMeterProvider(), 0.25},
		{"no-op", nooptrace.NewTracerProvider(), noopmetric.NewMeterProvider(), 0.25},
		{"SDK", sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(dropped{})), meter, 1},
		{"SDK without sampling", sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())), meter, 1},
	}
}

var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

func (p providers) otelhttp() http.RoundTripper {
	return otelhttp.NewTransport(&still{},
		otelhttp.WithTracerProvider(p.tracer), otelhttp.WithMeterProvider(p.meter), otelhttp.WithPropagators(propagator))
}

func (p providers) otelwrap(tb testing.TB) http.RoundTripper {
	tb.Helper()
	rt, err := otelwrap.New(&still{}, transport.Config{}, otelwrap.Options{
		TracerProvider: p.tracer, MeterProvider: p.meter, Propagator: propagator,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return rt
}

// spans are the parent's and the attempt's, without the chain between them.
func (p providers) spans() http.RoundTripper {
	opts := otelwrap.Options{TracerProvider: p.tracer, MeterProvider: p.meter, Propagator: propagator}
	return transport.Chain(&still{}, otelwrap.Calls(opts), otelwrap.Attempts(opts))
}

func chain(tb testing.TB) http.RoundTripper {
	tb.Helper()
	rt, err := transport.New(&still{}, transport.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	return rt
}

func request(tb testing.TB) *http.Request {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), "GET", "https://api.example.com/v1/things/42?color=blue", nil)
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer x")
	req.Header.Set("Accept", "application/json")
	return req
}

func exchange(tb testing.TB, rt http.RoundTripper, req *http.Request) {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		tb.Fatal(err)
	}
	resp.Body.Close()
}

func allocations(tb testing.TB, rt http.RoundTripper) float64 {
	tb.Helper()
	req := request(tb)
	exchange(tb, rt, req)
	runtime.GC()
	return testing.AllocsPerRun(1000, func() { exchange(tb, rt, req) })
}

// Without an SDK a call costs a quarter of otelhttp's allocations at most; with one, the two spans no more than otelhttp's one.
func TestAllocationsAreNoMoreThanThoseOfOtelhttp(t *testing.T) {
	for _, p := range allProviders() {
		t.Run(p.name, func(t *testing.T) {
			if raceEnabled {
				t.Skip("the race detector allocates, too")
			}
			theirs, ours := allocations(t, p.otelhttp()), allocations(t, p.otelwrap(t))
			t.Logf("otelhttp %v, otelwrap %v, ratio %.2f", theirs, ours, ours/theirs)
			if ours > p.most*theirs {
				t.Errorf("otelwrap allocates %v times a call, want at most %v of otelhttp's %v", ours, p.most, theirs)
			}
		})
	}
}

func BenchmarkCall(b *testing.B) {
	measure := func(name string, rt http.RoundTripper) {
		b.Run(name, func(b *testing.B) {
			req := request(b)
			b.ReportAllocs()
			for b.Loop() {
				exchange(b, rt, req)
			}
		})
	}
	measure("bare", &still{})
	measure("steadytrip", chain(b))
	for _, p := range allProviders() {
		measure("otelhttp/"+p.name, p.otelhttp())
		measure("otelwrap/"+p.name, p.otelwrap(b))
	}
}

// multiple of otelhttp's.
func BenchmarkRatio(b *testing.B) {
	for _, p := range allProviders() {
		b.Run(p.name, func(b *testing.B) {
			req := request(b)
			chains := [...]http.RoundTripper{p.otelhttp(), p.otelwrap(b), p.spans()}
			best := [len(chains)]time.Duration{math.MaxInt64, math.MaxInt64, math.MaxInt64}
			for b.Loop() {
				for i, rt := range chains {
					begin := time.Now()
					for range 1000 {
						exchange(b, rt, req)
					}
					best[i] = min(best[i], time.Since(begin))
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(best[0])/1000, "otelhttp-ns")
			b.ReportMetric(float64(best[1])/1000, "otelwrap-ns")
			b.ReportMetric(float64(best[2])/1000, "spans-ns")
			b.ReportMetric(float64(best[1])/float64(best[0]), "ratio")
			b.ReportMetric(float64(best[2])/float64(best[0]), "spans-ratio")
		})
	}
}
