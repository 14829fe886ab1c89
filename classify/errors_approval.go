package classify

import "time"

// Errors of calls that wait for a human's approval.

// ApprovalError says that the call depends on a human approval. Action: FollowUp.
type ApprovalError struct {
	AlterSDKError
	ApprovalID     string    // the approval, to ask for its state later
	DecisionReason string    // the approver's reason; empty if none was given
	ApprovalURL    string    // where the approver decides; empty if the answer did not say
	ExpiresAt      time.Time // when the approval's window closes; zero if the answer did not say
}

// Unwrap returns the error as a *AlterSDKError.
func (e *ApprovalError) Unwrap() error { return &e.AlterSDKError }

func (e *ApprovalError) fill(d *Detail) {
	e.AlterSDKError.fill(d)
	e.ApprovalID = d.ApprovalID
	e.DecisionReason = d.DecisionReason
	e.ApprovalURL = d.ApprovalURL
	e.ExpiresAt = d.ExpiresAt
}

// ApprovalPendingError says that nobody has decided yet, or the approved call is still running. Action: FollowUp.
type ApprovalPendingError struct {
	ApprovalError
}

// Unwrap returns the error as a *ApprovalError.
func (e *ApprovalPendingError) Unwrap() error { return &e.ApprovalError }

// ApprovalDeniedError says that the approver said no. Action: Inspect.
type ApprovalDeniedError struct {
	ApprovalError
}

// Unwrap returns the error as a *ApprovalError.
func (e *ApprovalDeniedError) Unwrap() error { return &e.ApprovalError }

// ApprovalExpiredError says that nobody decided within the window: issue the call anew, or widen the window.
// Action: Inspect.
type ApprovalExpiredError struct {
	ApprovalError
}

// Unwrap returns the error as a *ApprovalError.
func (e *ApprovalExpiredError) Unwrap() error { return &e.ApprovalError }

// ApprovalTimeoutError says that the caller stopped waiting; the approval may still be pending. Action: FollowUp.
type ApprovalTimeoutError struct {
	ApprovalError
}

// Unwrap returns the error as a *ApprovalError.
func (e *ApprovalTimeoutError) Unwrap() error { return &e.ApprovalError }

// ApprovalExecutionFailedError says that the call was approved but failed when it was carried out. Action: Inspect.
type ApprovalExecutionFailedError struct {
	ApprovalError
}

// Unwrap returns the error as a *ApprovalError.
func (e *ApprovalExecutionFailedError) Unwrap() error { return &e.ApprovalError }
