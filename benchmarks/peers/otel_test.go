package peers

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"github.com/steadytrip/steadytrip/benchmarks/internal/stub"
	"github.com/steadytrip/steadytrip/otelwrap"
)

// providers are where telemetry goes.
type providers struct {
	name   string
	tracer trace.TracerProvider
	meter  metric.MeterProvider
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
		{"none", otel.GetTracerProvider(), otel.GetMeterProvider()},
		{"no-op", nooptrace.NewTracerProvider(), noopmetric.NewMeterProvider()},
		{"SDK", sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(dropped{})), meter},
		{"SDK-unsampled", sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())), meter},
	}
}

var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// otelhttp is one span and its metrics, and nothing else.
func (p providers) otelhttp(base http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(base,
		otelhttp.WithTracerProvider(p.tracer), otelhttp.WithMeterProvider(p.meter), otelhttp.WithPropagators(propagator))
}

// otelwrap is the whole chain with a span for the call, one for each attempt, and their metrics.
func (p providers) otelwrap(tb testing.TB, base http.RoundTripper, hosts ...string) http.RoundTripper {
	tb.Helper()
	rt, err := otelwrap.New(base, stub.Config(tb, hosts...), otelwrap.Options{
		TracerProvider: p.tracer, MeterProvider: p.meter, Propagator: propagator,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return rt
}

// BenchmarkTelemetry is a GET that succeeds, watched.
func BenchmarkTelemetry(b *testing.B) {
	base := &stub.Base{Answers: []stub.Answer{stub.Fine}}
	for _, p := range allProviders() {
		for _, n := range stub.Goroutines {
			b.Run(fmt.Sprintf("providers=%s/goroutines=%d", p.name, n), func(b *testing.B) {
				b.Run("lib=otelwrap", func(b *testing.B) { stub.Parallel(b, n, get(p.otelwrap(b, base), stub.URL, 200)) })
				b.Run("lib=otelhttp", func(b *testing.B) { stub.Parallel(b, n, get(p.otelhttp(base), stub.URL, 200)) })
			})
		}
	}
}

// BenchmarkLoopbackTelemetry is a GET over real connections, watched, in turn with the bare transport.
func BenchmarkLoopbackTelemetry(b *testing.B) {
	answer := stub.Answer{Status: 200, Header: stub.Revoked.Header, Body: `{"id":"42","title":"a thing"}`}
	for _, p := range allProviders() {
		if p.name != "none" && p.name != "SDK" {
			continue
		}
		for _, n := range stub.Goroutines {
			b.Run(fmt.Sprintf("providers=%s/goroutines=%d", p.name, n), func(b *testing.B) {
				srv, conn := stub.Server(b, answer), stub.Conn(b)
				for _, lib := range []struct {
					name string
					rt   http.RoundTripper
				}{{"otelwrap", p.otelwrap(b, conn, stub.HostOf(b, srv.URL))}, {"otelhttp", p.otelhttp(conn)}} {
					b.Run("lib="+lib.name, func(b *testing.B) {
						stub.Paired(b, n, get(conn, srv.URL+"/0", 200), get(lib.rt, srv.URL+"/0", 200))
					})
				}
			})
		}
	}
}
