package transport

import (
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/steadytrip/steadytrip/policy"
)

// ProveUnsent watches whether a request that is not idempotent ever left, so that one that did not can be sent again, too.
// Most such failures show by their type: refused dials, unknown hosts, handshakes that time out, refused streams. It adds
// those that do not: a connection lost during the TLS handshake, and whatever error a dialer of the user's own returns.
//
// It proves by connection tracing that the base asked for a connection and got none: no server can have acted then.
// A base that does not support [httptrace] proves nothing. It composes with the caller's own trace, costs
// six allocations for each request that is not idempotent and can be sent again, and nothing for the others.
// It belongs first into Config.PerAttempt, outside of [AttemptTimeout].
func ProveUnsent() Middleware {
	return func(next http.RoundTripper) http.RoundTripper { return &proving{inner{next}} }
}

type proving struct{ inner }

var _ http.RoundTripper = (*proving)(nil)

func (p *proving) RoundTrip(req *http.Request) (*http.Response, error) {
	if r := policy.ReplayOf(req); r.Idempotent || !r.Rewindable {
		return p.next.RoundTrip(req)
	}
	// The hooks may run concurrently, and after RoundTrip has returned.
	var asked, got atomic.Bool
	trace := &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { got.Store(true) },
	}
	resp, err := p.next.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil && asked.Load() && !got.Load() && !comparedDirectly(err) {
		return resp, &unsentError{err}
	}
	return resp, err
}

// unsentError is an error of a request that never left. Package classify asks for its method.
type unsentError struct{ error }

func (e *unsentError) Unsent() bool  { return true }
func (e *unsentError) Unwrap() error { return e.error }

func (e *unsentError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.error, &t) && t.Timeout()
}
