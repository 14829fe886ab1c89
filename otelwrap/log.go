package otelwrap

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"
)

// LogHandler returns a handler that gives each record the trace it belongs to, as trace_id, span_id and trace_flags at the
// top level, and hands it to h. The names are those of the OpenTelemetry specification for logs in other formats. Records
// outside of any span stay as they are. With it, what [transport.LogHooks] writes stands beside the span of its call:
//
//	Logger: slog.New(otelwrap.LogHandler(slog.NewJSONHandler(os.Stderr, nil)))
//
// A handler that sends records to OpenTelemetry, such as that of otelslog, does so by itself and needs none of it.
// LogHandler is safe for concurrent use if h is.
func LogHandler(h slog.Handler) slog.Handler { return &correlating{top: h, inner: h} }

// correlating adds the trace at the top level, wherever the record's own attributes go.
type correlating struct {
	top   slog.Handler                      // before the first group
	since []func(slog.Handler) slog.Handler // what was asked for since
	inner slog.Handler                      // top with all of it
}

var _ slog.Handler = (*correlating)(nil)

func (c *correlating) Enabled(ctx context.Context, level slog.Level) bool {
	return c.inner.Enabled(ctx, level)
}

func (c *correlating) Handle(ctx context.Context, r slog.Record) error {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return c.inner.Handle(ctx, r)
	}
	ids := []slog.Attr{
		slog.String("trace_id", span.TraceID().String()),
		slog.String("span_id", span.SpanID().String()),
		slog.String("trace_flags", span.TraceFlags().String()),
	}
	if len(c.since) == 0 {
		r = r.Clone()
		r.AddAttrs(ids...)
		return c.inner.Handle(ctx, r)
	}
	h := c.top.WithAttrs(ids)
	for _, with := range c.since {
		h = with(h)
	}
	return h.Handle(ctx, r)
}

func (c *correlating) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return c
	}
	if len(c.since) == 0 {
		return LogHandler(c.top.WithAttrs(attrs))
	}
	return c.with(func(h slog.Handler) slog.Handler { return h.WithAttrs(slices.Clone(attrs)) }) // which h owns
}

func (c *correlating) WithGroup(name string) slog.Handler {
	if name == "" {
		return c
	}
	return c.with(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (c *correlating) with(what func(slog.Handler) slog.Handler) slog.Handler {
	return &correlating{top: c.top, since: append(slices.Clip(c.since), what), inner: what(c.inner)}
}
