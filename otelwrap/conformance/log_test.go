package conformance

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

func TestTheLogNamesTheCallsSpan(t *testing.T) {
	for name, tc := range map[string]struct {
		answer reply
		warns  []string
	}{
		"retries used up are one warning": {reply{status: 503}, []string{"call failed after retries"}},
		"a breaker that opens is one": {
			reply{429, `{"error":"rate_limit_exceeded"}`, http.Header{"Retry-After": {"100"}}}, []string{"breaker changed its state"},
		},
		"success is none": {reply{status: 200}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend, err := classify.ForAlter("api.example")
				if err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				l := newLab()
				rt := l.chain(t, &replies{all: []reply{tc.answer}}, transport.Config{
					Classifier: backend, Policy: quick(), Logger: slog.New(otelwrap.LogHandler(slog.NewJSONHandler(&out, nil))),
				}, otelwrap.Options{})
				finish(rt.RoundTrip(get(t.Context(), t, "https://api.example/v1")))
				span := l.ended(t, trace.SpanKindInternal)[0].SpanContext()
				var warns []string
				for line := range bytes.SplitSeq(bytes.TrimSpace(out.Bytes()), []byte("\n")) {
					if len(line) == 0 {
						continue
					}
					r := map[string]any{}
					if err := json.Unmarshal(line, &r); err != nil {
						t.Fatal(err)
					}
					if r["trace_id"] != span.TraceID().String() || r["span_id"] != span.SpanID().String() {
						t.Errorf("%s, want the ids of the call's span", line)
					}
					if msg, ok := r["msg"].(string); ok && r["level"] == "WARN" {
						warns = append(warns, msg)
					}
				}
				if len(warns) != len(tc.warns) || len(warns) > 0 && warns[0] != tc.warns[0] {
					t.Errorf("warnings %q, want %q", warns, tc.warns)
				}
			})
		})
	}
}
