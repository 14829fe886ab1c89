package loopback

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/steadytrip/steadytrip/examples/altersdk/internal/alter"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

const (
	skew      = 5 * time.Minute // that a timestamp may differ from the clock
	maxNonces = 10_000          // that are remembered before old ones are forgotten
)

// key is what the backend knows of a key.
type key struct {
	secret              string
	revoked, deprecated bool
}

// Accept lets requests that are signed with this key pass.
func (b *Backend) Accept(k alter.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys[k.ID] = &key{secret: k.Secret}
}

// Revoke refuses a key from now on, with key_revoked.
func (b *Backend) Revoke(k alter.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys[k.ID] = &key{secret: k.Secret, revoked: true}
}

// Deprecate says in every answer to a key that it is about to end.
func (b *Backend) Deprecate(k alter.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys[k.ID] = &key{secret: k.Secret, deprecated: true}
}

// signed lets requests pass that a known key has signed, and each signature once only.
func (b *Backend) signed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			panic(http.ErrAbortHandler) // the client is gone
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		deprecated, refusal := b.verify(r, sha256.Sum256(body), time.Now())
		if deprecated {
			w.Header().Set(alter.FieldDeprecated, "true")
		}
		if refusal != nil {
			refusal.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// verify returns why a request is refused, or nil, and whether its key is deprecated.
func (b *Backend) verify(r *http.Request, digest [sha256.Size]byte, now time.Time) (deprecated bool, refusal *transporttest.Response) {
	refuse := func(code, message string) *transporttest.Response {
		r := transporttest.AlterError(http.StatusUnauthorized, code, message)
		return &r
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.keys[r.Header.Get(alter.FieldKey)]
	switch {
	case k == nil:
		return false, refuse("invalid_key", "The API key is not valid.")
	case k.revoked:
		return false, refuse("key_revoked", "The API key was revoked.")
	}
	timestamp, nonce := r.Header.Get(alter.FieldTimestamp), r.Header.Get(alter.FieldNonce)
	want := alter.Signature(k.secret, r.Method, r.URL.RequestURI(), timestamp, nonce, digest)
	if !hmac.Equal([]byte(want), []byte(r.Header.Get(alter.FieldSignature))) {
		return false, refuse("signature_invalid", "The signature is not that of the request.")
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if signed := time.Unix(seconds, 0); err != nil || now.Sub(signed).Abs() > skew {
		return k.deprecated, refuse("timestamp_out_of_range", "The request was signed too long ago.")
	}
	if _, seen := b.nonces[nonce]; seen || nonce == "" {
		return k.deprecated, refuse("request_replayed", "The request was sent before.")
	}
	if len(b.nonces) >= maxNonces {
		for old, at := range b.nonces {
			if now.Sub(at) > 2*skew { // its timestamp is out of range as well
				delete(b.nonces, old)
			}
		}
	}
	b.nonces[nonce] = now
	return k.deprecated, nil
}

func randomText() string { return rand.Text() }
