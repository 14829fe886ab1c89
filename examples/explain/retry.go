package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// retry is what the policy decides about an answer.
type retry struct {
	method  string
	retried bool
	reason  policy.Reason
	why     string
	profile classify.Kind // whose profile applies; Unclassified if none does
	limit   string        // how long retries go on
	pauses  []pause       // the first of them, if every attempt is answered like this
	breaker string        // what the answer does to the host's breaker
}

// pause is a pause of random length between two bounds.
type pause struct{ min, max time.Duration }

func (p pause) String() string {
	if p.min == p.max {
		return short(p.min)
	}
	return short(p.min) + ".." + short(p.max)
}

// maxPauses is how many pauses are listed.
const maxPauses = 5

// decide asks the default policy what a client does after the first attempt of a call, and then after each further one
// that is answered in the same way. The request's body is taken to be one that can be sent again.
func (e *explanation) decide(v classify.Verdict, replay policy.Replay, method string) retry {
	var early, late policy.Plan // of the default policy, with the luck of the shortest and of the longest pauses
	r := retry{method: method}
	var decision policy.Decision
	var elapsed time.Duration
	for attempts := 1; len(r.pauses) < maxPauses; attempts++ {
		facts := policy.Facts{Attempts: attempts, Elapsed: elapsed, Replay: replay}
		d := early.Next(v, facts)
		facts.Random = math.Nextafter(1, 0)
		if attempts == 1 {
			decision = d
		}
		longest := late.Next(v, facts)
		if !d.Retry() || !longest.Retry() {
			break
		}
		r.pauses = append(r.pauses, pause{d.Pause, longest.Pause})
		elapsed += (d.Pause + longest.Pause) / 2
	}
	set := policy.Default()
	r.retried, r.reason, r.profile = decision.Retry(), decision.Reason, decision.Profile
	profile := set.Profiles[r.profile]
	if r.retried {
		r.limit = limit(profile)
	}
	r.why = why(r, v, profile, e.inside != "")
	if i := slices.IndexFunc(set.Breakers, func(b policy.Breaker) bool { return b.Counts(v.Kind) }); i >= 0 {
		r.breaker = breaker(set.Breakers[i], v)
	}
	return r
}

// limit says when a profile's retries end.
func limit(p policy.Profile) string {
	var limits []string
	if p.Retries != policy.Unlimited {
		limits = append(limits, fmt.Sprintf("at most %s", count(p.Retries, "time", "times")))
	}
	if p.MaxElapsed > 0 {
		limits = append(limits, "for at most "+short(p.MaxElapsed))
	}
	return strings.Join(limits, ", ")
}

// why puts the policy's reason into a sentence.
func why(r retry, v classify.Verdict, p policy.Profile, inside bool) string {
	switch r.reason {
	case policy.Retrying:
		if v.Unprocessed {
			return "The answer says that the request was not carried out, so it may be sent again whatever its method."
		}
		return r.method + " may be sent twice, and a later attempt may succeed."
	case policy.Succeeded:
		if inside {
			return "The transport does not read the body of a 2xx. Your code has to: classify.Proxied, classify.ApprovalVerdict."
		}
		return "This is no failure."
	case policy.NotRetryable:
		return "Waiting does not heal it: the action says what does."
	case policy.NoProfile:
		return "A later attempt may succeed, but the policy has no retries for " + v.Kind.String() + "."
	case policy.NotIdempotent:
		return r.method + " may have been carried out, and nothing says that doing it twice is harmless (an Idempotency-Key would)."
	case policy.RetryAfterTooLong:
		return fmt.Sprintf("The server asks for %s; for %s the policy waits for %s at most.", short(v.RetryAfter), r.profile, short(p.MaxRetryAfter))
	case policy.OutOfTime:
		return fmt.Sprintf("The pause would end after the %s that the policy allows for %s.", short(p.MaxElapsed), r.profile)
	default:
		return "The policy stops here."
	}
}

// breaker says what the answer does to the breaker of its host.
func breaker(b policy.Breaker, v classify.Verdict) string {
	switch {
	case v.RetryAfter > b.MaxOpen:
		return fmt.Sprintf("opens for %s, the longest hold: until then nothing is sent to the host", short(b.MaxOpen))
	case v.RetryAfter > 0:
		return fmt.Sprintf("opens for %s: until then nothing is sent to the host", short(v.RetryAfter))
	}
	return fmt.Sprintf("counts it; %d in a row open it for %s or a little more", b.Failures, short(b.Open))
}

// short prints a duration for people.
func short(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 365*day:
		return count(int(d/(365*day)), "year", "years")
	case d >= 2*day:
		return count(int(d/day), "day", "days")
	}
	text := d.Round(time.Millisecond).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
