package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// AttemptTimeout bounds the time from sending an attempt until the header of its final answer is there; an informational
// answer (RFC 9110, section 15.2) is not it. What comes later, the body above all, takes as long as it takes. A d of 0 or less
// is no bound: the middleware is not there.
//
// An attempt that took too long fails with an [*AttemptTimeoutError], which [Classify] makes a *classify.TimeoutError,
// and which has nothing of a context error, so that it is not mistaken for the caller's cancellation or deadline.
// The server may have acted on the attempt: [Retry] sends only idempotent requests again. If the caller gave up as well,
// its cancellation is what counts, and the error is the base's own.
//
// When the time is over, or the caller gives up, the attempt's context is canceled and its request body closed, also
// while it is read: over HTTP/1, net/http otherwise waits for as long as a Read of the body is stuck.
// The context is released when the answer's body has ended or is closed; what HTTP/2 still uploads then is cut off.
// The body of an upgraded connection (101) keeps its Write and CloseWrite, and its context until Close.
//
// It belongs inside of [Retry] and [Classify]: into Config.PerAttempt, before whatever takes time there. It may be used by many goroutines at once,
// and starts none before something takes too long.
func AttemptTimeout(d time.Duration) Middleware {
	return func(next http.RoundTripper) http.RoundTripper {
		if d <= 0 {
			return next
		}
		return &timing{inner{next}, d}
	}
}

// AttemptTimeoutError says that an attempt had no answer in time. It wraps no other error.
type AttemptTimeoutError struct {
	After time.Duration // the bound of [AttemptTimeout]
}

// Error says after how long the attempt was given up.
func (e *AttemptTimeoutError) Error() string {
	return fmt.Sprintf("transport: attempt timed out after %v", e.After)
}

// Timeout returns true; net/url and net/http ask for it.
func (*AttemptTimeoutError) Timeout() bool { return true }

// Temporary returns true, for callers that still ask.
func (*AttemptTimeoutError) Temporary() bool { return true }

type timing struct {
	inner
	after time.Duration
}

var _ http.RoundTripper = (*timing)(nil)

func (t *timing) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	a := &timedAttempt{req: req, ctx: ctx, cancel: cancel, limit: &AttemptTimeoutError{t.after}, body: req.Body}
	sent := a.request()
	timer := time.AfterFunc(t.after, a.expire)
	spare := context.AfterFunc(ctx, a.closeBody) // in a goroutine of its own: Close may block
	kept := false
	defer func() {
		timer.Stop()
		spare()
		if !kept { // also if the base panicked
			a.release()
		}
	}()
	resp, err := t.next.RoundTrip(sent)
	if !timer.Stop() {
		a.expire() // it may be about to
	}
	if err != nil || a.expired() {
		if resp != nil {
			discard(sent, resp)
		}
		return nil, a.failure(err)
	}
	if resp == nil {
		return nil, nil //nolint:nilnil // the base's own breach of contract, which http.Client reports
	}
	if resp.Request == sent {
		resp.Request = req // whose context outlives the body
	}
	kept = releaseWithBody(resp, a.release)
	return resp, nil
}

// timedAttempt is an attempt whose answer is waited for, or whose answer's body is not over.
type timedAttempt struct {
	req    *http.Request   // as it came; the caller's again once the call is over
	ctx    context.Context //nolint:containedctx // the attempt's own, for as long as it lasts
	cancel context.CancelCauseFunc
	limit  *AttemptTimeoutError // the cause of ctx if the time is over

	mu   sync.Mutex // guards the rest
	body io.Closer  // what the base may be reading: the request's body, or what it took from GetBody last
	over bool       // body is closed
}

// request is the attempt's request: a shallow copy, so that its trailers are those that the caller still sets.
func (a *timedAttempt) request() *http.Request {
	sent := a.req.WithContext(a.ctx)
	if a.req.GetBody != nil {
		sent.GetBody = a.getBody
	}
	return sent
}

// getBody takes a fresh body for the base, which rewinds by itself when a connection turns out to be stale.
func (a *timedAttempt) getBody() (io.ReadCloser, error) {
	body, err := a.req.GetBody()
	if err != nil || body == nil {
		return body, err
	}
	a.mu.Lock()
	over := a.over
	a.body = body
	a.mu.Unlock()
	if over {
		_ = body.Close()
		return nil, context.Cause(a.ctx)
	}
	return body, nil
}

func (a *timedAttempt) expire() { a.cancel(a.limit) }

func (a *timedAttempt) release() { a.cancel(http.ErrBodyReadAfterClose) }

// expired reports whether it is the timeout that ended the attempt. No error of the base tells that:
// HTTP/1 returns the cause, HTTP/2 context.Canceled, and either may return the error of a closed request body.
func (a *timedAttempt) expired() bool { return errors.Is(context.Cause(a.ctx), a.limit) }

// failure is the error of an attempt that the base ended with err, or with an answer that came too late.
func (a *timedAttempt) failure(err error) error {
	if !a.expired() {
		return err
	}
	gaveUp := Ended(a.req)
	switch {
	case gaveUp == nil:
		return a.limit
	case err != nil && !errors.Is(err, a.limit):
		return err
	case a.req.Context().Err() != nil:
		return context.Cause(a.req.Context())
	}
	return gaveUp
}

// closeBody closes whatever the base may be reading.
func (a *timedAttempt) closeBody() {
	a.mu.Lock()
	body := a.body
	a.over = true
	a.mu.Unlock()
	if body != nil {
		closeQuietly(body)
	}
}
