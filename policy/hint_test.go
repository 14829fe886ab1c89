package policy_test

import (
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func TestLongHints(t *testing.T) {
	for _, tt := range []struct {
		rule   policy.LongHint
		name   string
		pause  int // in seconds
		reason policy.Reason
	}{
		{policy.Stop, "stop", 0, policy.RetryAfterTooLong},
		{policy.Clamp, "clamp", 5, policy.Retrying},
		{policy.Honour, "honour", 60, policy.Retrying},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := doubling(3)
			p.MaxRetryAfter, p.LongHint = 5*sec, tt.rule
			got := plan(t, set(classify.Timeout, p)).Next(
				classify.Verdict{Kind: classify.Timeout, RetryAfter: 60 * sec}, policy.Facts{Attempts: 1, Replay: repeatable})
			if got.Pause.Seconds() != float64(tt.pause) || got.Reason != tt.reason {
				t.Errorf("got %+v, want a pause of %d s and %v", got, tt.pause, tt.reason)
			}
			if text, err := tt.rule.MarshalText(); err != nil || string(text) != tt.name {
				t.Errorf("got name %q, %v; want %q", text, err, tt.name)
			}
		})
	}
	if got := policy.LongHint(9).String(); got != "unknown" {
		t.Errorf("got %q, want %q", got, "unknown")
	}
}

func TestCallersAndInnerRetriesHaveTheLastWord(t *testing.T) {
	failure := classify.Verdict{Kind: classify.Timeout}
	for _, tt := range []struct {
		name  string
		v     classify.Verdict
		facts policy.Facts
		want  policy.Reason
	}{
		{"forbidden by the caller", failure, policy.Facts{Replay: repeatable, Forbidden: true}, policy.Forbidden},
		{"dealt with further in", failure, policy.Facts{Replay: repeatable, Nested: true}, policy.Nested},
		{"forbidden comes before nested", failure, policy.Facts{Nested: true, Forbidden: true}, policy.Forbidden},
		{"nested comes before what the request allows", failure, policy.Facts{Nested: true}, policy.Nested},
		{"what time cannot heal comes before both", classify.Verdict{Kind: classify.TLS}, policy.Facts{Nested: true, Forbidden: true}, policy.NotRetryable},
		{"a cancelled call comes before both", failure, policy.Facts{Done: true, Nested: true, Forbidden: true}, policy.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := plan(t, set(classify.Timeout, doubling(3))).Next(tt.v, tt.facts); got.Reason != tt.want {
				t.Errorf("got %v, want %v", got.Reason, tt.want)
			}
		})
	}
}

func TestRetriesNameTheirCost(t *testing.T) {
	p := doubling(1)
	p.Cost = 0.25
	plan := plan(t, set(classify.Timeout, p))
	for i, want := range []float64{0.25, 0} { // the second is no retry
		if got := plan.Next(classify.Verdict{Kind: classify.Timeout}, policy.Facts{Attempts: i + 1, Replay: repeatable}); got.Cost != want {
			t.Errorf("decision %d: got cost %v, want %v", i+1, got.Cost, want)
		}
	}
}

func TestBreakerNeverCountsTheCallersDoing(t *testing.T) {
	all := policy.Breaker{Kinds: []classify.Kind{classify.AlterSDK}}
	for k, want := range map[classify.Kind]bool{
		classify.Timeout: true, classify.PolicyRateLimit: true,
		classify.Deadline: false, classify.Canceled: false, classify.InvalidRequest: false, classify.Success: false,
	} {
		if got := all.Counts(k); got != want {
			t.Errorf("%v: got %v, want %v", k, got, want)
		}
	}
}
