package policy_test

import (
	"math"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func TestNextFollowsTheSequence(t *testing.T) {
	p := plan(t, set(classify.Timeout, doubling(4)))
	for i, want := range []time.Duration{100 * ms, 200 * ms, 400 * ms, 400 * ms} {
		got := p.Next(classify.Verdict{Kind: classify.Timeout}, policy.Facts{Attempts: i + 1, Replay: repeatable})
		if got.Reason != policy.Retrying || got.Pause != want {
			t.Errorf("retry %d: got %+v, want a pause of %s", i+1, got, want)
		}
	}
	got := p.Next(classify.Verdict{Kind: classify.Timeout}, policy.Facts{Attempts: 5, Replay: repeatable})
	if want := (policy.Decision{Reason: policy.Exhausted, Profile: classify.Timeout}); got != want {
		t.Errorf("after the last retry: got %+v, want %+v", got, want)
	}
}

func TestNextKeepsOneSequencePerProfile(t *testing.T) {
	profile := doubling(2)
	profile.MaxElapsed = sec
	p := plan(t, policy.Set{MaxAttempts: 100, Profiles: map[classify.Kind]policy.Profile{
		classify.Network: profile, classify.ProviderUnavailable: profile, classify.ProviderRateLimit: profile,
	}})
	steps := []struct {
		kind    classify.Kind
		elapsed time.Duration
		want    policy.Decision
	}{
		{classify.Timeout, 0, policy.Decision{Pause: 100 * ms, Reason: policy.Retrying, Profile: classify.Network}},
		{classify.ProviderUnavailable, 5 * sec, policy.Decision{Pause: 100 * ms, Reason: policy.Retrying, Profile: classify.ProviderUnavailable}},
		{classify.ProviderUnavailable, 5800 * ms, policy.Decision{Pause: 200 * ms, Reason: policy.Retrying, Profile: classify.ProviderUnavailable}},
		{classify.ProviderUnavailable, 5900 * ms, policy.Decision{Reason: policy.Exhausted, Profile: classify.ProviderUnavailable}},
		{classify.ProviderRateLimit, 7 * sec, policy.Decision{Pause: 100 * ms, Reason: policy.Retrying, Profile: classify.ProviderRateLimit}},
		{classify.ProviderRateLimit, 7800*ms + 1, policy.Decision{Reason: policy.OutOfTime, Profile: classify.ProviderRateLimit}},
		// A sibling under the same profile continues its sequence and its clock.
		{classify.ConnectionLost, 700 * ms, policy.Decision{Pause: 200 * ms, Reason: policy.Retrying, Profile: classify.Network}},
	}
	for i, step := range steps {
		got := p.Next(classify.Verdict{Kind: step.kind}, policy.Facts{Attempts: i + 1, Elapsed: step.elapsed, Replay: repeatable})
		if got != step.want {
			t.Errorf("step %d, %s: got %+v, want %+v", i, step.kind, got, step.want)
		}
	}
}

func TestNextSpreadsPauses(t *testing.T) {
	last := math.Nextafter(1, 0)
	tests := []struct {
		name   string
		jitter policy.Jitter
		hint   time.Duration
		random float64
		want   time.Duration
	}{
		{"without jitter a pause stays as it is", 0, 0, 0.9, sec},
		{"half jitter goes down to half", 0.5, 0, 0, 500 * ms},
		{"half jitter leaves the middle alone", 0.5, 0, middle, sec},
		{"half jitter goes up to one and a half", 0.5, 0, 0.75, 1250 * ms},
		{"half jitter stays below one and a half", 0.5, 0, last, 1500*ms - 1},
		{"full jitter goes down to nothing", policy.FullJitter, 0, 0, 0},
		{"full jitter is a share of the pause", policy.FullJitter, 0, 0.25, 250 * ms},
		{"full jitter stays below the pause", policy.FullJitter, 0, last, sec - 1},
		{"a hint is not undercut by jitter", 0.5, 4 * sec, 0, 4 * sec},
		{"a hint is spread upward", 0.5, 4 * sec, middle, 5 * sec},
		{"full jitter spreads a hint to almost double", policy.FullJitter, 4 * sec, 0.75, 7 * sec},
		{"a hint shorter than the pause does not shorten it", 0.5, 100 * ms, middle, sec},
		{"randomness below the range counts as 0", 0.5, 0, -3, 500 * ms},
		{"randomness above the range counts as almost 1", 0.5, 0, 7, 1500*ms - 1},
		{"randomness that is no number counts as 0", 0.5, 0, math.NaN(), 500 * ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := plan(t, set(classify.Network, policy.Profile{
				Retries: 1, Initial: sec, Max: sec, Multiplier: 1, Jitter: tt.jitter, MaxRetryAfter: 5 * sec,
			}))
			got := p.Next(classify.Verdict{Kind: classify.Network, RetryAfter: tt.hint},
				policy.Facts{Attempts: 1, Replay: repeatable, Random: tt.random})
			if got.Reason != policy.Retrying || got.Pause != tt.want {
				t.Errorf("got %s and %s, want a pause of %s", got.Reason, got.Pause, tt.want)
			}
		})
	}
}

func TestNextRetriesAtOnceFirstIfImmediate(t *testing.T) {
	profile := doubling(5)
	profile.Immediate = true
	p := plan(t, set(classify.Dial, profile))
	steps := []struct{ hint, want time.Duration }{{0, 0}, {0, 100 * ms}, {0, 200 * ms}}
	for i, step := range steps {
		got := p.Next(classify.Verdict{Kind: classify.Dial, RetryAfter: step.hint}, policy.Facts{Attempts: i + 1, Replay: repeatable})
		if got.Reason != policy.Retrying || got.Pause != step.want {
			t.Errorf("retry %d: got %+v, want a pause of %s", i+1, got, step.want)
		}
	}
	p = plan(t, set(classify.Dial, profile))
	got := p.Next(classify.Verdict{Kind: classify.Dial, RetryAfter: sec}, policy.Facts{Attempts: 1, Replay: repeatable})
	if got.Pause != sec {
		t.Errorf("with a hint of 1s the immediate retry pauses %s, want 1s", got.Pause)
	}
}

func TestNextDoesNotOverflow(t *testing.T) {
	const century = 100 * 365 * 24 * time.Hour
	huge := policy.Profile{
		Retries: policy.Unlimited, Initial: math.MaxInt64, Max: math.MaxInt64, Multiplier: math.MaxFloat64,
		Jitter: policy.FullJitter, MaxElapsed: math.MaxInt64, MaxRetryAfter: math.MaxInt64,
	}
	for _, random := range []float64{0, middle, 0.999999} {
		for _, hint := range []time.Duration{0, century, 2 * century, math.MaxInt64} {
			for _, jitter := range []policy.Jitter{0, 0.99, policy.FullJitter} {
				huge.Jitter = jitter
				p := plan(t, set(classify.Network, huge))
				for range 5 {
					got := p.Next(classify.Verdict{Kind: classify.Network, RetryAfter: hint}, policy.Facts{Replay: repeatable, Random: random})
					floor := hint
					if random >= middle && jitter < policy.FullJitter {
						floor = max(hint, century) // the profile's own pause is about 146 years
					}
					if got.Reason != policy.Retrying || got.Pause < floor {
						t.Errorf("random %v, hint %s, jitter %s: got %+v, want a pause of at least %s", random, hint, jitter, got, floor)
					}
				}
			}
		}
	}

	huge.MaxElapsed = century
	p := plan(t, set(classify.Network, huge))
	got := p.Next(classify.Verdict{Kind: classify.Network, RetryAfter: math.MaxInt64}, policy.Facts{Elapsed: math.MaxInt64, Replay: repeatable})
	if got.Reason != policy.OutOfTime {
		t.Errorf("a sum beyond the greatest duration: got %+v, want out_of_time", got)
	}
}

func TestNextStaysBoundedWhenTheClockGoesWrong(t *testing.T) {
	profile := policy.Profile{Retries: 9, Initial: 2 * sec, Max: 2 * sec, Multiplier: 1, MaxElapsed: 5 * sec}
	tests := []struct {
		name          string
		first, second time.Duration
		want          policy.Reason
	}{
		{"time before the call began counts as none", -sec, 3 * sec, policy.Retrying},
		{"so its pause counts in full", -sec, 3*sec + 1, policy.OutOfTime},
		{"a leap over all of time", math.MinInt64, math.MaxInt64, policy.OutOfTime},
		{"time that runs backward gains nothing", 10 * sec, 5 * sec, policy.Retrying},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := plan(t, set(classify.Network, profile))
			v := classify.Verdict{Kind: classify.Network}
			p.Next(v, policy.Facts{Elapsed: tt.first, Replay: repeatable})
			if got := p.Next(v, policy.Facts{Elapsed: tt.second, Replay: repeatable}); got.Reason != tt.want {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
		})
	}

	profile.MaxElapsed, profile.MaxRetryAfter = 2*sec, 9*sec
	p := plan(t, set(classify.Network, profile))
	p.Next(classify.Verdict{Kind: classify.Network}, policy.Facts{Elapsed: 10 * sec, Replay: repeatable})
	got := p.Next(classify.Verdict{Kind: classify.Network, RetryAfter: 3 * sec}, policy.Facts{Elapsed: 5 * sec, Replay: repeatable})
	if got.Reason != policy.OutOfTime {
		t.Errorf("time that runs backward: got %+v for a pause beyond MaxElapsed, want out_of_time", got)
	}
}
