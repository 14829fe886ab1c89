package transport

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// IdempotencyKey gives the requests that choose picks an Idempotency-Key of their own, so that the server can tell a repetition
// from a second order, and [Retry] may repeat what it otherwise must not. A nil choose picks every POST and PATCH.
// Choose it only for servers that heed the field: for others a request is no safer for carrying it.
//
// The key is made once for each call, so that every attempt has the same one and the next call another: hence it belongs
// outside of [Retry], in Config.PerCall. Each hop of a redirect is a call. The key is random, of 128 bits or more, and goes out bare,
// as the APIs in use take it; the structured-field quotes of draft-ietf-httpapi-idempotency-key-header are not put around it.
//
// A request that has an Idempotency-Key or X-Idempotency-Key, in any case and even one without values, keeps what it has.
// The key is set on a copy, and the caller's request is not changed; the answer's Request shows it.
// A request without Header map is passed on for the base to refuse. choose must be safe for concurrent use
// and must neither change the request nor read its body.
func IdempotencyKey(choose func(*http.Request) bool) Middleware {
	if choose == nil {
		choose = isPostOrPatch
	}
	return func(next http.RoundTripper) http.RoundTripper { return &keying{inner{next}, choose} }
}

type keying struct {
	inner
	choose func(*http.Request) bool
}

var _ http.RoundTripper = (*keying)(nil)

func (k *keying) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header != nil && !hasIdempotencyKey(req.Header) && k.choose(req) {
		req = req.WithContext(req.Context())
		req.Header = req.Header.Clone()
		req.Header.Set("Idempotency-Key", rand.Text())
	}
	return k.next.RoundTrip(req)
}

func isPostOrPatch(req *http.Request) bool {
	return req.Method == http.MethodPost || req.Method == http.MethodPatch
}

// hasIdempotencyKey looks at every name, since a map may hold names that are not canonical, and two keys are worse than none.
func hasIdempotencyKey(h http.Header) bool {
	for name := range h {
		if strings.EqualFold(name, "Idempotency-Key") || strings.EqualFold(name, "X-Idempotency-Key") {
			return true
		}
	}
	return false
}
