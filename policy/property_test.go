package policy_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// Whatever goes wrong and in whatever order, a call stays within every bound of its set.
func TestCallsStayWithinTheirBounds(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	kinds := slices.Collect(classify.Kinds())
	for i := range 3000 {
		s := randomSet(r)
		p, err := policy.New(s)
		if err != nil {
			t.Fatalf("seed %d, call %d: %v", seed, i, err)
		}
		run(t, r, p, kinds)
		if t.Failed() {
			t.Fatalf("seed %d, call %d:\n%s", seed, i, s)
		}
	}
}

func randomSet(r *rand.Rand) policy.Set {
	s := policy.Default()
	s.MaxAttempts = 1 + r.IntN(30)
	s.MaxElapsed = time.Duration(r.Int64N(2)) * time.Duration(r.Int64N(int64(20*sec)))
	for _, k := range []classify.Kind{classify.AlterSDK, classify.Timeout, classify.BackendInternal, classify.PolicyViolation} {
		if r.IntN(2) == 0 {
			continue
		}
		initial := 1 + time.Duration(r.Int64N(int64(sec)))
		s.Profiles[k] = policy.Profile{
			Retries:       r.IntN(20),
			Immediate:     r.IntN(2) == 0,
			Initial:       initial,
			Max:           initial + time.Duration(r.Int64N(int64(10*sec))),
			Multiplier:    1 + 3*r.Float64(),
			Jitter:        policy.Jitter(r.Float64()),
			MaxElapsed:    time.Duration(r.Int64N(2)) * time.Duration(r.Int64N(int64(10*sec))),
			MaxRetryAfter: time.Duration(r.Int64N(int64(10 * sec))),
		}
	}
	return s
}

// run plays one call whose every attempt fails in a random way.
func run(t *testing.T, r *rand.Rand, p *policy.Policy, kinds []classify.Kind) {
	t.Helper()
	s, pl := p.Set(), p.Plan()
	began := map[classify.Kind]time.Duration{}
	retries := map[classify.Kind]int{}
	var elapsed time.Duration
	deadline := time.Duration(r.Int64N(int64(30 * sec)))
	for attempts := 1; ; attempts++ {
		if attempts > s.MaxAttempts {
			t.Errorf("attempt %d of %d", attempts, s.MaxAttempts)
			return
		}
		elapsed += time.Duration(r.Int64N(int64(100 * ms)))
		v := classify.Verdict{Kind: kinds[r.IntN(len(kinds))]}
		if r.IntN(3) == 0 {
			v.Kind = classify.Dial // make long calls likely
		}
		if r.IntN(4) == 0 {
			v.RetryAfter = time.Duration(r.Int64N(int64(5 * sec)))
		}
		f := policy.Facts{
			Attempts: attempts, Elapsed: elapsed, Deadline: true, Remaining: deadline - elapsed, Replay: repeatable, Random: r.Float64(),
		}
		prof, from, _ := p.Profile(v.Kind)
		if _, ok := began[from]; !ok {
			began[from] = elapsed
		}
		d := pl.Next(v, f)
		if !d.Retry() {
			if d.Pause != 0 || d.Reason == policy.NotDecided {
				t.Errorf("stopped with %+v", d)
			}
			return
		}
		elapsed += d.Pause
		retries[from]++
		switch {
		case d.Profile != from:
			t.Errorf("%s: profile %s decided, want %s", v.Kind, d.Profile, from)
		case d.Pause < 0 || d.Pause < v.RetryAfter:
			t.Errorf("pause %s, hint %s", d.Pause, v.RetryAfter)
		case v.RetryAfter > prof.MaxRetryAfter:
			t.Errorf("waited for a hint of %s, longest %s", v.RetryAfter, prof.MaxRetryAfter)
		case retries[from] > prof.Retries:
			t.Errorf("retry %d of %d under %s", retries[from], prof.Retries, from)
		case prof.MaxElapsed > 0 && elapsed-began[from] > prof.MaxElapsed:
			t.Errorf("%s after the first failure under %s, bound %s", elapsed-began[from], from, prof.MaxElapsed)
		case s.MaxElapsed > 0 && elapsed > s.MaxElapsed:
			t.Errorf("%s after the start, bound %s", elapsed, s.MaxElapsed)
		case elapsed >= deadline:
			t.Errorf("%s after the start, deadline %s", elapsed, deadline)
		case !v.Kind.Failure() || v.Kind.Is(classify.TLS) || v.Kind == classify.Canceled || v.Kind.Is(classify.AlterValue):
			t.Errorf("%s was retried", v.Kind)
		}
		if t.Failed() {
			return
		}
	}
}

// The same inputs and the same history give the same decisions.
func TestNextIsDeterministic(t *testing.T) {
	var p *policy.Policy
	one, other := p.Plan(), p.Plan()
	for i := range 30 {
		v := classify.Verdict{Kind: classify.TokenRefreshInProgress, Unprocessed: true}
		f := policy.Facts{Attempts: i + 1, Elapsed: time.Duration(i) * 300 * ms, Replay: repeatable, Random: float64(i) / 30}
		if a, b := one.Next(v, f), other.Next(v, f); a != b {
			t.Fatalf("step %d: got %+v and %+v", i, a, b)
		}
	}
}
