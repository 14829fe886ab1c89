package transport

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
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
	t, ok := trailOf(resp, err)
	switch {
	case !ok && err != nil && endedCall(err):
		return Trail{Attempts: 1, Records: []Record{{Err: refusalIn(err), Verdict: classify.Of(nil, err)}}, Reason: policy.Refused}
	case ok && err == nil && len(t.Records) <= len(records{}):
		t.Records = slices.Clone(t.Records) // who keeps the trail keeps neither the answer nor its request
	}
	return t
}

// refusalIn is the error of a refusal without what callers have wrapped it in, such as the *url.Error of an http.Client, which
// names the URL.
func refusalIn(err error) error {
	if typed, ok := errors.AsType[interface {
		error
		ErrorType() string
	}](err); ok {
		return typed
	}
	return err
}

func trailOf(resp *http.Response, err error) (Trail, bool) {
	if err != nil {
		if call, ok := errors.AsType[*CallError](err); ok {
			return call.Trail, true
		}
		return Trail{}, false
	}
	if resp == nil || resp.Request == nil {
		return Trail{}, false
	}
	s, ok := resp.Request.Context().Value(trailKey{}).(*story)
	if !ok || s.response.Load() != resp { //nolint:bodyclose // it is not opened here
		return Trail{}, false // or of an earlier answer to a request that was sent once more
	}
	return s.trail, true
}

// story is a trail on the return path, in a context of the response's request: that of the last attempt, or else that of a copy.
type story struct {
	trail    Trail
	few      records
	response atomic.Pointer[http.Response] // whose trail it is; nil as long as it is nobody's
}

// records has room for the attempts of most calls.
type records [2]Record

type trailKey struct{}

// trailContext is the context of a copy of the response's request.
type trailContext struct {
	context.Context //nolint:containedctx // it is a context
	story
}

func (c *trailContext) Value(key any) any {
	if key == (trailKey{}) {
		return &c.story
	}
	return c.Context.Value(key)
}

// carry gives an answer a copy of its request, whose context has room for a trail. Both are one allocation.
func carry(resp *http.Response) *story {
	c := &struct {
		ctx trailContext
		req http.Request
	}{ctx: trailContext{Context: resp.Request.Context()}}
	c.req = *resp.Request.WithContext(&c.ctx)
	resp.Request = &c.req
	return &c.ctx.story
}

// attach puts the trail on what the call returns.
func (t Trail) attach(resp *http.Response, err error) (*http.Response, error) {
	switch {
	case err != nil:
		return resp, t.onError(err)
	case resp != nil && resp.Request != nil:
		s := carry(resp)
		s.trail = t
		s.response.Store(resp)
	}
	return resp, nil
}

func (t Trail) onError(err error) error {
	if comparedDirectly(err) {
		return err
	}
	return &CallError{Trail: t, err: withoutTrail(err)}
}

// withoutTrail is err without the trail that it is wrapped in.
func withoutTrail(err error) error {
	if call, ok := err.(*CallError); ok { //nolint:errorlint // the outermost is to be replaced
		return call.err
	}
	return err
}

// draft is the trail of a call that is under way. The first records are kept apart, so that they need no room of their own.
type draft struct {
	Trail // without Records as long as few has room for them
	few   records
}

// add appends a record, and forgets the oldest if there are too many.
func (d *draft) add(r Record) {
	switch {
	case d.Attempts < len(d.few):
		d.few[d.Attempts] = r
	case d.Records == nil:
		d.Records = append(append(make([]Record, 0, 4*len(d.few)), d.few[:]...), r)
	default:
		if len(d.Records) == maxRecords {
			d.Records = slices.Delete(d.Records, 0, 1)
		}
		d.Records = append(d.Records, r)
	}
	d.Attempts++
}

// last is the record that was added last.
func (d *draft) last() *Record {
	if d.Records == nil {
		return &d.few[d.Attempts-1]
	}
	return &d.Records[len(d.Records)-1]
}

// write makes the trail, with its first records in few.
func (d *draft) write(trail *Trail, few *records) {
	*trail = d.Trail
	if d.Records == nil && d.Attempts > 0 {
		*few = d.few
		trail.Records = few[:d.Attempts:d.Attempts]
	}
}

// attach puts the trail on what the call returns; sent is the context of the last attempt, if there were several.
func (d *draft) attach(resp *http.Response, err error, sent *attemptContext) (*http.Response, error) {
	switch {
	case err != nil:
		if comparedDirectly(err) {
			return resp, err
		}
		call := &CallError{err: withoutTrail(err)}
		d.write(&call.Trail, &call.few)
		return resp, call
	case resp == nil || resp.Request == nil:
		return resp, nil
	}
	ctx := resp.Request.Context()
	var s *story
	if sent != nil && sent == attemptOf(ctx) && ctx.Value(trailKey{}) == nil { // a trail further in would hide ours
		s = &sent.story
	} else {
		s = carry(resp)
	}
	d.write(&s.trail, &s.few)
	s.response.Store(resp)
	return resp, nil
}

// CallError is what a chain with a [Retry] returns instead of an answer: the last attempt's own error, which errors.Is and
// errors.As find below it, with the trail of the call. Its text is that of the last error.
//
// It tells the retry loops of SDKs further out that retrying has been done: by RetryableError, which aws-sdk-go-v2 asks,
// and NonRetriable, which Azure's azcore looks for.
type CallError struct {
	Trail Trail

	err error
	few records
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
