package otelwrap

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
)

// silent is a span that tells nobody anything.
var silent = trace.SpanFromContext(context.Background())

// Attempts gives each attempt a span of kind CLIENT by the stable HTTP convention, lets the propagator write its context into
// a copy of the header, and records http.client.request.duration. It belongs where only attempts that are sent pass and where
// their verdict is known: inside of [transport.Break], outside of [transport.Classify]. [New] puts it first into
// Config.Watch.
//
// The span ends with the answer's header or the error, at the same moment as the duration that is recorded: a body that
// nobody reads or closes keeps no span open, and bodies, also those of upgraded connections (101), come out untouched. It
// ends on every path, once. A base that panics makes it an error of type "_OTHER".
func Attempts(opts Options) transport.Middleware { return newTelemetry(opts).attempts }

func (t *telemetry) attempts(next http.RoundTripper) http.RoundTripper {
	if t.beside {
		return &annotating{inner{next}, t}
	}
	return &attempting{inner{next}, t}
}

type attempting struct {
	inner
	telemetry *telemetry
}

var _ http.RoundTripper = (*attempting)(nil)

func (w *attempting) RoundTrip(req *http.Request) (*http.Response, error) {
	t := w.telemetry
	measured := t.meters.attempt.Enabled(req.Context())
	if t.idle.Load() && !measured {
		return w.unwatched(req)
	}
	a := &attempt{telemetry: t, measured: measured, span: silent, req: req}
	defer a.abort()
	a.prepare(resends(req))
	ctx := req.Context()
	if !t.led || !t.idle.Load() {
		s := startings.Get().(*starting) //nolint:errcheck,forcetypeassert // there is nothing else in it
		options := s.options(len(a.request(s.set[:0])))
		ctx, a.span = t.tracer.Start(ctx, a.method.spanName(req), options...) //nolint:spancheck // send or abort ends it
		startings.Put(s)
		if !t.led {
			t.noted(a.span, trace.SpanContextFromContext(req.Context()).SpanID())
		}
	}
	return a.send(ctx, w.next)
}

// unwatched sends an attempt of which nobody wants to hear, as far as anybody knows.
func (w *attempting) unwatched(req *http.Request) (*http.Response, error) {
	t, ctx := w.telemetry, req.Context()
	if !t.led {
		before := trace.SpanContextFromContext(ctx).SpanID()
		started, span := t.tracer.Start(ctx, t.methods.of(req).spanName(req), client...) //nolint:spancheck // send or abort ends it
		if t.noted(span, before) {                                                       // the first one of a tracer that begins to work
			a := &attempt{telemetry: t, span: span, req: req}
			defer a.abort()
			a.prepare(resends(req))
			span.SetAttributes(a.request(nil)...)
			return a.send(started, w.next) //nolint:spancheck // as said above
		}
		span.End()
	}
	if c := callOf(ctx); c != nil {
		c.sent.Add(1)
	}
	handed := false
	defer func() {
		if !handed {
			closeBody(req)
		}
	}()
	c := carriers.Get().(*carrier) //nolint:errcheck,forcetypeassert // there is nothing else in it
	if header, written := c.inject(ctx, t.propagator, req.Header); written {
		req = req.WithContext(ctx)
		req.Header = header
	}
	*c = carrier{}
	carriers.Put(c)
	handed = true
	return w.next.RoundTrip(req)
}

// attempt is an attempt that is told of.
type attempt struct {
	telemetry *telemetry
	req       *http.Request // as it came, then as it is sent
	span      trace.Span
	clock     clock
	measured  bool // by http.client.request.duration
	handed    bool // to the next RoundTripper, which closes the body
	ended     bool

	method  *method
	address string
	port    int
	url     string // redacted
	resends int

	carrier carrier
	trace   httptrace.ClientTrace
	peer    peer
	set     [5]attribute.KeyValue // room for what a span is told at the end
}

// starting is room for what a span is started with. A tracer gets at it only through options, which copy, so it can be used
// again.
type starting struct {
	set   [7]attribute.KeyValue
	ready [8][]trace.SpanStartOption // for each length of set
}

var startings = sync.Pool{New: func() any { return new(starting) }}

// options returns the options of an attempt's span, with the first n of set.
func (s *starting) options(n int) []trace.SpanStartOption {
	if s.ready[n] == nil {
		s.ready[n] = []trace.SpanStartOption{client[0], trace.WithAttributes(s.set[:n:n]...)}
	}
	return s.ready[n]
}

// prepare finds out what is known of an attempt that is about to be sent, after so many others.
func (a *attempt) prepare(resends int) {
	a.resends = resends
	a.method = a.telemetry.methods.of(a.req)
	a.address, a.port = server(a.req)
}

// send sends the attempt and tells what came of it.
func (a *attempt) send(ctx context.Context, next http.RoundTripper) (*http.Response, error) {
	if a.clock.begin(a.span); a.clock.recording {
		a.trace.GotConn = a.peer.gotConn
		ctx = httptrace.WithClientTrace(ctx, &a.trace)
	}
	sent := a.req.WithContext(ctx)
	sent.Header, _ = a.carrier.inject(ctx, a.telemetry.propagator, a.req.Header)
	a.req, a.handed = sent, true
	resp, err := next.RoundTrip(sent)
	a.end(resp, err)
	return resp, err
}

// abort ends an attempt that the base, the propagator or the user's key function broke off by a panic, or by ending the
// goroutine.
func (a *attempt) abort() {
	if !a.handed {
		closeBody(a.req)
	}
	if !a.ended {
		a.end(nil, nil)
	}
}

func (m *method) spanName(req *http.Request) string {
	if template := templateOf(req); template != "" {
		return m.span + " " + template
	}
	return m.span
}

// request appends what is known before the request is sent.
func (a *attempt) request(set []attribute.KeyValue) []attribute.KeyValue {
	req := a.req
	a.url = a.telemetry.redacted.url(req.URL, a.telemetry.grantOf(req))
	set = append(set, a.method.value, semconv.ServerAddress(a.address), semconv.URLFull(a.url))
	if a.port != 0 {
		set = append(set, semconv.ServerPort(a.port))
	}
	if a.method.original {
		set = append(set, originalMethod(req))
	}
	if a.resends > 0 {
		set = append(set, semconv.HTTPRequestResendCount(a.resends))
	}
	if template := templateOf(req); template != "" {
		set = append(set, semconv.URLTemplate(template))
	}
	return set
}

// grantOf is the grant whose id must not show; empty if it may, or if nobody names it.
func (t *telemetry) grantOf(req *http.Request) string {
	if t.showGrants {
		return ""
	}
	if t.grant != nil && req.URL != nil {
		if id := t.grant(req); id != "" {
			return id
		}
	}
	return transport.GrantOf(req.Context())
}

// end tells what came of the attempt, and ends its span. An attempt that has neither an answer nor an error broke off.
func (a *attempt) end(resp *http.Response, err error) {
	a.ended = true
	v := verdictOf(a.req, resp, err)
	bad := errorType(statusOf(resp), v, err)
	version := ""
	if resp != nil {
		version = protocol(resp)
	}
	if a.clock.recording {
		a.span.SetAttributes(a.result(resp, err, v, bad, version)...)
		if bad != "" {
			a.span.SetStatus(codes.Error, "")
		}
	}
	a.span.End()
	if !a.measured {
		return
	}
	k := seriesKey{a.method.value.Value.AsString(), a.address, a.port, statusOf(resp), bad, version}
	m := &a.telemetry.meters
	m.attempt.Record(a.req.Context(), a.clock.elapsed().Seconds(), m.series.of(k)...)
}

// result returns what is known at the end.
func (a *attempt) result(resp *http.Response, err error, v classify.Verdict, bad, version string) []attribute.KeyValue {
	set := a.set[:0]
	if resp != nil {
		set = append(set, semconv.HTTPResponseStatusCode(resp.StatusCode))
	}
	if version != "" {
		set = append(set, semconv.NetworkProtocolVersion(version))
	}
	set = a.peer.appendTo(set)
	if bad != "" {
		set = append(set, semconv.ErrorTypeKey.String(bad))
	}
	set = a.telemetry.appendVerdict(set, v, err)
	if d := v.Detail; d != nil && d.GrantID != "" && !a.telemetry.showGrants {
		// The answer names a grant that the request's URL may hold, too.
		if after := withoutPart(a.url, d.GrantID); after != a.url {
			set = append(set, semconv.URLFull(after))
		}
	}
	return set
}
