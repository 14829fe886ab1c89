package transporttest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// ErrEnded is what an attempt beyond the last step of a [Script] fails with; the error's text has the attempt's number.
var ErrEnded = errors.New("transporttest: the script has ended")

// Script is an [http.RoundTripper] that answers from a list of steps, one step for each request in the order in which
// requests arrive, and remembers every request. It keeps to the contract of http.RoundTripper as http.Transport does:
// it closes the request's body on every path, does not change the request, refuses one without URL or Header,
// and does not use up a step for a request whose context is already done.
//
// The zero value has no steps. A Script may be used by many goroutines at once.
type Script struct {
	mu     sync.Mutex
	steps  []http.RoundTripper
	next   int
	repeat bool
	seen   []*exchange
	idle   int
}

var _ http.RoundTripper = (*Script)(nil)

// Play returns a script of these steps. A step is any http.RoundTripper: what [Answer], [Canned], [Fail], [Hang], [Panic],
// [After], [Times] and [Func] return, or one of your own, which then has to settle the request's body itself.
// It panics if a step is nil.
func Play(steps ...http.RoundTripper) *Script { return new(Script).Then(steps...) }

// Then appends steps and returns the script. It may be called while the script is in use. It panics if a step is nil.
func (s *Script) Then(steps ...http.RoundTripper) *Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, step := range steps {
		if step == nil {
			panic(fmt.Sprintf("transporttest: step %d is nil", i+1))
		}
		n := 1
		if t, ok := step.(times); ok {
			n, step = t.n, t.step
		}
		for range n {
			s.steps = append(s.steps, step)
		}
	}
	return s
}

// Repeat makes the script play its last step for ever, and returns the script. Without it, an attempt beyond the last step
// fails with [ErrEnded].
func (s *Script) Repeat() *Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repeat = true
	return s
}

// Client returns an http.Client on the script.
func (s *Script) Client() *http.Client { return &http.Client{Transport: s} }

// RoundTrip plays the next step.
func (s *Script) RoundTrip(req *http.Request) (*http.Response, error) {
	e, step := s.begin(req)
	sent := req
	if e.body != nil {
		sent = req.WithContext(req.Context())
		sent.Body = e.body
	}
	resp, err := step.RoundTrip(sent)

	s.mu.Lock()
	defer s.mu.Unlock()
	e.Err = err
	if resp != nil {
		e.Status = resp.StatusCode
		e.Answer, _ = resp.Body.(*Body)
		if resp.Request == sent {
			resp.Request = req
		}
	}
	return resp, err
}

// begin notes the request and picks its step.
func (s *Script) begin(req *http.Request) (*exchange, http.RoundTripper) {
	e := &exchange{Attempt: Attempt{
		Time:    time.Now(),
		Request: req,
		Method:  req.Method,
		Header:  req.Header.Clone(),
	}}
	if req.URL != nil {
		u := *req.URL
		e.URL = &u
	}
	if req.Body != nil && req.Body != http.NoBody {
		e.body = &recorder{body: req.Body}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, e)
	e.Number = len(s.seen)
	switch {
	case req.URL == nil:
		return e, failure{errors.New("transporttest: nil Request.URL"), true}
	case req.Header == nil:
		return e, failure{errors.New("transporttest: nil Request.Header"), true}
	case req.Context().Err() != nil:
		return e, failure{interrupted(req), true}
	case s.next < len(s.steps):
		s.next++
		return e, s.steps[s.next-1]
	case s.repeat && s.next > 0:
		return e, s.steps[s.next-1]
	}
	err := fmt.Errorf("%w: attempt %d (%s %s%s), and there are %d steps",
		ErrEnded, e.Number, e.Method, e.URL.Host, e.URL.Path, len(s.steps))
	return e, failure{err, true}
}

// CloseIdleConnections counts its calls, see [Script.IdleClosed]. http.Client calls it.
func (s *Script) CloseIdleConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle++
}

// IdleClosed returns how often CloseIdleConnections was called.
func (s *Script) IdleClosed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idle
}

// Count returns how many attempts there have been.
func (s *Script) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// Attempts returns what is known of every attempt by now, in the order of their arrival.
func (s *Script) Attempts() []Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Attempt, len(s.seen))
	for i, e := range s.seen {
		all[i] = e.Attempt
		all[i].Body, all[i].BodySize, all[i].BodyClosed = e.body.state()
	}
	return all
}

// Check reports what went otherwise than scripted by now: steps that were not played, attempts beyond the last step,
// request bodies that a step did not close, and response bodies that nobody closed. The error lists all of it;
// it is nil if there is nothing.
func (s *Script) Check() error {
	var faults []error
	attempts := s.Attempts()
	s.mu.Lock()
	if left := len(s.steps) - s.next; left > 0 {
		faults = append(faults, fmt.Errorf("transporttest: %d of %d steps were not played", left, len(s.steps)))
	}
	s.mu.Unlock()
	for _, a := range attempts {
		if errors.Is(a.Err, ErrEnded) {
			faults = append(faults, a.Err)
		}
		if !a.BodyClosed {
			faults = append(faults, fmt.Errorf("transporttest: attempt %d: the request's body is not closed", a.Number))
		}
		if a.Answer != nil && !a.Answer.Closed() {
			faults = append(faults, fmt.Errorf("transporttest: attempt %d: the response's body is not closed", a.Number))
		}
	}
	return errors.Join(faults...)
}

// Attempt is one request as a [Script] saw it, and what came of it.
type Attempt struct {
	Number  int           // 1 for the first
	Time    time.Time     // when it arrived
	Request *http.Request // the very request that was handed in: look at its context, do not change it
	Method  string
	URL     *url.URL    // a copy; nil if the request had none
	Header  http.Header // a copy

	Body       []byte // what was read of the request's body, its first 4 MiB
	BodySize   int64  // how much was read of it
	BodyClosed bool   // whether it was closed; true if there was none

	Status int   // of the answer; 0 without one
	Err    error // what the step failed with; nil while it is under way
	Answer *Body // the response's body, if it is a *Body; nil for an empty one
}

// exchange is an attempt in the making. Its fields are guarded by the script.
type exchange struct {
	Attempt
	body *recorder
}
