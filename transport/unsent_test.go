package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync/atomic"
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
)

func TestProveUnsent(t *testing.T) {
	dialError := errors.New("tunnel: no route")
	// hangUp is a server that accepts connections and ends them: in the handshake if the client speaks TLS,
	// after the request otherwise.
	hangUp := func(t *testing.T) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				io.ReadAtLeast(conn, make([]byte, 16), 16)
				conn.Close()
			}
		}()
		return l.Addr().String()
	}
	for name, tc := range map[string]struct {
		scheme string
		dial   func(context.Context, string, string) (net.Conn, error)
		unsent bool
	}{
		"a dialer of the user's own fails":                  {"http", func(context.Context, string, string) (net.Conn, error) { return nil, dialError }, true},
		"the connection ends in the TLS handshake":          {"https", nil, true},
		"the connection ends after the request was written": {"http", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTransport(t)
			tr.DialContext = tc.dial
			rt := transport.Chain(tr, transport.Classify(nil), transport.ProveUnsent())
			req := newRequest(t, "POST", tc.scheme+"://"+hangUp(t), "payload")
			_, err := rt.RoundTrip(req)
			if v := classify.Of(nil, err); v.Unprocessed != tc.unsent || !v.Kind.Is(classify.Network) {
				t.Errorf("%v (%v): unprocessed %v, want %v", v.Kind, err, v.Unprocessed, tc.unsent)
			}
			if tc.dial != nil && !errors.Is(err, dialError) {
				t.Errorf("%v: want the dialer's own error in its chain", err)
			}
		})
	}
}

func TestProveUnsentKeepsTheCallersTrace(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	var wrote atomic.Int32
	req := newRequest(t, "POST", srv.URL, "payload")
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{WroteHeaders: func() { wrote.Add(1) }}))
	resp, err := transport.Chain(newTransport(t), transport.ProveUnsent()).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if wrote.Load() != 1 {
		t.Errorf("the caller's own hook was called %d times, want once", wrote.Load())
	}
}

func TestProveUnsentProvesNothingOfOtherBases(t *testing.T) {
	base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		req.Body.Close()
		return nil, errors.New("some failure")
	})
	_, err := transport.Chain(base, transport.Classify(nil), transport.ProveUnsent()).RoundTrip(newRequest(t, "POST", "http://api.example", "x"))
	if classify.Of(nil, err).Unprocessed {
		t.Errorf("%v counts as unsent, though the base told nothing of its connections", err)
	}
}

func TestProveUnsentCost(t *testing.T) {
	resp := &http.Response{StatusCode: 200, Body: http.NoBody}
	base := roundTripFunc(func(req *http.Request) (*http.Response, error) { return resp, nil })
	rt := transport.Chain(base, transport.ProveUnsent())
	for method, want := range map[string]float64{"GET": 0, "PUT": 0, "POST": 6} {
		req := newRequest(t, method, "http://api.example", "x")
		if got := testing.AllocsPerRun(100, func() { _, _ = rt.RoundTrip(req) }); got > want {
			t.Errorf("%s: %v allocations, want at most %v", method, got, want)
		}
	}
}
