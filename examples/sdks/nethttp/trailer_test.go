package nethttp

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
)

// TestTrailers: what comes after a body arrives on both sides, also of the second attempt.
func TestTrailers(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2: %v", http2), func(t *testing.T) {
			t.Parallel()
			var attempts atomic.Int64
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				sum := sha256.Sum256(body)
				if want := hex.EncodeToString(sum[:]); err != nil || r.Trailer.Get("Digest") != want {
					t.Errorf("got %q, %v with the trailer %q, want %q", body, err, r.Trailer.Get("Digest"), want)
				}
				if attempts.Add(1) == 1 {
					rig.JSON(429, `{}`, "Retry-After", "0")(w, r)
					return
				}
				w.Header().Set("Trailer", "Status")
				_, _ = io.WriteString(w, "done")
				w.Header().Set("Status", "complete")
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			hc, err := transport.Wrap(server.Client(), transport.Config{Policy: rig.Policy()})
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256([]byte("what is sent"))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("what is sent"))
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = -1 // over HTTP/1 only a body in chunks has a trailer
			req.Trailer = http.Header{"Digest": {hex.EncodeToString(sum[:])}}
			resp, err := hc.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if string(body) != "done" || err != nil || resp.Trailer.Get("Status") != "complete" || attempts.Load() != 2 {
				t.Errorf("got %q, %v, the trailer %v after %d attempts, want a complete one after 2", body, err, resp.Trailer, attempts.Load())
			}
			if want := map[bool]int{false: 1, true: 2}[http2]; resp.ProtoMajor != want {
				t.Errorf("the answer came over %s, want HTTP/%d", resp.Proto, want)
			}
		})
	}
}
