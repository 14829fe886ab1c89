package policy_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func TestSchedule(t *testing.T) {
	zero := func() policy.BackOff { return source(func() time.Duration { return 0 }) }
	tests := []struct {
		name    string
		profile policy.Profile
		n       int
		want    []time.Duration
	}{
		{"pauses double up to the cap", doubling(10), 5, []time.Duration{100 * ms, 200 * ms, 400 * ms, 400 * ms, 400 * ms}},
		{"the count ends them", doubling(2), 5, []time.Duration{100 * ms, 200 * ms}},
		{"an immediate retry comes first", policy.Profile{Retries: 3, Immediate: true, Initial: sec, Max: sec, Multiplier: 1}, 9, []time.Duration{0, sec, sec}},
		{"the time ends them", policy.Profile{Retries: policy.Unlimited, Initial: sec, Max: sec, Multiplier: 1, MaxElapsed: 3 * sec}, 9, []time.Duration{sec, sec, sec}},
		{"jitter is left out", policy.Profile{Retries: 2, Initial: sec, Max: 9 * sec, Multiplier: 1.5, Jitter: policy.FullJitter}, 9, []time.Duration{sec, 1500 * ms}},
		{"a source is asked", policy.Profile{Retries: 2, BackOff: func() policy.BackOff { return new(counting) }}, 9, []time.Duration{sec, 2 * sec}},
		{"a source that stops ends them", policy.Profile{Retries: 2, BackOff: func() policy.BackOff { return nil }}, 9, nil},
		{"a profile without retries has none", policy.Profile{}, 9, nil},
		{"nobody asked for any", doubling(2), 0, nil},
		{"a negative number asks for none", doubling(2), -1, nil},
		{"an invalid profile with negative pauses has none", policy.Profile{Retries: 3, Initial: -sec}, 9, nil},
		{"an invalid profile with a negative count has none", policy.Profile{Retries: -3, Initial: sec}, 9, nil},
		{"a preview ends at a thousand", policy.Profile{Retries: policy.Unlimited, MaxElapsed: sec, BackOff: zero}, math.MaxInt, make([]time.Duration, 1000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.profile.Schedule(tt.n); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestScheduleOfExtremesNeverTurnsNegative(t *testing.T) {
	for _, multiplier := range []float64{1, math.Nextafter(1, 2), 2, 1e300, math.MaxFloat64} {
		p := policy.Profile{Retries: policy.Unlimited, Initial: 1, Max: math.MaxInt64, Multiplier: multiplier, MaxElapsed: math.MaxInt64}
		pauses := p.Schedule(500)
		if len(pauses) == 0 || slices.Min(pauses) < 0 {
			t.Errorf("multiplier %v: got %v", multiplier, pauses)
		}
	}
}

func TestDefaultSchedules(t *testing.T) {
	tests := []struct {
		kind classify.Kind
		want []time.Duration
	}{
		{classify.TokenRefreshInProgress, []time.Duration{200 * ms, 250 * ms, 312500 * time.Microsecond}},
		{classify.Dial, []time.Duration{0, 100 * ms, 200 * ms}},
		{classify.DialTimeout, []time.Duration{0, 100 * ms, 200 * ms}},
		{classify.Timeout, []time.Duration{200 * ms}},
		{classify.ConnectionLost, []time.Duration{200 * ms}},
		{classify.BackendUnavailable, []time.Duration{200 * ms}},
		{classify.ProviderUnavailable, []time.Duration{200 * ms}},
		{classify.PolicyRateLimit, []time.Duration{sec, 2 * sec}},
		{classify.ProviderRateLimit, []time.Duration{sec, 2 * sec}},
	}
	var p *policy.Policy
	for _, tt := range tests {
		prof, _, ok := p.Profile(tt.kind)
		if got := prof.Schedule(3); !ok || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.kind, got, tt.want)
		}
	}
}
