package alter

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// maxQuestion bounds a question with all its attempts, and the reading of its answer.
const maxQuestion = 3 * attemptTimeout

// Await waits for the end of an approval and returns the approved call's answer. It only ever asks: the call itself was made
// already, and the backend carries it out once it is approved.
//
// An approval that ends otherwise is its typed error: *classify.ApprovalDeniedError, *classify.ApprovalExpiredError,
// *classify.ApprovalExecutionFailedError; *classify.ApprovalError in a state that nobody documents. When ctx ends, or Config.Patience
// or ctx's deadline leaves no time for a further question, it is a *classify.ApprovalTimeoutError with the cause of that inside:
// the approval may still be pending, and its id serves to wait for it again.
//
// What time can heal does not end the wait. The chain repeats each question as it repeats any GET; if that did not help, the
// next question does, after the pause that the server asked for.
func (c *Client) Await(ctx context.Context, approvalID string) (*Answer, error) {
	path := "/v1/approvals/" + url.PathEscape(approvalID)
	var answer *Answer
	err := c.poll(ctx, func(ctx context.Context) (*Answer, error) {
		row, err := c.get(ctx, path)
		if err != nil {
			return nil, err
		}
		hasResult, err := executed(row.Body, approvalID)
		if err != nil || !hasResult {
			return row, err
		}
		answer, err = c.get(ctx, path+"/result")
		return nil, err
	})
	if gaveUp(err) {
		return nil, classify.Verdict{Kind: classify.ApprovalTimeout, Detail: &classify.Detail{ApprovalID: approvalID}}.Err(err)
	}
	if err != nil {
		return nil, err
	}
	return unwrap(answer)
}

// executed reports whether an approval's row says that there is a result. The error is how the approval ended otherwise, if it did.
func executed(body []byte, approvalID string) (bool, error) {
	var row struct {
		Status    string `json:"status"`
		HasResult bool   `json:"has_result"`
	}
	if json.Unmarshal(body, &row) != nil || row.Status == "" {
		return false, classify.Verdict{Kind: classify.Backend}.Err(errors.New("alter: the backend's answer is no approval"))
	}
	verdict := classify.ApprovalVerdict(body)
	switch {
	case verdict.Kind == classify.ApprovalPending:
		return false, nil
	case verdict.Kind != classify.Unclassified:
		if verdict.Detail.ApprovalID == "" {
			verdict.Detail.ApprovalID = approvalID
		}
	case strings.EqualFold(row.Status, "executed"):
		return row.HasResult, nil // without one it is being carried out
	default: // a state that nobody knows, in a row that does not repeat the id
		verdict = classify.Verdict{Kind: classify.Approval, Basis: classify.Guessed, Code: row.Status, Detail: &classify.Detail{ApprovalID: approvalID}}
	}
	return false, verdict.Err(nil)
}

// gaveUpError says why polling ended without an end: the context's cause, and the last failure if there was one.
type gaveUpError struct{ cause, last error }

func (e *gaveUpError) Error() string { return "alter: stopped waiting" }

func (e *gaveUpError) Unwrap() []error {
	if e.last == nil {
		return []error{e.cause}
	}
	return []error{e.cause, e.last}
}

// Timeout reports whether time ran out, rather than the caller's interest.
func (e *gaveUpError) Timeout() bool { return errors.Is(e.cause, context.DeadlineExceeded) }

func gaveUp(err error) bool {
	var e *gaveUpError
	return errors.As(err, &e)
}

// poll looks until look is done or fails for good, every Config.Every, or later if the server asks for it. What look returns is the
// answer that says that it is too soon. poll gives up when ctx ends, or when its deadline or Config.Patience leaves no time for a
// further look.
func (c *Client) poll(ctx context.Context, look func(context.Context) (pending *Answer, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Patience)
	defer cancel()
	var last error
	for ctx.Err() == nil {
		question, cancel := context.WithTimeout(ctx, maxQuestion)
		pending, err := look(question)
		cancel()
		if pending == nil && err == nil {
			return nil
		}
		if ctx.Err() != nil {
			break
		}
		pause := c.cfg.Every
		if err != nil {
			verdict := classify.Of(nil, err)
			if !transient(verdict) {
				return err
			}
			pause, last = max(pause, verdict.RetryAfter), err
		} else if hint, ok := classify.RetryAfter(pending.Header, time.Now()); ok {
			pause = max(pause, hint)
		}
		if end, _ := ctx.Deadline(); time.Until(end) <= pause {
			return &gaveUpError{context.DeadlineExceeded, last} // the next question would come too late
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	return &gaveUpError{context.Cause(ctx), last}
}

// transient reports whether time can heal a failure.
func transient(v classify.Verdict) bool {
	return v.Action() == classify.Retry || v.Action() == classify.Wait
}
