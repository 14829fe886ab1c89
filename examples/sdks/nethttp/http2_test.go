package nethttp

import (
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// TestHTTP2 sends many requests at once over one connection; each is answered 429 the first time.
func TestHTTP2(t *testing.T) {
	const n = 64
	var connections atomic.Int64
	var seen sync.Map
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("the request came over %s", r.Proto)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "what is sent" {
			t.Errorf("got %q, %v", body, err)
		}
		if _, again := seen.LoadOrStore(r.URL.Path, true); !again {
			rig.JSON(429, `{}`, "Retry-After", "0")(w, r)
		}
	}))
	server.EnableHTTP2 = true
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	base := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()}
	base.TLSClientConfig.RootCAs = roots
	defer base.CloseIdleConnections()
	set := rig.Policy()
	set.Budget = policy.Budget{} // half of the requests are retries here
	hc, err := transport.Wrap(&http.Client{Transport: base}, transport.Config{Policy: set})
	if err != nil {
		t.Fatal(err)
	}
	post := func(path string) {
		resp, err := hc.Post(server.URL+path, "text/plain", strings.NewReader("what is sent"))
		if err != nil {
			t.Error(err)
			return
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || resp.ProtoMajor != 2 || transport.TrailOf(resp, nil).Attempts != 2 {
			t.Errorf("%s: got %s %s after %d attempts, want a 200 after 2", path, resp.Proto, resp.Status, transport.TrailOf(resp, nil).Attempts)
		}
	}
	post("/first") // so that there is a connection for the others
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { post("/" + strings.Repeat("x", i+1)) })
	}
	wait.Wait()
	if connections.Load() != 1 {
		t.Errorf("%d connections, want 1", connections.Load())
	}
}
