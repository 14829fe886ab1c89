package policy

import "fmt"

// Reason says why a [Decision] came out as it did: why the request is sent again, or why it is not.
// The zero value is NotDecided, which is not a permission to retry.
type Reason uint8

const (
	// NotDecided: nobody has decided anything.
	NotDecided Reason = iota
	// Retrying: the request is sent again after the pause.
	Retrying
	// Succeeded: the exchange did not fail, or nobody says that it did.
	Succeeded
	// Canceled: the caller has ended the call or its deadline has passed.
	Canceled
	// NotRetryable: nothing that time heals; the verdict's action says what to do instead.
	NotRetryable
	// NoProfile: a later attempt might succeed, but the policy has no profile for the failure, or one without retries.
	NoProfile
	// NotIdempotent: the server may have acted on the request, and nobody said that acting twice is harmless.
	NotIdempotent
	// NotReplayable: the request's body cannot be read a second time.
	NotReplayable
	// Exhausted: the profile's retries are used up, or its source of pauses ended.
	Exhausted
	// OutOfTime: the pause would end after the time that the profile or the set allows.
	OutOfTime
	// AttemptLimit: the call has made as many attempts as the set allows.
	AttemptLimit
	// DeadlineTooNear: the pause would not end before the caller's deadline.
	DeadlineTooNear
	// RetryAfterTooLong: the server asked callers to stay away for longer than the profile waits.
	RetryAfterTooLong
	// Refused: an open breaker answered instead of the server. [Plan.Next] never returns it: a breaker's refusal
	// is final before a plan is asked.
	Refused
	// BudgetSpent: retries have had their share of the traffic. [Plan.Next] never returns it: it names the Cost,
	// and whoever keeps the budget finds that it does not reach.
	BudgetSpent
	// Forbidden: the caller asked for no retries.
	Forbidden
	// Nested: another Retry, further in, has dealt with the failure.
	Nested
	// Gated: another call found out, while this one waited at a gate, what keeps both from being of use.
	// [Plan.Next] never returns it.
	Gated
)

var reasons = [...]string{
	NotDecided:        "not_decided",
	Retrying:          "retrying",
	Succeeded:         "succeeded",
	Canceled:          "canceled",
	NotRetryable:      "not_retryable",
	NoProfile:         "no_profile",
	NotIdempotent:     "not_idempotent",
	NotReplayable:     "not_replayable",
	Exhausted:         "exhausted",
	OutOfTime:         "out_of_time",
	AttemptLimit:      "attempt_limit",
	DeadlineTooNear:   "deadline_too_near",
	RetryAfterTooLong: "retry_after_too_long",
	Refused:           "refused",
	BudgetSpent:       "budget_spent",
	Forbidden:         "forbidden",
	Nested:            "nested",
	Gated:             "gated",
}

// String returns the reason's name in snake case, such as "deadline_too_near". The names are stable.
func (r Reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r]
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// MarshalText returns the reason's name.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
