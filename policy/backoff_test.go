package policy_test

import (
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// source lets a function serve as a source of pauses.
type source func() time.Duration

func (s source) NextBackOff() time.Duration { return s() }
func (source) Reset()                       {}

// counting pauses 1s, 2s, 3s... after a Reset, and stops at once without one.
type counting struct{ last time.Duration }

func (c *counting) Reset() { c.last = 0 }
func (c *counting) NextBackOff() time.Duration {
	if c.last < 0 {
		return -1
	}
	c.last += sec
	return c.last
}

func TestBackOffReplacesTheExponential(t *testing.T) {
	made := 0
	profile := policy.Profile{
		Retries: 5, Jitter: 0.5, MaxRetryAfter: 20 * sec,
		BackOff: func() policy.BackOff { made++; return &counting{last: -1} },
	}
	p, err := policy.New(set(classify.Network, profile))
	if err != nil {
		t.Fatal(err)
	}
	one, other := p.Plan(), p.Plan()
	steps := []struct {
		plan       *policy.Plan
		hint, want time.Duration
	}{
		{one, 0, 1 * sec},
		{one, 0, 2 * sec},
		{other, 0, 1 * sec},
		{one, 10 * sec, 15 * sec}, // jitter spreads hints, not the source's pauses
		{one, 0, 4 * sec},
		{other, 0, 2 * sec},
	}
	for i, step := range steps {
		got := step.plan.Next(classify.Verdict{Kind: classify.Timeout, RetryAfter: step.hint},
			policy.Facts{Attempts: i + 1, Replay: repeatable, Random: 0.9999999999999})
		if got.Reason != policy.Retrying || got.Pause.Round(ms) != step.want {
			t.Errorf("step %d: got %+v, want a pause of %s", i, got, step.want)
		}
	}
	if made != 2 {
		t.Errorf("made %d sources for 2 calls, want 2", made)
	}
}

func TestBackOffEndsTheProfile(t *testing.T) {
	tests := []struct {
		name    string
		backOff func() policy.BackOff
	}{
		{"a source that stops", func() policy.BackOff { return source(func() time.Duration { return -1 }) }},
		{"a source with a negative pause", func() policy.BackOff { return source(func() time.Duration { return -sec }) }},
		{"no source", func() policy.BackOff { return nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			profile := policy.Profile{Retries: 3, BackOff: tt.backOff}
			got := plan(t, set(classify.Network, profile)).Next(classify.Verdict{Kind: classify.Network}, policy.Facts{Replay: repeatable})
			if want := (policy.Decision{Reason: policy.Exhausted, Profile: classify.Network}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}

			profile.Immediate = true
			p := plan(t, set(classify.Network, profile))
			if got := p.Next(classify.Verdict{Kind: classify.Network}, policy.Facts{Replay: repeatable}); got.Reason != policy.Retrying || got.Pause != 0 {
				t.Errorf("the immediate retry needs no source: got %+v", got)
			}
			if got := p.Next(classify.Verdict{Kind: classify.Network}, policy.Facts{Replay: repeatable}); got.Reason != policy.Exhausted {
				t.Errorf("the second retry: got %+v, want exhausted", got)
			}
		})
	}
}
