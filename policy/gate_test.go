package policy_test

import (
	"math"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func TestRefreshOf(t *testing.T) {
	for name, tc := range map[string]struct {
		v    classify.Verdict
		want policy.Refresh
	}{
		"a success":                              {classify.Verdict{}, policy.RefreshOver},
		"a success by the user's word":           {classify.Verdict{Kind: classify.Success}, policy.RefreshOver},
		"a refusal":                              {classify.Verdict{Kind: classify.TokenRefreshInProgress}, policy.RefreshUnderway},
		"a refusal by the status of a route":     {classify.Verdict{Kind: classify.TokenRefreshInProgress, Basis: classify.Given}, policy.RefreshUnderway},
		"a revoked grant":                        {classify.Verdict{Kind: classify.GrantRevoked, Basis: classify.Inferred}, policy.RefreshFailed},
		"an expired grant":                       {classify.Verdict{Kind: classify.GrantExpired, Basis: classify.Documented}, policy.RefreshFailed},
		"a deleted grant":                        {classify.Verdict{Kind: classify.GrantDeleted}, policy.RefreshFailed},
		"a revoked credential":                   {classify.Verdict{Kind: classify.CredentialRevoked}, policy.RefreshFailed},
		"a guessed need for a new authorization": {classify.Verdict{Kind: classify.ReAuthRequired, Basis: classify.Guessed}, policy.RefreshOver},
		"an unknown grant":                       {classify.Verdict{Kind: classify.GrantNotFound}, policy.RefreshOver},
		"a missing scope":                        {classify.Verdict{Kind: classify.InsufficientScope}, policy.RefreshOver},
		"an answer of the provider":              {classify.Verdict{Kind: classify.ProviderRequest}, policy.RefreshOver},
		"an internal error":                      {classify.Verdict{Kind: classify.BackendInternal}, policy.RefreshOver},
		"a backend out of service":               {classify.Verdict{Kind: classify.BackendUnavailable}, policy.RefreshUnknown},
		"a rate limit":                           {classify.Verdict{Kind: classify.PolicyRateLimit}, policy.RefreshUnknown},
		"a lost connection":                      {classify.Verdict{Kind: classify.ConnectionLost}, policy.RefreshUnknown},
		"a name that does not exist":             {classify.Verdict{Kind: classify.HostNotFound}, policy.RefreshUnknown},
		"a request that cannot be sent":          {classify.Verdict{Kind: classify.InvalidRequest}, policy.RefreshUnknown},
		"a cancellation":                         {classify.Verdict{Kind: classify.Canceled}, policy.RefreshUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := policy.RefreshOf(tc.v); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

// gated is a policy whose gate asks every 100 ms, and whose profile for refreshes does every 300 ms.
func gated(t *testing.T, change func(*policy.Set)) *policy.Policy {
	s := policy.Default()
	s.Profiles[classify.TokenRefreshInProgress] = policy.Profile{
		Retries: 9, Initial: 300 * time.Millisecond, Max: 300 * time.Millisecond, Multiplier: 1, Cost: 1,
	}
	s.Gate.Probe = policy.Profile{
		Retries: 9, Initial: 100 * time.Millisecond, Max: 100 * time.Millisecond, Multiplier: 1, MaxElapsed: 10 * time.Second, Cost: 0.5,
	}
	if change != nil {
		change(&s)
	}
	p, err := policy.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var refused = classify.Verdict{Kind: classify.TokenRefreshInProgress, Unprocessed: true}

func TestNextOfAGatedCall(t *testing.T) {
	const s = time.Second
	without := func(set *policy.Set) { set.Gate = policy.Gate{} }
	unwanted := func(set *policy.Set) { delete(set.Profiles, classify.TokenRefreshInProgress) }
	for name, tc := range map[string]struct {
		change    func(*policy.Set)
		v         classify.Verdict
		f         policy.Facts
		pause     time.Duration
		cost      float64
		patience  time.Duration
		impatient policy.Reason
		reason    policy.Reason
	}{
		"a refusal has the gate's profile": {
			v: refused, f: policy.Facts{Gated: true},
			pause: s / 10, cost: 0.5, patience: 10 * s, impatient: policy.OutOfTime, reason: policy.Retrying,
		},
		"a refusal of a call without gate has the kind's profile": {
			v: refused, pause: 3 * s / 10, cost: 1, reason: policy.Retrying,
		},
		"another failure has its own profile": {
			v: classify.Verdict{Kind: classify.BackendUnavailable}, f: policy.Facts{Gated: true}, pause: s / 10, cost: 1, reason: policy.Retrying,
		},
		"without a gate there is none": {
			change: without, v: refused, f: policy.Facts{Gated: true}, pause: 3 * s / 10, cost: 1, reason: policy.Retrying,
		},
		"a refusal that is not to be retried has no gate": {
			change: unwanted, v: refused, f: policy.Facts{Gated: true}, reason: policy.NoProfile,
		},
		"patience counts from the first refusal": {
			v: refused, f: policy.Facts{Gated: true, Elapsed: 7 * s},
			pause: s / 10, cost: 0.5, patience: 10 * s, impatient: policy.OutOfTime, reason: policy.Retrying,
		},
		"patience counts from the beginning if the call has waited before": {
			v: refused, f: policy.Facts{Gated: true, Queued: true, Elapsed: 7 * s},
			pause: s / 10, cost: 0.5, patience: 3 * s, impatient: policy.OutOfTime, reason: policy.Retrying,
		},
		"the set's bound is one of patience too": {
			change: func(set *policy.Set) { set.MaxElapsed = 8 * s }, v: refused, f: policy.Facts{Gated: true, Elapsed: 7 * s},
			pause: s / 10, cost: 0.5, patience: s, impatient: policy.OutOfTime, reason: policy.Retrying,
		},
		"a deadline leaves time for an attempt": {
			v: refused, f: policy.Facts{Gated: true, Deadline: true, Remaining: 5 * s, Took: 2 * s},
			pause: s / 10, cost: 0.5, patience: 3 * s, impatient: policy.DeadlineTooNear, reason: policy.Retrying,
		},
		"a deadline before the end of an attempt leaves no patience": {
			v: refused, f: policy.Facts{Gated: true, Deadline: true, Remaining: s, Took: 2 * s},
			pause: s / 10, cost: 0.5, patience: 0, impatient: policy.DeadlineTooNear, reason: policy.Retrying,
		},
		"a profile without a bound leaves all the patience there is": {
			change: func(set *policy.Set) { set.Gate.Probe.MaxElapsed = 0 }, v: refused, f: policy.Facts{Gated: true, Elapsed: math.MaxInt64 / 2},
			pause: s / 10, cost: 0.5, patience: math.MaxInt64, impatient: policy.OutOfTime, reason: policy.Retrying,
		},
		"bounds of 292 years do not overflow": {
			change: func(set *policy.Set) { set.Gate.Probe.MaxElapsed, set.MaxElapsed = math.MaxInt64, math.MaxInt64 },
			v:      refused, f: policy.Facts{Gated: true, Elapsed: 7 * s, Deadline: true, Remaining: math.MaxInt64, Took: -s},
			pause: s / 10, cost: 0.5, patience: math.MaxInt64 - 7*s, impatient: policy.OutOfTime, reason: policy.Retrying,
		},
		"a clock that runs backwards gives no more patience": {
			v: refused, f: policy.Facts{Gated: true, Elapsed: -s},
			pause: s / 10, cost: 0.5, patience: 10 * s, impatient: policy.OutOfTime, reason: policy.Retrying,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.f.Attempts, tc.f.Replay = 1, repeatable
			tc.f.Random = 0.5
			got := gated(t, tc.change).Plan().Next(tc.v, tc.f)
			if got.Pause != tc.pause || got.Cost != tc.cost || got.Reason != tc.reason {
				t.Errorf("pause %v, cost %v, %v; want %v, %v, %v", got.Pause, got.Cost, got.Reason, tc.pause, tc.cost, tc.reason)
			}
			if got.Patience != tc.patience || got.Impatient != tc.impatient {
				t.Errorf("patience %v, then %v; want %v, then %v", got.Patience, got.Impatient, tc.patience, tc.impatient)
			}
		})
	}
}

func TestPatienceShrinksWithEachRefusal(t *testing.T) {
	plan := gated(t, nil).Plan()
	for i, elapsed := range []time.Duration{2 * time.Second, 5 * time.Second, 11 * time.Second} {
		f := policy.Facts{Attempts: i + 1, Elapsed: elapsed, Replay: repeatable, Gated: true}
		if got, want := plan.Next(refused, f).Patience, 12*time.Second-elapsed; got != want {
			t.Errorf("refusal %d: patience %v, want %v", i+1, got, want)
		}
	}
}
