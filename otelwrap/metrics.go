package otelwrap

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// outcome is how a call ended, in a word.
type outcome uint8

const (
	success outcome = iota
	failure
	canceled
)

var outcomes = [...]string{success: "success", failure: "failure", canceled: "canceled"}

// wait is what an attempt waits for.
type wait uint8

const (
	pause wait = iota
	atGate
	atBreaker
)

var waits = [...]string{pause: "pause", atGate: "gate", atBreaker: "breaker"}

// meters are the instruments of a chain.
type meters struct {
	attempt     metric.Float64Histogram // http.client.request.duration
	series      *series
	calls       metric.Float64Histogram // their number is its count
	retries     metric.Int64Histogram
	stops       metric.Int64Counter
	waiting     metric.Float64Histogram
	refusals    metric.Int64Counter
	transitions metric.Int64Counter
}

var seconds = metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

func newMeters(m metric.Meter) meters {
	attempt := must(httpconv.NewClientRequestDuration(m))
	return meters{
		attempt: attempt.Inst(),
		series:  newSeries(),
		calls: must(m.Float64Histogram("steadytrip.client.call.duration", metric.WithUnit("s"), seconds,
			metric.WithDescription("Duration of calls, attempts and waits included, by how they ended and what is to be done about it."))),
		retries: must(m.Int64Histogram("steadytrip.client.call.retries", metric.WithUnit("{retry}"),
			metric.WithExplicitBucketBoundaries(1, 2, 3, 4, 5),
			metric.WithDescription("How often a call's request was sent again. Calls without retries are not recorded."))),
		stops: must(m.Int64Counter("steadytrip.client.stops", metric.WithUnit("{call}"),
			metric.WithDescription("Calls that ended without success, by why there was no further attempt."))),
		waiting: must(m.Float64Histogram("steadytrip.client.wait.duration", metric.WithUnit("s"), seconds,
			metric.WithDescription("Time that calls spent waiting, by what for."))),
		refusals: must(m.Int64Counter("steadytrip.client.refusals", metric.WithUnit("{attempt}"),
			metric.WithDescription("Attempts that were not sent, by what refused them."))),
		transitions: must(m.Int64Counter("steadytrip.client.breaker.transitions", metric.WithUnit("{transition}"),
			metric.WithDescription("Changes of breakers' states."))),
	}
}

// must hands on an instrument, which is of use even beside an error.
func must[I any](i I, err error) I {
	if err != nil {
		otel.Handle(err)
	}
	return i
}

// countsCalls reports whether any metric of calls is wanted.
func (m *meters) countsCalls(ctx context.Context) bool {
	return m.calls.Enabled(ctx) || m.retries.Enabled(ctx) || m.stops.Enabled(ctx) || m.waiting.Enabled(ctx)
}

// ended counts a call that has ended.
func (m *meters) ended(ctx context.Context, c *ending) {
	if m.calls.Enabled(ctx) {
		m.calls.Record(ctx, c.duration.Seconds(), byOutcomeAndAction[c.outcome][c.verdict.Action()]...)
	}
	if c.retries > 0 && m.retries.Enabled(ctx) {
		m.retries.Record(ctx, int64(c.retries), byOutcome[c.outcome]...)
	}
	if c.outcome != success && int(c.reason) < len(byReason) && m.stops.Enabled(ctx) {
		m.stops.Add(ctx, 1, byReason[c.reason]...)
	}
	m.waited(ctx, pause, c.paused)
}

func (m *meters) waited(ctx context.Context, w wait, d time.Duration) {
	if d > 0 && m.waiting.Enabled(ctx) {
		m.waiting.Record(ctx, d.Seconds(), byWait[w]...)
	}
}

func (m *meters) refused(ctx context.Context, by string) {
	if m.refusals.Enabled(ctx) {
		m.refusals.Add(ctx, 1, metric.WithAttributes(keyRefusedBy.String(by)))
	}
}

func (m *meters) changed(ctx context.Context, i transport.BreakerInfo) {
	if m.transitions.Enabled(ctx) {
		m.transitions.Add(ctx, 1, metric.WithAttributes(
			keyBreaker.String(i.Name), keyState.String(i.To.String()), keyStateBefore.String(i.From.String())))
	}
}

// The attributes of the metrics of calls, each a closed list, kept ready.
var (
	byOutcome          = tableOf(outcomes[:], recordOption)
	byWait             = tableOf(waits[:], recordWait)
	byReason           = reasonTable()
	byOutcomeAndAction = outcomeTable()
)

func tableOf[O any](names []string, option func(string) O) [][]O {
	table := make([][]O, len(names))
	for i, name := range names {
		table[i] = []O{option(name)}
	}
	return table
}

func recordOption(name string) metric.RecordOption {
	return metric.WithAttributeSet(attribute.NewSet(keyOutcome.String(name)))
}

func recordWait(name string) metric.RecordOption {
	return metric.WithAttributeSet(attribute.NewSet(keyWaitType.String(name)))
}

func reasonTable() [][]metric.AddOption {
	var table [][]metric.AddOption
	for r := policy.NotDecided; r <= policy.Gated; r++ {
		table = append(table, []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(keyStop.String(r.String())))})
	}
	return table
}

func outcomeTable() [len(outcomes)][][]metric.RecordOption {
	var table [len(outcomes)][][]metric.RecordOption
	for o, name := range outcomes {
		for _, a := range classify.Actions() {
			table[o] = append(table[o], []metric.RecordOption{
				metric.WithAttributeSet(attribute.NewSet(keyOutcome.String(name), keyAction.String(a.String()))),
			})
		}
	}
	return table
}
