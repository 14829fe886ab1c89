package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	openaisdk "github.com/openai/openai-go/v3"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/examples/sdks/openai"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// TestDoubleRetriesShow: when two layers retry, the server sees more attempts than any trail tells of, and the count in the
// header begins anew, and hooks are told of several calls.
func TestDoubleRetriesShow(t *testing.T) {
	for _, c := range []struct {
		name   string
		own    bool
		counts []string // the field, on each request
		calls  int      // that hooks are told of
	}{
		{"steadytrip alone", false, []string{"", "1"}, 1},
		{"the SDK around it", true, []string{"", "1", "", "1", "", "1"}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			server, hc := rig.Serve(t, rig.JSON(503, `{}`), transport.Config{
				PerAttempt: []transport.Middleware{transport.CountRetries("Retry-Count")},
				Hooks:      transport.Hooks{Call: func(context.Context, transport.CallInfo) { calls++ }},
			})
			_, err := openai.Ask(transport.Idempotent(t.Context()), openai.Client(hc, server.URL, c.own))
			var answer *openaisdk.Error
			if !errors.As(err, &answer) {
				t.Fatalf("got %v, want the error of an answer", err)
			}
			if got := transport.TrailOf(answer.Response, nil).Attempts; got != 2 {
				t.Errorf("the trail tells of %d attempts, want 2", got)
			}
			var counts []string
			for _, r := range server.Requests() {
				counts = append(counts, r.Header.Get("Retry-Count"))
			}
			if !slices.Equal(counts, c.counts) || calls != c.calls {
				t.Errorf("the requests were counted %q in %d calls, want %q in %d", counts, calls, c.counts, c.calls)
			}
		})
	}
}

// TestRefusalAsAnAnswer: what an open breaker refuses is an error of the network to an SDK, or an answer with AnswerRefusals.
func TestRefusalAsAnAnswer(t *testing.T) {
	for _, c := range []struct {
		name    string
		perCall []transport.Middleware
		status  int // of the SDK's own error; 0 for none
	}{
		{"an error", nil, 0},
		{"an answer", []transport.Middleware{transport.AnswerRefusals()}, http.StatusTooManyRequests},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := policy.New(*rig.Policy())
			if err != nil {
				t.Fatal(err)
			}
			shared := transport.NewShared(p, transport.Keys{})
			server, hc := rig.Serve(t, rig.JSON(200, `{}`), transport.Config{Shared: shared, PerCall: c.perCall})
			if err := shared.ForceOpen(server.URL, time.Minute); err != nil {
				t.Fatal(err)
			}
			_, err = openai.Ask(t.Context(), openai.Client(hc, server.URL, false))
			if errors.Is(err, transport.ErrOpen) != (c.status == 0) {
				t.Errorf("got %v; want ErrOpen in it: %v", err, c.status == 0)
			}
			if got := transport.TrailOf(nil, err).Reason; c.status == 0 && got != policy.Refused {
				t.Errorf("the trail ended as %v, want %v", got, policy.Refused)
			}
			var answer *openaisdk.Error
			if errors.As(err, &answer) != (c.status != 0) {
				t.Fatalf("got %v, want the SDK's own error: %v", err, c.status != 0)
			}
			if c.status != 0 {
				var refusal *classify.PolicyViolationError
				if answer.StatusCode != c.status || answer.Response.Header.Get("Retry-After") != "60" || !errors.As(classify.CheckResponse(answer.Response), &refusal) {
					t.Errorf("got %d, Retry-After %q, %v", answer.StatusCode, answer.Response.Header.Get("Retry-After"), classify.Of(answer.Response, nil))
				}
			}
			if server.Total() != 0 {
				t.Errorf("%d requests passed an open breaker", server.Total())
			}
		})
	}
}
