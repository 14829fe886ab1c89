package policy_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func TestTimelineSaysWhatEndsIt(t *testing.T) {
	connect, refresh := policy.Default().Profiles[classify.Dial], policy.Default().Profiles[classify.TokenRefreshInProgress]
	stopping := policy.Profile{Retries: 5, BackOff: func() policy.BackOff { return nil }}
	endless := policy.Profile{Retries: policy.Unlimited, Initial: time.Nanosecond, Max: time.Nanosecond, Multiplier: 1, MaxElapsed: sec}
	tests := []struct {
		name     string
		profile  policy.Profile
		n        int
		deadline time.Duration
		lines    int // attempts
		want     string
	}{
		{"there are more than were asked for", connect, 3, 0, 4, "and so on"},
		{"none was asked for", connect, 0, 0, 1, "and so on"},
		{"a negative number asks for none", connect, -1, 0, 1, "and so on"},
		{"a thousand are enough", endless, math.MaxInt, 0, 1001, "and so on"},
		{"the count ends it", doubling(2), 9, 0, 3, "no further attempt (exhausted)"},
		{"the count ends it exactly", doubling(2), 2, 0, 3, "no further attempt (exhausted)"},
		{"the source of pauses ends it", stopping, 9, 0, 1, "no further attempt (exhausted)"},
		{"the time ends it", refresh, 99, 0, 15, "no further attempt: its pause would end after MaxElapsed, 10s (out_of_time)"},
		{"the deadline ends it", connect, 99, 3 * sec, 6, "no further attempt: a pause of 1.6s would not end before the deadline, 3s (deadline_too_near)"},
		{"a pause that ends at the deadline is not begun", doubling(3), 9, 300 * ms, 2, "no further attempt: a pause of 200ms would not end before the deadline, 300ms (deadline_too_near)"},
		{"a deadline far away changes nothing", doubling(2), 9, time.Hour, 3, "no further attempt (exhausted)"},
		{"a profile without retries has one attempt", policy.Profile{}, 9, sec, 1, "no retries (no_profile)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Split(strings.TrimSuffix(tt.profile.Timeline(tt.n, tt.deadline), "\n"), "\n")
			if attempts := len(got) - 2; attempts != tt.lines {
				t.Errorf("got %d attempts, want %d", attempts, tt.lines)
			}
			if end := got[len(got)-1]; end != tt.want {
				t.Errorf("got %q, want %q", end, tt.want)
			}
		})
	}
}

func TestTimelineEndsWhereAPlanDoes(t *testing.T) {
	for k, p := range policy.Default().Profiles {
		if p.Immediate {
			continue // the first pause of these has no jitter to be left out
		}
		p.Jitter = 0
		const deadline = 2500 * ms
		lines := strings.Split(p.Timeline(99, deadline), "\n")
		pl, now, attempts := plan(t, set(k, p)), time.Duration(0), 1
		var end policy.Decision
		for {
			end = pl.Next(classify.Verdict{Kind: k, Unprocessed: true}, policy.Facts{
				Attempts: attempts, Elapsed: now, Remaining: deadline - now, Deadline: true, Replay: repeatable,
			})
			if !end.Retry() {
				break
			}
			now += end.Pause
			attempts++
		}
		if got := len(lines) - 3; got != attempts || !strings.HasSuffix(lines[attempts+1], "("+end.Reason.String()+")") {
			t.Errorf("%s: got\n%s\nwant %d attempts and %s", k, strings.Join(lines, "\n"), attempts, end.Reason)
		}
	}
}

func TestTimelineOfExtremesStaysOnItsScale(t *testing.T) {
	profiles := []policy.Profile{
		{Retries: policy.Unlimited, Initial: 1, Max: math.MaxInt64, Multiplier: math.MaxFloat64, MaxElapsed: math.MaxInt64, Jitter: 0.99},
		{Retries: 9, Initial: math.MaxInt64, Max: math.MaxInt64, Multiplier: 1, Jitter: policy.FullJitter},
		{Retries: 9, Initial: -sec, Max: -sec, Multiplier: math.NaN(), Jitter: policy.Jitter(math.NaN())},
		{Retries: 9, Immediate: true, Multiplier: 1, Jitter: -7},
		{Retries: 9, Initial: 1500 * time.Microsecond, Max: sec, Multiplier: 1.5, Jitter: 1e300},
		{Retries: 3, BackOff: func() policy.BackOff { return source(func() time.Duration { return math.MaxInt64 }) }},
	}
	for _, p := range profiles {
		for _, deadline := range []time.Duration{0, 1, sec, math.MaxInt64, -1} {
			for line := range strings.Lines(p.Timeline(20, deadline)) {
				if len(line) > 160 {
					t.Errorf("deadline %d: got a line of %d bytes, want at most 160: %s", deadline, len(line), line)
				}
			}
		}
	}
}
