package main

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"time"

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
	{"refresh", "another caller refreshes the token; the call waits for it and succeeds", refresh},
	{"crowd", "two hundred calls meet the same refresh; one of them asks, and the others wait for it", crowd},
	{"refused", "the backend does not listen for a moment; the call succeeds when it does", refused},
	{"limit", "a policy's rate limit is used up; nothing is sent until it is over", limit},
	{"revoked", "the user has revoked the grant; the answer passes through, with what to do next", revoked},
	{"scopes", "the provider asks for more scopes; the answer passes through, with the missing ones", scopes},
}

const grant = "calendar"

// The backend answers 409 while somebody else refreshes the grant's token. It has not acted on the request,
// so even a POST is sent again, until the token is there.
func refresh(s *stage) {
	s.backend.SetGrant(grant, transporttest.Active)
	s.backend.HoldRefresh(grant, 500*time.Millisecond)

	c, err := s.do(http.MethodPost, s.backend.URL+"/v1/grants/calendar/events", `{"title":"lunch"}`)

	s.check("the call succeeds", err == nil && c.status() == http.StatusOK, err)
	s.check("more than one attempt, all but the last in a token refresh", c.attempts() > 1 && c.allButLast(classify.TokenRefreshInProgress), c.attempts())
	s.check("each attempt reached the backend", s.backend.Total() == c.attempts(), s.backend.Total())
	s.check("it was carried out once", s.backend.Acted(grant) == 1, s.backend.Acted(grant))
}

// Two hundred calls need the grant while its token is refreshed. They say which grant it is, so once the first has been
// told to wait, the others do not even ask; when it gets through, so do they.
func crowd(s *stage) {
	const calls = 200
	s.backend.SetGrant(grant, transporttest.Active)
	s.backend.HoldRefresh(grant, 500*time.Millisecond)

	url := s.backend.URL + "/v1/grants/calendar/events"
	good, took := s.crowd(calls, 50*time.Millisecond, url)

	sent := s.backend.Total()
	s.say("result   %d calls, %d requests, all over after %s", calls, sent, short(took))
	s.check("every call succeeds", good == calls, good)
	s.check("with fewer than two requests each", sent < 2*calls, sent)
}

// Nobody listens at the backend's port. Nothing was sent, so even a POST is tried again: at once, then after pauses.
func refused(s *stage) {
	s.backend.SetGrant(grant, transporttest.Active)
	s.backend.Refuse(400 * time.Millisecond)

	c, err := s.do(http.MethodPost, s.backend.URL+"/v1/grants/calendar/events", `{"title":"lunch"}`)

	s.check("the call succeeds", err == nil && c.status() == http.StatusOK, err)
	s.check("more than one attempt, all but the last refused", c.attempts() > 1 && c.allButLast(classify.ConnectionRefused), c.attempts())
	var op *net.OpError
	s.check("the hooks saw net's own error below the typed one", errors.As(c.first().err, &op), c.first().err)
	s.check("one attempt reached the backend", s.backend.Total() == 1, s.backend.Total())
}

// A policy allows one call in four and a half seconds. The 429 asks for more patience than the client has, so it is handed
// back at once, and the breaker refuses further calls to the backend until the time is over.
func limit(s *stage) {
	const window = 4500 * time.Millisecond
	url := s.backend.URL + "/v1/grants/calendar/events"
	s.backend.SetGrant(grant, transporttest.Active)
	s.backend.LimitPolicy("slow-lane", 1, window)

	_, err := s.do(http.MethodGet, url, "")
	s.check("the first call succeeds", err == nil, err)

	c, err := s.do(http.MethodGet, url, "")
	var limited *classify.PolicyRateLimitError
	s.check("the second is the backend's 429, at once", errors.As(err, &limited) && c.status() == http.StatusTooManyRequests && c.attempts() == 1, err)
	s.check("because the server asks for more patience", c.reason() == policy.RetryAfterTooLong, c.reason())
	s.check("the breaker opened", c.changed(transport.Open), c.Events)

	sent := s.backend.Total()
	left := window
	for range 3 {
		s.wait(time.Second)
		_, err = s.do(http.MethodGet, url, "")
		var open *transport.OpenError
		if !errors.As(err, &open) || !errors.As(err, &limited) {
			s.check("a call is refused with the typed error", false, err)
			return
		}
		s.check("a call is refused, with less time left", open.RetryAfter > 0 && open.RetryAfter < left, open.RetryAfter)
		left = open.RetryAfter
	}
	s.check("nothing was sent meanwhile", s.backend.Total() == sent, s.backend.Total()-sent)

	s.wait(left + 10*time.Millisecond)
	c, err = s.do(http.MethodGet, url, "")
	s.check("when the time is over a call succeeds", err == nil && c.status() == http.StatusOK, err)
	s.check("the breaker closed", c.changed(transport.HalfOpen) && c.changed(transport.Closed), c.Events)
}

// Waiting heals no revoked grant: one attempt, and the answer as it came. The typed error says which grant it is about.
func revoked(s *stage) {
	s.backend.SetGrant(grant, transporttest.Revoked)

	c, err := s.do(http.MethodGet, s.backend.URL+"/v1/grants/calendar/events", "")

	s.check("one attempt", c.attempts() == 1 && s.backend.Total() == 1, s.backend.Total())
	s.check("because nothing heals it", c.reason() == policy.NotRetryable, c.reason())
	var gone *classify.GrantRevokedError
	s.check("the error is a GrantRevokedError", errors.As(err, &gone), err)
	var reauth *classify.ReAuthRequiredError
	if s.check("and a ReAuthRequiredError, which names the grant", errors.As(err, &reauth) && reauth.GrantID == grant, err) {
		s.say("next     send the user through Connect again for the grant %q", reauth.GrantID)
	}
}

// The client calls a provider, too. Its answer is judged by what HTTP says, and the challenge names the scopes.
func scopes(s *stage) {
	missing := []string{"calendar.events", "contacts.readonly"}
	s.backend.ChallengeScopes(missing...)

	c, err := s.do(http.MethodGet, s.backend.Provider.URL+"/calendar/events", "")

	s.check("one attempt", c.attempts() == 1 && s.backend.Provider.Total() == 1, s.backend.Provider.Total())
	var more *classify.ScopeReauthRequiredError
	if s.check("the error is a ScopeReauthRequiredError, which names the scopes", errors.As(err, &more) && slices.Equal(more.MissingScopes, missing), err) {
		s.say("next     send the user through the authorization again, and ask for %q", more.MissingScopes)
	}
}
