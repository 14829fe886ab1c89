package conformance

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

func (l *lab) theirs(base http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(base,
		otelhttp.WithTracerProvider(l.tracers), otelhttp.WithMeterProvider(l.meters), otelhttp.WithPropagators(propagator))
}

// Each case is something of the convention that otelhttp v0.72.0 leaves open. It is shown of both: should otelhttp close it, the case fails and
// may go.
func TestGapsOfOtelhttp(t *testing.T) {
	attribute := func(key string) func(*testing.T, *lab) any {
		return func(t *testing.T, l *lab) any {
			t.Helper()
			spans := l.spans.Started()
			return setOf(spans[len(spans)-1].Attributes())[key]
		}
	}
	ok := &replies{all: []reply{{status: 200}}}
	for name, tc := range map[string]struct {
		base         http.RoundTripper
		url          string
		canceled     bool
		ask          func(*testing.T, *lab) any
		theirs, ours any
	}{
		"the span is named by the method": {
			base: ok, url: "https://api.example/v1", theirs: "HTTP GET", ours: "GET",
			ask: func(_ *testing.T, l *lab) any { return client(l).Name() },
		},
		"the port is told, also 443": {
			base: ok, url: "https://api.example/v1", theirs: nil, ours: int64(443), ask: attribute("server.port"),
		},
		"the port is told, also 80": {
			base: ok, url: "http://api.example/v1", theirs: nil, ours: int64(80), ask: attribute("server.port"),
		},
		"a signature does not show": {
			base: ok, url: "https://api.example/v1?sig=canary", ask: attribute("url.full"),
			theirs: "https://api.example/v1?sig=canary", ours: "https://api.example/v1?sig=REDACTED",
		},
		"user info is replaced, not left out": {
			base: ok, url: "https://user:canary@api.example/v1", ask: attribute("url.full"),
			theirs: "https://api.example/v1", ours: "https://REDACTED:REDACTED@api.example/v1",
		},
		"the caller's cancellation is no error": {
			base: roundTrip(hang), url: "https://api.example/v1", canceled: true, theirs: codes.Error, ours: codes.Unset,
			ask: func(_ *testing.T, l *lab) any { return client(l).Status().Code },
		},
		"the caller's cancellation has no error.type": {
			base: roundTrip(hang), url: "https://api.example/v1", canceled: true, theirs: true, ours: false,
			ask: func(t *testing.T, l *lab) any { return attribute("error.type")(t, l) != nil },
		},
		"error.type of an error is the same on span and metric": {
			base: roundTrip(func(*http.Request) (*http.Response, error) { return nil, &named{} }), url: "https://api.example/v1",
			theirs: false, ours: true,
			ask: func(t *testing.T, l *lab) any { return attribute("error.type")(t, l) == measured(t, l, "error.type") },
		},
		"error.type of a 5xx is on the metric": {
			base: &replies{all: []reply{{status: 500}}}, url: "https://api.example/v1", theirs: nil, ours: "500",
			ask: func(t *testing.T, l *lab) any { return measured(t, l, "error.type") },
		},
		"the error's text stays out of the status": {
			base: roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("canary") }), url: "https://api.example/v1",
			theirs: "canary", ours: "",
			ask: func(_ *testing.T, l *lab) any { return client(l).Status().Description },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				run := func(l *lab, rt http.RoundTripper) any {
					ctx, cancel := context.WithCancel(transport.NoRetry(t.Context()))
					defer cancel()
					if tc.canceled {
						time.AfterFunc(time.Second, cancel)
					}
					finish(rt.RoundTrip(get(ctx, t, tc.url)))
					return tc.ask(t, l)
				}
				l := newLab()
				if got := run(l, l.theirs(tc.base)); got != tc.theirs {
					t.Errorf("otelhttp: %v, and it used to be %v", got, tc.theirs)
				}
				l = newLab()
				if got := run(l, l.chain(t, tc.base, transport.Config{}, otelwrap.Options{})); got != tc.ours {
					t.Errorf("otelwrap: %v, want %v", got, tc.ours)
				}
			})
		})
	}
}

// named is an error with an identifier of its own.
type named struct{}

func (*named) Error() string     { return "broken" }
func (*named) ErrorType() string { return "named" }

func client(l *lab) sdktrace.ReadOnlySpan {
	for _, s := range l.spans.Started() {
		if s.SpanKind() == trace.SpanKindClient {
			return s
		}
	}
	return nil
}

func measured(t *testing.T, l *lab, key string) any {
	t.Helper()
	points, _ := l.metric(t, "http.client.request.duration")
	if len(points) != 1 {
		t.Fatalf("%d series of http.client.request.duration, want 1", len(points))
	}
	return points[0].set[key]
}

func TestGapsOfOtelhttpAroundOthers(t *testing.T) {
	resends := func(l *lab) (all []any) {
		for _, s := range l.spans.Started() {
			if s.SpanKind() == trace.SpanKindClient {
				all = append(all, setOf(s.Attributes())["http.request.resend_count"])
			}
		}
		return all
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/from" {
			http.Redirect(w, req, "/to", http.StatusFound)
		}
	}))
	defer server.Close()
	base := &http.Transport{}
	defer base.CloseIdleConnections()

	t.Run("a redirect is a resend", func(t *testing.T) {
		l := newLab()
		finish((&http.Client{Transport: l.theirs(base)}).Do(get(t.Context(), t, server.URL+"/from")))
		if got := resends(l); len(got) != 2 || got[1] != nil {
			t.Errorf("otelhttp: %v, and it used to be none", got)
		}
		l = newLab()
		finish((&http.Client{Transport: l.chain(t, base, transport.Config{}, otelwrap.Options{})}).Do(get(t.Context(), t, server.URL+"/from")))
		if got := resends(l); len(got) != 2 || got[0] != nil || got[1] != int64(1) {
			t.Errorf("otelwrap: %v, want none and 1", got)
		}
	})
	t.Run("a body that nobody closes keeps no span open", func(t *testing.T) {
		l := newLab()
		ok := &replies{all: []reply{{status: 200, body: "x"}}}
		_, _ = l.theirs(ok).RoundTrip(get(t.Context(), t, "https://api.example"))
		if got := len(l.spans.Ended()); got != 0 {
			t.Errorf("otelhttp: %d spans have ended, and it used to be none", got)
		}
		l = newLab()
		_, _ = l.chain(t, ok, transport.Config{}, otelwrap.Options{}).RoundTrip(get(t.Context(), t, "https://api.example"))
		if got := len(l.spans.Ended()); got != 2 {
			t.Errorf("otelwrap: %d spans have ended, want 2", got)
		}
	})
	t.Run("retries show as resends, and each attempt shows", func(t *testing.T) {
		again := func() http.RoundTripper { return &replies{all: []reply{{status: 503}, {status: 200}}} }
		retry := func(next http.RoundTripper) http.RoundTripper {
			rt, err := transport.New(next, transport.Config{Policy: quick()})
			if err != nil {
				t.Fatal(err)
			}
			return rt
		}
		l := newLab()
		finish(retry(l.theirs(again())).RoundTrip(get(t.Context(), t, "https://api.example")))
		if got := resends(l); len(got) != 2 || got[1] != nil {
			t.Errorf("otelhttp inside: %v, and it used to be two without a count", got)
		}
		l = newLab()
		finish(l.theirs(retry(again())).RoundTrip(get(t.Context(), t, "https://api.example")))
		if got := resends(l); len(got) != 1 || got[0] != nil {
			t.Errorf("otelhttp outside: %v, and it used to be one without a count", got)
		}
		l = newLab()
		finish(l.chain(t, again(), transport.Config{Policy: quick()}, otelwrap.Options{}).RoundTrip(get(t.Context(), t, "https://api.example")))
		if got := resends(l); len(got) != 2 || got[0] != nil || got[1] != int64(1) {
			t.Errorf("otelwrap: %v, want none and 1", got)
		}
	})
	t.Run("CloseIdleConnections gets through", func(t *testing.T) {
		for name, of := range map[string]func(*lab, http.RoundTripper) http.RoundTripper{
			"otelhttp": func(l *lab, base http.RoundTripper) http.RoundTripper { return l.theirs(base) },
			"otelwrap": func(l *lab, base http.RoundTripper) http.RoundTripper {
				return l.chain(t, base, transport.Config{}, otelwrap.Options{})
			},
		} {
			closes := &idle{}
			(&http.Client{Transport: of(newLab(), closes)}).CloseIdleConnections()
			if got, want := closes.n, map[string]int{"otelhttp": 0, "otelwrap": 1}[name]; got != want {
				t.Errorf("%s: called %d times, want %d", name, got, want)
			}
		}
	})
}

type idle struct {
	http.RoundTripper
	n int
}

func (i *idle) CloseIdleConnections() { i.n++ }
