package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// Retry sends a request again for as long as p allows it. It decides by the verdict that comes back with each answer
// or error, see [Classify]. What comes out in the end is the last answer, unread, or the last error.
//
// A request is repeated only if doing so is safe and possible, see [policy.ReplayOf]: its body is taken from GetBody anew for
// each attempt and never buffered. No pause goes on past the caller's context, and none is begun that the context's deadline
// would cut short. A nil p is [policy.Default], nil hooks are none.
func Retry(p *policy.Policy, hooks *Hooks) Middleware {
	if hooks == nil {
		hooks = &Hooks{}
	}
	return func(next http.RoundTripper) http.RoundTripper { return &retrying{inner{next}, p, hooks} }
}

type retrying struct {
	inner
	policy *policy.Policy
	hooks  *Hooks
}

var _ http.RoundTripper = (*retrying)(nil)

func (r *retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := r.next.RoundTrip(req)
	if err == nil && r.hooks.Attempt == nil && r.hooks.Call == nil && !verdictOf(req, resp, nil).Kind.Failure() {
		return resp, nil
	}
	c := call{retrying: r, req: req, start: start}
	return c.run(attempt{req, resp, err, start})
}

// call is a call that is not over with its first attempt, or that somebody watches.
type call struct {
	*retrying
	req      *http.Request // the caller's
	start    time.Time
	attempts int
	waited   time.Duration
}

// attempt is one attempt and what came of it.
type attempt struct {
	req   *http.Request
	resp  *http.Response
	err   error
	start time.Time
}

// run takes the call from its first attempt to its end.
func (c *call) run(a attempt) (*http.Response, error) {
	discardAnswer := func() {
		if a.resp != nil {
			discard(a.req, a.resp)
			a.resp = nil
		}
	}
	returned := false
	defer func() {
		if !returned { // somebody's hook, backoff or base panicked
			discardAnswer()
		}
	}()
	plan, replay := c.policy.Plan(), policy.ReplayOf(c.req)
	for {
		c.attempts++
		if a.err != nil {
			discardAnswer() // an answer beside an error is none
		}
		verdict := verdictOf(a.req, a.resp, a.err)
		decision := c.decide(plan, verdict, a.err, replay)
		var body io.ReadCloser
		if decision.Retry() {
			var err error
			if body, err = freshBody(c.req); err != nil {
				decision = policy.Decision{Reason: policy.NotReplayable, Profile: decision.Profile}
			}
		}
		c.tellAttempt(a, verdict, decision)
		if !decision.Retry() {
			c.tellCall(a.resp, a.err, verdict, decision.Reason)
			returned = true
			return a.resp, a.err
		}
		discardAnswer()
		if err := c.pause(decision.Pause); err != nil {
			if body != nil {
				_ = body.Close()
			}
			c.tellCall(nil, err, classify.Of(nil, err), policy.Canceled)
			returned = true
			return nil, err
		}
		a = attempt{req: c.resend(body), start: time.Now()}
		a.resp, a.err = c.next.RoundTrip(a.req)
	}
}

// decide asks the plan, with the facts of this moment.
func (c *call) decide(plan *policy.Plan, v classify.Verdict, err error, replay policy.Replay) policy.Decision {
	if errors.Is(err, ErrOpen) {
		return policy.Decision{Reason: policy.Refused}
	}
	f := policy.Facts{
		Attempts: c.attempts,
		Elapsed:  time.Since(c.start),
		Done:     ended(c.req) != nil,
		Replay:   replay,
		Random:   rand.Float64(),
	}
	if deadline, ok := c.req.Context().Deadline(); ok {
		f.Deadline, f.Remaining = true, time.Until(deadline)
	}
	return plan.Next(v, f)
}

// verdictOf is the verdict that came back with an answer or an error. What no classifier inside has judged
// is judged here, so that each middleware serves alone.
func verdictOf(req *http.Request, resp *http.Response, err error) classify.Verdict {
	if err != nil {
		return verdictOfError(req, err)
	}
	v := classify.Of(resp, nil)
	if v.Kind == classify.Unclassified && resp != nil && resp.StatusCode >= 400 {
		v = classify.Response(resp, nil)
	}
	return v
}

// freshBody is the body of the next attempt, nil if the request has none.
func freshBody(req *http.Request) (io.ReadCloser, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req.Body, nil
	}
	if req.GetBody == nil {
		return nil, errors.New("transport: the request's body cannot be read again")
	}
	return req.GetBody()
}

// pause waits for d or for the end of the caller's patience, whichever comes first.
// In the latter case it returns the typed error, with the context's cause reachable.
func (c *call) pause(d time.Duration) error {
	ctx := c.req.Context()
	if d > 0 {
		begin := time.Now()
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		//lint:ignore SA1019 http.Client.Timeout sets it
		case <-c.req.Cancel:
		}
		c.waited += time.Since(begin)
	}
	err := ended(c.req)
	if err == nil {
		return nil
	}
	verdict := classify.NetErrors{}.Classify(classify.Outcome{Err: err, ContextErr: err})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, err) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return verdict.Err(err)
}

// resend is the request of the next attempt: the caller's, with a fresh body and the attempt's number in its context.
// It is a shallow copy, so that trailers which the caller sets while its body is read still go out.
func (c *call) resend(body io.ReadCloser) *http.Request {
	req := c.req.WithContext(&attemptContext{c.req.Context(), c.attempts + 1})
	req.Body = body
	return req
}

// attemptContext tells the layers inside the retries which attempt they serve.
type attemptContext struct {
	context.Context //nolint:containedctx // it is a context
	attempt         int
}

type attemptKey struct{}

func (c *attemptContext) Value(key any) any {
	if key == (attemptKey{}) {
		return c.attempt
	}
	return c.Context.Value(key)
}

// Attempt returns the number of the attempt that a request's context belongs to: 1 for the first,
// and for a request that no [Retry] has sent.
func Attempt(ctx context.Context) int {
	if n, ok := ctx.Value(attemptKey{}).(int); ok {
		return n
	}
	return 1
}

func (c *call) tellAttempt(a attempt, v classify.Verdict, d policy.Decision) {
	if c.hooks.Attempt == nil {
		return
	}
	c.hooks.Attempt(c.req.Context(), AttemptInfo{
		Request: a.req, Attempt: c.attempts, Status: statusOf(a.resp), Err: a.err,
		Verdict: v, Duration: time.Since(a.start), Decision: d,
	})
}

func (c *call) tellCall(resp *http.Response, err error, v classify.Verdict, reason policy.Reason) {
	if c.hooks.Call == nil {
		return
	}
	c.hooks.Call(c.req.Context(), CallInfo{
		Request: c.req, Attempts: c.attempts, Status: statusOf(resp), Err: err,
		Verdict: v, Reason: reason, Duration: time.Since(c.start), Waited: c.waited,
	})
}

func statusOf(resp *http.Response) int {
	if resp == nil {
		return 0
	}
	return resp.StatusCode
}
