package conformance

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

func TestALongLocationCostsLittle(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Header().Set("Location", "/x?"+strings.Repeat(";", 900_000))
			w.WriteHeader(http.StatusFound)
		}
	}))
	defer srv.Close()
	l := newLab()
	c, err := otelwrap.Wrap(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, transport.Config{}, l.options(otelwrap.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	// What grows with the square of its length takes some twenty seconds here, and what does not a twentieth of one.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	resp, err := c.Do(get(ctx, t, srv.URL))
	finish(resp, err)
	if err != nil {
		t.Error(err)
	}
}

func TestAttributesAreUTF8(t *testing.T) {
	l := newLab()
	b := &replies{all: []reply{{302, "", http.Header{"Location": {"https://evil%ff.example/?q=\xff"}}}, {status: 200}}}
	c, err := otelwrap.Wrap(&http.Client{Transport: b}, transport.Config{}, l.options(otelwrap.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	finish(c.Do(get(t.Context(), t, "https://api.example/")))
	for _, s := range l.spans.Ended() {
		for _, a := range s.Attributes() {
			if !utf8.ValidString(a.Value.String()) {
				t.Errorf("%s is %q", a.Key, a.Value.String())
			}
		}
	}
	points, _ := l.metric(t, "http.client.request.duration")
	for _, p := range points {
		if s, _ := p.set["server.address"].(string); !utf8.ValidString(s) {
			t.Errorf("series of %q", s)
		}
	}
}

func TestServerAddressIsBoundedAndNamesNoUser(t *testing.T) {
	for name, host := range map[string]string{"too long for a name": strings.Repeat("a", 300), "with a user": "c4n4ry@api.example"} {
		l := newLab()
		rt := l.chain(t, &replies{all: []reply{{status: 200}}}, transport.Config{}, otelwrap.Options{})
		req := get(t.Context(), t, "https://api.example/")
		req.Host = host
		finish(rt.RoundTrip(req))
		got, _ := setOf(l.ended(t, trace.SpanKindClient)[0].Attributes())["server.address"].(string)
		if len(got) > 255 || strings.Contains(got, "c4n4ry") {
			t.Errorf("a host %s: server.address %q", name, got)
		}
	}
}

func TestOneSpanOfASuccessHasNoKind(t *testing.T) {
	l := newLab()
	rt := l.theirs(l.chain(t, &replies{all: []reply{{status: 503}, {status: 200}}}, transport.Config{Policy: quick()},
		otelwrap.Options{BesideOtelhttp: true, NoCallSpan: true}))
	finish(rt.RoundTrip(get(t.Context(), t, "https://api.example/v1")))
	got := setOf(l.spans.Ended()[0].Attributes())
	if got["steadytrip.kind"] != nil || got["steadytrip.action"] != nil {
		t.Errorf("%v: want no kind and no action on the span of a success", got)
	}
}

func TestPausesOfEveryRetryAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := policy.Default()
		for k, pr := range p.Profiles {
			pr.Initial, pr.Max = 10*time.Second, 10*time.Second
			p.Profiles[k] = pr
		}
		again := func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(r)
				if err == nil && resp.StatusCode == http.StatusUnauthorized {
					finish(resp, nil)
					return next.RoundTrip(r.Clone(r.Context()))
				}
				return resp, err
			})
		}
		l := newLab()
		rt := l.chain(t, &replies{all: []reply{{status: 503}, {status: 401}, {status: 200}}},
			transport.Config{Policy: &p, PerCall: []transport.Middleware{again}}, otelwrap.Options{})
		begin := time.Now()
		finish(rt.RoundTrip(get(t.Context(), t, "https://api.example/v1")))
		took := time.Since(begin).Seconds()
		got := setOf(l.ended(t, trace.SpanKindInternal)[0].Attributes())["steadytrip.wait.duration"]
		if got != took {
			t.Errorf("waited %v, want %v", got, took)
		}
	})
}

func TestGrantOfSharedKeysIsHidden(t *testing.T) {
	l := newLab()
	shared := transport.NewShared(nil, transport.Keys{Grant: func(*http.Request) string { return "grant-c4n4ry" }})
	rt := l.chain(t, &replies{all: []reply{{status: 200}}}, transport.Config{Shared: shared}, otelwrap.Options{})
	finish(rt.RoundTrip(get(t.Context(), t, "https://api.example/v1/grants/grant-c4n4ry/mail")))
	if u, _ := setOf(l.ended(t, trace.SpanKindClient)[0].Attributes())["url.full"].(string); strings.Contains(u, "c4n4ry") {
		t.Errorf("url.full %q names the grant", u)
	}
}

func TestGrantIsHiddenInAnyEncoding(t *testing.T) {
	for link, id := range map[string]string{
		"https://h/g/a%2fc4n4ry":        "a/c4n4ry",
		"https://h/?x=a%2fc4n4ry":       "a/c4n4ry",
		"https://h/g/%61%2Fc4n4ry":      "a/c4n4ry",
		"https://h/g/me%2Bc4n4ry@x.org": "me+c4n4ry@x.org",
		"https://h/?g=me%2bc4n4ry%40x":  "me+c4n4ry@x",
		"https://h/?g=my+c4n4ry":        "my c4n4ry",
	} {
		l := newLab()
		rt := l.chain(t, &replies{all: []reply{{status: 200}}}, transport.Config{}, otelwrap.Options{})
		finish(rt.RoundTrip(get(transport.ForGrant(t.Context(), id), t, link)))
		if u, _ := setOf(l.ended(t, trace.SpanKindClient)[0].Attributes())["url.full"].(string); strings.Contains(u, "c4n4ry") {
			t.Errorf("%s became %s", link, u)
		}
	}
}

func TestNothingSentIsNoAttempt(t *testing.T) {
	l := newLab()
	offline := func(http.RoundTripper) http.RoundTripper {
		return roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("no token") })
	}
	rt := l.chain(t, &replies{all: []reply{{status: 200}}}, transport.Config{PerCall: []transport.Middleware{offline}}, otelwrap.Options{})
	finish(rt.RoundTrip(get(t.Context(), t, "https://api.example/v1")))
	got := setOf(l.ended(t, trace.SpanKindInternal)[0].Attributes())
	if got["steadytrip.attempts"] != int64(0) || got["server.address"] != "api.example" {
		t.Errorf("%v: want no attempt, and the server", got)
	}
}

func TestEveryCallIsToldOnTheCallersSpan(t *testing.T) {
	l := newLab()
	rt, err := otelwrap.New(&replies{all: []reply{{status: 200}}}, transport.Config{},
		otelwrap.Options{TracerProvider: tracenoop.NewTracerProvider(), NoCallSpan: true})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ctx, span := l.tracers.Tracer("x").Start(t.Context(), "mine")
		finish(rt.RoundTrip(get(ctx, t, "https://api.example/v1")))
		span.End()
	}
	for _, s := range l.spans.Ended() {
		if setOf(s.Attributes())["steadytrip.attempts"] == nil {
			t.Error(tell(s))
		}
	}
}

func TestCallThatIsOverIsNotTakenForTheNext(t *testing.T) {
	l := newLab()
	o := l.options(otelwrap.Options{})
	h := otelwrap.Hooks(o)
	byHand := transport.Chain(&replies{all: []reply{{status: 404}}}, transport.Retry(nil, &h), otelwrap.Attempts(o), transport.Classify(nil))
	resp, err := l.chain(t, &replies{all: []reply{{status: 200}}}, transport.Config{}, otelwrap.Options{}).RoundTrip(get(t.Context(), t, "https://a.example/1"))
	if err != nil {
		t.Fatal(err)
	}
	finish(resp, nil)
	finish(byHand.RoundTrip(get(resp.Request.Context(), t, "https://b.example/2")))
	if s := l.ended(t, trace.SpanKindClient)[1]; setOf(s.Attributes())["http.request.resend_count"] != nil {
		t.Error(tell(s))
	}
	if got := l.counts(t, "steadytrip.client.call.duration"); !strings.Contains(got, "failure 1") {
		t.Errorf("%s: the second call is not counted", got)
	}
}

// mutating changes the attributes that it is given, as a handler may.
type mutating struct{ slog.Handler }

func (m mutating) WithAttrs(a []slog.Attr) slog.Handler {
	for i := range a {
		a[i].Key += "_"
	}
	return mutating{m.Handler.WithAttrs(a)}
}

func (m mutating) WithGroup(n string) slog.Handler { return mutating{m.Handler.WithGroup(n)} }

func TestAHandlerOwnsItsAttributes(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(otelwrap.LogHandler(mutating{slog.NewJSONHandler(&out, nil)})).WithGroup("g").With("a", 1)
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	logger.InfoContext(ctx, "x")
	logger.InfoContext(ctx, "x")
	if strings.Contains(out.String(), `"a__"`) {
		t.Error(out.String())
	}
}

func TestBaggageIsReplaced(t *testing.T) {
	o := newLab().options(otelwrap.Options{})
	o.Propagator = propagation.Baggage{}
	b := &replies{all: []reply{{status: 200}}}
	rt, err := otelwrap.New(b, transport.Config{}, o)
	if err != nil {
		t.Fatal(err)
	}
	member, _ := baggage.NewMember("k", "new")
	bag, _ := baggage.New(member)
	req := get(baggage.ContextWithBaggage(t.Context(), bag), t, "https://api.example/")
	req.Header["BAGGAGE"] = []string{"k=old"}
	finish(rt.RoundTrip(req))
	if h := b.sent[0].Header; len(h) != 1 {
		t.Errorf("%v: want one field", h)
	}
}

func TestATypedNilErrorEndsTheSpan(t *testing.T) {
	l := newLab()
	broken := func(http.RoundTripper) http.RoundTripper {
		return roundTrip(func(*http.Request) (*http.Response, error) {
			var e *url.Error
			return nil, e
		})
	}
	rt := l.chain(t, &replies{all: []reply{{status: 200}}}, transport.Config{PerCall: []transport.Middleware{broken}}, otelwrap.Options{})
	func() {
		defer func() { _ = recover() }()
		finish(rt.RoundTrip(get(t.Context(), t, "https://h/")))
	}()
	l.ended(t, trace.SpanKindInternal)
}

func TestFragmentsOfPagesShowNoSecret(t *testing.T) {
	l := newLab()
	rt := l.chain(t, &replies{all: []reply{{status: 200}}}, transport.Config{}, otelwrap.Options{})
	finish(rt.RoundTrip(get(t.Context(), t, "https://h/#/cb?access_token=c4n4ry")))
	if u, _ := setOf(l.ended(t, trace.SpanKindClient)[0].Attributes())["url.full"].(string); strings.Contains(u, "c4n4ry") {
		t.Errorf("url.full %q", u)
	}
}
