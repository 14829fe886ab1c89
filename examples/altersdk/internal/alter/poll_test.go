package alter_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/altersdk/internal/alter"
	"github.com/steadytrip/steadytrip/examples/altersdk/internal/loopback"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

const approvalID = "approval-7"

// scripted returns a client whose backend is a script, for virtual time, with the intervals of Alter's SDKs.
func scripted(t *testing.T, steps ...http.RoundTripper) (*alter.Client, *transporttest.Script) {
	t.Helper()
	script := transporttest.Play(steps...)
	c, err := alter.New(alter.Config{URL: "http://backend.test", Key: testKey, Base: script})
	if err != nil {
		t.Fatal(err)
	}
	return c, script
}

// row is the answer that has an approval's status.
func row(status string) http.RoundTripper {
	return transporttest.Answer(200, fmt.Sprintf(`{"approval_id":%q,"status":%q,"decision_reason":null,"has_result":%t}`, approvalID, status, status == "executed"))
}

var (
	pendingCall = transporttest.Answer(202, `{"approval_id":"`+approvalID+`","approval_url":"http://backend.test/approve/x"}`)
	result      = transporttest.Answer(200, `{"approval_id":"`+approvalID+`","status_code":201,"headers":{},"body_b64":"bHVuY2g="}`)
)

func TestAPendingApprovalIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, script := scripted(t, pendingCall)
		_, err := c.Proxy(t.Context(), write)
		var pending *classify.ApprovalPendingError
		if !errors.As(err, &pending) || pending.ApprovalID != approvalID || pending.ApprovalURL == "" {
			t.Errorf("got %v, want a *ApprovalPendingError with id and URL", err)
		}
		if err := script.Check(); err != nil {
			t.Error(err)
		}
	})
}

func TestEachEndOfAnApprovalIsItsTypedError(t *testing.T) {
	for _, test := range []struct {
		name   string
		steps  []http.RoundTripper
		want   classify.Kind // Unclassified: the answer comes
		target any
		wait   time.Duration
	}{
		{"executed", []http.RoundTripper{row("executed"), result}, classify.Unclassified, nil, 0},
		{"pending, approved, executing, executed",
			[]http.RoundTripper{row("pending"), row("approved"), row("executing"), row("executed"), result}, classify.Unclassified, nil, 6 * time.Second},
		{"executed, in other letters", []http.RoundTripper{transporttest.Answer(200, `{"status":"EXECUTED","has_result":true}`), result}, classify.Unclassified, nil, 0},
		{"executed, the result to follow", []http.RoundTripper{
			transporttest.Answer(200, `{"approval_id":"approval-7","status":"executed","has_result":false}`), row("executed"), result,
		}, classify.Unclassified, nil, 2 * time.Second},
		{"denied", []http.RoundTripper{row("pending"), row("denied")}, classify.ApprovalDenied, new(*classify.ApprovalDeniedError), 2 * time.Second},
		{"expired", []http.RoundTripper{row("expired")}, classify.ApprovalExpired, new(*classify.ApprovalExpiredError), 0},
		{"failed", []http.RoundTripper{row("approved"), row("failed")}, classify.ApprovalExecutionFailed, new(*classify.ApprovalExecutionFailedError), 2 * time.Second},
		{"a state that nobody documents", []http.RoundTripper{row("cancelled")}, classify.Approval, new(*classify.ApprovalError), 0},
		{"executed, and the provider asks for a scope", []http.RoundTripper{row("executed"),
			transporttest.Answer(200, `{"status_code":403,"headers":{"WWW-Authenticate":"Bearer error=\"insufficient_scope\", scope=\"a\""}}`),
		}, classify.ScopeReauthRequired, new(*classify.ScopeReauthRequiredError), 0},
		{"a body that is no approval", []http.RoundTripper{transporttest.Answer(200, `{"ok":true}`)}, classify.Backend, new(*classify.BackendError), 0},
		{"an approval that there is not", []http.RoundTripper{transporttest.Answer(404, "")}, classify.Backend, new(*classify.BackendError), 0},
		{"a key revoked meanwhile", []http.RoundTripper{row("pending"), transporttest.Canned("key_revoked")}, classify.KeyRevoked, new(*classify.KeyRevokedError), 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, script := scripted(t, test.steps...)
				begin := time.Now()
				answer, err := c.Await(t.Context(), approvalID)
				if took := time.Since(begin); took != test.wait {
					t.Errorf("took %s, want %s", took, test.wait)
				}
				if test.want == classify.Unclassified {
					if err != nil || answer.Status != 201 || string(answer.Body) != "lunch" {
						t.Errorf("got %v, %v, want the provider's 201", answer, err)
					}
				} else if got := classify.Of(nil, err).Kind; got != test.want || !errors.As(err, test.target) {
					t.Errorf("got %v (%v), want %v and %T", got, err, test.want, test.target)
				}
				if err := script.Check(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Everything that time can heal happens while an approval is waited for, more than the chain's own retries can take.
// The call is made once, and the answer comes.
func TestTheWaitSurvivesWhatTimeHeals(t *testing.T) {
	for _, test := range []struct {
		name string
		bad  []http.RoundTripper
		wait time.Duration // at least
	}{
		{"a token refresh, 40 times", []http.RoundTripper{transporttest.Times(40, transporttest.Canned("token_refresh_in_progress"))}, 8 * time.Second},
		{"a reset", []http.RoundTripper{transporttest.Fail(transporttest.ErrReset)}, 0},
		{"resets, five times", []http.RoundTripper{transporttest.Times(5, transporttest.Fail(transporttest.ErrReset))}, 4 * time.Second},
		{"a refused connection, 20 times", []http.RoundTripper{transporttest.Times(20, transporttest.Fail(transporttest.ErrRefused))}, 8 * time.Second},
		{"a 503, five times", []http.RoundTripper{transporttest.Times(5, transporttest.ProviderUnavailable(0))}, 4 * time.Second},
		{"a 503 that asks for half a minute", []http.RoundTripper{transporttest.ProviderUnavailable(30 * time.Second)}, 30 * time.Second},
		{"a policy's rate limit of a minute", []http.RoundTripper{transporttest.Canned("rate_limit_exceeded").RetryAfter(time.Minute)}, time.Minute},
		{"an answer that breaks off", []http.RoundTripper{transporttest.Answer(200, "").Stream(transporttest.Chunk(`{"sta`), transporttest.Break(transporttest.ErrReset))}, 2 * time.Second},
		{"no answer", []http.RoundTripper{transporttest.Hang(), transporttest.Hang()}, time.Minute},
		{"one after the other", []http.RoundTripper{
			transporttest.Canned("token_refresh_in_progress"), transporttest.Fail(transporttest.ErrReset), transporttest.ProviderUnavailable(time.Second),
			transporttest.Canned("token_refresh_in_progress"), transporttest.Fail(transporttest.ErrReset), transporttest.Fail(transporttest.ErrReset),
		}, 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend := routes{
					"/v1/proxy":                       transporttest.Play(pendingCall),
					"/v1/approvals/approval-7":        transporttest.Play(append([]http.RoundTripper{row("pending")}, test.bad...)...).Then(row("executed")).Repeat(),
					"/v1/approvals/approval-7/result": transporttest.Play(test.bad...).Then(result),
				}
				c, err := alter.New(alter.Config{URL: "http://backend.test", Key: testKey, Base: backend})
				if err != nil {
					t.Fatal(err)
				}
				_, err = c.Proxy(t.Context(), write)
				if classify.Of(nil, err).Kind != classify.ApprovalPending {
					t.Fatal(err)
				}
				begin := time.Now()
				answer, err := c.Await(t.Context(), approvalID)
				if err != nil || answer.Status != 201 {
					t.Fatalf("got %v, %v, want the provider's 201", answer, err)
				}
				if took := time.Since(begin); took < 2*test.wait || took > 5*time.Minute {
					t.Errorf("took %s, want at least %s", took, 2*test.wait)
				}
				for path, script := range backend { // the call was made once, and all that went wrong went wrong
					if err := script.Check(); err != nil {
						t.Errorf("%s: %v", path, err)
					}
				}
			})
		})
	}
}

// routes plays a script for each path.
type routes map[string]*transporttest.Script

func (r routes) RoundTrip(req *http.Request) (*http.Response, error) {
	return r[req.URL.Path].RoundTrip(req)
}

func TestTheWaitEndsWithItsContext(t *testing.T) {
	enough := errors.New("enough")
	for _, test := range []struct {
		name  string
		bound func(ctx context.Context) (context.Context, context.CancelFunc)
		step  http.RoundTripper
		want  error
		wait  time.Duration
		asked int
	}{
		{"a deadline between two questions", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 11*time.Second)
		}, row("pending"), context.DeadlineExceeded, 10 * time.Second, 6},
		{"a cancellation with a cause", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			timer := time.AfterFunc(7*time.Second, func() { cancel(enough) })
			return ctx, func() { timer.Stop() }
		}, row("pending"), enough, 7 * time.Second, 4},
		{"a deadline during a question", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 11*time.Second)
		}, transporttest.Hang(), context.DeadlineExceeded, 11 * time.Second, 1},
		{"a context that has ended", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			cancel(enough)
			return ctx, func() {}
		}, row("pending"), enough, 0, 0},
		{"the client's patience", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return ctx, func() {}
		}, row("pending"), context.DeadlineExceeded, 298 * time.Second, 150},
		{"the client's patience, in an outage", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return ctx, func() {}
		}, transporttest.ProviderUnavailable(time.Minute), context.DeadlineExceeded, 4 * time.Minute, 5},
		{"a hint beyond the client's patience", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return ctx, func() {}
		}, transporttest.ProviderUnavailable(time.Hour), context.DeadlineExceeded, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, script := scripted(t, test.step)
				script.Repeat()
				ctx, cancel := test.bound(t.Context())
				defer cancel()
				begin := time.Now()
				answer, err := c.Await(ctx, approvalID)
				if took := time.Since(begin); took != test.wait || script.Count() != test.asked {
					t.Errorf("took %s and %d questions, want %s and %d", took, script.Count(), test.wait, test.asked)
				}
				var timeout *classify.ApprovalTimeoutError
				if answer != nil || !errors.As(err, &timeout) || timeout.ApprovalID != approvalID || !errors.Is(err, test.want) {
					t.Errorf("got %v, want a *ApprovalTimeoutError with the id, and %v inside", err, test.want)
				}
				if strings.Contains(fmt.Sprint(err), approvalID) {
					t.Errorf("the text has the id: %v", err)
				}
				if got, want := timeout.Timeout(), test.want == context.DeadlineExceeded; got != want {
					t.Errorf("Timeout() = %v, want %v", got, want)
				}
			})
		})
	}
}

// The last failure is inside the error, for whoever wants to know why there was no end.
func TestAWaitThatEndsInAnOutageSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, script := scripted(t, transporttest.ProviderUnavailable(0))
		script.Repeat()
		_, err := c.Await(t.Context(), approvalID)
		var timeout *classify.ApprovalTimeoutError
		var outage *classify.BackendUnavailableError
		if !errors.As(err, &timeout) || !errors.As(err, &outage) || !timeout.Timeout() {
			t.Errorf("got %v, want a *ApprovalTimeoutError with a *BackendUnavailableError inside", err)
		}
		if got := classify.Of(nil, err).Action(); got != classify.FollowUp {
			t.Errorf("got %v, want %v", got, classify.FollowUp)
		}
	})
}

// The answer to the call is lost on its way: nobody knows the approval's id, but the call is not made again.
func TestACallWhoseApprovalGotLostIsNotMadeAgain(t *testing.T) {
	b := newBackend(t)
	b.Inner.RequireApproval(grant)
	c := newClient(t, b, nil)
	b.LoseNext(transporttest.Reset, 1)
	_, err := c.Proxy(t.Context(), write)
	if classify.Of(nil, err).Kind != classify.ConnectionLost {
		t.Errorf("got %v, want a lost connection", err)
	}
	if got := len(b.Inner.Approvals()); got != 1 || b.Count(http.MethodPost, "/v1/proxy") != 1 {
		t.Errorf("asked for %d approvals in %d requests, want one", got, b.Count(http.MethodPost, "/v1/proxy"))
	}
}

// net/http sends a question again by itself if a connection that was in use before ends without an answer: with the same bytes,
// so under a signature that the backend has seen.
func TestTheWaitSurvivesWhatNetHTTPSendsAgain(t *testing.T) {
	for _, fault := range []transporttest.Fault{transporttest.Reset, transporttest.HangUp} {
		t.Run(fault.String(), func(t *testing.T) {
			b := newBackend(t)
			b.Inner.RequireApproval(grant, transporttest.ApprovalPending, transporttest.ApprovalApproved, transporttest.ApprovalExecuted)
			c := newClient(t, b, nil)
			_, err := c.Proxy(t.Context(), write)
			var pending *classify.ApprovalPendingError
			if !errors.As(err, &pending) {
				t.Fatalf("got %v, want a pending approval", err)
			}
			b.LoseNext(fault, 1)
			if answer, err := c.Await(t.Context(), pending.ApprovalID); err != nil || answer.Status != http.StatusOK {
				t.Errorf("got %v, %v, want the answer", answer, err)
			}
			replayed := 0
			for _, r := range b.Requests() {
				if r.Status == http.StatusUnauthorized {
					replayed++
				}
			}
			if replayed != 1 {
				t.Errorf("%d requests were sent twice, want one", replayed)
			}
		})
	}
}

// Many calls at once, each of which waits for an approval of its own, and is asked about by several goroutines, while connections
// break and the grant's token is refreshed: each call is made once and carried out once.
func TestEachApprovalIsAskedForOnce(t *testing.T) {
	const calls, waiters = 12, 3
	b := newBackend(t)
	b.Inner.RequireApproval(grant)
	c := newClient(t, b, nil)
	var wg, asked sync.WaitGroup
	asked.Add(calls)
	for i := range calls {
		wg.Go(func() {
			call := write
			call.Body = fmt.Appendf(nil, `{"number":%d}`, i)
			_, err := c.Proxy(t.Context(), call)
			asked.Done()
			var pending *classify.ApprovalPendingError
			if !errors.As(err, &pending) {
				t.Errorf("got %v, want a pending approval", err)
				return
			}
			asked.Wait() // what gets lost is questions
			if i == calls/2 {
				b.Inner.HoldRefresh(grant, 100*time.Millisecond)
				b.LoseNext(transporttest.Reset, 4)
				b.FailNext(transporttest.HangUp, 4)
			}
			var each sync.WaitGroup
			for range waiters {
				each.Go(func() {
					if answer, err := c.Await(t.Context(), pending.ApprovalID); err != nil || answer.Status != http.StatusOK {
						t.Errorf("got %v, %v, want the answer", answer, err)
					}
				})
			}
			b.Inner.Decide(pending.ApprovalID, transporttest.ApprovalExecuted, "")
			each.Wait()
		})
	}
	wg.Wait()
	made, carriedOut := 0, make(map[string]int)
	for _, r := range b.Requests() {
		if r.Method == http.MethodPost && r.Status == http.StatusAccepted {
			made++
		}
	}
	for _, e := range b.Inner.Effects() {
		carriedOut[e.ApprovalID]++
	}
	if made != calls || len(b.Inner.Approvals()) != calls || len(carriedOut) != calls {
		t.Errorf("made %d calls, asked for %d approvals, carried out %d, want %d of each", made, len(b.Inner.Approvals()), len(carriedOut), calls)
	}
	for id, n := range carriedOut {
		if n != 1 {
			t.Errorf("%s was carried out %d times", id, n)
		}
	}
}

func TestASessionEndsAsItsTypedError(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(b *loopback.Backend)
		want classify.Kind
	}{
		{"denied", func(b *loopback.Backend) { b.EndSessions("access_denied") }, classify.ConnectDenied},
		{"misconfigured", func(b *loopback.Backend) { b.EndSessions("redirect_uri_mismatch") }, classify.ConnectConfig},
		{"over", func(b *loopback.Backend) { b.EndSessions("session_expired") }, classify.ConnectTimeout},
		{"for a reason that nobody knows", func(b *loopback.Backend) { b.EndSessions("grant_revoked") }, classify.ConnectFlow},
		{"nobody comes", func(*loopback.Backend) {}, classify.ConnectTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t)
			c := newClient(t, b, func(cfg *alter.Config) { cfg.Patience = 300 * time.Millisecond })
			session, err := c.Connect(t.Context(), alter.Request{Provider: "calendar"})
			if err != nil {
				t.Fatal(err)
			}
			test.end(b)
			err = c.Finish(t.Context(), session)
			var flow *classify.ConnectFlowError
			if got := classify.Of(nil, err).Kind; got != test.want || !errors.As(err, &flow) {
				t.Errorf("got %v (%v), want %v", got, err, test.want)
			}
		})
	}
}

// A session that nobody heard of does no harm, so another one is opened when the answer got lost.
func TestASessionWhoseAnswerGotLostIsOpenedAgain(t *testing.T) {
	b := newBackend(t)
	c := newClient(t, b, nil)
	b.LoseNext(transporttest.HangUp, 1)
	session, err := c.Connect(t.Context(), alter.Request{Provider: "calendar"})
	if err != nil || session.ID == "" || b.Count(http.MethodPost, "/v1/connect/sessions") != 2 {
		t.Errorf("got %v after %d requests, want a session after 2", err, b.Count(http.MethodPost, "/v1/connect/sessions"))
	}
}

// A state that nobody knows ends the wait, also in a row without the approval's id; a row that names no state is none.
func TestUnknownStatesEndTheWait(t *testing.T) {
	for body, want := range map[string]classify.Kind{
		`{"status":"cancelled"}`:                   classify.Approval,
		`{"status":"cancelled","has_result":true}`: classify.Approval,
		`{"status":"ok"}`:                          classify.Approval,
		`{"status":""}`:                            classify.Backend,
		`{"status":null,"has_result":false}`:       classify.Backend,
		`[]`:                                       classify.Backend,
		`<html>`:                                   classify.Backend,
		``:                                         classify.Backend,
		`{"status":"denied"}`:                      classify.ApprovalDenied,
	} {
		synctest.Test(t, func(t *testing.T) {
			c, script := scripted(t, transporttest.Answer(200, body))
			script.Repeat()
			_, err := c.Await(t.Context(), approvalID)
			if got := classify.Of(nil, err).Kind; got != want || script.Count() != 1 {
				t.Errorf("%s: got %v (%v) after %d questions, want %v after one", body, got, err, script.Count(), want)
			}
			var ended *classify.ApprovalError
			if errors.As(err, &ended) && ended.ApprovalID != approvalID {
				t.Errorf("%s: the error names the approval %q, want %q", body, ended.ApprovalID, approvalID)
			}
		})
	}
}

// An answer whose body stalls takes the time of one question, and not that of the whole wait.
func TestTheWaitSurvivesABodyThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stalled := transporttest.Answer(200, "").Stream(transporttest.Chunk(`{"sta`), transporttest.Stall())
		c, _ := scripted(t, stalled, row("executed"), stalled, row("executed"), result)
		begin := time.Now()
		answer, err := c.Await(t.Context(), approvalID)
		if err != nil || answer.Status != 201 {
			t.Errorf("got %v, %v, want the provider's 201", answer, err)
		}
		if took, want := time.Since(begin), 184*time.Second; took != want { // 90 s for each question that stalls, and a pause after it
			t.Errorf("took %s, want %s", took, want)
		}
	})
}

// An id is a part of a path and cannot be more.
func TestIDsAreEscaped(t *testing.T) {
	var got []string
	base := transporttest.Func(func(req *http.Request) (*http.Response, error) {
		got = append(got, req.URL.RequestURI())
		return transporttest.Answer(404, "").HTTP(req), nil
	})
	c, err := alter.New(alter.Config{URL: "http://backend.test", Key: testKey, Base: base})
	if err != nil {
		t.Fatal(err)
	}
	const id = "../a?b#c"
	if _, err := c.Await(t.Context(), id); err == nil {
		t.Error("got no error")
	}
	if err := c.Finish(t.Context(), &alter.Session{ID: id}); err == nil {
		t.Error("got no error")
	}
	if want := []string{"/v1/approvals/..%2Fa%3Fb%23c", "/v1/connect/sessions/..%2Fa%3Fb%23c"}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
}

// What is pending may say when to ask again, and is not asked about sooner.
func TestTheNextQuestionComesWhenTheServerAsksForIt(t *testing.T) {
	for _, test := range []struct {
		hint string
		wait time.Duration
	}{{"", 2 * time.Second}, {"1", 2 * time.Second}, {"10", 10 * time.Second}, {"soon", 2 * time.Second}, {"-1", 2 * time.Second}} {
		pending := func(body string) http.RoundTripper {
			return transporttest.Answer(200, body).Header("Retry-After", test.hint)
		}
		t.Run("an approval, "+test.hint, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, script := scripted(t, pending(`{"status":"pending"}`), pending(`{"status":"executed","has_result":false}`), row("executed"), result)
				begin := time.Now()
				if _, err := c.Await(t.Context(), approvalID); err != nil || time.Since(begin) != 2*test.wait {
					t.Errorf("took %s, %v, want %s", time.Since(begin), err, 2*test.wait)
				}
				if err := script.Check(); err != nil {
					t.Error(err)
				}
			})
		})
		t.Run("a session, "+test.hint, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := scripted(t, pending(`{"status":"pending"}`), transporttest.Answer(200, `{"status":"completed"}`))
				begin := time.Now()
				if err := c.Finish(t.Context(), &alter.Session{ID: "s"}); err != nil || time.Since(begin) != test.wait {
					t.Errorf("took %s, %v, want %s", time.Since(begin), err, test.wait)
				}
			})
		})
	}
}
