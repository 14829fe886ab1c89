package policy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func TestReplayOf(t *testing.T) {
	body := func() io.ReadCloser { return io.NopCloser(strings.NewReader("x")) }
	getBody := func() (io.ReadCloser, error) { return body(), nil }
	yes := policy.Replay{Idempotent: true, Rewindable: true}
	unsafe := policy.Replay{Rewindable: true}
	tests := []struct {
		name string
		req  http.Request
		want policy.Replay
	}{
		{"the zero request is a GET without a body", http.Request{}, yes},
		{"GET", http.Request{Method: "GET"}, yes},
		{"HEAD", http.Request{Method: "HEAD"}, yes},
		{"OPTIONS", http.Request{Method: "OPTIONS"}, yes},
		{"TRACE", http.Request{Method: "TRACE"}, yes},
		{"PUT", http.Request{Method: "PUT"}, yes},
		{"DELETE", http.Request{Method: "DELETE"}, yes},
		{"QUERY", http.Request{Method: "QUERY"}, yes},
		{"POST", http.Request{Method: "POST"}, unsafe},
		{"PATCH", http.Request{Method: "PATCH"}, unsafe},
		{"CONNECT", http.Request{Method: "CONNECT"}, unsafe},
		{"a method nobody knows", http.Request{Method: "BREW"}, unsafe},
		{"methods are case-sensitive", http.Request{Method: "get"}, unsafe},
		{"POST with an idempotency key", http.Request{Method: "POST", Header: http.Header{"Idempotency-Key": {"k"}}}, yes},
		{"POST with the older key", http.Request{Method: "POST", Header: http.Header{"X-Idempotency-Key": {"k"}}}, yes},
		{"POST with a key without values", http.Request{Method: "POST", Header: http.Header{"X-Idempotency-Key": {}}}, yes},
		{"POST with a key of no list at all", http.Request{Method: "POST", Header: http.Header{"Idempotency-Key": nil}}, yes},
		{"POST with another header", http.Request{Method: "POST", Header: http.Header{"Accept": {"*/*"}}}, unsafe},
		{"NoBody is no body", http.Request{Body: http.NoBody}, yes},
		{"a body with GetBody", http.Request{Method: "PUT", Body: body(), GetBody: getBody}, yes},
		{"a body without GetBody", http.Request{Method: "PUT", Body: body()}, policy.Replay{Idempotent: true}},
		{"neither may nor can", http.Request{Method: "POST", Body: body()}, policy.Replay{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := policy.ReplayOf(&tt.req); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestReplayCheck(t *testing.T) {
	unprocessed := classify.Verdict{Kind: classify.TokenRefreshInProgress, Unprocessed: true}
	maybe := classify.Verdict{Kind: classify.ConnectionLost}
	tests := []struct {
		name    string
		replay  policy.Replay
		verdict classify.Verdict
		want    policy.Reason
	}{
		{"nothing is known", policy.Replay{}, maybe, policy.NotIdempotent},
		{"it may but cannot", policy.Replay{Idempotent: true}, maybe, policy.NotReplayable},
		{"it can but may not", policy.Replay{Rewindable: true}, maybe, policy.NotIdempotent},
		{"it may and can", policy.Replay{Idempotent: true, Rewindable: true}, maybe, policy.Retrying},
		{"it was never sent", policy.Replay{Unsent: true, Rewindable: true}, maybe, policy.Retrying},
		{"it was never sent but its body is gone", policy.Replay{Unsent: true}, maybe, policy.NotReplayable},
		{"nobody acted on it", policy.Replay{Rewindable: true}, unprocessed, policy.Retrying},
		{"nobody acted on it but its body is gone", policy.Replay{}, unprocessed, policy.NotReplayable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.replay.Check(tt.verdict); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
