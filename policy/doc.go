// Package policy decides what to do about a failure: send the request again after a pause, or stop for a named reason.
//
// A [Set] is the configuration: a [Profile] of pauses for each kind of failure, limits over the whole call, a [Budget] for
// retries, and what calls do together: [Breaker] and [Gate]. [New] checks it and freezes it into a [Policy], which every call shares. A [Plan] is the memory of one
// call; its [Plan.Next] takes a verdict and the facts around it and returns a [Decision]:
//
//	classify.Verdict ─┐
//	                  ├─> Plan.Next ─> Decision{Pause, Reason, Profile}
//	Facts ────────────┘
//
// Next asks these questions in this order, and the first that is answered with a stop ends the call:
//
//	is it a failure at all?                           no:  Succeeded
//	has the caller gone?                              yes: Canceled
//	can time heal it, and is there a profile for it?  no:  NotRetryable, NoProfile
//	did the caller forbid retries?                    yes: Forbidden
//	has a Retry further in dealt with it?             yes: Nested
//	may the request be sent twice?                    no:  NotIdempotent
//	can its body be read again?                       no:  NotReplayable
//	has the call attempts left?                       no:  AttemptLimit
//	has the profile retries left?                     no:  Exhausted
//	does the server ask for more patience than ours?  yes: RetryAfterTooLong
//	does the pause end in time?                       no:  OutOfTime, DeadlineTooNear
//	                                                       Retrying
//
// The package is data and arithmetic. It starts no goroutine, opens no connection, holds no lock, reads no clock and
// rolls no dice: the time and the randomness come in with the [Facts], so that a simulation and a server that run
// the same policy decide alike.
//
// [Default] is the set to start from where nobody says who waits; [Interactive], [Batch] and [Agent] are for a person, for a job and for
// an AI agent's tool calls. Their numbers are steadytrip's own, not Alter's. Package policyfile reads sets from files.
package policy
