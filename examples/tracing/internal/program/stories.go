package program

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// story is a short run of calls with an end that is told beforehand.
type story struct {
	name, title string
	play        func(s *stage)
}

var stories = []story{
	{"success", "a call that succeeds at once", succeed},
	{"refresh", "a token is being refreshed; one call asks for all, the crowd waits at the gate, and everybody succeeds", refresh},
	{"refused", "the backend does not listen for a moment; the call succeeds when it does", refused},
	{"limit", "a policy's rate limit is used up; the breaker refuses calls until it is over", limit},
	{"revoked", "the user has revoked the grant; the answer passes through, with what to do next", revoked},
	{"redirect", "the backend sends the client elsewhere; each hop is a call of its own", redirect},
}

// One attempt, and the backend learns which span it belongs to. The token in the URL does not get into the span.
func succeed(s *stage) {
	s.backend.SetGrant("calendar", transporttest.Active)

	r := s.do(http.MethodGet, "calendar", s.events("calendar")+"?access_token="+token)

	s.check("the call succeeds at once", r.status == http.StatusOK && r.err == nil && r.trail.Attempts == 0, r)
	received := s.backend.Requests()
	parent := received[len(received)-1].Header.Get("Traceparent")
	id := trace.SpanContextFromContext(s.ctx).TraceID().String()
	s.check("the backend is told the trace", strings.Contains(parent, id), parent)
}

// crowd is how many calls wait at the gate.
const crowd = 100

// The backend answers 409 while somebody else refreshes the grant's token. The first call to find out closes the gate and asks
// again and again; the others are on the same grant, so they need not ask. When the refresh is over they are sent.
func refresh(s *stage) {
	const grant = "mail"
	s.backend.SetGrant(grant, transporttest.Active)
	s.backend.HoldRefresh(grant, patience)
	before := s.backend.Total()

	var callers sync.WaitGroup
	results := make([]result, 1+crowd)
	call := func(i int) { callers.Go(func() { results[i] = s.do(http.MethodPost, grant, s.events(grant)) }) }
	call(0)
	closed := s.until(func() bool { return s.waiting() >= 0 })
	for i := range crowd {
		call(1 + i)
	}
	gathered := s.until(func() bool { return s.waiting() == crowd })
	s.wait(250 * time.Millisecond)
	asked := s.backend.Total() - before
	s.backend.ReleaseRefresh(grant)
	callers.Wait()

	s.check("the first call closes the gate, and the others wait there", closed && gathered, s.waiting())
	s.check("nobody but the first asks meanwhile", results[0].trail.Attempts > asked, asked)
	s.check("each of the crowd is sent once", s.backend.Total()-before == results[0].trail.Attempts+crowd, s.backend.Total()-before)
	for _, r := range results {
		if !s.check("every call succeeds", r.status == http.StatusOK && r.err == nil, r) {
			return
		}
	}
}

// waiting is how many calls wait at the gate; -1 if it is open.
func (s *stage) waiting() int {
	for _, g := range s.shared.Snapshot().Gates {
		if g.Closed {
			return g.Waiting
		}
	}
	return -1
}

// Nobody listens at the backend's port. Nothing was sent, so even a POST is tried again: at once, then after pauses.
func refused(s *stage) {
	s.backend.SetGrant("calendar", transporttest.Active)
	s.backend.Refuse(400 * time.Millisecond)
	s.client.CloseIdleConnections()

	r := s.do(http.MethodPost, "calendar", s.events("calendar"))

	s.check("the call succeeds", r.status == http.StatusOK && r.err == nil, r)
	s.check("more than one attempt, all but the last refused", r.trail.Attempts > 1 && allButLast(r.trail, classify.ConnectionRefused), r)
}

// A policy allows one call in two seconds. The 429 asks for more patience than the client has, so it is handed back at once, and the
// breaker refuses further calls on the grant until the time is over.
func limit(s *stage) {
	const grant, window = "billing", 2 * time.Second
	s.backend.SetGrant(grant, transporttest.Active)
	s.backend.LimitPolicy("slow-lane", 1, window, grant)
	defer s.backend.LiftPolicy("slow-lane")

	r := s.do(http.MethodGet, grant, s.events(grant))
	s.check("the first call succeeds", r.status == http.StatusOK && r.err == nil, r)

	r = s.do(http.MethodGet, grant, s.events(grant))
	s.check("the second is the backend's 429, at once", r.status == http.StatusTooManyRequests && r.trail.Attempts == 1, r)
	s.check("because the server asks for more patience", r.trail.Reason == policy.RetryAfterTooLong, r.trail.Reason)

	sent := s.backend.Total()
	left := window
	for range 3 {
		s.wait(100 * time.Millisecond)
		r = s.do(http.MethodGet, grant, s.events(grant))
		var open *transport.OpenError
		if !s.check("a call is refused", errors.As(r.err, &open), r) {
			return
		}
		left = open.RetryAfter
	}
	s.check("nothing was sent meanwhile", s.backend.Total() == sent, s.backend.Total()-sent)

	s.wait(left + 10*time.Millisecond)
	r = s.do(http.MethodGet, grant, s.events(grant))
	s.check("when the time is over a call succeeds", r.status == http.StatusOK && r.err == nil, r)
}

// Waiting heals no revoked grant: one attempt, and the answer as it came.
func revoked(s *stage) {
	s.backend.SetGrant("contacts", transporttest.Revoked)

	r := s.do(http.MethodGet, "contacts", s.events("contacts"))

	s.check("one attempt", r.trail.Attempts == 1, r)
	s.check("because nothing heals it", r.trail.Reason == policy.NotRetryable, r.trail.Reason)
	var reauth *classify.ReAuthRequiredError
	s.check("the user has to be sent through Connect again", errors.As(r.err, &reauth), r)
}

// An http.Client follows redirects outside of the chain, so each hop is a call. Attempts are counted over all of them.
func redirect(s *stage) {
	s.backend.SetGrant("calendar", transporttest.Active)
	s.backend.AnswerNext(transporttest.Answer(http.StatusFound, "").Header("Location", s.events("calendar")), 1)
	before := s.backend.Total()

	r := s.do(http.MethodGet, "calendar", s.backend.URL+"/v1/grants/calendar/old-events")

	s.check("the call succeeds", r.status == http.StatusOK && r.err == nil, r)
	s.check("two requests were sent", s.backend.Total()-before == 2, s.backend.Total()-before)
}

// allButLast reports whether every attempt but the last came to this kind.
func allButLast(t transport.Trail, kind classify.Kind) bool {
	for _, r := range t.Records[:max(0, len(t.Records)-1)] {
		if r.Verdict.Kind != kind {
			return false
		}
	}
	return true
}
