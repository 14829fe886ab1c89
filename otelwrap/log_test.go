package otelwrap_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/slogtest"

	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/otelwrap"
)

func TestLogHandlerKeepsTheContractOfHandlers(t *testing.T) {
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return otelwrap.LogHandler(slog.NewJSONHandler(&out, nil))
	}, func(*testing.T) map[string]any { return record(t, &out) })
}

func record(t *testing.T, out *bytes.Buffer) map[string]any {
	t.Helper()
	var r map[string]any
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	return r
}

func TestLogRecordsNameTheirTrace(t *testing.T) {
	ids := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	ctx := trace.ContextWithSpanContext(t.Context(), ids)
	for name, with := range map[string]func(*slog.Logger) *slog.Logger{
		"plainly":                 func(l *slog.Logger) *slog.Logger { return l },
		"with attributes":         func(l *slog.Logger) *slog.Logger { return l.With("a", 1) },
		"in a group":              func(l *slog.Logger) *slog.Logger { return l.With("a", 1).WithGroup("g") },
		"in a group within":       func(l *slog.Logger) *slog.Logger { return l.WithGroup("g").With("b", 1).WithGroup("h").With("c", 1) },
		"with nothing in a group": func(l *slog.Logger) *slog.Logger { return l.WithGroup("").With().WithGroup("g") },
	} {
		t.Run(name, func(t *testing.T) {
			var got, want bytes.Buffer
			with(slog.New(otelwrap.LogHandler(slog.NewJSONHandler(&got, nil)))).InfoContext(ctx, "x", "k", 1)
			with(slog.New(slog.NewJSONHandler(&want, nil))).InfoContext(ctx, "x", "k", 1)
			g, w := record(t, &got), record(t, &want)
			w["trace_id"], w["span_id"], w["trace_flags"] = ids.TraceID().String(), ids.SpanID().String(), "01"
			delete(g, "time")
			delete(w, "time")
			gotText, err := json.Marshal(g)
			if err != nil {
				t.Fatal(err)
			}
			wantText, err := json.Marshal(w)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(gotText, wantText) {
				t.Errorf("%s, want %s", gotText, wantText)
			}
			with(slog.New(otelwrap.LogHandler(slog.NewJSONHandler(&got, nil)))).Info("x")
			if g := record(t, &got); g["trace_id"] != nil {
				t.Errorf("outside of a span %v, want no trace", g)
			}
		})
	}
}
