package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// stage is where a story is played.
type stage struct {
	ctx     context.Context //nolint:containedctx // it lives as long as the story
	backend *transporttest.Backend
	client  *http.Client
	report  *report
	out     io.Writer
}

// report is the account of a story.
type report struct {
	Story  string  `json:"story"`
	Title  string  `json:"title"`
	OK     bool    `json:"ok"`
	Calls  []*call `json:"calls"`
	Checks []check `json:"checks"`
}

// check is something that a story told beforehand.
type check struct {
	Told string `json:"told"`
	OK   bool   `json:"ok"`
	Got  string `json:"got,omitempty"` // if it came otherwise
}

// call is the account of a call, as the hooks told it.
type call struct {
	Method string  `json:"method"`
	URL    string  `json:"url"`
	Events []event `json:"events"`
	Result result  `json:"result"`
}

// event is an attempt, a refusal of the breaker, or a change of its state.
type event struct {
	What    string        `json:"what"`              // "attempt", "refused" or "breaker"
	Attempt int           `json:"attempt,omitempty"` // its number
	Status  int           `json:"status,omitempty"`
	Verdict *verdict      `json:"verdict,omitempty"`
	Took    millis        `json:"took_ms,omitzero"`
	Reason  policy.Reason `json:"reason,omitzero"`
	Pause   millis        `json:"pause_ms,omitzero"` // before the next attempt
	Left    millis        `json:"left_ms,omitzero"`  // until the breaker lets requests through
	From    string        `json:"from,omitempty"`
	To      string        `json:"to,omitempty"`
	Hold    millis        `json:"hold_ms,omitzero"` // for which the breaker opened

	err   error
	state transport.State
}

// result is what the caller got.
type result struct {
	Status   int           `json:"status,omitempty"`
	Error    string        `json:"error,omitempty"`
	Verdict  *verdict      `json:"verdict,omitempty"`
	Reason   policy.Reason `json:"reason"`
	Attempts int           `json:"attempts"`
	Took     millis        `json:"took_ms"`
	Waited   millis        `json:"waited_ms"`
}

// verdict is what a failure means and what to do about it.
type verdict struct {
	Kind       classify.Kind   `json:"kind"`
	Basis      classify.Basis  `json:"basis"`
	Code       string          `json:"code,omitempty"`
	Action     classify.Action `json:"action"`
	Todo       string          `json:"todo"`
	RetryAfter millis          `json:"retry_after_ms,omitzero"`
}

func verdictOf(v classify.Verdict) *verdict {
	if !v.Kind.Failure() {
		return nil
	}
	return &verdict{v.Kind, v.Basis, v.Code, v.Action(), v.Action().Todo(), millis(v.RetryAfter)}
}

// millis is a duration that JSON has in milliseconds.
type millis time.Duration

// MarshalJSON returns the milliseconds, with three decimals.
func (m millis) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Duration(m).Microseconds()) / 1000)
}

// callKey finds the account of a call in its context.
type callKey struct{}

func accountOf(ctx context.Context) *call {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return &call{} // somebody else's call
	}
	return c
}

// hooks write down what happens to a call. The context says which call it is.
func hooks() transport.Hooks {
	return transport.Hooks{
		Attempt: func(ctx context.Context, i transport.AttemptInfo) {
			if i.Decision.Reason == policy.Refused {
				return // the Refuse hook was told
			}
			c := accountOf(ctx)
			at := len(c.Events)
			for at > 0 && c.Events[at-1].What == "breaker" && c.Events[at-1].state != transport.HalfOpen {
				at-- // what the attempt did to the breaker was told before it
			}
			c.Events = slices.Insert(c.Events, at, event{
				What: "attempt", Attempt: i.Attempt, Status: i.Status, Verdict: verdictOf(i.Verdict), Took: millis(i.Duration),
				Reason: i.Decision.Reason, Pause: millis(i.Decision.Pause), err: i.Err,
			})
		},
		Refuse: func(ctx context.Context, i transport.RefuseInfo) {
			c := accountOf(ctx)
			c.Events = append(c.Events, event{What: "refused", Verdict: verdictOf(i.Verdict), Left: millis(i.RetryAfter)})
		},
		Breaker: func(ctx context.Context, i transport.BreakerInfo) {
			c := accountOf(ctx)
			c.Events = append(c.Events, event{
				What: "breaker", From: i.From.String(), To: i.To.String(), Hold: millis(i.Hold), state: i.To,
			})
		},
		Call: func(ctx context.Context, i transport.CallInfo) {
			r := result{
				Status: i.Status, Verdict: verdictOf(i.Verdict), Reason: i.Reason,
				Attempts: i.Attempts, Took: millis(i.Duration), Waited: millis(i.Waited),
			}
			if i.Err != nil {
				r.Error = i.Err.Error()
			}
			accountOf(ctx).Result = r
		},
	}
}

// do sends a request with the story's client and prints the account of it. The error is typed in any case: that of an
// exchange which failed, or that of an answer which says no.
func (s *stage) do(method, target, body string) (*call, error) {
	c := &call{Method: method, URL: target}
	s.report.Calls = append(s.report.Calls, c)
	ctx := context.WithValue(s.ctx, callKey{}, c)
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body)) // can be sent again: it has a GetBody
	if err != nil {
		return c, err
	}
	resp, err := s.client.Do(req)
	if err == nil {
		defer resp.Body.Close()
		err = classify.CheckResponse(resp)
	}
	c.write(s.out)
	return c, err
}

// crowd sends a number of GETs at about the same time, without an account of each, and returns how many succeeded
// and how long it took.
func (s *stage) crowd(calls int, within time.Duration, target string) (good int, took time.Duration) {
	var (
		wg    sync.WaitGroup
		count atomic.Int64
		begin = time.Now()
	)
	for range calls {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(transport.ForGrant(s.ctx, grant), http.MethodGet, target, nil)
			if err != nil {
				return
			}
			if resp, err := s.client.Do(req); err == nil {
				defer resp.Body.Close()
				if classify.CheckResponse(resp) == nil {
					count.Add(1)
				}
			}
		})
		s.wait(within / time.Duration(calls))
	}
	wg.Wait()
	return int(count.Load()), time.Since(begin)
}

// check holds the story to what it told, and returns whether it came so.
func (s *stage) check(told string, ok bool, got any) bool {
	c := check{Told: told, OK: ok}
	if ok {
		s.say("ok       %s", told)
	} else {
		c.Got = fmt.Sprint(got)
		s.report.OK = false
		s.say("FAILED   told: %s; got: %s", told, c.Got)
	}
	s.report.Checks = append(s.report.Checks, c)
	return ok
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "  "+format+"\n", args...)
}

// wait lets time pass, until the story's is over.
func (s *stage) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}

func (c *call) status() int           { return c.Result.Status }
func (c *call) reason() policy.Reason { return c.Result.Reason }
func (c *call) attempts() int         { return c.Result.Attempts }

// first is the first event.
func (c *call) first() event {
	if len(c.Events) == 0 {
		return event{}
	}
	return c.Events[0]
}

// allButLast reports whether every attempt but the last came to this kind.
func (c *call) allButLast(kind classify.Kind) bool {
	for _, e := range c.Events {
		if e.What == "attempt" && e.Attempt < c.attempts() && (e.Verdict == nil || e.Verdict.Kind != kind) {
			return false
		}
	}
	return true
}

// changed reports whether the breaker changed to this state.
func (c *call) changed(to transport.State) bool {
	for _, e := range c.Events {
		if e.What == "breaker" && e.state == to {
			return true
		}
	}
	return false
}

// path is the URL without the host.
func (c *call) path() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return c.URL
	}
	return u.RequestURI()
}
