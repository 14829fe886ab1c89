package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/internal/dice"
)

// Retry sends a request again for as long as p allows it. It decides by the verdict that comes back with each answer
// or error, see [Classify]. What comes out in the end is the last answer, unread, or the last error.
//
// A request is repeated only if doing so is safe and possible, see [policy.ReplayOf]: its body is taken from GetBody anew for
// each attempt and never buffered. No pause goes on past the caller's context, and none is begun that the context's deadline
// would cut short. Retries spend the budget of the request's key, if the policy has one.
//
// What a failed or repeated call went through is told by [TrailOf]. A failure that another Retry further in has dealt with
// is not retried again: attempts do not multiply.
//
// While a token is refreshed, the calls on its grant wait together, see [policy.Gate]: one of them asks, and the others are sent
// when it got through, or end with its verdict and [ErrGated] when the refresh has failed. [Keys] says how the grant is known.
//
// A nil s is one with [policy.Default], not shared with anything else; nil hooks are none.
func Retry(s *Shared, hooks *Hooks) Middleware {
	s = s.orOwn()
	if hooks == nil {
		hooks = &Hooks{}
	}
	return func(next http.RoundTripper) http.RoundTripper {
		return &retrying{inner{next}, judgingOf(next), s, hooks}
	}
}

type retrying struct {
	inner
	judge  judging // next
	shared *Shared
	hooks  *Hooks
}

var _ http.RoundTripper = (*retrying)(nil)

// RoundTrip is short, so that a call which succeeds at once touches little memory and little code.
func (r *retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	if outer := attemptOf(req.Context()); outer != nil && outer.attempt > 1 { // of another call, which this one was made for
		req = outer.first(req)
	}
	if !r.shared.gates.empty() {
		if s := r.enter(req); s != nil {
			return r.queue(req, s)
		}
	}
	start := r.shared.budgets.now() // half as dear as time.Now
	var a attempt
	a.send(r.judge, req)
	if a.err != nil || a.watched != nil || a.handed != nil || r.hooks.Attempt != nil || r.hooks.Call != nil {
		return r.further(req, &a, start)
	}
	r.succeed(req, &a, start)
	return a.resp, nil
}

// succeed tells the budget of an attempt that succeeded, and is all of its call.
func (r *retrying) succeed(req *http.Request, a *attempt, start time.Duration) {
	over := false
	defer func() {
		if !over { // the user's key function panicked
			a.discard()
		}
	}()
	budgets := r.shared.budgets
	budgets.succeed(budgets.of(req), start)
	over = true
}

// further goes on after a first attempt of which more is to be said than that it succeeded.
func (r *retrying) further(req *http.Request, a *attempt, start time.Duration) (*http.Response, error) {
	budgets := r.shared.budgets
	if a.watched == nil && r.hooks.Attempt == nil && r.hooks.Call == nil {
		switch {
		case a.err == nil && (a.handed == nil || !a.handed.Kind.Failure()):
			r.succeed(req, a, start)
			attach(a.resp, a.handed)
			return a.resp, nil
		case a.resp == nil && endsCall(a.err):
			return nil, a.err
		}
	}
	a.start = budgets.epoch.Add(start)
	c := call{retrying: r, req: req, rules: r.shared.rules.Load(), start: a.start}
	return c.run(*a)
}

// call is a call that is not over with its first attempt, or that somebody watches.
type call struct {
	*retrying
	req    *http.Request // the caller's
	rules  *rules        // for all of the call
	start  time.Time
	trail  draft
	sent   *attemptContext // of the last attempt; nil if that was sent as it came
	bucket *bucket         // see budget
	paid   float64         // for the attempt that is about to be made
	seat   *seat           // at the gate of the grant; nil if the call has none
	queued bool            // it waited there before its first attempt
	policy string          // that the last refusal named
}

// run takes the call from its first attempt to its end.
func (c *call) run(a attempt) (*http.Response, error) {
	var body io.ReadCloser // of the next attempt
	over := false
	defer func() {
		if over {
			return
		}
		// Somebody's hook, backoff or GetBody panicked.
		c.leave()
		c.refund()
		if body != nil {
			_ = body.Close()
		}
		a.discard()
	}()
	plan := c.rules.policy.Plan()
	for {
		a.judge()
		a.end = time.Now()
		verdict := a.verdict
		if a.err != nil {
			a.discard() // an answer beside an error is none
		}
		c.settle(&a)
		c.trail.add(Record{Status: statusOf(a.resp), Err: a.err, Verdict: verdict, Duration: a.took()})
		gated := c.report(verdict, a.err)
		if name := policyOf(verdict); name != "" {
			c.policy = name
		}
		decision := c.decide(plan, verdict, &a, gated)
		if decision.Retry() {
			c.join(gated, decision, a.took())
			decision, body = c.prepare(decision, &a)
		}
		if !decision.Retry() {
			c.leave()
		}
		c.tellAttempt(&a, verdict, decision)
		if !decision.Retry() {
			resp, err := c.end(a.resp, a.err, verdict, decision.Reason)
			over = true
			if a.watched != nil && (resp == nil || !releaseWithBody(resp, a.watched.cancel)) {
				a.watched.cancel()
			}
			return resp, err
		}
		if why, err := c.wait(&a, verdict, decision); why != policy.Retrying {
			c.refund()
			if body != nil {
				_ = body.Close()
				body = nil
			}
			if err != nil {
				a.resp, verdict = nil, classify.Of(nil, err)
			}
			resp, err := c.end(a.resp, err, verdict, why)
			over = true
			return resp, err
		}
		req := c.resend(body)
		body = nil // the base closes it
		a = attempt{start: time.Now()}
		a.send(c.judge, req)
		if errors.Is(a.err, ErrOpen) {
			c.refund() // nothing was sent
		}
		c.paid = 0
	}
}

// end puts the trail on what the caller gets, and tells the hooks.
func (c *call) end(resp *http.Response, err error, v classify.Verdict, reason policy.Reason) (*http.Response, error) {
	inside, nested := trailOf(resp, err)
	if resp != nil {
		unwatched(resp, c.req)
		attach(resp, &v)
	}
	switch {
	case nested && (reason == policy.Nested || c.trail.Attempts == 1):
		// The story is that of the Retry further in.
		inside.Nested = reason == policy.Nested
		resp, err = inside.attach(resp, err)
	case c.trail.Attempts == 1 && c.trail.Waited == 0 && reason == policy.Succeeded:
	case c.trail.Attempts == 1 && c.trail.Waited == 0 && reason == policy.Refused && endsCall(err):
	default:
		c.trail.Reason = reason
		resp, err = c.trail.attach(resp, err, c.sent)
	}
	attach(resp, &v) // once more, if the trail has hidden it: an answer that is a copy has its verdict by the request alone
	c.tellCall(resp, err, v, reason)
	return resp, err
}

// budget is the bucket of the call's key; nil if there is no budget.
func (c *call) budget() *bucket {
	if c.bucket == nil {
		c.bucket = c.shared.budgets.of(c.req)
	}
	return c.bucket
}

// settle tells the budget of an attempt. A refusal is no traffic, and what the caller ended counts for nothing.
func (c *call) settle(a *attempt) {
	if errors.Is(a.err, ErrOpen) || a.verdict.Kind == classify.Canceled || a.verdict.Kind == classify.Deadline {
		return
	}
	c.shared.budgets.settle(c.budget(), a.verdict, a.start.Sub(c.shared.budgets.epoch))
}

// spend pays for the next attempt at now, and reports whether the budget reaches.
func (c *call) spend(cost float64, now time.Time) bool {
	if cost > 0 && !c.shared.budgets.spend(c.budget(), cost, now.Sub(c.shared.budgets.epoch)) {
		return false
	}
	c.paid = cost
	return true
}

// refund takes back what was paid for an attempt that is not made.
func (c *call) refund() {
	if c.paid > 0 {
		c.shared.budgets.refund(c.bucket, c.paid)
		c.paid = 0
	}
}

// decide asks the plan, with the facts of the moment that the attempt ended.
func (c *call) decide(plan *policy.Plan, v classify.Verdict, a *attempt, gated bool) policy.Decision {
	switch {
	case a.err == nil && !v.Kind.Failure():
		return policy.Decision{Reason: policy.Succeeded}
	case errors.Is(a.err, ErrOpen):
		return policy.Decision{Reason: policy.Refused}
	case errors.Is(a.err, ErrGated):
		return policy.Decision{Reason: policy.Gated}
	case a.err != nil && comparedDirectly(a.err):
		return policy.Decision{Reason: policy.NotRetryable}
	}
	ctx := c.req.Context()
	_, nested := trailOf(a.resp, a.err)
	f := policy.Facts{
		Attempts:  c.trail.Attempts,
		Elapsed:   a.end.Sub(c.start),
		Done:      Ended(c.req) != nil,
		Replay:    policy.ReplayOf(c.req),
		Forbidden: marked(ctx, markNoRetry),
		Nested:    nested,
		Gated:     gated,
		Queued:    c.queued,
		Took:      max(a.took(), quickest),
		Random:    dice.Float64(ctx),
	}
	f.Replay.Idempotent = f.Replay.Idempotent || marked(ctx, markIdempotent)
	if deadline, ok := ctx.Deadline(); ok {
		f.Deadline, f.Remaining = true, deadline.Sub(a.end)
	}
	return plan.Next(v, f)
}

// prepare takes what a retry after an attempt needs: a fresh body and its cost. If either is not to be had, there is no retry.
func (c *call) prepare(d policy.Decision, a *attempt) (policy.Decision, io.ReadCloser) {
	if !c.spend(d.Cost, a.end) {
		return policy.Decision{Reason: policy.BudgetSpent, Profile: d.Profile}, nil
	}
	var body io.ReadCloser
	err := errUploadOver
	if a.watched == nil || a.watched.stop() {
		body, err = freshBody(c.req)
	}
	if err != nil {
		c.refund()
		return policy.Decision{Reason: policy.NotReplayable, Profile: d.Profile}, nil
	}
	c.trail.last().Pause = d.Pause
	return d, body
}

// pause waits until d after begin, or for the end of the caller's patience, whichever comes first.
// In the latter case it returns the typed error, with the context's cause reachable.
func (c *call) pause(begin time.Time, d time.Duration) error {
	ctx := c.req.Context()
	switch passed := time.Since(begin); {
	case d <= 0:
	case passed >= d: // it took as long to get here
		c.trail.Waited += passed
	//lint:ignore SA1019 http.Client.Timeout sets it
	case ctx.Done() == nil && c.req.Cancel == nil: // nobody can end it
		time.Sleep(d - passed) //nolint:forbidigo // its context never ends
		c.trail.Waited += time.Since(begin)
	default:
		timer := time.NewTimer(d - passed)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		//lint:ignore SA1019 http.Client.Timeout sets it
		case <-c.req.Cancel:
		}
		c.trail.Waited += time.Since(begin)
	}
	return endedError(c.req)
}

// endedError is the typed error of a request whose caller has given up, with the context's cause reachable; nil otherwise.
func endedError(req *http.Request) error {
	err := Ended(req)
	if err == nil {
		return nil
	}
	verdict := classify.NetErrors{}.Classify(classify.Outcome{Err: err, ContextErr: err})
	if cause := context.Cause(req.Context()); cause != nil && cause != err { //nolint:errorlint // a cause may wrap the context's own error
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return verdict.Err(err)
}

// resend is the request of the next attempt: the caller's, with a fresh body and what the attempt should know in its context.
// It is a shallow copy, so that trailers which the caller sets while its body is read still go out.
func (c *call) resend(body io.ReadCloser) *http.Request {
	r := &resent{ctx: attemptContext{Context: c.req.Context(), attempt: c.trail.Attempts + 1, policy: c.policy}}
	c.sent = &r.ctx
	if c.seat != nil {
		c.sent.shared, c.sent.seat = c.shared, c.seat
	}
	r.req = *c.req.WithContext(c.sent)
	r.req.Body = body
	return &r.req
}

// resent is the request of a further attempt with its context, in one allocation.
type resent struct {
	ctx attemptContext
	req http.Request
}

func (c *call) tellAttempt(a *attempt, v classify.Verdict, d policy.Decision) {
	if c.hooks.Attempt == nil {
		return
	}
	c.hooks.Attempt(c.req.Context(), AttemptInfo{
		Request: a.req, Attempt: c.trail.Attempts, Status: statusOf(a.resp), Err: a.err,
		Verdict: v, Duration: a.took(), Decision: d,
	})
}

func (c *call) tellCall(resp *http.Response, err error, v classify.Verdict, reason policy.Reason) {
	if c.hooks.Call == nil {
		return
	}
	c.hooks.Call(c.req.Context(), CallInfo{
		Request: c.req, Attempts: c.trail.Attempts, Status: statusOf(resp), Err: err,
		Verdict: v, Reason: reason, Duration: time.Since(c.start), Waited: c.trail.Waited,
	})
}
