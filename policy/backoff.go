package policy

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// BackOff is a source of pauses: the interface of github.com/cenkalti/backoff/v4, under a name of its own
// so that a [Profile] can be read without that package.
type BackOff = backoff.BackOff

// pauses is the source of a profile's pauses, before jitter and without the immediate retry: one of the user's own,
// or the exponential one, which is part of it so that it costs no allocation.
type pauses struct {
	own         BackOff // nil if the profile's BackOff made none, or if there is none
	exponential backoff.ExponentialBackOff
}

// start begins anew, as p says.
func (s *pauses) start(p *Profile) {
	if p.BackOff == nil {
		s.exponential = p.exponential()
		s.exponential.Reset()
		return
	}
	if s.own = p.BackOff(); s.own != nil {
		s.own.Reset()
	}
}

// next returns the next pause; a negative one ends the profile.
func (s *pauses) next(p *Profile) time.Duration {
	switch {
	case p.BackOff == nil:
		return s.exponential.NextBackOff()
	case s.own == nil:
		return backoff.Stop
	}
	return s.own.NextBackOff()
}

// exponential leaves out the randomness of backoff, which comes from a global generator, and its elapsed time,
// which comes from a clock: a plan adds its own.
func (p *Profile) exponential() backoff.ExponentialBackOff {
	return backoff.ExponentialBackOff{
		InitialInterval: min(p.Initial, maxInterval),
		Multiplier:      p.Multiplier,
		MaxInterval:     min(p.Max, maxInterval),
		Stop:            backoff.Stop,
		Clock:           stopped{},
	}
}

// maxInterval, some 146 years, is far enough from the greatest duration that no rounding carries backoff's
// floating-point product beyond it.
const maxInterval = longest / 2

// stopped is a clock that nobody needs but backoff reads.
type stopped struct{}

func (stopped) Now() time.Time { return time.Time{} }
