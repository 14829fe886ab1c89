package policy

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// BackOff is a source of pauses: the interface of github.com/cenkalti/backoff/v4, under a name of its own
// so that a [Profile] can be read without that package.
type BackOff = backoff.BackOff

// source returns a new source of the profile's pauses, before jitter and without the immediate retry.
// It is nil if the profile's BackOff made none.
func (p Profile) source() BackOff {
	if p.BackOff == nil {
		return p.exponential()
	}
	b := p.BackOff()
	if b != nil {
		b.Reset()
	}
	return b
}

// exponential leaves out the randomness of backoff, which comes from a global generator, and its elapsed time,
// which comes from a clock: a plan adds its own.
func (p Profile) exponential() BackOff {
	b := &backoff.ExponentialBackOff{
		InitialInterval: min(p.Initial, maxInterval),
		Multiplier:      p.Multiplier,
		MaxInterval:     min(p.Max, maxInterval),
		Stop:            backoff.Stop,
		Clock:           stopped{},
	}
	b.Reset()
	return b
}

// maxInterval, some 146 years, is far enough from the greatest duration that no rounding carries backoff's
// floating-point product beyond it.
const maxInterval = longest / 2

// stopped is a clock that nobody needs but backoff reads.
type stopped struct{}

func (stopped) Now() time.Time { return time.Time{} }
