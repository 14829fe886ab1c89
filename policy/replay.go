package policy

import (
	"net/http"

	"github.com/steadytrip/steadytrip/classify"
)

// Replay holds what is known about sending a request a second time. Whether that is allowed, whether it is possible
// and whether the first copy left at all are three questions, and each has its own answer here.
// The zero value is a request that may have been acted on and cannot be repeated.
type Replay struct {
	Idempotent bool // doing it twice is harmless: the method, an idempotency key or the caller says so
	Rewindable bool // it can be sent again whole: there is no body, or GetBody yields a fresh one
	Unsent     bool // the transport saw that nothing was sent
}

// ReplayOf returns what the request itself tells: Idempotent and Rewindable. It neither changes the request nor reads its body.
//
// A request is idempotent if its method is (GET, HEAD, OPTIONS, TRACE, PUT and DELETE by RFC 9110, section 9.2.2;
// QUERY by RFC 10008), in upper case as on the wire, or if its header has an Idempotency-Key or X-Idempotency-Key.
// As in [http.Transport], the key may have no values; it is not sent then, but states the same.
func ReplayOf(req *http.Request) Replay {
	return Replay{
		Idempotent: idempotentMethod(req.Method) || has(req.Header, "Idempotency-Key") || has(req.Header, "X-Idempotency-Key"),
		Rewindable: req.Body == nil || req.Body == http.NoBody || req.GetBody != nil,
	}
}

// Check returns Retrying if a request that came to verdict v may be sent again, and otherwise NotIdempotent or NotReplayable.
// An unsafe request may be sent again only if it is known that nobody acted on it.
func (r Replay) Check(v classify.Verdict) Reason {
	switch {
	case !r.Idempotent && !r.Unsent && !v.Unprocessed:
		return NotIdempotent
	case !r.Rewindable:
		return NotReplayable
	}
	return Retrying
}

func idempotentMethod(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete, "QUERY":
		return true
	}
	return false
}

func has(h http.Header, canonicalKey string) bool {
	_, ok := h[canonicalKey]
	return ok
}
