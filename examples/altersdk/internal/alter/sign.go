package alter

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
)

// The header fields of a signed request. Alter documents that requests to its backend carry x-api-key and are signed by HMAC
// with protection against replays. It does not document how: the other fields, and what is signed, are this example's own.
const (
	FieldKey       = "X-Api-Key"
	FieldTimestamp = "X-Alter-Timestamp" // in Unix seconds
	FieldNonce     = "X-Alter-Nonce"
	FieldSignature = "X-Alter-Signature"

	// FieldDeprecated is "true" in every answer to a deprecated key. Alter documents it.
	FieldDeprecated = "X-Alter-Key-Deprecated"
)

// Key is what an application proves itself with.
type Key struct {
	Name   string // for people; may be printed
	ID     string // goes out with each request
	Secret string // signs requests and never leaves the program
}

// String returns the key's name, so that nothing of the key itself gets into a text.
func (k Key) String() string { return k.Name }

// GoString does the same for %#v.
func (k Key) GoString() string { return strconv.Quote(k.Name) }

// MarshalText does the same for JSON and slog.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.Name), nil }

// Signature signs a request: its method, its path with the query, and the SHA-256 of its body.
func Signature(secret, method, uri, timestamp, nonce string, digest [sha256.Size]byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.Join([]string{method, uri, timestamp, nonce, hex.EncodeToString(digest[:])}, "\n")))
	return hex.EncodeToString(mac.Sum(nil))
}

// errUnreadable says that a request cannot be signed: its body would be gone once it was.
var errUnreadable = errors.New("alter: cannot sign a request whose body has no GetBody")

// keyring holds the key in use, and remembers which keys were reported as deprecated.
type keyring struct {
	key        atomic.Pointer[Key]
	told       sync.Map // of key ids
	deprecated func(ctx context.Context, name string)
}

// sign signs the requests to host, and no others: a provider must not see the key. It belongs into Config.PerAttempt,
// since the backend refuses a signature that it has seen before: each attempt needs one of its own.
func (k *keyring) sign(host string) transport.Middleware {
	return func(next http.RoundTripper) http.RoundTripper { return &signer{next, host, k} }
}

type signer struct {
	next http.RoundTripper
	host string
	keys *keyring
}

var _ http.RoundTripper = (*signer)(nil)

// RoundTrip sends a signed copy of the request.
func (s *signer) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL == nil || req.Header == nil || req.URL.Host != s.host {
		return s.next.RoundTrip(req)
	}
	digest, err := digestOf(req)
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	key := s.keys.key.Load()
	timestamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), rand.Text()
	signed := req.WithContext(req.Context())
	signed.Header = req.Header.Clone()
	signed.Header.Set(FieldKey, key.ID)
	signed.Header.Set(FieldTimestamp, timestamp)
	signed.Header.Set(FieldNonce, nonce)
	signed.Header.Set(FieldSignature, Signature(key.Secret, req.Method, req.URL.RequestURI(), timestamp, nonce, digest))

	resp, err := s.next.RoundTrip(signed)
	if resp != nil && s.keys.deprecated != nil && strings.EqualFold(resp.Header.Get(FieldDeprecated), "true") {
		if _, told := s.keys.told.LoadOrStore(key.ID, true); !told {
			s.keys.deprecated(req.Context(), key.Name)
		}
	}
	return resp, err
}

// CloseIdleConnections is for http.Client, which looks for it.
func (s *signer) CloseIdleConnections() {
	if c, ok := s.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// digestOf reads a copy of the body: the body itself is yet to be sent.
func digestOf(req *http.Request) (digest [sha256.Size]byte, err error) {
	if req.Body == nil || req.Body == http.NoBody {
		return sha256.Sum256(nil), nil
	}
	if req.GetBody == nil {
		return digest, classify.Verdict{Kind: classify.InvalidRequest}.Err(errUnreadable)
	}
	body, err := req.GetBody()
	if err != nil {
		return digest, classify.Verdict{Kind: classify.InvalidRequest}.Err(err)
	}
	defer body.Close()
	h := sha256.New()
	if _, err := io.Copy(h, body); err != nil {
		return digest, classify.Verdict{Kind: classify.InvalidRequest}.Err(err)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
