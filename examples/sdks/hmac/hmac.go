// Package hmac is a client that signs its requests, and a server that accepts a signature once: what an API with replay
// protection looks like, and where its signature belongs.
//
//	hc, err := transport.Wrap(&http.Client{}, transport.Config{
//		PerAttempt: []transport.Middleware{hmac.Sign("key-1", secret)},
//	})
//
// PerAttempt middlewares run for every attempt, so each has a nonce and a time of its own. A signature that is made once a
// call, in PerCall, around the client's Transport, or by hand before Do, is sent again with each retry: the server refuses the
// second attempt as a replay, and the caller gets a 401 for a request that failed for another reason.
//
// There are no retries besides the chain's to switch off.
package hmac

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
)

// SDK is the client, which puts a note.
func SDK() rig.SDK {
	secret := []byte("example")
	return rig.SDK{
		Name:        "hmac",
		Plug:        "transport.Config{PerAttempt: []transport.Middleware{hmac.Sign(key, secret)}}",
		Sign:        Sign("key-1", secret),
		Fresh:       []string{fieldTime, fieldNonce, fieldSignature},
		Handler:     &Guard{Key: "key-1", Secret: secret, Next: Notes()},
		Unavailable: []byte(`{"error":{"code":"unavailable"}}`),
		Limited:     []byte(`{"error":{"code":"limited"}}`),
		Call: func(ctx context.Context, hc *http.Client, url string, _ bool) error {
			return Put(ctx, hc, url, "a note")
		},
	}
}

// Put sends a note to the API at url.
func Put(ctx context.Context, hc *http.Client, url, note string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url+"/notes/1", strings.NewReader(note))
	if err != nil {
		return err
	}
	resp, err := hc.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return classify.CheckResponse(resp)
}

// The fields of a signed request.
const (
	fieldKey       = "X-Key"
	fieldTime      = "X-Timestamp" // in seconds since 1970
	fieldNonce     = "X-Nonce"
	fieldDigest    = "X-Content-Sha256"
	fieldSignature = "X-Signature"
)

// ErrUnreadable is what a request fails with whose body cannot be read before it is sent, since it has no GetBody.
var ErrUnreadable = errors.New("hmac: a body without GetBody cannot be signed")

// Sign signs each request that passes: its method, URL and body, with the time and a nonce. It belongs into Config.PerAttempt.
func Sign(key string, secret []byte) transport.Middleware {
	return func(next http.RoundTripper) http.RoundTripper { return &signer{key, secret, next} }
}

type signer struct {
	key    string
	secret []byte
	next   http.RoundTripper
}

var _ http.RoundTripper = (*signer)(nil)

// RoundTrip signs a copy of req and sends it.
func (s *signer) RoundTrip(req *http.Request) (*http.Response, error) {
	digest, err := digestOf(req)
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	signed := req.WithContext(req.Context())
	if signed.Header = req.Header.Clone(); signed.Header == nil {
		signed.Header = make(http.Header)
	}
	at, nonce := strconv.FormatInt(time.Now().Unix(), 10), rand.Text()
	signed.Header.Set(fieldKey, s.key)
	signed.Header.Set(fieldTime, at)
	signed.Header.Set(fieldNonce, nonce)
	signed.Header.Set(fieldDigest, digest)
	signed.Header.Set(fieldSignature, hex.EncodeToString(signature(s.secret, req, at, nonce, digest)))
	return s.next.RoundTrip(signed)
}

// digestOf returns the hash of a request's body, which it reads from GetBody: the body itself is for the base.
func digestOf(req *http.Request) (string, error) {
	sum := sha256.New()
	if req.Body != nil && req.Body != http.NoBody {
		if req.GetBody == nil {
			return "", ErrUnreadable
		}
		body, err := req.GetBody()
		if err != nil {
			return "", err
		}
		defer body.Close()
		if _, err := io.Copy(sum, body); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// signature is the MAC of what client and server know of a request.
func signature(secret []byte, req *http.Request, at, nonce, digest string) []byte {
	mac := hmac.New(sha256.New, secret)
	for _, part := range []string{req.Method, req.URL.RequestURI(), at, nonce, digest} {
		fmt.Fprintln(mac, part)
	}
	return mac.Sum(nil)
}
