package otelwrap

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// Calls gives each call a span of kind INTERNAL, "call GET", under which the attempts' spans stand, and counts the call. It
// belongs outside of [transport.Retry], and outside of whatever else sends a request again, such as a middleware that
// authorizes anew: all their attempts are counted together then. [New] puts it first into Config.PerCall.
//
// The span ends with the answer's header or the error; reading the body is not part of it. It is an error if the call is one
// for the caller, and unset if the caller canceled it. With NoCallSpan there is no span, and what is known is written on the
// active one.
func Calls(opts Options) transport.Middleware { return newTelemetry(opts).calls }

func (t *telemetry) calls(next http.RoundTripper) http.RoundTripper { return &calling{inner{next}, t} }

type calling struct {
	inner
	telemetry *telemetry
}

var _ http.RoundTripper = (*calling)(nil)

func (c *calling) RoundTrip(req *http.Request) (*http.Response, error) {
	t := c.telemetry
	ctx := req.Context()
	counted := t.meters.countsCalls(ctx)
	if t.noCallSpan {
		if t.idle.Load() && !counted && !trace.SpanFromContext(ctx).IsRecording() {
			return c.next.RoundTrip(req)
		}
		return c.follow(req, &call{Context: ctx, span: trace.SpanFromContext(ctx), counted: counted})
	}
	before := trace.SpanContextFromContext(ctx).SpanID()
	ctx, span := t.tracer.Start(ctx, t.methods.of(req).callName(req), internal...)
	if !t.noted(span, before) && !counted {
		span.End()
		return c.next.RoundTrip(req)
	}
	return c.follow(req, &call{Context: ctx, span: span, own: true, counted: counted})
}

func (m *method) callName(req *http.Request) string {
	if template := templateOf(req); template != "" {
		return m.call + " " + template
	}
	return m.call
}

// follow sends the request within call, and tells what came of it.
func (c *calling) follow(req *http.Request, rec *call) (*http.Response, error) {
	if rec.own {
		rec.clock.begin(rec.span)
	} else {
		rec.clock.begin(silent)
	}
	rec.before = resendsBefore(req)
	returned := false
	defer func() {
		rec.over.Store(true)
		if !returned && rec.own { // the base or a hook panicked, or ended the goroutine
			rec.span.SetAttributes(semconv.ErrorTypeOther)
			rec.span.SetStatus(codes.Error, "")
			rec.span.End()
		}
	}()
	resp, err := c.next.RoundTrip(req.WithContext(rec))
	c.telemetry.end(req, rec, resp, err)
	returned = true
	return resp, err
}

// call is what the parts inside a call know together. It is the context of the call's request.
type call struct {
	context.Context //nolint:containedctx // it is a context
	span            trace.Span
	own             bool // whether the span is the call's, rather than its caller's
	counted         bool // by a metric
	clock           clock
	before          int          // requests that were sent for the hops of the redirect before this one
	sent            atomic.Int32 // requests that were sent for this call
	over            atomic.Bool

	mu      sync.Mutex
	gated   time.Duration // waited at a gate
	held    time.Duration // waited for a breaker
	tallied bool          // trails were added up as they came out of Retry
	trails  time.Duration // waited by those
	causes  []string      // kinds of failure that were waited for to be over, each once
}

type callKey struct{}

func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// underWay is the call that a context belongs to, unless it is over: the context of its answer's request may be used for another.
func underWay(ctx context.Context) *call {
	if c := callOf(ctx); c != nil && !c.over.Load() {
		return c
	}
	return nil
}

// waited notes a wait at a gate or for a breaker.
func (c *call) waited(i transport.WaitInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i.Gate {
		c.gated += i.Duration
	} else {
		c.held += i.Duration
	}
	c.cause(i.Verdict.Kind)
}

// cause notes what was waited for to be over. The caller holds the lock.
func (c *call) cause(k classify.Kind) {
	if name := k.String(); k.Failure() && !slices.Contains(c.causes, name) {
		c.causes = append(c.causes, name)
	}
}

// add adds what a trail tells of waits. The caller holds the lock.
func (c *call) add(trail transport.Trail) {
	c.trails += trail.Waited
	for _, r := range trail.Records {
		if r.Pause > 0 {
			c.cause(r.Verdict.Kind)
		}
	}
}

// tally adds up the trails of a call whose PerCall middlewares may send it through Retry more than once.
func tally(next http.RoundTripper) http.RoundTripper { return &tallying{inner{next}} }

type tallying struct{ inner }

func (w *tallying) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req)
	if c := callOf(req.Context()); c != nil {
		c.mu.Lock()
		c.tallied = true
		c.add(transport.TrailOf(resp, err))
		c.mu.Unlock()
	}
	return resp, err
}

// ending is a call that has ended, in what there is to tell of it.
type ending struct {
	status   int // 0 if the caller gets no answer
	err      error
	verdict  classify.Verdict
	outcome  outcome
	reason   policy.Reason
	attempts int // that were sent
	retries  int
	duration time.Duration
	paused   time.Duration
	gated    time.Duration
	held     time.Duration
	causes   []string
}

// end tells what came of a call, and ends its span.
func (t *telemetry) end(req *http.Request, rec *call, resp *http.Response, err error) {
	trail := transport.TrailOf(resp, err)
	e := ending{
		status: statusOf(resp), err: err, verdict: verdictOf(req, resp, err), reason: trail.Reason,
		attempts: int(rec.sent.Load()),
	}
	refused := errors.Is(err, transport.ErrOpen) || errors.Is(err, transport.ErrGated)
	if e.attempts == 0 && !t.counts && !refused && e.verdict.Kind != classify.Canceled { // nobody counts attempts
		e.attempts = max(1, trail.Attempts)
	}
	e.retries = max(0, e.attempts-1)
	rec.mu.Lock()
	if !rec.tallied {
		rec.add(trail)
	}
	e.gated, e.held, e.causes = rec.gated, rec.held, rec.causes
	e.paused = max(0, rec.trails-e.gated)
	rec.mu.Unlock()
	t.describe(req, rec.span, &e, rec.own)
	if rec.own {
		rec.span.End()
	}
	if rec.counted {
		e.duration = rec.clock.elapsed()
		t.meters.ended(rec, &e)
	}
}

// describe says how a call ended, and writes it on a span if that records. The status is set if the span is the call's own.
func (t *telemetry) describe(req *http.Request, span trace.Span, e *ending, own bool) {
	bad := errorType(e.status, e.verdict, e.err)
	switch {
	case bad != "":
		e.outcome = failure
	case e.err != nil:
		e.outcome = canceled
	}
	if e.reason == policy.NotDecided {
		switch e.outcome { // a call without a trail succeeded at once, or had an error that net/http compares directly
		case success:
			e.reason = policy.Succeeded
		case canceled:
			e.reason = policy.Canceled
		case failure:
			e.reason = policy.NotRetryable
		}
	}
	if span.IsRecording() {
		span.SetAttributes(t.attributes(req, e, bad, own)...)
		if own && bad != "" {
			span.SetStatus(codes.Error, "")
		}
	}
}

// attributes returns the attributes of an ended call.
func (t *telemetry) attributes(req *http.Request, e *ending, bad string, own bool) []attribute.KeyValue {
	waited := e.paused + e.gated + e.held
	if e.attempts == 1 && e.reason == policy.Succeeded && e.err == nil && !e.verdict.Kind.Failure() && waited == 0 {
		return atOnce
	}
	set := make([]attribute.KeyValue, 0, 12)
	set = append(set, keyAttempts.Int(e.attempts), keyStop.String(e.reason.String()))
	if own && bad != "" {
		set = append(set, semconv.ErrorTypeKey.String(bad))
	}
	if own && e.attempts == 0 { // no other span tells
		address, port := server(req)
		set = append(set, semconv.ServerAddress(address))
		if port != 0 {
			set = append(set, semconv.ServerPort(port))
		}
	}
	set = t.appendVerdict(set, e.verdict, e.err)
	if waited > 0 {
		set = append(set, keyWaited.Float64(waited.Seconds()))
		var by []string
		for w, d := range [...]time.Duration{pause: e.paused, atGate: e.gated, atBreaker: e.held} {
			if d > 0 {
				by = append(by, waits[w])
			}
		}
		set = append(set, keyWaitedBy.StringSlice(by))
		if len(e.causes) > 0 {
			set = append(set, keyWaitedFor.StringSlice(e.causes))
		}
	}
	if e.err != nil {
		set = appendRefusal(set, e.err)
	}
	return set
}

// atOnce describes a call that succeeded at once.
var atOnce = []attribute.KeyValue{keyAttempts.Int(1), keyStop.String(policy.Succeeded.String())}

// appendRefusal appends what refused the last attempt, if err says that something did.
func appendRefusal(set []attribute.KeyValue, err error) []attribute.KeyValue {
	var open *transport.OpenError
	switch {
	case errors.As(err, &open):
		set = append(set, keyRefusedBy.String(waits[atBreaker]))
		if open.RetryAfter > 0 {
			set = append(set, keyState.String(transport.Open.String()), keyRetryAfter.Float64(open.RetryAfter.Seconds()))
		} else {
			set = append(set, keyState.String(transport.HalfOpen.String()))
		}
	case errors.Is(err, transport.ErrGated):
		set = append(set, keyRefusedBy.String(waits[atGate]))
	}
	return set
}
