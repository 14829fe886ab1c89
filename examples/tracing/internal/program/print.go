package program

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// shower returns what shows the report of a story.
func shower(o options, to Console) func(*report) {
	switch {
	case o.json:
		return func(r *report) { writeJSON(to.Out, r.spans) }
	case o.prometheus != "":
		return func(*report) {} // the rounds are counted
	}
	d := newDrawing(to.Paint, to.Width)
	return func(r *report) {
		fmt.Fprintf(to.Out, "%s: %s\n", d.bold.Sprint(r.story.name), r.story.title)
		d.write(to.Out, r.spans)
		fmt.Fprintln(to.Out)
	}
}

// spanLine is a span in JSON.
type spanLine struct {
	TraceID    string         `json:"trace_id"`
	SpanID     string         `json:"span_id"`
	ParentID   string         `json:"parent_span_id,omitempty"`
	Name       string         `json:"name"`
	Kind       string         `json:"kind"`
	Start      time.Time      `json:"start"`
	Duration   float64        `json:"duration_ms"`
	Status     string         `json:"status"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

// writeJSON prints spans for programs, one a line.
func writeJSON(w io.Writer, spans []sdktrace.ReadOnlySpan) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, s := range spans {
		line := spanLine{
			TraceID: s.SpanContext().TraceID().String(), SpanID: s.SpanContext().SpanID().String(),
			Name: s.Name(), Kind: s.SpanKind().String(), Start: s.StartTime(),
			Duration: float64(s.EndTime().Sub(s.StartTime()).Microseconds()) / 1000, Status: s.Status().Code.String(),
			Attributes: map[string]any{},
		}
		if s.Parent().IsValid() {
			line.ParentID = s.Parent().SpanID().String()
		}
		for _, kv := range s.Attributes() {
			line.Attributes[string(kv.Key)] = kv.Value.AsInterface()
		}
		_ = enc.Encode(line) // nobody is left to tell
	}
}
