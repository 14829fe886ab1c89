package alter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// User is asked for what only a person can do. An error of a User's ends the [Loop], which returns it as it is.
type User interface {
	// Open shows a page to whoever is to be asked, and returns when they have been there or will be.
	Open(ctx context.Context, what, url string) error

	// Choose returns the index of the option that the user picks.
	Choose(ctx context.Context, question string, options ...string) (int, error)
}

// maxRounds is how often a failure's remedy is followed by a further try.
const maxRounds = 4

// Loop is the loop around a call that every application writes: it does what a failure asks for, then calls again.
// The chain of package transport has done all waiting and repeating before a failure comes out here.
type Loop struct {
	Client *Client
	User   User
	Tell   func(text string) // what is left to do about a failure, for a developer; may be nil
}

// Do makes a call by send, which is [Client.Proxy] or [Client.Retrieve]. It ends with the answer, with the error that nothing
// could be done about, or with the last one when further rounds would lead nowhere. While an approval may still be given it does
// not make the call again: then the error has a *classify.ApprovalPendingError or a *classify.ApprovalTimeoutError inside, and with it
// the id for [Client.Await].
func (l *Loop) Do(ctx context.Context, send func(context.Context, Call) (*Answer, error), call Call) (*Answer, error) {
	request := Request{Provider: call.Provider} // what the user was asked for last
	answer, err := send(ctx, call)
	for range maxRounds {
		var failure *classify.AlterSDKError
		if err == nil || ctx.Err() != nil || !errors.As(err, &failure) {
			return answer, err
		}
		var (
			ambiguous *classify.AmbiguousGrantError
			pending   *classify.ApprovalPendingError
			expired   *classify.ApprovalExpiredError
			verdict   = failure.Verdict()
		)
		switch verdict.Action() {
		case classify.Reauthorize:
			need, _ := classify.NeedsReauthorization(nil, err)
			request = Request{Provider: cmp.Or(need.ProviderID, call.Provider), Grant: need.GrantID, Scopes: need.Scopes}
			err = l.consent(ctx, request)

		case classify.Delegate:
			request = Request{Provider: call.Provider, Delegate: true}
			err = l.consent(ctx, request)

		case classify.RestartConnect:
			pick, unasked := l.User.Choose(ctx, "There is no consent. Start a new session?", "yes", "no")
			if unasked != nil || pick != 0 {
				return nil, cmp.Or(unasked, err)
			}
			err = l.consent(ctx, request)

		case classify.Choose:
			if !errors.As(err, &ambiguous) || !choosable(ambiguous, call) {
				l.tell(advice(verdict, call))
				return nil, err
			}
			picked, unasked := l.choose(ctx, ambiguous, &call)
			if unasked != nil || !picked {
				return nil, cmp.Or(unasked, err)
			}
			err = nil

		case classify.FollowUp:
			if errors.As(err, &pending) {
				// The call was made, and waits for its approver. Making it again would ask for a second approval.
				var open *openError
				if answer, err = l.await(ctx, pending); errors.As(err, &open) {
					l.tell(advice(classify.Of(nil, err), call))
					return nil, err
				}
				continue
			}
			l.tell(advice(verdict, call))
			return nil, err

		case classify.None, classify.Retry, classify.Wait, classify.WidenScope, classify.RotateKey, classify.Fix, classify.Inspect:
			if !errors.As(err, &expired) {
				// For time, or for a developer: the chain has waited for as long as the policy allows.
				l.tell(advice(verdict, call))
				return nil, err
			}
			pick, unasked := l.User.Choose(ctx, "Nobody decided in time. Make the call again?", "yes", "no")
			if unasked != nil || pick != 0 {
				return nil, cmp.Or(unasked, err)
			}
			err = nil
		}
		if err == nil {
			answer, err = send(ctx, call)
		}
	}
	return answer, err // the last round's
}

func (l *Loop) tell(text string) {
	if l.Tell != nil {
		l.Tell(text)
	}
}

// consent sends the user to a page and waits until the session is over.
func (l *Loop) consent(ctx context.Context, r Request) error {
	session, err := l.Client.Connect(ctx, r)
	if err != nil {
		return err
	}
	what := "authorize " + r.Provider
	if r.Delegate {
		what = "delegate " + r.Provider + " to the agent"
	}
	if len(r.Scopes) > 0 {
		what += " with " + strings.Join(r.Scopes, ", ")
	}
	if err := l.User.Open(ctx, what, session.URL); err != nil {
		return err
	}
	return l.Client.Finish(ctx, session)
}

// choosable reports whether there is something to pick from that was not picked before.
func choosable(e *classify.AmbiguousGrantError, call Call) bool {
	if len(e.AccountIdentifiers) > 0 {
		return !e.AccountWasProvided || !slices.Contains(e.AccountIdentifiers, call.Account)
	}
	return len(e.AppUserIDs) > 0 && call.User == ""
}

// choose has the user pick an account, or whose delegation it is, and names it in the call. It reports whether one was picked.
func (l *Loop) choose(ctx context.Context, e *classify.AmbiguousGrantError, call *Call) (bool, error) {
	question, options, target := "Which account?", e.AccountIdentifiers, &call.Account
	if len(options) == 0 {
		question, options, target = "Whose delegation?", e.AppUserIDs, &call.User
	}
	pick, err := l.User.Choose(ctx, question, masked(options)...)
	if err != nil || pick < 0 || pick >= len(options) {
		return false, err
	}
	*target = options[pick]
	return true, nil
}

// await sends the approver to the approval's page and waits for what comes of it.
func (l *Loop) await(ctx context.Context, e *classify.ApprovalPendingError) (*Answer, error) {
	if e.ApprovalURL != "" {
		if err := l.User.Open(ctx, "approve the call", e.ApprovalURL); err != nil {
			return nil, err
		}
	}
	answer, err := l.Client.Await(ctx, e.ApprovalID)
	if kind := classify.Of(nil, err).Kind; err != nil && !kind.Is(classify.Approval) && !kind.Is(classify.ProviderAPI) {
		return nil, &openError{err, e}
	}
	return answer, err
}

// openError says that asking for an approval failed for good. The approval may still be given, so what the failure asks for
// must not be followed by the call: that would be a second one.
type openError struct {
	failure error
	pending *classify.ApprovalPendingError
}

func (e *openError) Error() string {
	return e.failure.Error() + " The call was made, and its approval may still be given."
}

func (e *openError) Unwrap() []error { return []error{e.failure, e.pending} }

// advice is what is left to do about a failure that nobody here can heal.
func advice(v classify.Verdict, call Call) string {
	repeatable := call.Method == "" || call.Method == http.MethodGet || call.Method == http.MethodHead
	if v.Action() == classify.Retry && !v.Unprocessed && !repeatable {
		return "The call may have been carried out. Find out before you make it again."
	}
	if v.RetryAfter > 0 {
		return fmt.Sprintf("%s The server asks for %s.", v.Action().Todo(), v.RetryAfter.Round(time.Second))
	}
	return v.Action().Todo()
}

// masked shows of accounts what their owner needs to know them again, and as much more as it takes to tell them apart.
func masked(accounts []string) []string {
	shown := make([]string, len(accounts))
	for more, clash := 0, true; clash; more = max(1, 2*more) {
		clash = false
		seen := make(map[string]string, len(accounts))
		for i, account := range accounts {
			shown[i] = mask(account, more)
			if other, found := seen[shown[i]]; found && other != account && more < max(len(account), len(other)) {
				clash = true
			}
			seen[shown[i]] = account
		}
	}
	return shown
}

// mask shows the first letter of "ada@example.com", as "a...@example.com", and of anything else the last four letters, half of it
// at most; and some letters more.
func mask(account string, more int) string {
	if name, domain, ok := strings.Cut(account, "@"); ok && name != "" {
		letters := []rune(name)
		return fmt.Sprintf("%s...@%s", string(letters[:min(1+more, len(letters))]), domain)
	}
	letters := []rune(account)
	return "..." + string(letters[max(0, max(len(letters)-4, (len(letters)+1)/2)-more):])
}
