package transport

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// maxRecords bounds how many attempts a trail remembers.
const maxRecords = 32

// Trail is the story of a call that did not succeed at once. It rides on what the call returned, see [TrailOf].
type Trail struct {
	Attempts int           // how many there were
	Records  []Record      // the last 32 of them, oldest first; shared by all who hold the trail: read it only
	Reason   policy.Reason // why there was no further attempt
	Waited   time.Duration // spent in pauses
	Nested   bool          // a Retry further out left the failure to the one that wrote this trail
}

// Record is one attempt of a trail.
type Record struct {
	Status   int              // the answer's HTTP status; 0 if there was none
	Err      error            `json:"-"` // the error; nil if there was an answer
	Verdict  classify.Verdict // zero for an attempt that succeeded
	Duration time.Duration    // from sending to the answer's header or the error
	Pause    time.Duration    // decided upon after it; 0 after the last
}

// TrailOf returns the trail of a call from what RoundTrip or http.Client.Do returned; a copy of a response has none.
// The zero trail means that the first attempt succeeded, or that no [Retry] was there.
func TrailOf(resp *http.Response, err error) Trail {
	t, _ := trailOf(resp, err)
	return t
}

func trailOf(resp *http.Response, err error) (Trail, bool) {
	if err != nil {
		var call *CallError
		if errors.As(err, &call) {
			return call.Trail, true
		}
		return Trail{}, false
	}
	if resp == nil || resp.Request == nil {
		return Trail{}, false
	}
	c, ok := resp.Request.Context().Value(trailKey{}).(*trailContext)
	if !ok || c.response != resp {
		return Trail{}, false // or of an earlier answer to a request that was sent once more
	}
	return c.trail, true
}

// trailContext carries a trail on the return path, as the context of a copy of the response's request.
type trailContext struct {
	context.Context //nolint:containedctx // it is a context
	trail           Trail
	response        *http.Response // whose trail it is
}

type trailKey struct{}

func (c *trailContext) Value(key any) any {
	if key == (trailKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// attach puts the trail on what the call returns.
func (t Trail) attach(resp *http.Response, err error) (*http.Response, error) {
	switch {
	case err != nil:
		return resp, t.onError(err)
	case resp != nil && resp.Request != nil:
		resp.Request = resp.Request.WithContext(&trailContext{resp.Request.Context(), t, resp})
	}
	return resp, nil
}

func (t Trail) onError(err error) error {
	if comparedDirectly(err) {
		return err
	}
	if call, ok := err.(*CallError); ok { //nolint:errorlint // the outermost is to be replaced
		err = call.err
	}
	return &CallError{Trail: t, err: err}
}

// add appends a record, and forgets the oldest if there are too many.
func (t *Trail) add(r Record) {
	if len(t.Records) == maxRecords {
		t.Records = slices.Delete(t.Records, 0, 1)
	}
	t.Records = append(t.Records, r)
	t.Attempts++
}

// CallError is what a chain with a [Retry] returns instead of an answer: the last attempt's own error, which errors.Is and
// errors.As find below it, with the trail of the call. Its text is that of the last error.
//
// It tells the retry loops of SDKs further out that retrying has been done: by RetryableError, which aws-sdk-go-v2 asks,
// and NonRetriable, which Azure's azcore looks for.
type CallError struct {
	Trail Trail

	err error
}

// Error returns the text of the last attempt's error.
func (e *CallError) Error() string { return e.err.Error() }

// Unwrap returns the last attempt's error.
func (e *CallError) Unwrap() error { return e.err }

// Timeout reports whether the last attempt timed out.
func (e *CallError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.err, &t) && t.Timeout()
}

// Temporary reports what the last attempt's error says of itself.
func (e *CallError) Temporary() bool {
	var t interface{ Temporary() bool }
	return errors.As(e.err, &t) && t.Temporary()
}

// ErrorType returns the name of the failure's kind: a low-cardinality identifier for telemetry.
func (e *CallError) ErrorType() string { return classify.Of(nil, e.err).Kind.String() }

// RetryableError returns false: what could be retried has been.
func (e *CallError) RetryableError() bool { return false }

// NonRetriable marks the error as one not to be retried.
func (e *CallError) NonRetriable() {}
