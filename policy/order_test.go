package policy_test

import (
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// Everything speaks against a retry at first. One obstacle after the other goes, in the documented order.
func TestNextAsksInTheDocumentedOrder(t *testing.T) {
	ended := true
	s := policy.Set{MaxAttempts: 3, Profiles: map[classify.Kind]policy.Profile{
		classify.Timeout: {
			Retries: 1, MaxElapsed: sec, MaxRetryAfter: sec,
			BackOff: func() policy.BackOff {
				return source(func() time.Duration {
					if ended {
						return -1
					}
					return 2 * sec
				})
			},
		},
	}}
	p := plan(t, s)
	var v classify.Verdict
	f := policy.Facts{Attempts: 3, Done: true, Deadline: true, Remaining: sec}
	steps := []struct {
		want policy.Reason
		fix  func()
	}{
		{policy.Succeeded, func() { v = classify.Verdict{Kind: classify.GrantRevoked, RetryAfter: 5 * sec} }},
		{policy.Canceled, func() { f.Done = false }},
		{policy.NotRetryable, func() { v.Kind = classify.Network }},
		{policy.NoProfile, func() { v.Kind = classify.Timeout }},
		{policy.NotIdempotent, func() { f.Replay.Idempotent = true }},
		{policy.NotReplayable, func() { f.Replay.Rewindable = true }},
		{policy.AttemptLimit, func() { f.Attempts = 2 }},
		{policy.RetryAfterTooLong, func() { v.RetryAfter = 0 }},
		{policy.Exhausted, func() { ended = false }},
		{policy.OutOfTime, func() { s.Profiles[classify.Timeout] = doubling(1); p = plan(t, s); f.Remaining = 0 }},
		{policy.DeadlineTooNear, func() { f.Deadline = false }},
		{policy.Retrying, func() { v.RetryAfter = time.Hour }},
		{policy.Exhausted, func() { f.Attempts = 3 }},
		{policy.AttemptLimit, func() {}},
	}
	for i, step := range steps {
		if got := p.Next(v, f).Reason; got != step.want {
			t.Fatalf("step %d: got %s, want %s", i, got, step.want)
		}
		step.fix()
	}
}
