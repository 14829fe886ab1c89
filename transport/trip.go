package transport

import (
	"errors"
	"slices"
	"time"

	"github.com/sony/gobreaker/v2"
)

// trip is one opening of a breaker, from the failure that caused it to the successes that end it, run by a gobreaker
// of its own: so each trip holds for as long as its cause asks. Its methods are called under the circuit's lock.
type trip struct {
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	state   State     // as gobreaker said last; asking it would move it on
	leases  []*lease  // of the probes under way, oldest first
	last    time.Time // when the last probe was let through
}

// minHold is the shortest time that a trip is open.
const minHold = time.Microsecond

var (
	errFailure = errors.New("failure")
	errNeutral = errors.New("neutral")
)

// newTrip returns an open trip that begins to probe when hold is over.
func newTrip(hold time.Duration, probes int) *trip {
	t := &trip{}
	t.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   uint32(probes),         //nolint:gosec // policy.Set.Validate bounds it
		Timeout:       max(hold, minHold) - 1, // gobreaker is open up to and including the end of its timeout
		ReadyToTrip:   func(gobreaker.Counts) bool { return true },
		IsExcluded:    func(err error) bool { return errors.Is(err, errNeutral) },
		OnStateChange: func(_ string, _, to gobreaker.State) { t.state = stateOf(to) },
	})
	if done, err := t.breaker.Allow(); err == nil {
		done(errFailure)
	}
	return t
}

// lease is a probe's slot. It ends when the probe reports, or when it takes too long and another wants the slot.
type lease struct {
	trip  *trip
	since time.Time
	done  func(error) // nil once the lease has ended
}

// end reports a probe's outcome. It returns false, and does nothing, for an attempt that is no probe and for a lease
// that has ended.
func (l *lease) end(o outcome) bool {
	if l == nil || l.done == nil {
		return false
	}
	done := l.done
	l.done = nil
	l.trip.leases = slices.DeleteFunc(l.trip.leases, func(other *lease) bool { return other == l })
	switch o {
	case success:
		done(nil)
	case failure:
		done(errFailure)
	case neutral:
		done(errNeutral)
	}
	return true
}

// admit returns the lease of a slot for a probe, or nil if no request may pass. A probe that has had its slot for longer than
// patience loses it.
func (t *trip) admit(patience time.Duration) *lease {
	done, err := t.breaker.Allow()
	if err != nil && len(t.leases) > 0 && time.Since(t.leases[0].since) >= patience {
		t.leases[0].end(neutral)
		done, err = t.breaker.Allow()
	}
	if err != nil {
		return nil
	}
	l := &lease{trip: t, since: time.Now(), done: done}
	t.leases, t.last = append(t.leases, l), l.since
	return l
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

// nextLoss is when the oldest probe loses its slot to another that wants it; zero without a probe.
func (t *trip) nextLoss(patience time.Duration) time.Time {
	if len(t.leases) == 0 {
		return time.Time{}
	}
	return t.leases[0].since.Add(patience)
}

// probing reports whether a probe is under way that has its slot to itself.
func (t *trip) probing(now time.Time, patience time.Duration) bool {
	n := len(t.leases)
	return n > 0 && now.Sub(t.leases[n-1].since) < patience
}
