package transport

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// ErrOpen marks the refusals of an open breaker: errors.Is(err, transport.ErrOpen).
var ErrOpen = errors.New("transport: breaker open")

// OpenError says that a breaker turned an attempt away: nothing was sent. It comes wrapped in the typed error of the verdict
// that opened the breaker, whose RetryAfter is the time left.
type OpenError struct {
	Key        string        // what the breaker belongs to; not part of the text
	RetryAfter time.Duration // until the breaker lets requests through again; 0 while it probes, a century until it is reset

	held   bool   // the request was held before
	called uint32 // 1 once it is what a call came to; atomic
}

// endsCall reports whether err, with which a call ends at its first attempt, is a refusal without a wait, and notes in it that it is
// what a call came to. It needs no further trail then.
func endsCall(err error) bool {
	open, refused := errors.AsType[*OpenError](err)
	if !refused || open.held {
		return false
	}
	atomic.StoreUint32(&open.called, 1)
	return true
}

// endedCall reports whether err is such a refusal.
func endedCall(err error) bool {
	open, refused := errors.AsType[*OpenError](err)
	return refused && atomic.LoadUint32(&open.called) == 1
}

// noEnd is a pause that outlasts every program: there is no point in saying how long it is.
const noEnd = maxForce / 2

// Error says when to come back. It does not name the key, which a user may have made of a secret.
func (e *OpenError) Error() string {
	switch {
	case e.RetryAfter <= 0:
		return ErrOpen.Error() + ", probing"
	case e.RetryAfter > noEnd:
		return ErrOpen.Error() + " until it is reset"
	}
	return fmt.Sprintf("%v for another %v", ErrOpen, e.RetryAfter.Round(time.Millisecond))
}

// Unwrap returns [ErrOpen].
func (e *OpenError) Unwrap() error { return ErrOpen }

// RetryableError returns false, for SDKs further out such as aws-sdk-go-v2: there is no use in asking again before RetryAfter.
func (e *OpenError) RetryableError() bool { return false }

// NonRetriable marks the error as one not to be retried, for SDKs such as Azure's azcore.
func (e *OpenError) NonRetriable() {}

// ErrGated marks what a gate answers instead of the server: errors.Is(err, transport.ErrGated).
var ErrGated = errors.New("transport: not sent")

// GateError says that a request was not sent, because of what another call on the same grant found out or still waits for.
// It comes wrapped in the typed error of the verdict: of the answer that the other call got, or of a refresh in progress.
type GateError struct {
	Waited time.Duration // for the other call
	Failed bool          // the refresh has failed; otherwise it goes on for longer than the call could wait
}

// Error says what the other call found out.
func (e *GateError) Error() string {
	what := "the grant's token is still being refreshed"
	if e.Failed {
		what = "the grant's token could not be refreshed"
	}
	return fmt.Sprintf("%v: waited %v, and %s", ErrGated, e.Waited.Round(time.Millisecond), what)
}

// Unwrap returns [ErrGated].
func (e *GateError) Unwrap() error { return ErrGated }

// aboutGrant is the part of a verdict that concerns every call on a grant.
func aboutGrant(v classify.Verdict) classify.Verdict {
	if d := v.Detail; d != nil {
		v.Detail = &classify.Detail{Status: d.Status, GrantID: d.GrantID, ProviderID: d.ProviderID}
	}
	v.Unprocessed = true
	return v
}
