package hmac

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	window   = time.Minute // how far the time of a request may be off
	maxBody  = 1 << 20
	maxNonce = 10_000 // nonces that are remembered
)

// Notes takes PUT /notes/{id}.
func Notes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /notes/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

// Guard lets a handler see only requests that are signed, fresh, and not sent before. It answers the others with a 401
// whose code is "bad_signature", "stale" or "replayed".
type Guard struct {
	Key    string
	Secret []byte
	Next   http.Handler

	mu   sync.Mutex
	seen map[string]time.Time // nonces, and until when they are remembered
}

// ServeHTTP implements [http.Handler].
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return // the client went away, or sent too much and is told so by the closed connection
	}
	if code := g.fault(r, body); code != "" {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("WWW-Authenticate", "Signature")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":{"code":%q}}`, code)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.Next.ServeHTTP(w, r)
}

// fault returns what is wrong with a request; empty if nothing is.
func (g *Guard) fault(r *http.Request, body []byte) string {
	at, nonce, digest := r.Header.Get(fieldTime), r.Header.Get(fieldNonce), r.Header.Get(fieldDigest)
	sum := sha256.Sum256(body)
	mac, err := hex.DecodeString(r.Header.Get(fieldSignature))
	if err != nil || r.Header.Get(fieldKey) != g.Key || digest != hex.EncodeToString(sum[:]) ||
		!hmac.Equal(mac, signature(g.Secret, r, at, nonce, digest)) {
		return "bad_signature"
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	now := time.Now()
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > window {
		return "stale"
	}
	if !g.first(nonce, now) {
		return "replayed"
	}
	return ""
}

// first remembers a nonce and tells whether it is seen for the first time. When it can remember no more, no nonce is new.
func (g *Guard) first(nonce string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for old, until := range g.seen {
		if now.After(until) {
			delete(g.seen, old)
		}
	}
	if _, ok := g.seen[nonce]; ok || len(g.seen) >= maxNonce {
		return false
	}
	if g.seen == nil {
		g.seen = make(map[string]time.Time)
	}
	// A request from a clock that is ahead stays fresh for twice the window.
	g.seen[nonce] = now.Add(2 * window)
	return true
}
