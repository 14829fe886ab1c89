package otelwrap_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

// span records the attributes that are set on it.
type span struct {
	noop.Span
	set map[attribute.Key]string
}

func (s *span) IsRecording() bool { return true }

func (s *span) SetAttributes(all ...attribute.KeyValue) {
	for _, kv := range all {
		s.set[kv.Key] = kv.Value.String()
	}
}

type answer struct {
	status int
	body   string
}

func (a answer) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Header: http.Header{}, Request: req,
		Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}, nil
}

func TestSpanTellsWhatToDo(t *testing.T) {
	for name, tc := range map[string]struct {
		answer answer
		want   map[attribute.Key]string
	}{
		"success": {answer{200, ""}, map[attribute.Key]string{
			"steadytrip.attempts": "1", "steadytrip.stop_reason": "succeeded",
		}},
		"a revoked grant": {answer{403, `{"error":"grant_revoked","message":"canary","details":{"grant_id":"canary"}}`}, map[attribute.Key]string{
			"steadytrip.attempts": "1", "steadytrip.stop_reason": "not_retryable",
			"steadytrip.kind": "grant_revoked", "steadytrip.action": "reauthorize", "steadytrip.code": "grant_revoked",
		}},
		"a code that the server made up": {answer{400, `{"error":"canary"}`}, map[attribute.Key]string{
			"steadytrip.attempts": "1", "steadytrip.stop_reason": "not_retryable",
			"steadytrip.kind": "backend", "steadytrip.action": "inspect",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			classifier, err := classify.ForAlter("backend.example")
			if err != nil {
				t.Fatal(err)
			}
			rt, err := transport.New(tc.answer, transport.Config{Classifier: classifier, Hooks: otelwrap.Hooks(otelwrap.Options{})})
			if err != nil {
				t.Fatal(err)
			}
			s := &span{set: map[attribute.Key]string{}}
			ctx := trace.ContextWithSpan(t.Context(), s)
			send(ctx, t, rt)
			if len(s.set) != len(tc.want) {
				t.Errorf("attributes %v, want %v", s.set, tc.want)
			}
			for key, want := range tc.want {
				if got := s.set[key]; got != want {
					t.Errorf("%s is %q, want %q", key, got, want)
				}
			}
			send(context.Background(), t, rt) // without a span there is nobody to tell
		})
	}
}

func send(ctx context.Context, t *testing.T, rt http.RoundTripper) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", "https://backend.example/v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

func TestHooksCostLittleWithoutASpan(t *testing.T) {
	resp := &http.Response{StatusCode: 200, Body: http.NoBody}
	rt, err := transport.New(still{resp}, transport.Config{Hooks: otelwrap.Hooks(otelwrap.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", "https://api.example/v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(100, func() { _, _ = rt.RoundTrip(req) }); got > 2 {
		t.Errorf("%v allocations, want at most 2", got)
	}
}

// still answers with the same response each time.
type still struct{ resp *http.Response }

func (s still) RoundTrip(req *http.Request) (*http.Response, error) {
	s.resp.Request = req
	return s.resp, nil
}
