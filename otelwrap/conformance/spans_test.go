package conformance

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

type set = map[string]any

// sent are the attributes of an attempt at https://api.example/v1 that was answered, with more.
func sent(status int, more set) set {
	out := set{
		"http.request.method": "GET", "server.address": "api.example", "server.port": int64(443), "url.full": "https://api.example/v1",
		"http.response.status_code": int64(status), "network.protocol.version": "1.1",
	}
	maps.Copy(out, more)
	for key, value := range more {
		if value == nil {
			delete(out, key)
		}
	}
	return out
}

func ended(attempts int, reason string, more set) set {
	out := set{"steadytrip.attempts": int64(attempts), "steadytrip.stop_reason": reason}
	maps.Copy(out, more)
	return out
}

func TestSpansOfCallsAndAttempts(t *testing.T) {
	backend, err := classify.ForAlter("api.example")
	if err != nil {
		t.Fatal(err)
	}
	unavailable := set{
		"error.type": "503", "steadytrip.kind": "provider_unavailable", "steadytrip.action": "retry",
	}
	for name, tc := range map[string]struct {
		cfg      transport.Config
		opts     otelwrap.Options
		base     http.RoundTripper
		request  func(*http.Request) *http.Request
		call     told
		attempts []told
		calls    string
	}{
		"success": {
			base:     &replies{all: []reply{{status: 200}}},
			call:     told{"call GET", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"GET", 0, codes.Unset, sent(200, nil)}},
			calls:    "action=none,outcome=success 1",
		},
		"success on the second attempt": {
			base: &replies{all: []reply{{status: 503}, {status: 200}}},
			call: told{"call GET", 0, codes.Unset, ended(2, "succeeded", set{
				"steadytrip.wait.duration": 0.001, "steadytrip.wait.by": []string{"pause"}, "steadytrip.wait.for": []string{"provider_unavailable"},
			})},
			attempts: []told{
				{"GET", 0, codes.Error, sent(503, unavailable)},
				{"GET", 0, codes.Unset, sent(200, set{"http.request.resend_count": int64(1)})},
			},
			calls: "action=none,outcome=success 1",
		},
		"retries used up": {
			base: &replies{all: []reply{{status: 503}}},
			call: told{"call GET", 0, codes.Error, ended(2, "exhausted", set{
				"error.type": "503", "steadytrip.kind": "provider_unavailable", "steadytrip.action": "retry",
				"steadytrip.wait.duration": 0.001, "steadytrip.wait.by": []string{"pause"}, "steadytrip.wait.for": []string{"provider_unavailable"},
			})},
			attempts: []told{
				{"GET", 0, codes.Error, sent(503, unavailable)},
				{"GET", 0, codes.Error, sent(503, merge(unavailable, set{"http.request.resend_count": int64(1)}))},
			},
			calls: "action=retry,outcome=failure 1",
		},
		"a 4xx": {
			base: &replies{all: []reply{{status: 404}}},
			call: told{"call GET", 0, codes.Error, ended(1, "not_retryable", set{
				"error.type": "404", "steadytrip.kind": "provider_request", "steadytrip.action": "fix",
			})},
			attempts: []told{{"GET", 0, codes.Error, sent(404, set{
				"error.type": "404", "steadytrip.kind": "provider_request", "steadytrip.action": "fix",
			})}},
			calls: "action=fix,outcome=failure 1",
		},
		"a 4xx that the classifier calls a success": {
			cfg: transport.Config{Classifier: classify.ClassifierFunc(func(classify.Outcome) classify.Verdict {
				return classify.Verdict{Kind: classify.Success}
			})},
			base:     &replies{all: []reply{{status: 404}}},
			call:     told{"call GET", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"GET", 0, codes.Unset, sent(404, nil)}},
			calls:    "action=none,outcome=success 1",
		},
		"a 2xx that the classifier calls a failure": {
			cfg: transport.Config{Classifier: classify.ClassifierFunc(func(classify.Outcome) classify.Verdict {
				return classify.Verdict{Kind: classify.InsufficientScope, Code: "made up"}
			})},
			base: &replies{all: []reply{{status: 200}}},
			call: told{"call GET", 0, codes.Error, ended(1, "not_retryable", set{
				"error.type": "insufficient_scope", "steadytrip.kind": "insufficient_scope", "steadytrip.action": "widen_scope",
			})},
			attempts: []told{{"GET", 0, codes.Error, sent(200, set{
				"error.type": "insufficient_scope", "steadytrip.kind": "insufficient_scope", "steadytrip.action": "widen_scope",
			})}},
			calls: "action=widen_scope,outcome=failure 1",
		},
		"a pending approval": {
			cfg: transport.Config{Classifier: classify.ClassifierFunc(func(classify.Outcome) classify.Verdict {
				return classify.Verdict{Kind: classify.ApprovalPending}
			})},
			base: &replies{all: []reply{{status: 202}}},
			call: told{"call GET", 0, codes.Unset, ended(1, "not_retryable", set{
				"steadytrip.kind": "approval_pending", "steadytrip.action": "follow_up",
			})},
			attempts: []told{{"GET", 0, codes.Unset, sent(202, set{
				"steadytrip.kind": "approval_pending", "steadytrip.action": "follow_up",
			})}},
			calls: "action=follow_up,outcome=success 1",
		},
		"a 5xx": {
			base: &replies{all: []reply{{status: 500}}},
			call: told{"call GET", 0, codes.Error, ended(1, "not_retryable", set{
				"error.type": "500", "steadytrip.kind": "provider_internal", "steadytrip.action": "inspect",
			})},
			attempts: []told{{"GET", 0, codes.Error, sent(500, set{
				"error.type": "500", "steadytrip.kind": "provider_internal", "steadytrip.action": "inspect",
			})}},
			calls: "action=inspect,outcome=failure 1",
		},
		"a grant that was revoked": {
			cfg:  transport.Config{Classifier: backend},
			base: &replies{all: []reply{{status: 403, body: `{"error":"grant_revoked","details":{"grant_id":"g-1","provider_id":"mail"}}`}}},
			call: told{"call GET", 0, codes.Error, ended(1, "not_retryable", set{
				"error.type": "403", "steadytrip.kind": "grant_revoked", "steadytrip.action": "reauthorize", "steadytrip.code": "grant_revoked",
			})},
			attempts: []told{{"GET", 0, codes.Error, sent(403, set{
				"error.type": "403", "steadytrip.kind": "grant_revoked", "steadytrip.action": "reauthorize", "steadytrip.code": "grant_revoked",
			})}},
			calls: "action=reauthorize,outcome=failure 1",
		},
		"a grant that only the answer names": {
			cfg:     transport.Config{Classifier: backend},
			base:    &replies{all: []reply{{status: 403, body: `{"error":"grant_revoked","details":{"grant_id":"canary"}}`}}},
			request: change(func(req *http.Request) { req.URL.Path = "/v1/canary" }),
			call: told{"call GET", 0, codes.Error, ended(1, "not_retryable", set{
				"error.type": "403", "steadytrip.kind": "grant_revoked", "steadytrip.action": "reauthorize", "steadytrip.code": "grant_revoked",
			})},
			attempts: []told{{"GET", 0, codes.Error, sent(403, set{
				"error.type": "403", "steadytrip.kind": "grant_revoked", "steadytrip.action": "reauthorize", "steadytrip.code": "grant_revoked",
				"url.full": "https://api.example/v1/REDACTED",
			})}},
			calls: "action=reauthorize,outcome=failure 1",
		},
		"a grant that the user's function names": {
			cfg:      transport.Config{Grant: func(req *http.Request) string { return req.Header.Get("Grant") }},
			base:     &replies{all: []reply{{status: 200}}},
			request:  change(func(req *http.Request) { req.URL.Path = "/v1/canary"; req.Header.Set("Grant", "canary") }),
			call:     told{"call GET", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"GET", 0, codes.Unset, sent(200, set{"url.full": "https://api.example/v1/REDACTED"})}},
			calls:    "action=none,outcome=success 1",
		},
		"a grant that was revoked, and may be shown": {
			cfg:  transport.Config{Classifier: backend},
			opts: otelwrap.Options{ShowGrants: true},
			base: &replies{all: []reply{{status: 403, body: `{"error":"grant_revoked","details":{"grant_id":"g-1","provider_id":"mail"}}`}}},
			call: told{"call GET", 0, codes.Error, ended(1, "not_retryable", set{
				"error.type": "403", "steadytrip.kind": "grant_revoked", "steadytrip.action": "reauthorize", "steadytrip.code": "grant_revoked",
				"steadytrip.grant_id": "g-1", "steadytrip.provider_id": "mail",
			})},
			attempts: []told{{"GET", 0, codes.Error, sent(403, set{
				"error.type": "403", "steadytrip.kind": "grant_revoked", "steadytrip.action": "reauthorize", "steadytrip.code": "grant_revoked",
				"steadytrip.grant_id": "g-1", "steadytrip.provider_id": "mail",
			})}},
			calls: "action=reauthorize,outcome=failure 1",
		},
		"a timeout of the attempt": {
			cfg:  transport.Config{PerAttempt: []transport.Middleware{transport.AttemptTimeout(time.Second)}},
			base: roundTrip(hang),
			call: told{"call GET", 0, codes.Error, ended(2, "exhausted", set{
				"error.type": "timeout", "steadytrip.kind": "timeout", "steadytrip.action": "retry", "steadytrip.code": "timeout",
				"steadytrip.wait.duration": 0.001, "steadytrip.wait.by": []string{"pause"}, "steadytrip.wait.for": []string{"timeout"},
			})},
			attempts: []told{
				{"GET", 0, codes.Error, sent(0, set{
					"http.response.status_code": nil, "network.protocol.version": nil,
					"error.type": "timeout", "steadytrip.kind": "timeout", "steadytrip.action": "retry", "steadytrip.code": "timeout",
				})},
				{"GET", 0, codes.Error, sent(0, set{
					"http.response.status_code": nil, "network.protocol.version": nil, "http.request.resend_count": int64(1),
					"error.type": "timeout", "steadytrip.kind": "timeout", "steadytrip.action": "retry", "steadytrip.code": "timeout",
				})},
			},
			calls: "action=retry,outcome=failure 1",
		},
		"the caller's deadline": {
			base: roundTrip(hang),
			request: func(req *http.Request) *http.Request {
				ctx, cancel := context.WithTimeout(req.Context(), time.Second)
				context.AfterFunc(ctx, cancel)
				return req.WithContext(ctx)
			},
			call: told{"call GET", 0, codes.Error, ended(1, "canceled", set{
				"error.type": "deadline", "steadytrip.kind": "deadline", "steadytrip.action": "retry", "steadytrip.code": "deadline",
			})},
			attempts: []told{{"GET", 0, codes.Error, sent(0, set{
				"http.response.status_code": nil, "network.protocol.version": nil,
				"error.type": "deadline", "steadytrip.kind": "deadline", "steadytrip.action": "retry", "steadytrip.code": "deadline",
			})}},
			calls: "action=retry,outcome=failure 1",
		},
		"the caller's cancellation": {
			base:    roundTrip(hang),
			request: canceledAfter(time.Second, nil),
			call: told{"call GET", 0, codes.Unset, ended(1, "canceled", set{
				"steadytrip.kind": "canceled", "steadytrip.action": "none", "steadytrip.code": "canceled",
			})},
			attempts: []told{{"GET", 0, codes.Unset, sent(0, set{
				"http.response.status_code": nil, "network.protocol.version": nil,
				"steadytrip.kind": "canceled", "steadytrip.action": "none", "steadytrip.code": "canceled",
			})}},
			calls: "action=none,outcome=canceled 1",
		},
		"the caller's cancellation, with a cause": {
			base:    roundTrip(hang),
			request: canceledAfter(time.Second, errors.New("enough")),
			call: told{"call GET", 0, codes.Unset, ended(1, "canceled", set{
				"steadytrip.kind": "canceled", "steadytrip.action": "none", "steadytrip.code": "canceled",
			})},
			attempts: []told{{"GET", 0, codes.Unset, sent(0, set{
				"http.response.status_code": nil, "network.protocol.version": nil,
				"steadytrip.kind": "canceled", "steadytrip.action": "none", "steadytrip.code": "canceled",
			})}},
			calls: "action=none,outcome=canceled 1",
		},
		"an error of the network": {
			base: roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("broken: canary") }),
			request: func(req *http.Request) *http.Request {
				return req.WithContext(transport.NoRetry(req.Context()))
			},
			call: told{"call GET", 0, codes.Error, ended(1, "forbidden", set{
				"error.type": "network", "steadytrip.kind": "network", "steadytrip.action": "retry",
			})},
			attempts: []told{{"GET", 0, codes.Error, sent(0, set{
				"http.response.status_code": nil, "network.protocol.version": nil,
				"error.type": "network", "steadytrip.kind": "network", "steadytrip.action": "retry",
			})}},
			calls: "action=retry,outcome=failure 1",
		},
		"an error that net/http compares directly": {
			base: roundTrip(func(*http.Request) (*http.Response, error) { return nil, tls.RecordHeaderError{Msg: "canary"} }),
			call: told{"call GET", 0, codes.Error, ended(1, "not_retryable", set{
				"error.type": "tls", "steadytrip.kind": "tls", "steadytrip.action": "fix", "steadytrip.code": "tls_record_header",
			})},
			attempts: []told{{"GET", 0, codes.Error, sent(0, set{
				"http.response.status_code": nil, "network.protocol.version": nil,
				"error.type": "tls", "steadytrip.kind": "tls", "steadytrip.action": "fix", "steadytrip.code": "tls_record_header",
			})}},
			calls: "action=fix,outcome=failure 1",
		},
		"neither an answer nor an error": {
			base: roundTrip(func(*http.Request) (*http.Response, error) { return nil, nil }), //nolint:nilnil // a breach of contract
			call: told{"call GET", 0, codes.Error, ended(1, "not_retryable", set{"error.type": "_OTHER"})},
			attempts: []told{{"GET", 0, codes.Error, sent(0, set{
				"http.response.status_code": nil, "network.protocol.version": nil, "error.type": "_OTHER",
			})}},
			calls: "action=none,outcome=failure 1",
		},
		"an unknown method": {
			base:    &replies{all: []reply{{status: 200}}},
			request: change(func(req *http.Request) { req.Method = "get" }),
			call:    told{"call HTTP", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"HTTP", 0, codes.Unset, sent(200, set{
				"http.request.method": "_OTHER", "http.request.method_original": "get",
			})}},
			calls: "action=none,outcome=success 1",
		},
		"a long unknown method": {
			base:    &replies{all: []reply{{status: 200}}},
			request: change(func(req *http.Request) { req.Method = strings.Repeat("X", 1000) }),
			call:    told{"call HTTP", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"HTTP", 0, codes.Unset, sent(200, set{
				"http.request.method": "_OTHER", "http.request.method_original": strings.Repeat("X", 32),
			})}},
			calls: "action=none,outcome=success 1",
		},
		"an empty method": {
			base:     &replies{all: []reply{{status: 200}}},
			request:  change(func(req *http.Request) { req.Method = "" }),
			call:     told{"call GET", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"GET", 0, codes.Unset, sent(200, nil)}},
			calls:    "action=none,outcome=success 1",
		},
		"methods of the user's own": {
			opts:     otelwrap.Options{Methods: []string{"PURGE"}},
			base:     &replies{all: []reply{{status: 200}}},
			request:  change(func(req *http.Request) { req.Method = "PURGE" }),
			call:     told{"call PURGE", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"PURGE", 0, codes.Unset, sent(200, set{"http.request.method": "PURGE"})}},
			calls:    "action=none,outcome=success 1",
		},
		"a template": {
			base: &replies{all: []reply{{status: 200}}},
			request: func(req *http.Request) *http.Request {
				return req.WithContext(otelwrap.WithTemplate(req.Context(), "/v1/{id}"))
			},
			call:     told{"call GET /v1/{id}", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"GET /v1/{id}", 0, codes.Unset, sent(200, set{"url.template": "/v1/{id}"})}},
			calls:    "action=none,outcome=success 1",
		},
		"user info": {
			base:     &replies{all: []reply{{status: 200}}},
			request:  change(func(req *http.Request) { req.URL.User = url.User("canary") }),
			call:     told{"call GET", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"GET", 0, codes.Unset, sent(200, set{"url.full": "https://REDACTED:REDACTED@api.example/v1"})}},
			calls:    "action=none,outcome=success 1",
		},
		"a signed URL": {
			opts:    otelwrap.Options{RedactQuery: []string{"ticket"}},
			base:    &replies{all: []reply{{status: 200}}},
			request: change(func(req *http.Request) { req.URL.RawQuery = "b=%2f&sig=canary&ticket=canary&a=1" }),
			call:    told{"call GET", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"GET", 0, codes.Unset, sent(200, set{
				"url.full": "https://api.example/v1?b=%2f&sig=REDACTED&ticket=REDACTED&a=1",
			})}},
			calls: "action=none,outcome=success 1",
		},
		"http without a port": {
			base:    &replies{all: []reply{{status: 200}}},
			request: change(func(req *http.Request) { req.URL.Scheme = "http" }),
			call:    told{"call GET", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"GET", 0, codes.Unset, sent(200, set{
				"server.port": int64(80), "url.full": "http://api.example/v1",
			})}},
			calls: "action=none,outcome=success 1",
		},
		"an IPv6 address with a port": {
			base:    &replies{all: []reply{{status: 200}}},
			request: change(func(req *http.Request) { req.URL.Host, req.Host = "[2001:db8::1]:8443", "" }),
			call:    told{"call GET", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"GET", 0, codes.Unset, sent(200, set{
				"server.address": "2001:db8::1", "server.port": int64(8443), "url.full": "https://[2001:db8::1]:8443/v1",
			})}},
			calls: "action=none,outcome=success 1",
		},
		"an IPv6 address without a port": {
			base:    &replies{all: []reply{{status: 200}}},
			request: change(func(req *http.Request) { req.URL.Host, req.Host = "[2001:db8::1]", "" }),
			call:    told{"call GET", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"GET", 0, codes.Unset, sent(200, set{
				"server.address": "2001:db8::1", "url.full": "https://[2001:db8::1]/v1",
			})}},
			calls: "action=none,outcome=success 1",
		},
		"a Host header of its own": {
			base:    &replies{all: []reply{{status: 200}}},
			request: change(func(req *http.Request) { req.Host = "virtual.example:444" }),
			call:    told{"call GET", 0, codes.Unset, ended(1, "succeeded", nil)},
			attempts: []told{{"GET", 0, codes.Unset, sent(200, set{
				"server.address": "virtual.example", "server.port": int64(444),
			})}},
			calls: "action=none,outcome=success 1",
		},
		"a re-authorization by a middleware": {
			cfg:  transport.Config{PerCall: []transport.Middleware{reauthorize}},
			base: &replies{all: []reply{{status: 401}, {status: 503}, {status: 200}}},
			call: told{"call GET", 0, codes.Unset, ended(3, "succeeded", set{
				"steadytrip.wait.duration": 0.001, "steadytrip.wait.by": []string{"pause"}, "steadytrip.wait.for": []string{"provider_unavailable"},
			})},
			attempts: []told{
				{"GET", 0, codes.Error, sent(401, set{
					"error.type": "401", "steadytrip.kind": "provider_unauthorized", "steadytrip.action": "reauthorize",
				})},
				{"GET", 0, codes.Error, sent(503, merge(unavailable, set{"http.request.resend_count": int64(1)}))},
				{"GET", 0, codes.Unset, sent(200, set{"http.request.resend_count": int64(2)})},
			},
			calls: "action=none,outcome=success 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab()
				cfg := tc.cfg
				cfg.Policy = quick()
				for kind, p := range cfg.Policy.Profiles {
					p.Jitter, p.Immediate = 0, false
					cfg.Policy.Profiles[kind] = p
				}
				rt := l.chain(t, tc.base, cfg, tc.opts)
				req := get(t.Context(), t, "https://api.example/v1")
				if tc.request != nil {
					req = tc.request(req)
				}
				finish(rt.RoundTrip(req))
				synctest.Wait()
				l.check(t, trace.SpanKindInternal, tc.call)
				l.check(t, trace.SpanKindClient, tc.attempts...)
				if got := l.counts(t, "steadytrip.client.call.duration"); got != tc.calls {
					t.Errorf("calls by outcome and action %q, want %q", got, tc.calls)
				}
				if stops := l.counts(t, "steadytrip.client.stops"); (stops == "") != strings.Contains(tc.calls, "=success") {
					t.Errorf("stops %q after %q, want none but for calls without success", stops, tc.calls)
				}
				l.checkDurations(t)
				l.checkFamily(t)
			})
		})
	}
}

// checkDurations compares http.client.request.duration with the attempts' spans: the same time, and the same attributes of those that both have.
func (l *lab) checkDurations(t *testing.T) {
	t.Helper()
	points, unit := l.metric(t, "http.client.request.duration")
	if unit != "s" {
		t.Errorf("http.client.request.duration is in %q, want s", unit)
	}
	both := []string{
		"http.request.method", "server.address", "server.port", "http.response.status_code", "error.type", "network.protocol.version",
	}
	spans := l.ended(t, trace.SpanKindClient)
	n := uint64(0)
	for _, p := range points {
		var sum float64
		var count uint64
		for _, s := range spans {
			of := set{}
			for key, value := range setOf(s.Attributes()) {
				for _, name := range both {
					if key == name {
						of[key] = value
					}
				}
			}
			if (told{set: of}).String() == (told{set: p.set}).String() {
				sum += s.EndTime().Sub(s.StartTime()).Seconds()
				count++
			}
		}
		if count != p.count || sum != p.sum {
			t.Errorf("series %v has %d of %v s, want %d of %v s, as the spans do", p.set, p.count, p.sum, count, sum)
		}
		n += count
	}
	if n != uint64(len(spans)) {
		t.Errorf("%d durations match a span, want all of %d", n, len(spans))
	}
}

// checkFamily compares the ids: all spans are of one trace, and the attempts are children of the call.
func (l *lab) checkFamily(t *testing.T) {
	t.Helper()
	call := l.ended(t, trace.SpanKindInternal)[0]
	for _, s := range l.ended(t, trace.SpanKindClient) {
		if s.Parent().SpanID() != call.SpanContext().SpanID() {
			t.Errorf("attempt %q is a child of %v, want of the call", s.Name(), s.Parent().SpanID())
		}
	}
}

func merge(a, b set) set {
	out := set{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, context.Cause(req.Context())
}

func change(f func(*http.Request)) func(*http.Request) *http.Request {
	return func(req *http.Request) *http.Request {
		f(req)
		return req
	}
}

func canceledAfter(d time.Duration, cause error) func(*http.Request) *http.Request {
	return func(req *http.Request) *http.Request {
		ctx, cancel := context.WithCancelCause(req.Context())
		time.AfterFunc(d, func() { cancel(cause) })
		return req.WithContext(ctx)
	}
}

// reauthorize sends a request once more after a 401.
func reauthorize(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err != nil || resp.StatusCode != 401 {
			return resp, err
		}
		finish(resp, nil)
		return next.RoundTrip(req)
	})
}

// A server that redirects, fails and answers, over both versions of HTTP.
func TestSpansOverTheWire(t *testing.T) {
	for _, version := range []string{"1.1", "2"} {
		t.Run("HTTP/"+version, func(t *testing.T) {
			fails := 1
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				switch {
				case req.URL.Path == "/before":
					http.Redirect(w, req, "/from", http.StatusFound)
				case req.URL.Path == "/from":
					http.Redirect(w, req, "/to?sig=canary", http.StatusFound)
				case fails > 0:
					fails--
					w.WriteHeader(http.StatusServiceUnavailable)
				default:
					_, _ = io.WriteString(w, "fine")
				}
			}))
			server.EnableHTTP2 = version == "2"
			server.StartTLS()
			defer server.Close()
			l := newLab()
			client := server.Client()
			client.Transport = l.chain(t, client.Transport, transport.Config{Policy: quick()}, otelwrap.Options{})
			defer client.CloseIdleConnections()
			ctx := otelwrap.WithTemplate(t.Context(), "/before")
			finish(client.Do(get(ctx, t, server.URL+"/before")))

			host, digits, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "https://"))
			if err != nil {
				t.Fatal(err)
			}
			port, err := strconv.ParseInt(digits, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			all := set{
				"http.request.method": "GET", "server.address": host, "server.port": port, "network.protocol.version": version,
				"network.peer.address": host, "network.peer.port": port,
			}
			l.check(t, trace.SpanKindClient,
				told{"GET /before", 0, codes.Unset, merge(all, set{
					"url.full": server.URL + "/before", "http.response.status_code": int64(302), "url.template": "/before",
				})},
				told{"GET", 0, codes.Unset, merge(all, set{
					"url.full": server.URL + "/from", "http.response.status_code": int64(302), "http.request.resend_count": int64(1),
				})},
				told{"GET", 0, codes.Error, merge(all, set{
					"url.full": server.URL + "/to?sig=REDACTED", "http.response.status_code": int64(503), "http.request.resend_count": int64(2),
					"error.type": "503", "steadytrip.kind": "provider_unavailable", "steadytrip.action": "retry",
				})},
				told{"GET", 0, codes.Unset, merge(all, set{
					"url.full": server.URL + "/to?sig=REDACTED", "http.response.status_code": int64(200), "http.request.resend_count": int64(3),
				})},
			)
			l.check(t, trace.SpanKindInternal,
				told{"call GET /before", 0, codes.Unset, ended(1, "succeeded", nil)},
				told{"call GET", 0, codes.Unset, ended(1, "succeeded", nil)},
				told{"call GET", 0, codes.Unset, ended(2, "succeeded", set{
					"steadytrip.wait.duration": positive, "steadytrip.wait.by": []string{"pause"},
					"steadytrip.wait.for": []string{"provider_unavailable"},
				})},
			)
			l.checkDurations(t)
		})
	}
}
