package transport_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/transport"
)

func TestOnHosts(t *testing.T) {
	stamp := func(next http.RoundTripper) http.RoundTripper {
		return roundTripFunc(func(req *http.Request) (*http.Response, error) {
			req = req.Clone(req.Context())
			req.Header.Set("X-Stamp", "1")
			return next.RoundTrip(req)
		})
	}
	m, err := transport.OnHosts(stamp, "Backend.example", "[::1]:8443")
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"https://backend.example/v1":              "1",
		"https://BACKEND.example.:8443/v1":        "1",
		"https://[::1]:8443/v1":                   "1",
		"https://[::1]/v1":                        "",
		"https://backend.example@evil.example/v1": "",
		"https://backend.example.evil.example/":   "",
		"https://evil.example/backend.example":    "",
	} {
		got := "not sent"
		rt := transport.Chain(roundTripFunc(func(req *http.Request) (*http.Response, error) {
			got = req.Header.Get("X-Stamp")
			return ok.RoundTrip(req)
		}), m)
		if _, err := exchange(rt, newRequest(t, "GET", url, "")); err != nil || got != want {
			t.Errorf("%s: stamp %q, %v; want %q", url, got, err, want)
		}
	}
	closed := 0
	if c, ok := transport.Chain(idleCloser{closed: &closed}, m).(interface{ CloseIdleConnections() }); !ok {
		t.Error("idle connections cannot be closed")
	} else if c.CloseIdleConnections(); closed != 1 {
		t.Errorf("idle connections were closed %d times, want once", closed)
	}
}

type idleCloser struct {
	http.RoundTripper
	closed *int
}

func (c idleCloser) CloseIdleConnections() { *c.closed++ }

func TestOnHostsSaysWhatIsWrong(t *testing.T) {
	none := func(next http.RoundTripper) http.RoundTripper { return next }
	for name, tc := range map[string]struct {
		m     transport.Middleware
		hosts []string
		want  string
	}{
		"no middleware": {nil, []string{"a.example"}, "Middleware is nil"},
		"no host":       {none, nil, "no host"},
		"an URL":        {none, []string{"https://a.example/", "b c"}, `"https://a.example/"`},
	} {
		if _, err := transport.OnHosts(tc.m, tc.hosts...); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want it to say %s", name, err, tc.want)
		}
	}
}
