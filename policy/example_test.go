package policy_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func ExampleDefault() {
	fmt.Print(policy.Default())
	// Output:
	// MaxAttempts 64, MaxElapsed unbounded
	//
	// Profile                    Retries    Immediate  Initial  Max    Multiplier  Jitter  MaxElapsed  MaxRetryAfter  LongHint  Cost
	// backend_unavailable        1          no         200ms    2s     2           full    unbounded   10s            stop      1
	// policy_rate_limit          2          no         1s       20s    2           0.25    unbounded   3s             stop      0.36
	// token_refresh_in_progress  unlimited  no         200ms    1s     1.25        0.5     10s         10s            stop      0
	// provider_rate_limit        2          no         1s       20s    2           0.25    unbounded   3s             stop      0.36
	// provider_unavailable       1          no         200ms    2s     2           full    unbounded   10s            stop      1
	// network                    1          no         200ms    2s     2           full    unbounded   10s            stop      1
	// dial                       unlimited  yes        100ms    2s     2           0.5     10s         10s            stop      0.5
	// dial_timeout               unlimited  yes        100ms    2s     2           0.5     10s         10s            stop      0.5
	// gate's probe               unlimited  no         50ms     250ms  1.5         0.2     10s         10s            stop      0
	//
	// Budget: Ratio 0.1, Min 3, Window 10s
	// Breaker rate_limit on policy_rate_limit: Failures 6, Open 5s, Jitter 0.2, MaxOpen 5m0s, Probes 1, Window 32, Hold 0s
	// Gate: Window 32
}

// A failed attempt is turned into a decision.
func ExamplePlan_Next() {
	s := policy.Default()
	s.Profiles[classify.BackendUnavailable] = policy.Profile{
		Retries:    2,
		Initial:    100 * time.Millisecond,
		Max:        time.Second,
		Multiplier: 2,
	}
	p, err := policy.New(s)
	if err != nil {
		fmt.Println(err)
		return
	}

	req, err := http.NewRequest(http.MethodGet, "https://api.example.com/v1/grants", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	plan := p.Plan()
	for attempt := 1; ; attempt++ {
		// The request is sent here, and answered with 503.
		verdict := classify.Verdict{Kind: classify.BackendUnavailable}
		decision := plan.Next(verdict, policy.Facts{Attempts: attempt, Replay: policy.ReplayOf(req)})
		fmt.Println(attempt, decision.Reason, decision.Pause)
		if !decision.Retry() {
			break
		}
	}
	// Output:
	// 1 retrying 100ms
	// 2 retrying 200ms
	// 3 exhausted 0s
}

// A kind without a profile uses that of its nearest ancestor, if time can heal it.
func ExampleSet_Profile() {
	for _, k := range []classify.Kind{classify.ConnectionLost, classify.TLS} {
		profile, owner, ok := policy.Default().Profile(k)
		fmt.Println(k, profile.Retries, owner, ok)
	}
	// Output:
	// connection_lost 1 network true
	// tls 0 unclassified false
}

func ExampleProfile_Schedule() {
	fmt.Println(policy.Default().Profiles[classify.Dial].Schedule(6))
	// Output: [0s 100ms 200ms 400ms 800ms 1.6s]
}

// Every fault comes in one go.
func ExampleNew_faults() {
	_, err := policy.New(policy.Set{
		MaxAttempts: 5,
		Profiles: map[classify.Kind]policy.Profile{
			classify.Timeout: {Retries: 3, Initial: time.Second, Multiplier: 2},
			classify.TLS:     {Retries: 1, Initial: time.Second, Max: time.Second, Multiplier: 1},
		},
	})
	fmt.Println(err)
	// Output:
	// policy: Profiles[timeout].Max is 0s: want at least Initial, which is 1s
	// policy: Profiles[tls].Retries is 1: want 0 because repeating cannot heal tls
}

// Any BackOff can stand in for the exponential one: here the Fibonacci numbers, in tenths of a second.
func ExampleProfile_backOff() {
	p := policy.Profile{
		Retries: 7,
		BackOff: func() policy.BackOff { return new(fibonacci) },
	}
	fmt.Println(p.Schedule(10))
	// Output: [100ms 100ms 200ms 300ms 500ms 800ms 1.3s]
}

type fibonacci struct{ this, next time.Duration }

func (f *fibonacci) Reset() { f.this, f.next = 0, 100*time.Millisecond }

func (f *fibonacci) NextBackOff() time.Duration {
	f.this, f.next = f.next, f.this+f.next
	return f.this
}
