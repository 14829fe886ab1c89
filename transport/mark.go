package transport

import (
	"context"
	"net/http"
	"strconv"
)

type markKey int

const (
	markIdempotent markKey = iota
	markNoRetry
)

// Idempotent marks the requests of a context as safe to be carried out twice, whatever their method.
// It is the caller's word for what neither the method nor an Idempotency-Key says.
func Idempotent(ctx context.Context) context.Context {
	return context.WithValue(ctx, markIdempotent, true)
}

// NoRetry marks the requests of a context as not to be repeated by [Retry], for whatever reason.
func NoRetry(ctx context.Context) context.Context {
	return context.WithValue(ctx, markNoRetry, true)
}

func marked(ctx context.Context, m markKey) bool {
	set, _ := ctx.Value(m).(bool)
	return set
}

// CountRetries tells the server how often a request was sent before: 1 in the given header field of the first retry,
// and so on. The first attempt does not carry the field. It belongs into Config.PerAttempt.
func CountRetries(field string) Middleware {
	field = http.CanonicalHeaderKey(field)
	return func(next http.RoundTripper) http.RoundTripper { return &counting{inner{next}, field} }
}

type counting struct {
	inner
	field string
}

var _ http.RoundTripper = (*counting)(nil)

func (c *counting) RoundTrip(req *http.Request) (*http.Response, error) {
	if n := Attempt(req.Context()); n > 1 && req.Header != nil {
		req = req.WithContext(req.Context())
		req.Header = req.Header.Clone()
		req.Header.Set(c.field, strconv.Itoa(n-1))
	}
	return c.next.RoundTrip(req)
}
