package policy_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/policy"
)

func standardBudget() policy.Budget { return policy.Default().Budget }

func TestBucket(t *testing.T) {
	succeed := func(b *policy.Bucket, n int, at time.Duration) {
		for range n {
			b.Success(at)
		}
	}
	spend := func(b *policy.Bucket, cost float64, at time.Duration) (n int) {
		for b.Spend(cost, at) {
			n++
		}
		return n
	}
	t.Run("starts full", func(t *testing.T) {
		b := standardBudget().Bucket()
		if got := spend(&b, 1, 0); got != 3 {
			t.Errorf("%d retries, want 3", got)
		}
	})
	t.Run("waiting earns nothing", func(t *testing.T) {
		b := standardBudget().Bucket()
		spend(&b, 1, 0)
		if b.Spend(1, time.Hour) {
			t.Error("a retry was free after an hour without traffic")
		}
	})
	t.Run("ten successes earn a retry", func(t *testing.T) {
		b := standardBudget().Bucket()
		spend(&b, 1, 0)
		succeed(&b, 9, 0)
		if b.Spend(1, 0) {
			t.Error("nine successes paid for a retry")
		}
		succeed(&b, 1, 0)
		if !b.Spend(1, 0) {
			t.Errorf("%v tokens after ten successes, want 1", b.Tokens())
		}
	})
	t.Run("failures earn nothing", func(t *testing.T) {
		b := standardBudget().Bucket()
		spend(&b, 1, 0)
		for range 100 {
			b.Failure(0)
		}
		if b.Tokens() != 0 {
			t.Errorf("%v tokens, want none", b.Tokens())
		}
	})
	t.Run("holds a tenth of the last ten seconds of traffic", func(t *testing.T) {
		b := standardBudget().Bucket()
		for second := range 60 {
			succeed(&b, 100, time.Duration(second)*sec)
		}
		if got := spend(&b, 1, 59*sec); got != 100 {
			t.Errorf("%d retries at 100 requests a second, want 100", got)
		}
		for second := range 60 {
			succeed(&b, 100, time.Duration(60+second)*sec)
		}
		if got := spend(&b, 1, 10*time.Minute); got != 3 {
			t.Errorf("%d retries once the traffic is long gone, want 3", got)
		}
	})
	t.Run("a refund is what was spent, within the capacity", func(t *testing.T) {
		b := standardBudget().Bucket()
		b.Spend(2, 0)
		b.Refund(2)
		b.Refund(5)
		if b.Tokens() != 3 {
			t.Errorf("%v tokens, want 3", b.Tokens())
		}
	})
	t.Run("a clock that goes backwards takes nothing away", func(t *testing.T) {
		b := standardBudget().Bucket()
		succeed(&b, 100, time.Hour)
		before := b.Capacity()
		succeed(&b, 100, -time.Hour)
		if b.Capacity() < before {
			t.Errorf("capacity fell from %v to %v", before, b.Capacity())
		}
	})
}

func TestRetriesStayWithinTheBudget(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		budget := policy.Budget{Ratio: 0.01 + 0.99*r.Float64(), Min: 1 + 9*r.Float64(), Window: time.Duration(1+r.IntN(20)) * sec}
		b := budget.Bucket()
		var now time.Duration
		successes, spent := 0, 0.0
		for range 2000 {
			now += time.Duration(r.Int64N(int64(sec)))
			switch cost := 2 * r.Float64(); r.IntN(4) {
			case 0:
				b.Success(now)
				successes++
			case 1:
				b.Failure(now)
			default:
				if b.Spend(cost, now) {
					if r.IntN(10) == 0 {
						b.Refund(cost)
					} else {
						spent += cost
					}
				}
			}
			if most := budget.Min + budget.Ratio*float64(successes) + 1e-6; spent > most {
				t.Fatalf("seed %d: %v tokens spent after %d successes, want at most %v", seed, spent, successes, most)
			}
			if b.Tokens() < -1e-6 {
				t.Fatalf("seed %d: %v tokens", seed, b.Tokens())
			}
		}
	}
}

// Successes that are counted late and together, but before anything else and before the next tenth, come to the same.
func TestSuccessesMayBeCountedTogether(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		anyBudget := func() policy.Budget {
			return policy.Budget{Ratio: 0.01 + 0.99*r.Float64(), Min: 1 + 9*r.Float64(), Window: time.Duration(1+r.IntN(20)) * sec}
		}
		one := anyBudget().Bucket()
		together, late := one, int64(0)
		var now time.Duration
		for range 2000 {
			now += time.Duration(r.Int64N(int64(sec / 20)))
			at := now - time.Duration(r.Int64N(int64(2*sec))) // of a call that may have begun some time ago
			what := r.IntN(40)
			if what > 3 && at < together.NextTenth() {
				one.Success(at)
				late++
				continue
			}
			together.Successes(late, min(now, together.NextTenth()-1))
			late = 0
			for _, b := range []*policy.Bucket{&one, &together} {
				switch what {
				case 0:
					b.Failure(at)
				case 1:
					b.Refund(1)
				case 2, 3:
					b.Spend(3, now)
				default:
					b.Success(at)
				}
			}
			if a, b := one.Tokens(), together.Tokens(); math.Abs(a-b) > 1e-6 || one.Capacity() != together.Capacity() {
				t.Fatalf("seed %d: %v of %v tokens together, want the %v of %v one by one", seed, b, together.Capacity(), a, one.Capacity())
			}
		}
	}
}

func TestNextTenth(t *testing.T) {
	b := standardBudget().Bucket()
	check := func(what string, want time.Duration) {
		t.Helper()
		if got := b.NextTenth(); got != want {
			t.Errorf("%s: the next tenth begins at %s, want %s", what, got, want)
		}
	}
	check("at first", sec)
	b.Success(sec - 1)
	check("at the end of the first", sec)
	b.Failure(sec)
	check("at the second", 2*sec)
	b.Spend(1, time.Minute)
	check("much later", 61*sec)
	b.Success(sec)
	check("when the clock goes backwards", 61*sec)
	b.SetBudget(policy.Budget{Ratio: 0.1, Min: 3, Window: sec})
	check("by a shorter window", 60*sec+sec/10)
}

func TestBucketFollowsAnotherBudget(t *testing.T) {
	traffic := func(n int) policy.Bucket {
		b := standardBudget().Bucket()
		for i := range n {
			b.Success(time.Duration(i) * 10 * sec / time.Duration(n))
		}
		return b
	}
	for name, tc := range map[string]struct {
		budget   policy.Budget
		capacity float64
		later    float64 // the capacity half a window later
	}{
		"with another share":       {policy.Budget{Ratio: 0.2, Min: 3, Window: 10 * sec}, 200, 100},
		"with a shorter window":    {policy.Budget{Ratio: 0.1, Min: 3, Window: 2 * sec}, 20, 10},
		"with a longer window":     {policy.Budget{Ratio: 0.1, Min: 3, Window: 100 * sec}, 100, 50},
		"with more to start with":  {policy.Budget{Ratio: 0.1, Min: 500, Window: 10 * sec}, 500, 500},
		"with an odd, tiny window": {policy.Budget{Ratio: 1, Min: 1, Window: 11}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := traffic(1000)
			tokens := b.Tokens()
			b.SetBudget(tc.budget)
			if b.Tokens() != tokens || b.Capacity() != tc.capacity {
				t.Errorf("%v tokens of %v, want %v of %v", b.Tokens(), b.Capacity(), tokens, tc.capacity)
			}
			at := 10*sec - 1 + tc.budget.Window/2
			b.Spend(0.001, at)
			if got := b.Capacity(); got < tc.later*0.89 || got > tc.later*1.11 {
				t.Errorf("a capacity of %v half a window later, want about %v", got, tc.later)
			}
		})
	}
}

// A window may become much shorter than a tenth of the one before.
func TestTrafficExpiresByAMuchShorterWindow(t *testing.T) {
	for _, before := range []time.Duration{time.Hour, 1000 * time.Hour, math.MaxInt64} {
		b := policy.Budget{Ratio: 0.1, Min: 3, Window: before}.Bucket()
		b.Success(sec)
		b.SetBudget(standardBudget())
		for n := range 60 * 100 { // a hundred in a second
			b.Success(2*sec + time.Duration(n)*sec/100)
		}
		if got := b.Capacity(); got != 100 {
			t.Errorf("after a window of %s: a capacity of %v at 100 requests a second, want 100", before, got)
		}
	}
}

func TestBucketWithoutABudgetStartsFullOnceThereIsOne(t *testing.T) {
	b := policy.Budget{}.Bucket()
	b.SetBudget(standardBudget())
	if got := b.Tokens(); got != 3 {
		t.Errorf("%v tokens, want the 3 to start with", got)
	}
	b.Spend(2, 0)
	b.SetBudget(policy.Budget{Ratio: 0.2, Min: 5, Window: 10 * sec})
	if got := b.Tokens(); got != 1 {
		t.Errorf("%v tokens under another budget, want the 1 there was", got)
	}
}
