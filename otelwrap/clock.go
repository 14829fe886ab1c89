package otelwrap

import (
	"time"

	"go.opentelemetry.io/otel/trace"
)

// clock tells how long an attempt or a call took: as long as its span, if that tells, so that a metric says the same.
type clock struct {
	recording bool  // whether the span records
	span      timed // nil if it does not tell
	start     time.Time
}

// timed is what the spans of the SDK are.
type timed interface {
	StartTime() time.Time
	EndTime() time.Time
}

// begin starts the clock, just after the span.
func (c *clock) begin(span trace.Span) {
	if c.recording = span.IsRecording(); c.recording {
		c.span, _ = span.(timed)
	}
	if c.span == nil {
		c.start = time.Now()
	}
}

// elapsed is the time that has passed. The span has ended.
func (c *clock) elapsed() time.Duration {
	if c.span == nil {
		return time.Since(c.start)
	}
	if end := c.span.EndTime(); !end.IsZero() {
		return end.Sub(c.span.StartTime())
	}
	return time.Since(c.span.StartTime())
}
