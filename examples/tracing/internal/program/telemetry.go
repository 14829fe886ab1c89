package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// propagator is what carries a trace to the backend.
var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// telemetry is the SDK, as the command line wants it.
type telemetry struct {
	tracers *sdktrace.TracerProvider
	meters  *sdkmetric.MeterProvider
	spans   *recorder    // all of them, to be shown
	metrics http.Handler // nil unless Prometheus is to be served

	sent   []*delivery // to a collector
	stderr io.Writer
}

// newTelemetry sets up the SDK. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES apply.
func newTelemetry(ctx context.Context, o options, stderr io.Writer) (*telemetry, error) {
	who, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "steadytrip-tracing")), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	t := &telemetry{spans: &recorder{}, stderr: stderr}
	tracing := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(who), sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithSyncer(t.spans),
	}
	measuring := []sdkmetric.Option{sdkmetric.WithResource(who)}
	if o.sends("TRACES") {
		d := t.delivers("spans", o)
		to, err := newSpanExporter(ctx, o.otlp, d)
		if err != nil {
			return nil, err
		}
		tracing = append(tracing, sdktrace.WithBatcher(to))
	}
	if o.sends("METRICS") {
		d := t.delivers("metrics", o)
		to, err := newMetricExporter(ctx, o.otlp, d)
		if err != nil {
			return nil, err
		}
		measuring = append(measuring, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(to)))
	}
	if o.prometheus != "" {
		registry := prometheus.NewRegistry()
		reader, err := otelprom.New(otelprom.WithRegisterer(registry))
		if err != nil {
			return nil, err
		}
		measuring = append(measuring, sdkmetric.WithReader(reader))
		// OpenMetrics has exemplars, which lead from a metric to a trace.
		t.metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
	}
	t.tracers, t.meters = sdktrace.NewTracerProvider(tracing...), sdkmetric.NewMeterProvider(measuring...)
	return t, nil
}

// delivers begins to note what becomes of a signal's way to the collector.
func (t *telemetry) delivers(what string, o options) *delivery {
	d := &delivery{what: what, to: "the collector of OTEL_EXPORTER_OTLP_ENDPOINT", stderr: t.stderr}
	if o.otlp != nil {
		d.to = "the collector at " + o.otlp.String()
		if o.otlp.Port() == "4317" {
			d.hint = " (4317 is usually the port for gRPC; that for HTTP is 4318)"
		}
	}
	t.sent = append(t.sent, d)
	return d
}

// farewell is how long the end of the program may wait for a collector.
const farewell = 10 * time.Second

// close hands over what is not delivered yet, and ends the SDK. It reports whether all was delivered.
func (t *telemetry) close() bool {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	err := errors.Join(t.tracers.Shutdown(ctx), t.meters.Shutdown(ctx))
	for _, d := range t.sent {
		if d.failed() {
			return false // and has said so
		}
	}
	if err != nil {
		fmt.Fprintln(t.stderr, "tracing: telemetry did not end well:", printable(err.Error()))
	}
	return err == nil
}

// recorder keeps the spans that have ended.
type recorder struct {
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
}

var _ sdktrace.SpanExporter = (*recorder)(nil)

// ExportSpans keeps spans.
func (r *recorder) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, spans...)
	return nil
}

// Shutdown has nothing to do.
func (r *recorder) Shutdown(context.Context) error { return nil }

// take returns the spans that have ended since it was last called, in the order of their starts.
func (r *recorder) take() []sdktrace.ReadOnlySpan {
	r.mu.Lock()
	defer r.mu.Unlock()
	spans := r.spans
	r.spans = nil
	slices.SortStableFunc(spans, func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	return spans
}

// tell says what was delivered.
func (t *telemetry) tell(w io.Writer) {
	for _, d := range t.sent {
		fmt.Fprintf(w, "Sent %d %s to %s.\n", d.count, d.what, d.to)
	}
}
