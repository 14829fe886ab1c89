package otelwrap

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
)

// Hooks returns hooks that describe each call on the active span of its context. Join them with your own
// by [transport.JoinHooks]. They set attributes only: the span's status and its end stay its owner's.
func Hooks() transport.Hooks {
	return transport.Hooks{Call: describe}
}

func describe(ctx context.Context, info transport.CallInfo) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	set := make([]attribute.KeyValue, 0, 6)
	set = append(set,
		attribute.Int("steadytrip.attempts", info.Attempts),
		attribute.String("steadytrip.stop_reason", info.Reason.String()),
	)
	if v := info.Verdict; v.Kind.Failure() {
		set = append(set,
			attribute.String("steadytrip.kind", v.Kind.String()),
			attribute.String("steadytrip.action", v.Action().String()),
		)
		if ownCode(v) {
			set = append(set, attribute.String("steadytrip.code", v.Code))
		}
	}
	if info.Waited > 0 {
		set = append(set, attribute.Int64("steadytrip.wait_ms", info.Waited.Milliseconds()))
	}
	span.SetAttributes(set...)
}

// ownCode reports whether the verdict's code is a word of steadytrip's tables. What a server made up stays out of telemetry.
func ownCode(v classify.Verdict) bool {
	if v.Code == "" {
		return false
	}
	local := v.Kind.Is(classify.Network) || v.Kind.Is(classify.AlterValue) || v.Kind.Is(classify.Canceled)
	return local || knownCodes[v.Code]
}

var knownCodes = func() map[string]bool {
	known := map[string]bool{}
	for _, row := range classify.Codes() {
		known[row.Code] = true
	}
	return known
}()
