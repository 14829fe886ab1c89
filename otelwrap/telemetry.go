package otelwrap

import (
	"net/http"
	"runtime/debug"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation.
const scope = "github.com/steadytrip/steadytrip/otelwrap"

// telemetry is what the parts of one chain share. It is safe for concurrent use.
type telemetry struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	meters     meters
	methods    methods
	redacted   redactor
	grant      func(*http.Request) string // the user's; may be nil
	showGrants bool
	noCallSpan bool
	beside     bool

	// idle says that the last span started was of a tracer that does nothing. There is no asking a tracer,
	// so what a span would have to be told is not put together for the next one. A call's span is told nothing at its start,
	// so it is the one that finds out when a tracer begins to work.
	idle   atomic.Bool
	counts bool // attempts are counted, as those of New are
	led    bool // calls have spans, so that attempts need not find out
}

func newTelemetry(o Options) *telemetry {
	t := &telemetry{
		propagator: o.Propagator,
		methods:    newMethods(o.Methods),
		redacted:   newRedactor(o),
		showGrants: o.ShowGrants,
		noCallSpan: o.NoCallSpan,
		beside:     o.BesideOtelhttp,
	}
	tracers := o.TracerProvider
	if tracers == nil {
		tracers = otel.GetTracerProvider()
	}
	t.tracer = tracers.Tracer(scope, trace.WithInstrumentationVersion(version()), trace.WithSchemaURL(semconv.SchemaURL))
	if t.propagator == nil {
		t.propagator = otel.GetTextMapPropagator()
	}
	t.meters = newMeters(meter(o))
	return t
}

func meter(o Options) metric.Meter {
	provider := o.MeterProvider
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	return provider.Meter(scope, metric.WithInstrumentationVersion(version()), metric.WithSchemaURL(semconv.SchemaURL))
}

// version is that of the module in the program; empty if the build does not tell.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/steadytrip/steadytrip" {
			return m.Version
		}
	}
	return ""
}

var (
	internal = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindInternal)}
	client   = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}
)

// noted reports whether a tracer that has started span under parent does anything, and keeps it in mind. Every tracer of an
// SDK gives each span an id of its own, whether it records or not; one that does nothing hands the parent's on.
func (t *telemetry) noted(span trace.Span, parent trace.SpanID) bool {
	works := span.SpanContext().SpanID() != parent || span.IsRecording()
	if t.idle.Load() == works {
		t.idle.Store(!works)
	}
	return works
}

// inner is the next RoundTripper, for embedding: it forwards CloseIdleConnections, which http.Client looks for on the outermost.
type inner struct{ next http.RoundTripper }

func (i inner) CloseIdleConnections() {
	if c, ok := i.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// closeBody closes the body of a request that is not going to be sent, as every RoundTripper must.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // the error of closing an upload that never began concerns nobody
	}
}
