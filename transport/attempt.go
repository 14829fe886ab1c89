package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// attempt is one attempt and what came of it.
type attempt struct {
	req     *http.Request
	watched *watched // nil if there is nothing to watch
	resp    *http.Response
	err     error
	handed  *classify.Verdict // beside the answer
	verdict classify.Verdict  // once it is judged
	start   time.Time
	end     time.Time // once it is judged; by the wall clock of that moment, since a deadline may know no other
}

func (a *attempt) took() time.Duration { return a.end.Sub(a.start) }

func (a *attempt) send(next judging, req *http.Request) {
	a.req, a.watched = watch(req)
	sent := false
	if a.watched != nil {
		defer func() {
			if !sent { // the base panicked
				a.watched.cancel()
			}
		}()
	}
	a.resp, a.handed, a.err = next.judged(a.req) //nolint:bodyclose // run discards it or hands it on
	sent = true
}

// judge takes the verdict that came back with the attempt. A body that may have failed by itself, and was read, proves nothing about
// the request: its error looks as the transport's own would.
func (a *attempt) judge() {
	switch {
	case a.err != nil:
		a.verdict = verdictOfError(a.req, a.err)
		if a.watched != nil && a.watched.began.Load() {
			a.verdict.Unprocessed = false
		}
	case a.handed != nil:
		a.verdict = *a.handed
	}
}

// discard ends the attempt and its answer, if there is one.
func (a *attempt) discard() {
	if a.watched != nil {
		a.watched.cancel() // over HTTP/2, closing an answer waits for an upload that is still under way
	}
	if resp := a.resp; resp != nil {
		a.resp = nil
		discard(a.req, resp)
	}
}

// freshBody is the body of the next attempt, nil if the request has none.
func freshBody(req *http.Request) (io.ReadCloser, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req.Body, nil
	}
	if req.GetBody == nil {
		return nil, errors.New("transport: the request's body cannot be read again")
	}
	body, err := req.GetBody()
	if err == nil && body == nil {
		err = errors.New("transport: GetBody returned no body")
	}
	return body, err
}

// keep reads the answer's body into memory, within the bounds of discard, so that the answer can still be returned when the
// attempt has ended. If the body is longer or slower there is no answer any more.
func (a *attempt) keep() {
	if a.watched != nil {
		a.watched.cancel()
	}
	var body bytes.Buffer
	resp := a.resp
	if resp == nil || inMemory(resp.Body) {
		return
	}
	if !drain(a.req, resp, &body) {
		a.resp = nil
		return
	}
	resp.Body = io.NopCloser(bytes.NewReader(bytes.Clone(body.Bytes()))) // the buffer has room for much more
}

// attemptContext tells the layers inside the retries which attempt they serve.
type attemptContext struct {
	context.Context         //nolint:containedctx // it is a context
	attempt         int     // 1 for the first
	policy          string  // the one that an earlier attempt was refused by; empty if none was, or if it was not named
	shared          *Shared // whose gate the call has passed
	seat            *seat   // that it has there; nil if it has passed none
	story                   // of the call, if this was its last attempt
}

// first is the request of another call, whose attempts begin anew, as it was made for this attempt.
func (c *attemptContext) first(req *http.Request) *http.Request {
	return req.WithContext(&attemptContext{Context: req.Context(), attempt: 1, policy: c.policy, shared: c.shared, seat: c.seat})
}

type attemptKey struct{}

func (c *attemptContext) Value(key any) any {
	switch key {
	case attemptKey{}:
		return c
	case trailKey{}:
		if c.response.Load() != nil { //nolint:bodyclose // it is not opened here
			return &c.story
		}
	}
	return c.Context.Value(key)
}

func attemptOf(ctx context.Context) *attemptContext {
	c, _ := ctx.Value(attemptKey{}).(*attemptContext)
	return c
}

// learned is the policy that an earlier attempt of the call was refused by.
func learned(ctx context.Context) string {
	if c := attemptOf(ctx); c != nil {
		return c.policy
	}
	return ""
}

// admitted returns the seat of a call that comes from a chain further out, which shares the same state and waits at its gates;
// nil if it has none.
func admitted(ctx context.Context, s *Shared) *seat {
	if c := attemptOf(ctx); c != nil && c.shared == s {
		return c.seat
	}
	return nil
}

// Attempt returns the number of the attempt that a request's context belongs to: 1 for the first,
// and for a request that no [Retry] has sent.
func Attempt(ctx context.Context) int {
	if c := attemptOf(ctx); c != nil {
		return c.attempt
	}
	return 1
}

func statusOf(resp *http.Response) int {
	if resp == nil {
		return 0
	}
	return resp.StatusCode
}
