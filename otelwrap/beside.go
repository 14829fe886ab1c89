package otelwrap

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// annotating adds to the span of another instrumentation what it does not know. Its status, its name and its end stay its
// owner's.
type annotating struct {
	inner
	telemetry *telemetry
}

var _ http.RoundTripper = (*annotating)(nil)

func (w *annotating) RoundTrip(req *http.Request) (*http.Response, error) {
	n := resends(req)
	span := trace.SpanFromContext(req.Context())
	c := callOf(req.Context())
	whole := c != nil && c.span == span // the span is of the whole call, which is described when it ends
	if !span.IsRecording() || whole && c.own {
		return w.next.RoundTrip(req) // there is no other instrumentation
	}
	if n > 0 {
		span.SetAttributes(semconv.HTTPRequestResendCount(n))
	}
	resp, err := w.next.RoundTrip(req)
	if whole {
		return resp, err
	}
	if set := w.telemetry.appendVerdict(make([]attribute.KeyValue, 0, 5), verdictOf(req, resp, err), err); len(set) > 0 {
		span.SetAttributes(set...)
	}
	return resp, err
}
