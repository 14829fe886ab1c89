package policy

import (
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// Default returns the set that is used where none is given. Every call returns a fresh copy, to be changed at will:
//
//	s := policy.Default()
//	s.Profiles[classify.Timeout] = policy.Profile{} // no retries after a timeout, save while dialing
//
// The numbers are steadytrip's own, chosen by simulation. They are not Alter's.
func Default() Set {
	refresh := Profile{
		// A lock is held for some time, not for some number of attempts: a count would give up too early.
		Retries:       Unlimited,
		Initial:       200 * time.Millisecond,
		Multiplier:    1.25,
		Jitter:        0.5,
		Max:           time.Second,
		MaxElapsed:    10 * time.Second,
		MaxRetryAfter: 10 * time.Second,
		Cost:          0, // waiting for a lock is no sign of overload
	}
	connect := Profile{
		// Nothing was sent, a refused connection costs a millisecond, and the next address may accept at once.
		Retries:       Unlimited,
		Immediate:     true,
		Initial:       100 * time.Millisecond,
		Multiplier:    2,
		Jitter:        0.5,
		Max:           2 * time.Second,
		MaxElapsed:    10 * time.Second,
		MaxRetryAfter: 10 * time.Second,
		Cost:          0.5,
	}
	transient := Profile{
		// A second retry would add load to an outage for few more successes.
		Retries:       1,
		Initial:       200 * time.Millisecond,
		Multiplier:    2,
		Jitter:        FullJitter,
		Max:           2 * time.Second,
		MaxRetryAfter: 10 * time.Second,
		Cost:          1,
	}
	limited := Profile{
		// Waiting helps only if the limit frees up while the caller still cares.
		Retries:       2,
		Initial:       time.Second,
		Multiplier:    2,
		Jitter:        0.25,
		Max:           20 * time.Second,
		MaxRetryAfter: 3 * time.Second,
		Cost:          0.36,
	}
	return Set{
		Profiles: map[classify.Kind]Profile{
			classify.TokenRefreshInProgress: refresh,
			classify.Dial:                   connect,
			classify.DialTimeout:            connect,
			classify.Network:                transient,
			classify.BackendUnavailable:     transient,
			classify.ProviderUnavailable:    transient,
			classify.PolicyRateLimit:        limited,
			classify.ProviderRateLimit:      limited,
		},
		MaxAttempts: 64,
		Budget:      Budget{Ratio: 0.1, Min: 3, Window: 10 * time.Second},
		Breakers: []Breaker{{
			Name:     "rate_limit",
			Kinds:    []classify.Kind{classify.PolicyRateLimit},
			Failures: 6,
			Open:     5 * time.Second,
			Jitter:   0.2,
			MaxOpen:  5 * time.Minute,
			Probes:   1,
			Window:   32,
		}},
		Gate: Gate{
			Probe: Profile{
				// One call asks for all, so it may ask often.
				Retries:       Unlimited,
				Initial:       50 * time.Millisecond,
				Multiplier:    1.5,
				Jitter:        0.2,
				Max:           250 * time.Millisecond,
				MaxElapsed:    10 * time.Second,
				MaxRetryAfter: 10 * time.Second,
				Cost:          0,
			},
			Window: 32,
		},
	}
}
