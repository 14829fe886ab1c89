package policy_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

var presets = map[string]func() policy.Set{
	"Default": policy.Default, "Interactive": policy.Interactive, "Batch": policy.Batch, "Agent": policy.Agent,
}

// longestPauses is how long a call pauses at most, jitter left out, if every attempt fails at once with kind k.
func longestPauses(s policy.Set, k classify.Kind) (sum time.Duration) {
	p, _, _ := s.Profile(k)
	for _, pause := range p.Schedule(s.MaxAttempts - 1) {
		if sum += pause; s.MaxElapsed > 0 && sum > s.MaxElapsed {
			return sum - pause
		}
	}
	return sum
}

func TestPresetsDifferInPatience(t *testing.T) {
	tests := []struct {
		kind                               classify.Kind
		interactive, standard, agent, long time.Duration
	}{
		{classify.ConnectionRefused, 700 * ms, 9100 * ms, 3100 * ms, 9*time.Minute + 51*sec + 100*ms},
		{classify.Timeout, 100 * ms, 200 * ms, 600 * ms, 2*time.Minute + 31*sec + 500*ms},
		{classify.ProviderUnavailable, 100 * ms, 200 * ms, 600 * ms, 2*time.Minute + 31*sec + 500*ms},
		{classify.PolicyRateLimit, 500 * ms, 3 * sec, 3 * sec, 31 * sec},
		{classify.ProviderRateLimit, 500 * ms, 3 * sec, 3 * sec, 31 * sec},
		{classify.TokenRefreshInProgress, 2251757 * time.Microsecond, 9968371 * time.Microsecond, 9968371 * time.Microsecond, 116937367 * time.Microsecond},
		{classify.GrantRevoked, 0, 0, 0, 0},
		{classify.ProviderInternal, 0, 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.kind.String(), func(t *testing.T) {
			for name, want := range map[string]time.Duration{"Interactive": tt.interactive, "Default": tt.standard, "Agent": tt.agent, "Batch": tt.long} {
				if got := longestPauses(presets[name](), tt.kind).Truncate(time.Microsecond); got != want {
					t.Errorf("%s: got %s, want %s", name, got, want)
				}
			}
		})
	}
}

func TestPresetsDifferInWhatTheyGrantAServer(t *testing.T) {
	type grant struct{ hint, hold, outage time.Duration } // the longest; outage -1 without a breaker
	for name, want := range map[string]grant{
		"Interactive": {sec, 500 * ms, -1},
		"Default":     {3 * sec, 0, -1},
		"Agent":       {5 * sec, 3 * sec, 0},
		"Batch":       {5 * time.Minute, time.Minute, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := presets[name]()
			got := grant{s.Profiles[classify.PolicyRateLimit].MaxRetryAfter, s.Breakers[0].Hold, -1}
			if i := slices.IndexFunc(s.Breakers, func(b policy.Breaker) bool { return b.Counts(classify.BackendUnavailable) }); i >= 0 {
				got.outage = s.Breakers[i].Hold
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			p, err := policy.New(s)
			if err != nil {
				t.Fatal(err)
			}
			for hint, reason := range map[time.Duration]policy.Reason{want.hint: policy.Retrying, want.hint + ms: policy.RetryAfterTooLong} {
				facts := policy.Facts{Attempts: 1, Replay: repeatable}
				if got := p.Plan().Next(classify.Verdict{Kind: classify.PolicyRateLimit, RetryAfter: hint}, facts); got.Reason != reason {
					t.Errorf("a hint of %s: got %s, want %s", hint, got.Reason, reason)
				}
			}
		})
	}
}

func TestPresetsAreValidCopiesWithAGate(t *testing.T) {
	for name, preset := range presets {
		s := preset()
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !s.Gate.Enabled() || !s.Budget.Enabled() {
			t.Errorf("%s: got gate %v and budget %v, want both", name, s.Gate, s.Budget)
		}
		if got, want := slices.Sorted(maps.Keys(s.Profiles)), slices.Sorted(maps.Keys(policy.Default().Profiles)); !slices.Equal(got, want) {
			t.Errorf("%s: got profiles for %v, want %v", name, got, want)
		}
		text := s.String()
		clear(s.Profiles)
		s.Breakers[0].Kinds[0] = classify.TLS
		if got := preset().String(); got != text {
			t.Errorf("%s: a change of one copy shows in the next: got\n%s\nwant\n%s", name, got, text)
		}
	}
}

func ExampleInteractive() {
	s := policy.Interactive()
	fmt.Println("after", s.MaxElapsed, "a person is told; a rate limit may ask for", s.Profiles[classify.ProviderRateLimit].MaxRetryAfter)
	fmt.Print(s.Profiles[classify.Dial].Timeline(9, 0))
	// Output:
	// after 3s a person is told; a rate limit may ask for 1s
	// attempt  pause  sent at  0s                                              1s
	// 1               0s       o
	// 2        0s     0s       o
	// 3        100ms  100ms      --o---
	// 4        200ms  300ms           -------o--------
	// 5        400ms  700ms                     -----------------o---------------
	// no further attempt: its pause would end after MaxElapsed, 1s (out_of_time)
}

func ExampleBatch() {
	s := policy.Batch()
	fmt.Println("a call is tried for", s.MaxElapsed, "and", s.Breakers[1].Name, "holds it for", s.Breakers[1].Hold)
	fmt.Println(s.Profiles[classify.BackendUnavailable].Schedule(10))
	// Output:
	// a call is tried for 15m0s and outage holds it for 5m0s
	// [500ms 1s 2s 4s 8s 16s 30s 30s 30s 30s]
}

func ExampleAgent() {
	s := policy.Agent()
	for _, b := range s.Breakers {
		fmt.Println(b.Name, "holds a tool call for", b.Hold)
	}
	fmt.Println("after", s.MaxElapsed, "the model is told")
	// Output:
	// rate_limit holds a tool call for 3s
	// outage holds a tool call for 0s
	// after 15s the model is told
}

func ExampleProfile_Timeline() {
	fmt.Print(policy.Default().Profiles[classify.Dial].Timeline(9, 3*time.Second))
	// Output:
	// attempt  pause  sent at  0s                                              3s
	// 1               0s       o
	// 2        0s     0s       o
	// 3        100ms  100ms    -o-
	// 4        200ms  300ms      --o---
	// 5        400ms  700ms         ------o------
	// 6        800ms  1.5s                 ------------o------------
	// no further attempt: a pause of 1.6s would not end before the deadline, 3s (deadline_too_near)
}
