package conformance

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

func TestABrokenOffAttemptEndsItsSpans(t *testing.T) {
	for name, tc := range map[string]func(){
		"by a panic":                           func() { panic(http.ErrAbortHandler) },
		"by the end of the goroutine (Goexit)": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab()
			rt := l.chain(t, roundTrip(func(*http.Request) (*http.Response, error) { tc(); return nil, io.EOF }), transport.Config{}, otelwrap.Options{})
			var raised any
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { raised = recover() }()
				finish(rt.RoundTrip(get(t.Context(), t, "https://api.example/v1")))
			}()
			<-done
			if name == "by a panic" && raised != http.ErrAbortHandler {
				t.Errorf("the panic is %v, want the base's own", raised)
			}
			l.check(t, trace.SpanKindClient, told{"GET", 0, codes.Error, sent(0, set{
				"http.response.status_code": nil, "network.protocol.version": nil, "error.type": "_OTHER",
			})})
			l.check(t, trace.SpanKindInternal, told{"call GET", 0, codes.Error, set{"error.type": "_OTHER"}})
			l.checkDurations(t)
		})
	}
}

// panicking is a propagator that panics.
type panicking struct{ propagation.TraceContext }

func (panicking) Inject(context.Context, propagation.TextMapCarrier) { panic("propagator") }

func TestAPanickingPropagatorLeavesNothingBehind(t *testing.T) {
	for name, silent := range map[string]bool{"with an SDK": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			l := newLab()
			opts := l.options(otelwrap.Options{})
			opts.Propagator = panicking{}
			if silent {
				opts.TracerProvider, opts.MeterProvider = nil, nil
			}
			rt, err := otelwrap.New(&replies{all: []reply{{status: 200}}}, transport.Config{}, opts)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 { // the first one finds out that nobody listens
				body := &closing{Reader: strings.NewReader("x")}
				req := get(t.Context(), t, "https://api.example/v1")
				req.Method, req.Body = http.MethodPost, body
				func() {
					defer func() { _ = recover() }()
					finish(rt.RoundTrip(req))
				}()
				if !body.closed.Load() {
					t.Error("the request's body is open, want it closed")
				}
			}
			l.ended(t, trace.SpanKindClient)
		})
	}
}

type closing struct {
	io.Reader
	closed atomic.Bool
}

func (c *closing) Close() error {
	c.closed.Store(true)
	return nil
}

func TestSpansEndWithTheHeader(t *testing.T) {
	hold := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first ")
		_ = http.NewResponseController(w).Flush()
		<-hold
		_, _ = io.WriteString(w, "second")
	}))
	defer server.Close()
	defer close(hold)
	for name, use := range map[string]func(*http.Response){
		"body never read nor closed": func(*http.Response) {},
		"body closed early": func(resp *http.Response) {
			_, _ = resp.Body.Read(make([]byte, 3))
			resp.Body.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			base := &http.Transport{}
			defer base.CloseIdleConnections()
			resp, err := l.chain(t, base, transport.Config{}, otelwrap.Options{}).RoundTrip(get(ctx, t, server.URL))
			if err != nil {
				t.Fatal(err)
			}
			use(resp)
			if got := len(l.ended(t, trace.SpanKindClient)); got != 1 {
				t.Errorf("%d attempts' spans have ended, want 1", got)
			}
			if got := len(l.ended(t, trace.SpanKindInternal)); got != 1 {
				t.Errorf("%d calls' spans have ended, want 1", got)
			}
			l.checkDurations(t)
		})
	}
}

func TestAnUpgradedConnectionComesOutAsItIs(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		line, _ := rw.ReadString('\n')
		_, _ = io.WriteString(conn, line)
	}))
	defer server.Close()
	l := newLab()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	req := get(t.Context(), t, server.URL)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := l.chain(t, base, transport.Config{}, otelwrap.Options{}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatalf("the body is a %T, want one that can be written to", resp.Body)
	}
	if _, ok := conn.(interface{ CloseWrite() error }); !ok {
		t.Errorf("the body is a %T, want one whose writing side can be closed", conn)
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(conn).ReadString('\n'); got != "hello\n" {
		t.Errorf("the echo is %q, %v, want hello", got, err)
	}
	spans := l.ended(t, trace.SpanKindClient)
	if len(spans) != 1 || setOf(spans[0].Attributes())["http.response.status_code"] != int64(101) || spans[0].Status().Code != codes.Unset {
		t.Errorf("spans %v, want one of status 101, no error", spans)
	}
}

func TestARefusalIsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend, err := classify.ForAlter("api.example")
		if err != nil {
			t.Fatal(err)
		}
		l := newLab()
		limited := reply{429, `{"error":"rate_limit_exceeded"}`, http.Header{"Retry-After": {"100"}}}
		rt := l.chain(t, &replies{all: []reply{limited}}, transport.Config{Classifier: backend}, otelwrap.Options{})
		for range 2 {
			finish(rt.RoundTrip(get(t.Context(), t, "https://api.example/v1")))
			time.Sleep(40 * time.Second)
		}
		limit := set{"steadytrip.kind": "policy_rate_limit", "steadytrip.action": "wait", "steadytrip.code": "rate_limit_exceeded"}
		l.check(t, trace.SpanKindClient, told{"GET", 0, codes.Error, sent(429, merge(limit, set{"error.type": "429"}))})
		l.check(t, trace.SpanKindInternal,
			told{"call GET", 0, codes.Error, ended(1, "retry_after_too_long", merge(limit, set{
				"error.type": "429", "steadytrip.breaker.name": "rate_limit", "steadytrip.breaker.state": "open",
			}))},
			told{"call GET", 0, codes.Error, ended(0, "refused", merge(limit, set{
				"error.type": "policy_rate_limit", "steadytrip.refused_by": "breaker", "steadytrip.breaker.state": "open",
				"steadytrip.retry_after": 60., "server.address": "api.example", "server.port": int64(443),
			}))},
		)
		for name, want := range map[string]string{
			"steadytrip.client.call.duration":       "action=wait,outcome=failure 2",
			"steadytrip.client.stops":               "stop_reason=refused 1; stop_reason=retry_after_too_long 1",
			"steadytrip.client.refusals":            "refused_by=breaker 1",
			"steadytrip.client.breaker.transitions": "breaker.name=rate_limit,breaker.previous_state=closed,breaker.state=open 1",
			"steadytrip.client.call.retries":        "",
			"steadytrip.client.wait.duration":       "",
		} {
			if got := l.counts(t, name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	})
}

func TestAWaitAtAGateIsToldOnTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend, err := classify.ForAlter("api.example")
		if err != nil {
			t.Fatal(err)
		}
		l := newLab()
		begin := time.Now()
		base := roundTrip(func(req *http.Request) (*http.Response, error) {
			one := replies{all: []reply{{status: 200}}}
			if time.Since(begin) < time.Second {
				one.all[0] = reply{409, `{"error":"token_refresh_in_progress"}`, nil}
			}
			return one.RoundTrip(req)
		})
		shared := transport.NewShared(nil, transport.Keys{})
		rt := l.chain(t, base, transport.Config{Classifier: backend, Shared: shared}, otelwrap.Options{})
		stop, err := otelwrap.Observe(shared, l.options(otelwrap.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		ctx := transport.ForGrant(t.Context(), "canary")
		var all sync.WaitGroup
		for i := range 3 {
			time.Sleep(time.Duration(i) * 10 * time.Millisecond)
			all.Go(func() { finish(rt.RoundTrip(get(ctx, t, "https://api.example/v1"))) })
			synctest.Wait()
		}
		if got, want := l.counts(t, "steadytrip.client.gate.count")+l.counts(t, "steadytrip.client.gate.waiting"), " 1 2"; got != want {
			t.Errorf("closed gates, and calls that wait at them: %q, want %q", got, want)
		}
		all.Wait()
		gated := 0
		for _, s := range l.ended(t, trace.SpanKindInternal) {
			got := setOf(s.Attributes())
			by, _ := got["steadytrip.wait.by"].([]string)
			if strings.Contains(strings.Join(by, " "), "gate") {
				gated++
				if len(by) != 1 {
					t.Errorf("waited by %v, want at the gate alone", by)
				}
				if waited, _ := got["steadytrip.wait.duration"].(float64); waited < 0.5 {
					t.Errorf("waited %v s at the gate, want most of a second", waited)
				}
				if got := got["steadytrip.wait.for"].([]string); len(got) != 1 || got[0] != "token_refresh_in_progress" {
					t.Errorf("waited for %v, want token_refresh_in_progress", got)
				}
			}
			if s.Status().Code != codes.Unset {
				t.Errorf("a call that succeeded in the end has status %v, want Unset", s.Status().Code)
			}
		}
		if gated != 2 {
			t.Errorf("%d calls say that they waited at a gate, want 2", gated)
		}
		if got := l.counts(t, "steadytrip.client.wait.duration"); !strings.Contains(got, "wait.type=gate 2") {
			t.Errorf("waits %q, want 2 at a gate", got)
		}
		if got, want := l.counts(t, "steadytrip.client.gate.count")+l.counts(t, "steadytrip.client.gate.waiting"), " 0 0"; got != want {
			t.Errorf("afterwards closed gates, and calls that wait at them: %q, want %q", got, want)
		}
		if tokens, unit := l.metric(t, "steadytrip.client.budget.tokens"); len(tokens) != 1 || tokens[0].sum <= 0 || unit != "{token}" {
			t.Errorf("budget tokens %v in %q, want some {token}", tokens, unit)
		}
		for range 2 {
			if err := stop(); err != nil {
				t.Errorf("stop: %v, want nil", err)
			}
		}
		if got := l.counts(t, "steadytrip.client.gate.count"); got != "" {
			t.Errorf("after stop %q, want nothing", got)
		}
	})
}

// One call finds out that the grant is revoked; those that waited for it are not sent.
func TestARefusalAtAGateIsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend, err := classify.ForAlter("api.example")
		if err != nil {
			t.Fatal(err)
		}
		l := newLab()
		base := &replies{all: []reply{
			{409, `{"error":"token_refresh_in_progress"}`, nil}, {403, `{"error":"grant_revoked"}`, nil},
		}}
		rt := l.chain(t, base, transport.Config{Classifier: backend}, otelwrap.Options{})
		ctx := transport.ForGrant(t.Context(), "canary")
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { finish(rt.RoundTrip(get(ctx, t, "https://api.example/v1"))) })
			synctest.Wait()
		}
		all.Wait()
		if got := len(l.ended(t, trace.SpanKindClient)); got != 2 {
			t.Errorf("%d attempts, want the two of the call that asks", got)
		}
		l.check(t, trace.SpanKindInternal,
			told{"call GET", 0, codes.Error, ended(2, "not_retryable", set{
				"error.type": "403", "steadytrip.kind": "grant_revoked", "steadytrip.action": "reauthorize", "steadytrip.code": "grant_revoked",
				"steadytrip.wait.duration": positive, "steadytrip.wait.by": []string{"pause"},
				"steadytrip.wait.for": []string{"token_refresh_in_progress"},
			})},
			told{"call GET", 0, codes.Error, ended(0, "gated", set{
				"error.type": "grant_revoked", "steadytrip.kind": "grant_revoked", "steadytrip.action": "reauthorize",
				"steadytrip.code": "grant_revoked", "steadytrip.refused_by": "gate", "server.address": "api.example", "server.port": int64(443),
				"steadytrip.wait.duration": positive, "steadytrip.wait.by": []string{"gate"},
				"steadytrip.wait.for": []string{"token_refresh_in_progress"},
			})},
		)
		if got, want := l.counts(t, "steadytrip.client.refusals"), "refused_by=gate 1"; got != want {
			t.Errorf("refusals %q, want %q", got, want)
		}
	})
}

func TestBreakersAreObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		p := quick()
		internal := policy.OutageBreaker()
		internal.Name, internal.Kinds = "internal", []classify.Kind{classify.ProviderInternal}
		p.Breakers = append(p.Breakers, policy.OutageBreaker(), internal)
		compiled, err := policy.New(*p)
		if err != nil {
			t.Fatal(err)
		}
		shared := transport.NewShared(compiled, transport.Keys{})
		base := &replies{all: []reply{{status: 503}}}
		rt := l.chain(t, base, transport.Config{Shared: shared}, otelwrap.Options{})
		stop, err := otelwrap.Observe(shared, l.options(otelwrap.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = stop() }()
		for _, host := range []string{"a.example", "b.example"} {
			for range 10 {
				finish(rt.RoundTrip(get(t.Context(), t, "https://"+host)))
			}
		}
		base.all = []reply{{status: 500}}
		for range 10 {
			finish(rt.RoundTrip(get(t.Context(), t, "https://c.example")))
		}
		want := "breaker.name=internal,breaker.state=closed 0; breaker.name=internal,breaker.state=half-open 0; breaker.name=internal,breaker.state=open 1; " +
			"breaker.name=outage,breaker.state=closed 0; breaker.name=outage,breaker.state=half-open 0; breaker.name=outage,breaker.state=open 2"
		if got := l.counts(t, "steadytrip.client.breaker.count"); got != want {
			t.Errorf("breakers %q, want %q", got, want)
		}
		base.all, base.sent = []reply{{status: 200}}, nil
		time.Sleep(time.Minute)
		for _, host := range []string{"a.example", "b.example"} {
			for range 100 {
				finish(rt.RoundTrip(get(t.Context(), t, "https://"+host)))
			}
		}
		time.Sleep(time.Minute)
		for _, host := range []string{"a.example", "b.example"} {
			finish(rt.RoundTrip(get(t.Context(), t, "https://"+host)))
		}
		if got := l.counts(t, "steadytrip.client.breaker.count"); strings.Contains(got, "=open 2") || !strings.Contains(got, "=open 0") {
			t.Errorf("afterwards breakers %q, want none open", got)
		}
		if _, err := otelwrap.Observe(nil, otelwrap.Options{}); err == nil {
			t.Error("observing nothing is no error, want one")
		}
	})
}

func TestTheCallersTraceIsKept(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	l := newLab()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	var got atomic.Int32
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { got.Add(1) }})
	finish(l.chain(t, base, transport.Config{}, otelwrap.Options{}).RoundTrip(get(ctx, t, server.URL)))
	if got.Load() != 1 {
		t.Errorf("the caller's GotConn was called %d times, want once", got.Load())
	}
	if spans := l.ended(t, trace.SpanKindClient); len(spans) != 1 || setOf(spans[0].Attributes())["network.peer.address"] != "127.0.0.1" {
		t.Errorf("spans %v, want one with its peer", spans)
	}
}

func TestWithoutTheCallsSpanAttemptsAreSiblings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		rt := l.chain(t, &replies{all: []reply{{status: 503}, {status: 200}}}, transport.Config{Policy: quick()}, otelwrap.Options{NoCallSpan: true})
		ctx, caller := l.tracers.Tracer("test").Start(t.Context(), "caller", trace.WithSpanKind(trace.SpanKindServer))
		finish(rt.RoundTrip(get(ctx, t, "https://api.example/v1")))
		caller.End()
		spans := l.ended(t, trace.SpanKindClient)
		for i, s := range spans {
			if s.Parent().SpanID() != caller.SpanContext().SpanID() {
				t.Errorf("attempt %d is no child of the caller's span", i+1)
			}
			if n := setOf(s.Attributes())["http.request.resend_count"]; (i == 0) != (n == nil) {
				t.Errorf("attempt %d was resent %v times", i+1, n)
			}
		}
		if len(spans) != 2 || len(l.ended(t, trace.SpanKindInternal)) != 0 {
			t.Errorf("%d attempts and %d calls, want 2 and none", len(spans), len(l.ended(t, trace.SpanKindInternal)))
		}
		l.check(t, trace.SpanKindServer, told{"caller", 0, codes.Unset, ended(2, "succeeded", set{
			"steadytrip.wait.duration": positive, "steadytrip.wait.by": []string{"pause"}, "steadytrip.wait.for": []string{"provider_unavailable"},
		})})
		if got, want := l.counts(t, "steadytrip.client.call.retries"), "outcome=success 1"; got != want {
			t.Errorf("retries %q, want %q", got, want)
		}
	})
}

func TestHooksAloneDescribeTheActiveSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		rt, err := transport.New(&replies{all: []reply{{status: 404}}}, transport.Config{Hooks: otelwrap.Hooks(l.options(otelwrap.Options{}))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, caller := l.tracers.Tracer("test").Start(t.Context(), "caller", trace.WithSpanKind(trace.SpanKindServer))
		finish(rt.RoundTrip(get(ctx, t, "https://api.example/v1")))
		caller.End()
		l.check(t, trace.SpanKindServer, told{"caller", 0, codes.Unset, ended(1, "not_retryable", set{
			"steadytrip.kind": "provider_request", "steadytrip.action": "fix",
		})})
		if got, want := l.counts(t, "steadytrip.client.call.duration"), "action=fix,outcome=failure 1"; got != want {
			t.Errorf("calls %q, want %q", got, want)
		}
	})
}

// A chain made by hand of all parts counts each call once.
func TestPartsByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		opts := l.options(otelwrap.Options{})
		hooks := otelwrap.Hooks(opts)
		compiled, err := policy.New(*quick())
		if err != nil {
			t.Fatal(err)
		}
		shared := transport.NewShared(compiled, transport.Keys{})
		rt := transport.Chain(&replies{all: []reply{{status: 503}, {status: 200}}},
			otelwrap.Calls(opts), transport.Retry(shared, &hooks), otelwrap.Attempts(opts), transport.Classify(nil))
		finish(rt.RoundTrip(get(t.Context(), t, "https://api.example/v1")))
		for name, want := range map[string]string{
			"steadytrip.client.call.duration": "action=none,outcome=success 1",
			"steadytrip.client.call.retries":  "outcome=success 1",
			"steadytrip.client.wait.duration": "wait.type=pause 1",
		} {
			if got := l.counts(t, name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if spans := l.ended(t, trace.SpanKindClient); len(spans) != 2 || setOf(spans[1].Attributes())["http.request.resend_count"] != int64(1) {
			t.Errorf("spans %v, want two, the second resent once", spans)
		}
		l.checkFamily(t)
	})
}

// Without Calls, resends are counted by the attempt's number and the hops of a redirect.
func TestResendsWithoutCalls(t *testing.T) {
	l := newLab()
	compiled, err := policy.New(*quick())
	if err != nil {
		t.Fatal(err)
	}
	moved := reply{302, "", http.Header{"Location": {"https://api.example/to"}}}
	base := &replies{all: []reply{{status: 503}, moved, {status: 503}, {status: 200}}}
	client := &http.Client{Transport: transport.Chain(base, transport.Retry(transport.NewShared(compiled, transport.Keys{}), nil),
		otelwrap.Attempts(l.options(otelwrap.Options{})), transport.Classify(nil))}
	finish(client.Do(get(t.Context(), t, "https://api.example/v1")))
	var got []any
	for _, s := range l.ended(t, trace.SpanKindClient) {
		got = append(got, setOf(s.Attributes())["http.request.resend_count"])
	}
	if len(got) != 4 || got[0] != nil || got[1] != int64(1) || got[2] != int64(2) || got[3] != int64(3) {
		t.Errorf("resends %v, want none, 1, 2 and 3", got)
	}
}
