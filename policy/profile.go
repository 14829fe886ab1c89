package policy

import (
	"math"
	"time"
)

// Unlimited, as the Retries of a [Profile], means that no count ends it. The profile needs a MaxElapsed then.
const Unlimited = math.MaxInt

// Jitter is how far a pause strays at random, so that callers who failed together do not return together.
// With 0 <= j < 1 a pause p becomes a random one in [p(1-j), p(1+j)]. The zero value leaves pauses as they are.
type Jitter float64

// FullJitter makes a pause p a random one in [0, p].
const FullJitter Jitter = 1

// Profile says how often and how soon a request is sent again after one kind of failure.
// The zero value never retries; it also keeps a kind from using an ancestor's profile.
//
// Unless BackOff says otherwise the pauses are Initial, Initial*Multiplier, Initial*Multiplier² and so on, none above Max,
// and then jitter.
type Profile struct {
	Retries    int           // retries at most, the first attempt not counted; 0 never retries
	Immediate  bool          // the first retry goes out without a pause, and the sequence of pauses starts with the second
	Initial    time.Duration // the first pause, before jitter
	Max        time.Duration // the longest pause, before jitter
	Multiplier float64       // growth from one pause to the next, at least 1
	Jitter     Jitter        // randomness of a pause; a server's hint is spread by it too, but only upward

	// MaxElapsed bounds the time from the call's first failure under this profile to the end of a pause.
	// 0: not bounded by time.
	MaxElapsed time.Duration

	// MaxRetryAfter is the longest hint of a server that is waited for, not counting jitter; LongHint says what to do
	// about a longer one. 0: any hint is too long.
	MaxRetryAfter time.Duration
	LongHint      LongHint

	// Cost is how many tokens of the budget each retry spends, see [Budget]. 0: none, the retry is free.
	Cost float64

	// BackOff, if not nil, makes the source of pauses: Initial, Max and Multiplier are ignored then, and Jitter spreads
	// nothing but hints. It is called, and its result is Reset, once for each call that fails under this profile,
	// by many goroutines at once. A negative pause (backoff.Stop is one) or a nil source ends the profile: Exhausted.
	BackOff func() BackOff
}

// maxSchedule bounds the length of a preview.
const maxSchedule = 1000

// Schedule previews the first n pauses, without jitter and as if attempts took no time. There are fewer
// if Retries, MaxElapsed or BackOff end them earlier, and never more than 1000.
func (p Profile) Schedule(n int) []time.Duration {
	n = min(n, p.Retries, maxSchedule)
	if n <= 0 {
		return nil
	}
	pauses := make([]time.Duration, 0, n)
	var seq sequence
	seq.start(&p)
	var elapsed time.Duration
	for len(pauses) < n {
		pause, ok := seq.next(&p)
		elapsed = add(elapsed, pause)
		if !ok || p.MaxElapsed > 0 && elapsed > p.MaxElapsed {
			break
		}
		pauses = append(pauses, pause)
		seq.retries++
	}
	return pauses
}

// sequence is the position in a profile's pauses within one call.
type sequence struct {
	pauses
	retries int
}

// next returns the pause before the next retry, without jitter; ok is false if the source has ended.
func (s *sequence) next(p *Profile) (pause time.Duration, ok bool) {
	if p.Immediate && s.retries == 0 {
		return 0, true
	}
	if pause = s.pauses.next(p); pause < 0 {
		return 0, false
	}
	return pause, true
}

// spread returns pause, of maxInterval at most, with the jitter that random, in [0, 1), picks.
func (j Jitter) spread(pause time.Duration, random float64) time.Duration {
	if j >= FullJitter {
		return scale(pause, random)
	}
	half := scale(pause, float64(j))
	return pause - half + scale(2*half, random)
}

// spreadUp returns a time in [d, d(1+j)], as random, in [0, 1), picks.
func (j Jitter) spreadUp(d time.Duration, random float64) time.Duration {
	return add(d, scale(d, float64(j)*random))
}

// longest is the greatest duration, some 292 years. Sums of durations stop there instead of overflowing.
const longest = time.Duration(math.MaxInt64)

// scale returns d*factor for a d that is not negative and a factor in [0, 1): even rounded, the product is a duration.
func scale(d time.Duration, factor float64) time.Duration { return time.Duration(float64(d) * factor) }

// add returns a+b for an a and a b that are not negative.
func add(a, b time.Duration) time.Duration {
	if a > longest-b {
		return longest
	}
	return a + b
}

// LongHint says what to do about a server's hint that is longer than a profile's MaxRetryAfter. The zero value is Stop.
type LongHint uint8

const (
	// Stop: the call ends with the answer, and the hint in its verdict.
	Stop LongHint = iota
	// Clamp: wait for MaxRetryAfter and try then, sooner than the server asked. It may answer with more of the same.
	Clamp
	// Honour: wait for as long as the server asks, if MaxElapsed and the caller's deadline allow it.
	Honour
)

// String returns the rule in lower case.
func (l LongHint) String() string {
	switch l {
	case Stop:
		return "stop"
	case Clamp:
		return "clamp"
	case Honour:
		return "honour"
	}
	return "unknown"
}

// MarshalText returns the rule in lower case.
func (l LongHint) MarshalText() ([]byte, error) { return []byte(l.String()), nil }
