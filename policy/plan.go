package policy

import (
	"math"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// Facts is what the caller of [Plan.Next] knows about the call at the moment an attempt has ended.
type Facts struct {
	Attempts  int           // attempts made so far, the one that has just ended included
	Elapsed   time.Duration // since the call began
	Remaining time.Duration // until the caller's deadline; meaningless without one
	Deadline  bool          // whether the caller has a deadline
	Done      bool          // whether the caller's context has ended
	Replay    Replay        // whether the request can be sent again
	Forbidden bool          // whether the caller asked for no retries
	Nested    bool          // whether another Retry, further in, has dealt with the failure
	Gated     bool          // whether the call can wait at a gate for its grant, see [Gate]
	Queued    bool          // whether it waited there before its first attempt: the gate's profile counts from the call's beginning
	Took      time.Duration // how long the attempt took; a gated call waits no longer than leaves time for another
	Random    float64       // in [0, 1): the randomness of the pause; a value outside is moved inside
}

// Decision is what to do next. The zero value is no decision and does not retry.
type Decision struct {
	Pause   time.Duration // before the next attempt; 0 unless Retry
	Reason  Reason        // Retrying, or why there is no further attempt
	Profile classify.Kind // the kind whose profile applied; Unclassified if none did
	Cost    float64       // tokens of the budget that the retry spends; 0 unless Retry

	// Patience and Impatient are about a gated call that is not the probe: how long it waits at most for what the probe
	// finds out, and why there is no further attempt when that time is over. They are 0 otherwise.
	Patience  time.Duration
	Impatient Reason
}

// Retry reports whether the request is to be sent again after the pause.
func (d Decision) Retry() bool { return d.Reason == Retrying }

// Plan is the memory of one call: how far it has come in each profile that its failures fell under.
// Profiles do not disturb each other; each keeps its own count, clock and sequence of pauses.
// Get one from [Policy.Plan]; the zero value is a plan of the default policy. A Plan is not safe for concurrent use.
type Plan struct {
	policy *Policy
	few    [2]track // the first tracks; most calls have no others
	used   int      // of those
	more   []*track
}

// track is a plan's memory of one profile.
type track struct {
	sequence
	owner classify.Kind
	gated bool          // whether the profile is the gate's
	begin time.Duration // into the call, when the first failure came
}

// Next decides what to do after an attempt that came to verdict v. The decision depends on v, f and the earlier calls
// of Next on this plan, and on nothing else; only a profile's own BackOff can add to that.
// Package policy documents the order of the rules.
//
// A server's hint is a floor: the pause is the profile's own or the hint, whichever is longer, and jitter adds to the hint
// but never takes from it. The pause is never negative.
func (p *Plan) Next(v classify.Verdict, f Facts) Decision {
	switch {
	case !v.Kind.Failure():
		return Decision{Reason: Succeeded}
	case f.Done || v.Kind == classify.Canceled:
		return Decision{Reason: Canceled}
	}
	pol := p.policy.orDefault()
	f.Gated = f.Gated && pol.Gates(v.Kind)
	a := pol.profiles[v.Kind]
	if f.Gated {
		a.profile = &pol.set.Gate.Probe
	}
	d := Decision{Profile: a.owner}
	if d.Pause, d.Reason = p.next(a, v, &f); d.Reason != Retrying {
		return d
	}
	d.Cost = a.profile.Cost
	if f.Gated {
		d.Patience, d.Impatient = p.patience(a, &f)
	}
	return d
}

// patience returns how long a call may wait at a gate that has no pause to wait for, and which bound that is.
func (p *Plan) patience(a applied, f *Facts) (time.Duration, Reason) {
	patience, why := longest, OutOfTime
	elapsed := max(f.Elapsed, 0)
	if bound := a.profile.MaxElapsed; bound > 0 {
		patience = bound - max(elapsed-p.track(a, f).begin, 0)
	}
	if limit := p.policy.orDefault().set.MaxElapsed; limit > 0 {
		patience = min(patience, limit-elapsed)
	}
	if left := f.Remaining - max(f.Took, 0); f.Deadline && left < patience {
		patience, why = left, DeadlineTooNear
	}
	return max(patience, 0), why
}

// next applies a profile, if there is one, to a failure.
func (p *Plan) next(a applied, v classify.Verdict, f *Facts) (time.Duration, Reason) {
	prof := a.profile
	if prof == nil || prof.Retries == 0 {
		if healedByTime(v.Kind) {
			return 0, NoProfile
		}
		return 0, NotRetryable
	}
	switch {
	case f.Forbidden:
		return 0, Forbidden
	case f.Nested:
		return 0, Nested
	}
	if reason := f.Replay.Check(v); reason != Retrying {
		return 0, reason
	}
	set, elapsed := &p.policy.orDefault().set, max(f.Elapsed, 0)
	if f.Attempts >= set.MaxAttempts {
		return 0, AttemptLimit
	}
	t := p.track(a, f)
	if t.retries >= prof.Retries {
		return 0, Exhausted
	}
	hint := max(v.RetryAfter, 0)
	if hint > prof.MaxRetryAfter {
		switch prof.LongHint {
		case Honour:
		case Clamp:
			hint = prof.MaxRetryAfter
		case Stop:
			return 0, RetryAfterTooLong
		}
	}
	pause, ok := t.next(prof)
	if !ok {
		return 0, Exhausted
	}
	random := unit(f.Random)
	if prof.BackOff == nil {
		pause = prof.Jitter.spread(pause, random)
	}
	pause = max(pause, prof.Jitter.spreadUp(hint, random))
	switch {
	case beyond(prof.MaxElapsed, max(elapsed-t.begin, 0), pause), beyond(set.MaxElapsed, elapsed, pause):
		return 0, OutOfTime
	case f.Deadline && pause >= f.Remaining:
		return 0, DeadlineTooNear
	}
	t.retries++
	return pause, Retrying
}

// track returns the memory of a profile; if it has none yet, the time of its first failure
// is that of f.
func (p *Plan) track(a applied, f *Facts) *track {
	for i := range p.few[:p.used] {
		if t := &p.few[i]; t.owner == a.owner && t.gated == f.Gated {
			return t
		}
	}
	for _, t := range p.more {
		if t.owner == a.owner && t.gated == f.Gated {
			return t
		}
	}
	if p.used < len(p.few) {
		p.used++
		return p.few[p.used-1].enter(a, f)
	}
	t := new(track)
	p.more = append(p.more, t)
	return t.enter(a, f)
}

// enter makes t the memory of a profile whose first failure is f.
func (t *track) enter(a applied, f *Facts) *track {
	t.owner, t.gated, t.begin = a.owner, f.Gated, max(f.Elapsed, 0)
	if f.Gated && f.Queued {
		t.begin = 0
	}
	t.start(a.profile)
	return t
}

// beyond reports whether a pause that starts now ends after the bound; a bound of 0 is none.
func beyond(bound, now, pause time.Duration) bool { return bound > 0 && add(now, pause) > bound }

// unit moves r into [0, 1).
func unit(r float64) float64 {
	if !(r > 0) { // NaN too
		return 0
	}
	return min(r, math.Nextafter(1, 0))
}
