package transport

import (
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"
)

// trip is one opening of a breaker, from the failure that caused it to the successes that end it, run by a gobreaker
// of its own: so each trip holds for as long as its cause asks. Its methods are called under the circuit's lock.
type trip struct {
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	state   State // as gobreaker said last; asking it would move it on
}

var (
	errFailure = errors.New("failure")
	errNeutral = errors.New("neutral")
)

// newTrip returns an open trip that begins to probe when hold is over.
func newTrip(hold time.Duration, probes int) *trip {
	t := &trip{}
	t.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   uint32(probes),                  //nolint:gosec // policy.Set.Validate bounds it
		Timeout:       max(hold, time.Microsecond) - 1, // gobreaker is open up to and including the end of its timeout
		ReadyToTrip:   func(gobreaker.Counts) bool { return true },
		IsExcluded:    func(err error) bool { return errors.Is(err, errNeutral) },
		OnStateChange: func(_ string, _, to gobreaker.State) { t.state = stateOf(to) },
	})
	if done, err := t.breaker.Allow(); err == nil {
		done(errFailure)
	}
	return t
}

// admit returns the function that reports a probe's outcome, or nil if no request may pass.
func (t *trip) admit() func(outcome) {
	done, err := t.breaker.Allow()
	if err != nil {
		return nil
	}
	return func(o outcome) {
		switch o {
		case success:
			done(nil)
		case failure:
			done(errFailure)
		case neutral:
			done(errNeutral)
		}
	}
}

func stateOf(s gobreaker.State) State {
	switch s {
	case gobreaker.StateOpen:
		return Open
	case gobreaker.StateHalfOpen:
		return HalfOpen
	default:
		return Closed
	}
}
