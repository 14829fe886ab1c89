package transport_test

import (
	"net/http"
	"slices"
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
		"https://bac\u212Aend.example/":           "",
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
		want  []string
	}{
		"no middleware":     {nil, []string{"a.example"}, []string{"Middleware is nil"}},
		"no host":           {none, nil, []string{"no host"}},
		"two that are none": {none, []string{"https://a.example/", "b c"}, []string{`"https://a.example/"`, `"b c"`}},
		"one twice":         {none, []string{"a.example", "A.example."}, []string{"stands twice"}},
		"all that is wrong": {nil, []string{"b c"}, []string{"Middleware is nil", `"b c"`}},
		"nothing at all":    {nil, nil, []string{"Middleware is nil", "no host"}},
	} {
		m, err := transport.OnHosts(tc.m, tc.hosts...)
		if m != nil || err == nil || !strings.HasPrefix(err.Error(), "transport: OnHosts: ") {
			t.Errorf("%s: %v, want an error", name, err)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want it to say %s", name, err, want)
			}
		}
	}
}

// A redirect to another host is a request of its own.
func TestOnHostsJudgesEachHopOfARedirect(t *testing.T) {
	var stamps []string
	stamp := func(next http.RoundTripper) http.RoundTripper {
		return roundTripFunc(func(req *http.Request) (*http.Response, error) {
			req = req.Clone(req.Context())
			req.Header.Set("X-Stamp", "1")
			return next.RoundTrip(req)
		})
	}
	m, err := transport.OnHosts(stamp, "identity.example")
	if err != nil {
		t.Fatal(err)
	}
	hops := []string{"https://evil.example/", "https://\u0130dentity.example/", "https://IDENTITY.example/"}
	client, err := transport.Wrap(&http.Client{Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
		stamps = append(stamps, req.Header.Get("X-Stamp"))
		if n := len(stamps); n <= len(hops) {
			return answer(302, "", "Location", hops[n-1]).RoundTrip(req)
		}
		return ok.RoundTrip(req)
	})}, transport.Config{PerAttempt: []transport.Middleware{m}})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(newRequest(t, "GET", "https://identity.example/", ""))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if want := []string{"1", "", "", "1"}; !slices.Equal(stamps, want) {
		t.Errorf("stamps %q, want %q", stamps, want)
	}
}

// net/http says what is wrong with it.
func TestOnHostsLeavesARequestWithoutAURLToTheBase(t *testing.T) {
	reached := false
	m, err := transport.OnHosts(func(http.RoundTripper) http.RoundTripper {
		return roundTripFunc(func(*http.Request) (*http.Response, error) {
			t.Error("sent to the middleware of a host")
			return nil, http.ErrNotSupported
		})
	}, "a.example")
	if err != nil {
		t.Fatal(err)
	}
	rt := transport.Chain(roundTripFunc(func(*http.Request) (*http.Response, error) {
		reached = true
		return nil, http.ErrNotSupported
	}), m)
	if _, err := rt.RoundTrip(&http.Request{Header: http.Header{}}); err != http.ErrNotSupported || !reached {
		t.Errorf("%v, base reached: %v; want its own error", err, reached)
	}
}
