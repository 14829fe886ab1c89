package transport_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/transport"
)

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func newRequest(t testing.TB, method, url, body string) *http.Request {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestSuccessPathAllocatesNothing(t *testing.T) {
	resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}
	base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.Body != nil {
			req.Body.Close()
		}
		resp.Request = req
		return resp, nil
	})
	rt, err := transport.New(base, transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, req := range []*http.Request{
		newRequest(t, "GET", "https://api.example.com/v1/things?q=1", ""),
		newRequest(t, "GET", "https://API.example.com:443/v1/things?q=1", ""),
		newRequest(t, "POST", "http://127.0.0.1:8080/v1/things", "body"),
	} {
		bare := testing.AllocsPerRun(100, func() { _, _ = base.RoundTrip(req) })
		got := testing.AllocsPerRun(100, func() { _, _ = rt.RoundTrip(req) })
		if got != bare {
			t.Errorf("%s %s: %v allocations, want %v as over the bare base", req.Method, req.URL, got, bare)
		}
	}
}

func TestChainOrder(t *testing.T) {
	var log bytes.Buffer
	mark := func(name string) transport.Middleware {
		return func(next http.RoundTripper) http.RoundTripper {
			return roundTripFunc(func(req *http.Request) (*http.Response, error) {
				log.WriteString(name)
				return next.RoundTrip(req)
			})
		}
	}
	base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		log.WriteString("base")
		return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
	})
	rt := transport.Chain(base, mark("a "), nil, mark("b "))
	if _, err := rt.RoundTrip(newRequest(t, "GET", "http://example.com", "")); err != nil {
		t.Fatal(err)
	}
	if got, want := log.String(), "a b base"; got != want {
		t.Errorf("order %q, want %q", got, want)
	}
}
