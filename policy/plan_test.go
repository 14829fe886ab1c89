package policy_test

import (
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// middle is the randomness that leaves a pause with a two-sided jitter as it is.
const middle = 0.5

var repeatable = policy.Replay{Idempotent: true, Rewindable: true}

// set returns a set with one profile, on k.
func set(k classify.Kind, p policy.Profile) policy.Set {
	return policy.Set{MaxAttempts: 100, Profiles: map[classify.Kind]policy.Profile{k: p}}
}

func plan(t *testing.T, s policy.Set) *policy.Plan {
	t.Helper()
	p, err := policy.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return p.Plan()
}

// doubling pauses 100ms, 200ms, 400ms, 400ms...
func doubling(retries int) policy.Profile {
	return policy.Profile{Retries: retries, Initial: 100 * ms, Multiplier: 2, Max: 400 * ms, MaxRetryAfter: 10 * sec}
}

func TestNextStopsOrRetries(t *testing.T) {
	one := doubling(1)
	tests := []struct {
		name    string
		set     policy.Set
		verdict classify.Verdict
		facts   policy.Facts
		want    policy.Decision
	}{
		{
			name:    "an outcome without an opinion is no failure",
			set:     set(classify.Network, one),
			verdict: classify.Verdict{},
			want:    policy.Decision{Reason: policy.Succeeded},
		},
		{
			name:    "a stated success is no failure, even when the caller has gone",
			set:     set(classify.Network, one),
			verdict: classify.Verdict{Kind: classify.Success},
			facts:   policy.Facts{Done: true},
			want:    policy.Decision{Reason: policy.Succeeded},
		},
		{
			name:    "nothing is retried for a caller that has gone",
			set:     set(classify.Network, one),
			verdict: classify.Verdict{Kind: classify.Network},
			facts:   policy.Facts{Done: true, Replay: repeatable},
			want:    policy.Decision{Reason: policy.Canceled},
		},
		{
			name:    "a canceled exchange is not retried, whatever the context says",
			set:     set(classify.AlterSDK, one),
			verdict: classify.Verdict{Kind: classify.Canceled},
			facts:   policy.Facts{Replay: repeatable},
			want:    policy.Decision{Reason: policy.Canceled},
		},
		{
			name:    "a failure that time does not heal needs another remedy",
			set:     set(classify.AlterSDK, one),
			verdict: classify.Verdict{Kind: classify.GrantRevoked},
			facts:   policy.Facts{Replay: repeatable},
			want:    policy.Decision{Reason: policy.NotRetryable},
		},
		{
			name:    "a network profile does not repeat a failed TLS handshake",
			set:     set(classify.Network, one),
			verdict: classify.Verdict{Kind: classify.TLS, Unprocessed: true},
			facts:   policy.Facts{Replay: repeatable},
			want:    policy.Decision{Reason: policy.NotRetryable},
		},
		{
			name:    "a transient failure without a profile is not retried",
			set:     policy.Set{MaxAttempts: 2},
			verdict: classify.Verdict{Kind: classify.Timeout},
			facts:   policy.Facts{Replay: repeatable},
			want:    policy.Decision{Reason: policy.NoProfile},
		},
		{
			name: "a profile without retries keeps an ancestor's from applying",
			set: policy.Set{MaxAttempts: 9, Profiles: map[classify.Kind]policy.Profile{
				classify.Network: one, classify.Timeout: {},
			}},
			verdict: classify.Verdict{Kind: classify.Timeout},
			facts:   policy.Facts{Replay: repeatable},
			want:    policy.Decision{Reason: policy.NoProfile, Profile: classify.Timeout},
		},
		{
			name:    "a profile without retries on a permanent failure changes nothing",
			set:     set(classify.TLS, policy.Profile{}),
			verdict: classify.Verdict{Kind: classify.TLS},
			facts:   policy.Facts{Replay: repeatable},
			want:    policy.Decision{Reason: policy.NotRetryable, Profile: classify.TLS},
		},
		{
			name:    "an explicit profile applies whatever the kind's action",
			set:     set(classify.BackendInternal, one),
			verdict: classify.Verdict{Kind: classify.BackendInternal},
			facts:   policy.Facts{Replay: repeatable},
			want:    policy.Decision{Reason: policy.Retrying, Pause: 100 * ms, Profile: classify.BackendInternal},
		},
		{
			name:    "the nearest ancestor's profile applies to a transient failure",
			set:     set(classify.Network, one),
			verdict: classify.Verdict{Kind: classify.ConnectionRefused},
			facts:   policy.Facts{Replay: repeatable},
			want:    policy.Decision{Reason: policy.Retrying, Pause: 100 * ms, Profile: classify.Network},
		},
		{
			name:    "an unsafe request that may have arrived is not repeated",
			set:     set(classify.Network, one),
			verdict: classify.Verdict{Kind: classify.ConnectionLost},
			facts:   policy.Facts{Replay: policy.Replay{Rewindable: true}},
			want:    policy.Decision{Reason: policy.NotIdempotent, Profile: classify.Network},
		},
		{
			name:    "a body that cannot be read again is not repeated",
			set:     set(classify.Network, one),
			verdict: classify.Verdict{Kind: classify.ConnectionLost},
			facts:   policy.Facts{Replay: policy.Replay{Idempotent: true}},
			want:    policy.Decision{Reason: policy.NotReplayable, Profile: classify.Network},
		},
		{
			name:    "an unsafe request that nobody acted on is repeated",
			set:     set(classify.TokenRefreshInProgress, one),
			verdict: classify.Verdict{Kind: classify.TokenRefreshInProgress, Unprocessed: true},
			facts:   policy.Facts{Replay: policy.Replay{Rewindable: true}},
			want:    policy.Decision{Reason: policy.Retrying, Pause: 100 * ms, Profile: classify.TokenRefreshInProgress},
		},
		{
			name:    "the call's attempts are used up",
			set:     set(classify.Network, doubling(1000)),
			verdict: classify.Verdict{Kind: classify.Network},
			facts:   policy.Facts{Attempts: 100, Replay: repeatable},
			want:    policy.Decision{Reason: policy.AttemptLimit, Profile: classify.Network},
		},
		{
			name:    "a hint of exactly the longest is waited for",
			set:     set(classify.Network, one),
			verdict: classify.Verdict{Kind: classify.Network, RetryAfter: 10 * sec},
			facts:   policy.Facts{Replay: repeatable},
			want:    policy.Decision{Reason: policy.Retrying, Pause: 10 * sec, Profile: classify.Network},
		},
		{
			name:    "a longer hint stops the call",
			set:     set(classify.Network, one),
			verdict: classify.Verdict{Kind: classify.Network, RetryAfter: 10*sec + 1},
			facts:   policy.Facts{Replay: repeatable},
			want:    policy.Decision{Reason: policy.RetryAfterTooLong, Profile: classify.Network},
		},
		{
			name:    "without MaxRetryAfter any hint stops the call",
			set:     set(classify.Network, policy.Profile{Retries: 1, Initial: sec, Max: sec, Multiplier: 1}),
			verdict: classify.Verdict{Kind: classify.Network, RetryAfter: 1},
			facts:   policy.Facts{Replay: repeatable},
			want:    policy.Decision{Reason: policy.RetryAfterTooLong, Profile: classify.Network},
		},
		{
			name:    "a negative hint is none",
			set:     set(classify.Network, one),
			verdict: classify.Verdict{Kind: classify.Network, RetryAfter: -sec},
			facts:   policy.Facts{Replay: repeatable},
			want:    policy.Decision{Reason: policy.Retrying, Pause: 100 * ms, Profile: classify.Network},
		},
		{
			name:    "a pause that ends at the deadline comes too late",
			set:     set(classify.Network, one),
			verdict: classify.Verdict{Kind: classify.Network},
			facts:   policy.Facts{Replay: repeatable, Deadline: true, Remaining: 100 * ms},
			want:    policy.Decision{Reason: policy.DeadlineTooNear, Profile: classify.Network},
		},
		{
			name:    "a pause that ends before the deadline is made",
			set:     set(classify.Network, one),
			verdict: classify.Verdict{Kind: classify.Network},
			facts:   policy.Facts{Replay: repeatable, Deadline: true, Remaining: 100*ms + 1},
			want:    policy.Decision{Reason: policy.Retrying, Pause: 100 * ms, Profile: classify.Network},
		},
		{
			name:    "an immediate retry does not start at a deadline that has passed",
			set:     set(classify.Network, policy.Profile{Retries: 1, Immediate: true, Multiplier: 1}),
			verdict: classify.Verdict{Kind: classify.Network},
			facts:   policy.Facts{Replay: repeatable, Deadline: true},
			want:    policy.Decision{Reason: policy.DeadlineTooNear, Profile: classify.Network},
		},
		{
			name:    "without a deadline Remaining means nothing",
			set:     set(classify.Network, one),
			verdict: classify.Verdict{Kind: classify.Network},
			facts:   policy.Facts{Replay: repeatable, Remaining: -sec},
			want:    policy.Decision{Reason: policy.Retrying, Pause: 100 * ms, Profile: classify.Network},
		},
		{
			name: "a pause that ends at the set's MaxElapsed is made",
			set: policy.Set{MaxAttempts: 9, MaxElapsed: sec, Profiles: map[classify.Kind]policy.Profile{
				classify.Network: one,
			}},
			verdict: classify.Verdict{Kind: classify.Network},
			facts:   policy.Facts{Replay: repeatable, Elapsed: 900 * ms},
			want:    policy.Decision{Reason: policy.Retrying, Pause: 100 * ms, Profile: classify.Network},
		},
		{
			name: "a pause that ends after the set's MaxElapsed is not",
			set: policy.Set{MaxAttempts: 9, MaxElapsed: sec, Profiles: map[classify.Kind]policy.Profile{
				classify.Network: one,
			}},
			verdict: classify.Verdict{Kind: classify.Network},
			facts:   policy.Facts{Replay: repeatable, Elapsed: 900*ms + 1},
			want:    policy.Decision{Reason: policy.OutOfTime, Profile: classify.Network},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := plan(t, tt.set).Next(tt.verdict, tt.facts)
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if got.Retry() != (tt.want.Reason == policy.Retrying) {
				t.Errorf("Retry() is %v for reason %s", got.Retry(), got.Reason)
			}
		})
	}
}

func TestZeroPlanIsTheDefaultPolicy(t *testing.T) {
	var p policy.Plan
	got := p.Next(classify.Verdict{Kind: classify.Dial}, policy.Facts{Attempts: 1, Replay: repeatable})
	if want := (policy.Decision{Reason: policy.Retrying, Profile: classify.Dial, Cost: 0.5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := p.Next(classify.Verdict{Kind: classify.Dial}, policy.Facts{Attempts: 64, Replay: repeatable}); got.Reason != policy.AttemptLimit {
		t.Errorf("attempt 64: got %+v, want attempt_limit", got)
	}
}

func TestZeroDecisionDoesNotRetry(t *testing.T) {
	if (policy.Decision{}).Retry() {
		t.Error("the zero decision retries")
	}
}

func TestPlanAllocatesLittle(t *testing.T) {
	var p *policy.Policy
	v := classify.Verdict{Kind: classify.Timeout}
	f := policy.Facts{Attempts: 1, Replay: repeatable, Random: middle}
	got := testing.AllocsPerRun(100, func() { p.Plan().Next(v, f) })
	if got > 2 {
		t.Errorf("a plan and its first decision take %v allocations, want 2: the plan and its source of pauses", got)
	}
}
