package main

import (
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/altersdk/internal/alter"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// story is a call, or a few, that runs into a failure.
type story struct {
	name, title string
	want        classify.Kind // of the failure that it ends with if everybody agrees; Unclassified for success
	play        func(s *stage)
}

var stories = []story{
	{"retrieve", "the backend hands out a token, and the call goes to the provider itself", classify.Unclassified, retrieve},
	{"refresh", "somebody else refreshes the token; the chain waits for it", classify.Unclassified, refresh},
	{"lost", "an answer gets lost; the request is sent again, with a signature of its own", classify.Unclassified, lost},
	{"limit", "a policy's rate limit is used up; the chain waits for as long as the backend asks", classify.Unclassified, limit},
	{"revoked", "the user has revoked the grant; a Connect session brings it back", classify.Unclassified, revoked},
	{"scopes", "the provider asks for a scope that the user has not granted; a Connect session adds it", classify.Unclassified, scopes},
	{"delegate", "the agent has no access to the provider; a user delegates it", classify.Unclassified, delegate},
	{"choose", "the user has two accounts at the provider; the user says which", classify.Unclassified, pick},
	{"approval", "the call waits for a person's approval; it is made once, and only its state is asked for", classify.Unclassified, approval},
	{"hours", "a policy denies the call at this hour; it may be made later", classify.PolicyViolation, hours},
	{"narrow", "the key lacks a scope that the route requires; that is for a developer", classify.InsufficientScope, narrow},
	{"key", "the key is deprecated, of which one event tells, and revoked in the end; that is for a developer", classify.KeyRevoked, rotate},
	{"fix", "the call names a grant that there is not; that is for a developer", classify.GrantNotFound, fix},
}

// The user's grants and accounts. None of them is printed.
const (
	grant        = "grant-c41d7e"
	secondGrant  = "grant-99a0f2"
	account      = "ada@example.com"
	otherAccount = "lovelace@example.org"
)

var (
	read  = alter.Call{Provider: "calendar", Path: "/events"}
	write = alter.Call{Provider: "calendar", Method: http.MethodPost, Path: "/events", Body: []byte(`{"title":"lunch"}`)}
)

func retrieve(s *stage) {
	s.backend.Link("calendar", account, grant)
	s.call("retrieve", read)
}

func refresh(s *stage) {
	s.backend.Link("calendar", account, grant)
	s.backend.Inner.HoldRefresh(grant, 300*time.Millisecond)
	s.call("proxy", write)
}

func lost(s *stage) {
	s.backend.Link("calendar", account, grant)
	s.backend.LoseNext(transporttest.Reset, 1)
	s.call("retrieve", read)
}

func limit(s *stage) {
	s.backend.Link("calendar", account, grant)
	s.backend.Inner.LimitPolicy("one-at-a-time", 1, 800*time.Millisecond)
	s.call("proxy", read)
	if s.err == nil {
		s.call("proxy", read)
	}
}

func revoked(s *stage) {
	s.backend.Link("calendar", account, grant)
	s.backend.Inner.SetGrant(grant, transporttest.Revoked)
	s.call("proxy", read)
}

func scopes(s *stage) {
	s.backend.Link("calendar", account, grant)
	s.backend.Inner.ChallengeScopes("calendar.write")
	s.call("retrieve", write)
}

func delegate(s *stage) {
	s.call("proxy", read)
}

func pick(s *stage) {
	s.backend.Link("calendar", account, grant)
	s.backend.Link("calendar", otherAccount, secondGrant)
	s.call("proxy", read)
}

func approval(s *stage) {
	s.backend.Link("calendar", account, grant)
	s.backend.Inner.RequireApproval(grant)
	s.call("proxy", write)
}

func hours(s *stage) {
	s.backend.Link("calendar", account, grant)
	s.backend.AnswerNext(transporttest.Canned("outside_business_hours"), 1)
	s.call("proxy", write)
}

func narrow(s *stage) {
	s.backend.Link("calendar", account, grant)
	s.backend.Inner.RequireKeyScopes("grants:call")
	s.call("proxy", read)
}

func rotate(s *stage) {
	s.backend.Link("calendar", account, grant)
	s.backend.Deprecate(key)
	s.call("proxy", read)
	if s.err == nil {
		s.call("proxy", read)
	}
	s.backend.Revoke(key)
	if s.err == nil {
		s.call("proxy", read)
	}
}

func fix(s *stage) {
	s.call("proxy", alter.Call{Provider: "calendar", Grant: grant, Path: "/events"})
}
