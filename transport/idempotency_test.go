package transport_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func keysOf(s *transporttest.Script) []string {
	var keys []string
	for _, a := range s.Attempts() {
		keys = append(keys, strings.Join(a.Header["Idempotency-Key"], ","))
	}
	return keys
}

func TestIdempotencyKeyIsTheSameForAllAttemptsOfACall(t *testing.T) {
	script := transporttest.Play(
		transporttest.Times(2, transporttest.Answer(503, "")), transporttest.Answer(201, ""),
		transporttest.Answer(503, ""), transporttest.Answer(201, ""),
	)
	rt := newChain(t, script, transport.Config{
		Policy: fast(), PerCall: []transport.Middleware{transport.IdempotencyKey(nil)},
	})
	req := newRequest(t, "POST", "https://api.example", "payload")
	for range 2 {
		resp, err := rt.RoundTrip(req)
		if err != nil || resp.StatusCode != 201 {
			t.Fatalf("%v, %v; want the 201", resp, err)
		}
		if resp.Request.Header.Get("Idempotency-Key") == "" {
			t.Error("the answer's request does not show the key")
		}
		req.Body, _ = req.GetBody()
	}
	keys := keysOf(script)
	if len(keys) != 5 || keys[0] != keys[1] || keys[1] != keys[2] || keys[3] != keys[4] || keys[2] == keys[3] {
		t.Errorf("keys %q, want one for each call", keys)
	}
	if len(keys[0]) < 26 || strings.ContainsAny(keys[0], `", `) {
		t.Errorf("key %q, want 26 characters of 5 bits or more, bare", keys[0])
	}
	if len(req.Header) != 0 {
		t.Errorf("the caller's header has become %v", req.Header)
	}
	if err := script.Check(); err != nil {
		t.Error(err)
	}
}

func TestPostIsRepeatedOnlyWithAnIdempotencyKey(t *testing.T) {
	for name, tc := range map[string]struct {
		with   []transport.Middleware
		status int
		reason policy.Reason
	}{
		"without": {nil, 503, policy.NotIdempotent},
		"with":    {[]transport.Middleware{transport.IdempotencyKey(nil)}, 201, policy.Succeeded},
	} {
		t.Run(name, func(t *testing.T) {
			var reason policy.Reason
			script := transporttest.Play(transporttest.Answer(503, ""), transporttest.Answer(201, ""))
			rt := newChain(t, script, transport.Config{Policy: fast(), PerCall: tc.with, Hooks: transport.Hooks{
				Call: func(_ context.Context, info transport.CallInfo) { reason = info.Reason },
			}})
			resp, err := rt.RoundTrip(newRequest(t, "POST", "https://api.example", "payload"))
			if err != nil || resp.StatusCode != tc.status || reason != tc.reason {
				t.Errorf("%v, %v, stopped for %v; want %d, %v", resp, err, reason, tc.status, tc.reason)
			}
		})
	}
}

func TestIdempotencyKeyIsSetWhereItIsWanted(t *testing.T) {
	only := func(path string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.URL.Path == path }
	}
	for name, tc := range map[string]struct {
		method string
		header http.Header
		choose func(*http.Request) bool
		set    bool
	}{
		"POST":                        {"POST", http.Header{}, nil, true},
		"PATCH":                       {"PATCH", http.Header{}, nil, true},
		"GET":                         {"GET", http.Header{}, nil, false},
		"PUT":                         {"PUT", http.Header{}, nil, false},
		"no method is GET":            {"", http.Header{}, nil, false},
		"chosen":                      {"PUT", http.Header{}, only("/v1"), true},
		"not chosen":                  {"POST", http.Header{}, only("/v2"), false},
		"has one":                     {"POST", http.Header{"Idempotency-Key": {"mine"}}, nil, false},
		"has the other one":           {"POST", http.Header{"X-Idempotency-Key": {"mine"}}, nil, false},
		"has one without values":      {"POST", http.Header{"Idempotency-Key": {}}, nil, false},
		"has the other one, of nil":   {"POST", http.Header{"X-Idempotency-Key": nil}, nil, false},
		"has one in another spelling": {"POST", http.Header{"idempotency-key": {"mine"}}, nil, false},
		"no header map":               {"POST", nil, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			var got *http.Request
			rt := transport.Chain(roundTripFunc(func(r *http.Request) (*http.Response, error) {
				got = r
				return &http.Response{StatusCode: 200, Request: r}, nil
			}), transport.IdempotencyKey(tc.choose))
			req := newRequest(t, tc.method, "https://api.example/v1", "")
			req.Method, req.Header = tc.method, tc.header
			req.Trailer = http.Header{"T": nil}
			if _, err := rt.RoundTrip(req); err != nil {
				t.Fatal(err)
			}
			if !tc.set {
				if got != req {
					t.Errorf("another request arrived, with %v", got.Header)
				}
				return
			}
			if len(got.Header["Idempotency-Key"]) != 1 || len(req.Header) != 0 {
				t.Errorf("header %v, the caller's %v; want a key on a copy", got.Header, req.Header)
			}
			got.Trailer["T"] = []string{"late"}
			if req.Trailer.Get("T") != "late" {
				t.Error("the copy has a trailer map of its own")
			}
		})
	}
}

func TestIdempotencyKeyLeavesARequestWithoutHeaderToTheBase(t *testing.T) {
	body := &closeCounter{Reader: strings.NewReader("payload")}
	req := newRequest(t, "POST", "http://127.0.0.1:1", "")
	req.Header, req.Body = nil, body
	_, err := transport.Chain(newTransport(t), transport.IdempotencyKey(nil)).RoundTrip(req)
	if err == nil || body.closed.Load() == 0 {
		t.Errorf("error %v, body closed %d times; want the base's refusal", err, body.closed.Load())
	}
}

// A POST may be repeated if the server can tell that it is the same order.
func ExampleIdempotencyKey() {
	api := transporttest.Play(transporttest.Answer(503, ""), transporttest.Answer(201, ""))
	orders := func(req *http.Request) bool { return req.Method == "POST" && req.URL.Path == "/orders" }
	client, err := transport.Wrap(api.Client(), transport.Config{
		PerCall: []transport.Middleware{transport.IdempotencyKey(orders)},
	})
	if err != nil {
		panic(err)
	}
	resp, err := client.Post("https://api.example.com/orders", "application/json", strings.NewReader(`{"item":7}`))
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	first, second := api.Attempts()[0].Header, api.Attempts()[1].Header
	fmt.Println(resp.StatusCode, "and the same key:", first.Get("Idempotency-Key") == second.Get("Idempotency-Key"))
	// Output: 201 and the same key: true
}
