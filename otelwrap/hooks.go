package otelwrap

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/transport"
)

// Hooks returns the hooks of a chain made by hand: they count what refuses attempts, what makes them wait and how breakers
// change, and write the last change of a breaker on the active span of the call. Join them with your own by
// [transport.JoinHooks].
//
// Without [Calls] further out they also count calls, and describe each on the active span of its context, such as the one
// that a server handler has started: by attributes, its status and its end stay its owner's. With Calls they leave that to it.
// They make the chain tell of every call, which costs two allocations for each.
func Hooks(opts Options) transport.Hooks {
	t := newTelemetry(opts)
	hooks := t.events()
	hooks.Call = t.callEnded
	return hooks
}

// events returns the hooks that tell what [Calls] cannot see.
func (t *telemetry) events() transport.Hooks {
	return transport.Hooks{Refuse: t.refused, Wait: t.waited, Breaker: t.changed}
}

// callEnded describes a call of a chain without Calls.
func (t *telemetry) callEnded(ctx context.Context, i transport.CallInfo) {
	if underWay(ctx) != nil {
		return
	}
	e := ending{
		status: i.Status, err: i.Err, verdict: i.Verdict, reason: i.Reason, attempts: i.Attempts, retries: max(0, i.Attempts-1),
		duration: i.Duration, paused: i.Waited,
	}
	t.describe(i.Request, trace.SpanFromContext(ctx), &e, false)
	t.meters.ended(ctx, &e)
}

func (t *telemetry) refused(ctx context.Context, _ transport.RefuseInfo) {
	t.meters.refused(ctx, waits[atBreaker])
}

func (t *telemetry) waited(ctx context.Context, i transport.WaitInfo) {
	w := atBreaker
	if i.Gate {
		w = atGate
	}
	t.meters.waited(ctx, w, i.Duration)
	if i.Gate && !i.Sent && transport.Ended(i.Request) == nil {
		t.meters.refused(ctx, waits[atGate])
	}
	if c := underWay(ctx); c != nil {
		c.waited(i)
	}
}

func (t *telemetry) changed(ctx context.Context, i transport.BreakerInfo) {
	t.meters.changed(ctx, i)
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(changeOf(i)...)
	}
}

func changeOf(i transport.BreakerInfo) []attribute.KeyValue {
	return []attribute.KeyValue{keyBreaker.String(i.Name), keyState.String(i.To.String())}
}
