package alter_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/altersdk/internal/alter"
	"github.com/steadytrip/steadytrip/examples/altersdk/internal/loopback"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// user answers from a list, and remembers the questions. An answer is "yes" or "no" to a page, or the index of an option.
type user struct {
	t       *testing.T
	answers []string
	asked   []string
}

var errNoAnswer = errors.New("the user has gone home")

func (u *user) next(question string) (string, error) {
	u.asked = append(u.asked, question)
	if len(u.answers) == 0 {
		return "", errNoAnswer
	}
	answer := u.answers[0]
	u.answers = u.answers[1:]
	return answer, nil
}

func (u *user) Open(ctx context.Context, what, page string) error {
	answer, err := u.next("open: " + what)
	if err != nil {
		return err
	}
	form := strings.NewReader(url.Values{"decision": {answer}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page, form)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		u.t.Errorf("%s: the page answers %s", what, resp.Status)
	}
	return nil
}

func (u *user) Choose(_ context.Context, question string, options ...string) (int, error) {
	answer, err := u.next(question + " " + strings.Join(options, "|"))
	if err != nil {
		return 0, err
	}
	return slices.Index([]string{"0", "1", "2"}, answer), nil
}

// Every action that the loop knows: what it asks, how often it calls, and how it ends.
func TestTheLoopDoesWhatTheActionAsksFor(t *testing.T) {
	consent := "There is no consent. Start a new session? yes|no"
	for _, test := range []struct {
		name     string
		set      func(b *loopback.Backend)
		retrieve bool
		call     alter.Call
		answers  []string
		asked    []string
		told     string
		want     classify.Kind // Unclassified: success
		status   int           // of the answer; 0 for 200
		sent     int           // calls
		acted    int           // that were carried out
	}{
		{name: "nothing is wrong", call: write, sent: 1, acted: 1},
		{name: "nothing is wrong with a token", call: write, retrieve: true, sent: 1, acted: 1},
		{name: "reauthorize: a revoked grant",
			set:  func(b *loopback.Backend) { b.Inner.SetGrant(grant, transporttest.Revoked) },
			call: read, answers: []string{"yes"}, asked: []string{"open: authorize calendar"}, sent: 2, acted: 1},
		{name: "reauthorize: an expired grant, declined and thought over",
			set:  func(b *loopback.Backend) { b.Inner.SetGrant(grant, transporttest.Expired) },
			call: read, answers: []string{"no", "0", "yes"}, asked: []string{"open: authorize calendar", consent, "open: authorize calendar"}, sent: 2, acted: 1},
		{name: "restart_connect: declined for good",
			set:  func(b *loopback.Backend) { b.Inner.SetGrant(grant, transporttest.Deleted) },
			call: read, answers: []string{"no", "1"}, asked: []string{"open: authorize calendar", consent}, want: classify.ConnectDenied, sent: 1},
		{name: "restart_connect: what the call itself is answered",
			set:  func(b *loopback.Backend) { b.AnswerNext(transporttest.AlterError(403, "connect_denied", ""), 1) },
			call: read, answers: []string{"0", "yes"}, asked: []string{consent, "open: authorize calendar"}, sent: 2, acted: 1},
		{name: "reauthorize: a scope, with a token",
			set:  func(b *loopback.Backend) { b.Inner.ChallengeScopes("calendar.write") },
			call: write, retrieve: true, answers: []string{"yes"}, asked: []string{"open: authorize calendar with calendar.write"}, sent: 2, acted: 2},
		{name: "reauthorize: a scope, inside an envelope",
			set:  func(b *loopback.Backend) { b.Inner.ChallengeScopes("a", "b") },
			call: write, answers: []string{"yes"}, asked: []string{"open: authorize calendar with a, b"}, sent: 2, acted: 2},
		{name: "reauthorize: the provider does not accept the token",
			set:  func(b *loopback.Backend) { b.Provider.AnswerNext(transporttest.ProviderUnauthorized(), 1) },
			call: read, retrieve: true, answers: []string{"yes"}, asked: []string{"open: authorize calendar"}, sent: 2, acted: 2},
		{name: "delegate", call: alter.Call{Provider: "drive", Path: "/files"},
			answers: []string{"yes"}, asked: []string{"open: delegate drive to the agent"}, sent: 2, acted: 1},
		{name: "choose an account",
			set:  func(b *loopback.Backend) { b.Link("calendar", "bob@example.org", "grant-2") },
			call: read, answers: []string{"1"}, asked: []string{"Which account? a...@example.com|b...@example.org"}, sent: 2, acted: 1},
		{name: "choose an account that is ambiguous again",
			set:  func(b *loopback.Backend) { b.Link("calendar", "ada@example.com", "grant-2") },
			call: read, answers: []string{"0"}, asked: []string{"Which account? a...@example.com|a...@example.com"},
			told: "Let the user pick one of the matching accounts and name it in the next call.", want: classify.AmbiguousGrant, sent: 2},
		{name: "choose whose delegation",
			set: func(b *loopback.Backend) {
				b.AnswerNext(transporttest.Canned("ambiguous_grant").Detail("account_identifiers", []string{}).Detail("app_user_ids", []string{"user-aa11", "user-bb22"}), 1)
			},
			call: read, answers: []string{"0"}, asked: []string{"Whose delegation? ...aa11|...bb22"}, sent: 2, acted: 1},
		{name: "choose, with a user given that does not help",
			set: func(b *loopback.Backend) {
				b.AnswerNext(transporttest.Canned("ambiguous_grant").Detail("account_identifiers", []string{}).Detail("app_user_ids", []string{"user-aa11"}), 1)
			},
			call: alter.Call{Provider: "calendar", User: "user-aa11"}, told: "Let the user pick one of the matching accounts and name it in the next call.", want: classify.AmbiguousGrant, sent: 1},
		{name: "choose, with an account given that the backend did not see",
			set: func(b *loopback.Backend) {
				b.AnswerNext(transporttest.Canned("ambiguous_grant").Detail("account_identifiers", []string{"ada@example.com"}).Detail("account_was_provided", false), 1)
			},
			call: alter.Call{Provider: "calendar", Account: "ada@example.com"}, answers: []string{"0"}, asked: []string{"Which account? a...@example.com"}, sent: 2, acted: 1},
		{name: "choose, with an account given that is none of them",
			set: func(b *loopback.Backend) {
				b.AnswerNext(transporttest.Canned("ambiguous_grant").Detail("account_identifiers", []string{"ada@example.com"}).Detail("account_was_provided", true), 1)
			},
			call: alter.Call{Provider: "calendar", Account: "old@example.com"}, answers: []string{"0"}, asked: []string{"Which account? a...@example.com"}, sent: 2, acted: 1},
		{name: "choose, with nothing to choose from",
			set: func(b *loopback.Backend) {
				b.AnswerNext(transporttest.Canned("ambiguous_grant").Detail("account_identifiers", []string{}).Detail("app_user_ids", []string{}), 1)
			},
			call: read, told: "Let the user pick one of the matching accounts and name it in the next call.", want: classify.AmbiguousGrant, sent: 1},
		{name: "follow_up: approved",
			set:  func(b *loopback.Backend) { b.Inner.RequireApproval(grant) },
			call: write, answers: []string{"yes"}, asked: []string{"open: approve the call"}, sent: 1, acted: 1},
		{name: "follow_up: denied",
			set:  func(b *loopback.Backend) { b.Inner.RequireApproval(grant) },
			call: write, answers: []string{"no"}, asked: []string{"open: approve the call"},
			told: "Look at the code, the message and the details of the answer.", want: classify.ApprovalDenied, sent: 1},
		{name: "follow_up: approved, and then the provider asks for a scope",
			set:  func(b *loopback.Backend) { b.Inner.RequireApproval(grant); b.Inner.ChallengeScopes("a") },
			call: write, answers: []string{"yes", "yes", "yes"}, asked: []string{"open: approve the call", "open: authorize calendar with a", "open: approve the call"}, sent: 2, acted: 2},
		{name: "retry: an outage, of a call that only reads",
			set:  func(b *loopback.Backend) { b.AnswerNext(transporttest.ProviderUnavailable(0), 1) },
			call: alter.Call{Provider: "calendar", Method: http.MethodHead}, told: "Send the request again after a pause.", want: classify.BackendUnavailable, sent: 1},
		{name: "retry: an outage, of a call that may have been carried out",
			set:  func(b *loopback.Backend) { b.AnswerNext(transporttest.ProviderUnavailable(0), 1) },
			call: write, told: "The call may have been carried out. Find out before you make it again.", want: classify.BackendUnavailable, sent: 1},
		{name: "retry: nothing but time, which the chain has",
			set:  func(b *loopback.Backend) { b.Inner.HoldRefresh(grant, 100*time.Millisecond) },
			call: write, sent: 0, acted: 1},
		{name: "wait: a policy",
			set:  func(b *loopback.Backend) { b.AnswerNext(transporttest.Canned("outside_business_hours"), 1) },
			call: write, told: "Wait until the policy or rate limit allows the call, then send it again.", want: classify.PolicyViolation, sent: 1},
		{name: "wait: longer than the chain will",
			set: func(b *loopback.Backend) {
				b.AnswerNext(transporttest.Canned("rate_limit_exceeded").RetryAfter(time.Hour), 1)
			},
			call: write, told: "Wait until the policy or rate limit allows the call, then send it again. The server asks for 1h0m0s.", want: classify.PolicyRateLimit, sent: 1},
		{name: "widen_scope", set: func(b *loopback.Backend) { b.Inner.RequireKeyScopes("grants:call") },
			call: read, told: "Use a key that carries the scopes the route requires.", want: classify.InsufficientScope, sent: 1},
		{name: "rotate_key", set: func(b *loopback.Backend) { b.Revoke(testKey) },
			call: read, told: "Mint a replacement key, deploy it, then retire the old one.", want: classify.KeyRevoked, sent: 1},
		{name: "fix: no such grant", call: alter.Call{Provider: "calendar", Grant: "grant-0", Path: "/"},
			told: "Change the request or the configuration; repeating the call cannot help.", want: classify.GrantNotFound, sent: 1},
		{name: "fix: a grant that works in proxy mode only",
			set:  func(b *loopback.Backend) { b.Inner.SetGrant(grant, transporttest.ProxyOnly) },
			call: read, retrieve: true, told: "Change the request or the configuration; repeating the call cannot help.", want: classify.RestrictedGrantRequiresProxy, sent: 1},
		{name: "fix: a method that is none", call: alter.Call{Provider: "calendar", Method: "GET IT"}, retrieve: true,
			told: "Change the request or the configuration; repeating the call cannot help.", want: classify.InvalidRequest, sent: 1, acted: 1},
		{name: "fix: a provider whose API is unknown", call: alter.Call{Provider: "fax"}, retrieve: true,
			told: "Change the request or the configuration; repeating the call cannot help.", want: classify.AlterValue, sent: 0},
		{name: "fix: a path that names another host", call: alter.Call{Provider: "calendar", Path: "@evil.test/"}, retrieve: true,
			told: "Change the request or the configuration; repeating the call cannot help.", want: classify.AlterValue, sent: 0},
		{name: "a redirect is an answer",
			set: func(b *loopback.Backend) {
				b.Provider.AnswerNext(transporttest.Answer(302, "").Header("Location", "http://evil.test/"), 1)
			},
			call: read, retrieve: true, status: 302, sent: 1, acted: 1},
		{name: "inspect: a redirect of the backend's",
			set: func(b *loopback.Backend) {
				b.AnswerNext(transporttest.Answer(307, "").Header("Location", "http://evil.test/"), 1)
			},
			call: read, told: "Look at the code, the message and the details of the answer.", want: classify.Backend, sent: 1},
		{name: "inspect: a 500",
			set:  func(b *loopback.Backend) { b.AnswerNext(transporttest.Answer(500, "oops"), 1) },
			call: write, told: "Look at the code, the message and the details of the answer.", want: classify.BackendInternal, sent: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t)
			c := newClient(t, b, nil)
			if test.set != nil {
				test.set(b)
			}
			send, path := c.Proxy, "/v1/proxy"
			if test.retrieve {
				send, path = c.Retrieve, "/v1/tokens"
			}
			var told []string
			u := &user{t: t, answers: test.answers}
			loop := alter.Loop{Client: c, User: u, Tell: func(text string) { told = append(told, text) }}

			answer, err := loop.Do(t.Context(), send, test.call)
			if test.want == classify.Unclassified {
				if err != nil || answer.Status != cmp.Or(test.status, http.StatusOK) {
					t.Errorf("got %v, %v, want an answer", answer, err)
				}
			} else if got := classify.Of(nil, err).Kind; err == nil || got != test.want || answer != nil {
				t.Errorf("got %v (%v), want %v", got, err, test.want)
			}
			if !slices.Equal(u.asked, test.asked) || len(u.answers) > 0 {
				t.Errorf("asked %q and left %q, want %q", u.asked, u.answers, test.asked)
			}
			if got := strings.Join(told, ","); got != test.told {
				t.Errorf("told %q, want %q", got, test.told)
			}
			if got := b.Count(http.MethodPost, path); test.sent > 0 && got != test.sent {
				t.Errorf("called %d times, want %d", got, test.sent)
			}
			if got := len(b.Inner.Effects()); got != test.acted {
				t.Errorf("carried out %d times, want %d", got, test.acted)
			}
		})
	}
}

// An approval that expires is asked for anew, if the user wants that; the old one is never touched again.
func TestAnExpiredApprovalIsAskedForAnew(t *testing.T) {
	b := newBackend(t)
	b.Inner.RequireApproval(grant)
	c := newClient(t, b, nil)
	u := &user{t: t, answers: []string{"nobody comes", "0", "yes"}}
	loop := alter.Loop{Client: c, User: expiring{u, b}, Tell: func(text string) { t.Errorf("told %q", text) }}
	if _, err := loop.Do(t.Context(), c.Proxy, write); err != nil {
		t.Fatal(err)
	}
	got := b.Inner.Approvals()
	if len(got) != 2 || got[0].Status != transporttest.ApprovalExpired || got[1].Status != transporttest.ApprovalExecuted || len(b.Inner.Effects()) != 1 {
		t.Errorf("got %+v, want one that expired and one that was executed", got)
	}
}

// expiring lets the first approval expire when its page is shown.
type expiring struct {
	*user
	b *loopback.Backend
}

func (e expiring) Open(ctx context.Context, what, page string) error {
	if approvals := e.b.Inner.Approvals(); len(approvals) == 1 {
		_, err := e.next("open: " + what)
		e.b.Inner.Decide(approvals[0].ID, transporttest.ApprovalExpired, "")
		return err
	}
	return e.user.Open(ctx, what, page)
}

// A remedy that does not help is not tried for ever.
func TestTheLoopGivesUpAfterSomeRounds(t *testing.T) {
	b := newBackend(t)
	c := newClient(t, b, nil)
	u := &user{t: t, answers: slices.Repeat([]string{"yes"}, 20)}
	b.Inner.SetGrant(grant, transporttest.Revoked)
	loop := alter.Loop{Client: c, User: fickle{u, b}}
	_, err := loop.Do(t.Context(), c.Proxy, read)
	var revoked *classify.GrantRevokedError
	if !errors.As(err, &revoked) {
		t.Errorf("got %v, want the last failure", err)
	}
	if got := b.Count(http.MethodPost, "/v1/proxy"); got != alter.MaxRounds+1 {
		t.Errorf("called %d times, want %d", got, alter.MaxRounds+1)
	}
	if got := b.Count(http.MethodPost, "/v1/connect/sessions"); got != alter.MaxRounds {
		t.Errorf("opened %d sessions, want %d", got, alter.MaxRounds)
	}
}

// fickle consents, and revokes the grant again at once.
type fickle struct {
	*user
	b *loopback.Backend
}

func (f fickle) Open(ctx context.Context, what, page string) error {
	err := f.user.Open(ctx, what, page)
	f.b.Inner.SetGrant(grant, transporttest.Revoked)
	return err
}

// Whoever does not answer any more ends the loop, with the error that says so.
func TestTheLoopEndsWithItsUser(t *testing.T) {
	for _, test := range []struct {
		name string
		set  func(b *loopback.Backend)
	}{
		{"a page", func(b *loopback.Backend) { b.Inner.SetGrant(grant, transporttest.Revoked) }},
		{"a choice", func(b *loopback.Backend) { b.Link("calendar", "bob@example.org", "grant-2") }},
		{"an approval", func(b *loopback.Backend) { b.Inner.RequireApproval(grant) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBackend(t)
			c := newClient(t, b, nil)
			test.set(b)
			loop := alter.Loop{Client: c, User: &user{t: t}, Tell: func(text string) { t.Errorf("told %q", text) }}
			if answer, err := loop.Do(t.Context(), c.Proxy, read); answer != nil || err != errNoAnswer {
				t.Errorf("got %v, %v, want %v", answer, err, errNoAnswer)
			}
			if got := b.Count(http.MethodPost, "/v1/proxy"); got != 1 {
				t.Errorf("called %d times, want once", got)
			}
		})
	}
}

// The caller's context ends the loop while a session is open.
func TestTheLoopEndsWithItsContext(t *testing.T) {
	b := newBackend(t)
	b.Inner.SetGrant(grant, transporttest.Revoked)
	c := newClient(t, b, nil)
	ctx, cancel := context.WithCancel(t.Context())
	u := absent{&user{t: t}, cancel}
	_, err := (&alter.Loop{Client: c, User: u, Tell: func(text string) { t.Errorf("told %q", text) }}).Do(ctx, c.Proxy, read)
	if !errors.Is(err, context.Canceled) || classify.Of(nil, err).Kind != classify.ConnectTimeout {
		t.Errorf("got %v, want a session that was given up, and the cancellation inside", err)
	}
}

// absent does nothing about a page and cancels the call.
type absent struct {
	*user
	cancel context.CancelFunc
}

func (a absent) Open(context.Context, string, string) error { a.cancel(); return nil }

// What is printed of any failure has none of the ids that were in it.
func TestErrorsNameNoGrant(t *testing.T) {
	b := newBackend(t)
	c := newClient(t, b, nil)
	secret := "grant-secret-1"
	for _, set := range []func(){
		func() { b.Inner.SetGrant(secret, transporttest.Revoked) },
		func() { b.Inner.SetGrant(secret, transporttest.NotFound) },
		func() { b.LoseNext(transporttest.Reset, 1) },
		func() { b.FailNext(transporttest.HangUp, 2) },
		func() { b.Inner.SetGrant(secret, transporttest.Active); b.Inner.RequireApproval(secret) },
	} {
		set()
		_, err := c.Proxy(t.Context(), alter.Call{Provider: "calendar", Grant: secret, Path: "/" + secret})
		if text := fmt.Sprintf("%v %+v", err, err); err == nil || strings.Contains(text, secret) || strings.Contains(text, "127.0.0.1:") && strings.Contains(text, "/v1/") {
			t.Errorf("got %s, want an error without grant and URL", text)
		}
	}
}

func TestMaskShowsEnoughAndNoMore(t *testing.T) {
	for account, want := range map[string]string{
		"ada@example.com": "a...@example.com",
		"été@example.com": "é...@example.com",
		"@example.com":    "....com",
		"0b0e2d6c-7e11":   "...7e11",
		"abc":             "...c",
		"a":               "...",
		"":                "...",
	} {
		if got := alter.Masked([]string{account})[0]; got != want {
			t.Errorf("%q: got %q, want %q", account, got, want)
		}
	}
}

// Accounts that differ are shown such that they do.
func TestMasksTellAccountsApart(t *testing.T) {
	for _, test := range []struct{ accounts, want []string }{
		{[]string{"ada@example.com", "alan@example.com"}, []string{"ad...@example.com", "al...@example.com"}},
		{[]string{"ada@example.com", "ada@example.com"}, []string{"a...@example.com", "a...@example.com"}},
		{[]string{"ada@example.com", "ada@example.com", "bob@example.com"}, []string{"a...@example.com", "a...@example.com", "b...@example.com"}},
		{[]string{"ada1@example.com", "ada2@example.com"}, []string{"ada1...@example.com", "ada2...@example.com"}},
		{[]string{"0b0e-aaaa-7e11", "0b0e-bbbb-7e11"}, []string{"...a-7e11", "...b-7e11"}},
		{[]string{"xa", "a"}, []string{"...a", "..."}},
		{nil, []string{}},
	} {
		if got := alter.Masked(test.accounts); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.accounts, got, test.want)
		}
	}
}

func TestNewRefusesWhatIsNoURL(t *testing.T) {
	for _, u := range []string{"", "backend.test", "://", "/v1"} {
		if _, err := alter.New(alter.Config{URL: u}); err == nil {
			t.Errorf("%q: got no error", u)
		}
	}
}

// An approval that is waited for is never asked for a second time, whatever the backend says to the question: it may still be given.
func TestALoopThatCannotAskForItsApprovalDoesNotCallAgain(t *testing.T) {
	for _, code := range []string{"grant_revoked", "no_delegated_grant", "ambiguous_grant", "connect_denied", "key_revoked"} {
		t.Run(code, func(t *testing.T) {
			calls := transporttest.Play(pendingCall).Repeat()
			c, err := alter.New(alter.Config{URL: "http://backend.test", Key: testKey, Base: routes{
				"/v1/proxy":                calls,
				"/v1/approvals/approval-7": transporttest.Play(transporttest.AlterError(410, code, "")).Repeat(),
				"/v1/connect/sessions":     transporttest.Play(transporttest.Answer(201, `{"session_id":"s","connect_url":"http://backend.test/connect/s"}`)).Repeat(),
				"/v1/connect/sessions/s":   transporttest.Play(transporttest.Answer(200, `{"status":"completed"}`)).Repeat(),
			}})
			if err != nil {
				t.Fatal(err)
			}
			var told []string
			loop := alter.Loop{Client: c, User: willing{}, Tell: func(text string) { told = append(told, text) }}
			_, err = loop.Do(t.Context(), c.Proxy, write)
			if calls.Count() != 1 {
				t.Errorf("called %d times, want once", calls.Count())
			}
			var pending *classify.ApprovalPendingError
			if v := classify.Of(nil, err); v.Code != code || !errors.As(err, &pending) || pending.ApprovalID != approvalID {
				t.Errorf("got %v, want the failure, and the approval's id inside", err)
			}
			if want := classify.Of(nil, err).Action().Todo(); len(told) != 1 || told[0] != want {
				t.Errorf("told %q, want %q", told, want)
			}
			if strings.Contains(fmt.Sprint(err), approvalID) {
				t.Errorf("the text has the id: %v", err)
			}
		})
	}
}

// A session is opened for the provider and the grant that the failure names, if it does.
func TestASessionIsForWhatTheFailureNames(t *testing.T) {
	for _, test := range []struct{ refusal, call, want string }{
		{`{"error":"grant_revoked","details":{"grant_id":"g","provider_id":"p"}}`, "c", `{"provider_id":"p","grant_id":"g"}`},
		{`{"error":"grant_revoked","details":{"grant_id":"g"}}`, "c", `{"provider_id":"c","grant_id":"g"}`},
		{`{"error":"grant_revoked"}`, "c", `{"provider_id":"c"}`},
	} {
		sessions := transporttest.Play(transporttest.Answer(422, ""))
		c, err := alter.New(alter.Config{URL: "http://backend.test", Key: testKey, Base: routes{
			"/v1/proxy":            transporttest.Play(transporttest.Answer(410, test.refusal)),
			"/v1/connect/sessions": sessions,
		}})
		if err != nil {
			t.Fatal(err)
		}
		loop := alter.Loop{Client: c, User: willing{}} // and nobody is told
		if _, err := loop.Do(t.Context(), c.Proxy, alter.Call{Provider: test.call}); classify.Of(nil, err).Kind != classify.Backend {
			t.Errorf("got %v, want what the session was answered", err)
		}
		if got := sessions.Attempts(); len(got) != 1 || string(got[0].Body) != test.want {
			t.Errorf("%s: got %+v, want %s", test.refusal, got, test.want)
		}
	}
}

// willing agrees to everything, without a browser.
type willing struct{}

func (willing) Open(context.Context, string, string) error { return nil }

func (willing) Choose(context.Context, string, ...string) (int, error) { return 0, nil }

// Whoever picks none of the options gets the failure back.
func TestAChoiceOfNothingEndsTheLoop(t *testing.T) {
	for _, pick := range []int{-1, 2} {
		b := newBackend(t)
		b.Link("calendar", "bob@example.org", "grant-2")
		c := newClient(t, b, nil)
		loop := alter.Loop{Client: c, User: picking(pick)}
		answer, err := loop.Do(t.Context(), c.Proxy, read)
		if got := classify.Of(nil, err).Kind; answer != nil || got != classify.AmbiguousGrant || b.Count(http.MethodPost, "/v1/proxy") != 1 {
			t.Errorf("%d: got %v (%v) after %d calls, want %v after one", pick, got, err, b.Count(http.MethodPost, "/v1/proxy"), classify.AmbiguousGrant)
		}
	}
}

// picking picks one index, whatever there is.
type picking int

func (picking) Open(context.Context, string, string) error { return nil }

func (p picking) Choose(context.Context, string, ...string) (int, error) { return int(p), nil }
