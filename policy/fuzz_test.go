package policy_test

import (
	"math"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// FuzzNext feeds a plan whatever profile Validate lets through, and any verdict and facts.
func FuzzNext(f *testing.F) {
	const never = math.MaxInt64
	f.Add(uint8(classify.Dial), uint8(classify.Network), 3, true, int64(sec), int64(sec), 2.0, 0.5, int64(0), int64(sec),
		int64(0), 1, int64(0), int64(0), false, uint8(7), 0.5)
	f.Add(uint8(classify.Timeout), uint8(classify.Timeout), policy.Unlimited, false, int64(never), int64(never), math.MaxFloat64, 1.0,
		int64(never), int64(never), int64(never), 0, int64(never), int64(never), true, uint8(7), 0.999999)
	f.Add(uint8(classify.Timeout), uint8(classify.AlterSDK), 9, false, int64(1), int64(never), 1.0000001, 0.0,
		int64(0), int64(never), int64(math.MinInt64), -5, int64(math.MinInt64), int64(math.MinInt64), true, uint8(3), math.NaN())
	f.Fuzz(func(t *testing.T, kind, owner uint8, retries int, immediate bool, initial, limit int64, multiplier, jitter float64,
		maxElapsed, maxRetryAfter, hint int64, attempts int, elapsed, remaining int64, deadline bool, replay uint8, random float64) {
		profile := policy.Profile{
			Retries: retries, Immediate: immediate, Initial: time.Duration(initial), Max: time.Duration(limit), Multiplier: multiplier,
			Jitter: policy.Jitter(jitter), MaxElapsed: time.Duration(maxElapsed), MaxRetryAfter: time.Duration(maxRetryAfter),
		}
		s := set(classify.Kind(owner), profile)
		_ = s.String()
		if len(profile.Schedule(retries)) > 1000 {
			t.Error("the schedule is longer than 1000 pauses")
		}
		p, err := policy.New(s)
		if err != nil {
			return
		}
		pl := p.Plan()
		v := classify.Verdict{Kind: classify.Kind(kind), Unprocessed: replay&8 != 0, RetryAfter: time.Duration(hint)}
		for range 10 {
			d := pl.Next(v, policy.Facts{
				Attempts: attempts, Elapsed: time.Duration(elapsed), Remaining: time.Duration(remaining), Deadline: deadline,
				Replay: policy.Replay{Idempotent: replay&1 != 0, Rewindable: replay&2 != 0, Unsent: replay&4 != 0}, Random: random,
			})
			switch {
			case d.Pause < 0, d.Reason == policy.NotDecided, d.Reason == policy.Refused, !d.Retry() && d.Pause != 0:
				t.Fatalf("got %+v", d)
			case d.Retry() && (d.Pause < v.RetryAfter || deadline && d.Pause >= time.Duration(remaining) || attempts >= s.MaxAttempts):
				t.Fatalf("got %+v with hint %s, remaining %d, attempts %d", d, v.RetryAfter, remaining, attempts)
			case !d.Retry():
				return
			}
			attempts = max(attempts, 0) + 1
		}
	})
}
