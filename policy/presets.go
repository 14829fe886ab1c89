package policy

import (
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// Interactive returns a set for calls that a person waits for, such as those behind a page: an error within seconds is worth
// more than an answer after ten. It differs from [Default] in this:
//
//   - No pause of a call ends later than 3 s after its beginning, whatever failed. A token's refresh is over by then
//     in all but about one case of a hundred.
//   - Connecting is tried for 1 s, which reaches another address but does not sit out a restart.
//   - Other failures have one retry, half as late.
//   - A server may ask for 2 s of patience, a rate limit for 1 s. Longer hints are for the person to decide about.
//   - The breaker on rate limits holds a call for up to 500 ms, which nobody notices, before it refuses.
//
// Every call returns a fresh copy, to be changed at will. The numbers are steadytrip's own, not Alter's.
func Interactive() Set {
	const patience = 3 * time.Second
	s := Default()
	s.MaxElapsed = patience
	s.change(func(p *Profile) { p.MaxElapsed, p.MaxRetryAfter = patience, 2*time.Second }, classify.TokenRefreshInProgress)
	s.change(func(p *Profile) {
		p.Max, p.MaxElapsed, p.MaxRetryAfter = 500*time.Millisecond, time.Second, time.Second
	}, classify.Dial, classify.DialTimeout)
	s.change(func(p *Profile) {
		p.Initial, p.Max, p.MaxRetryAfter = 100*time.Millisecond, time.Second, 2*time.Second
	}, classify.Network, classify.BackendUnavailable, classify.ProviderUnavailable)
	s.change(func(p *Profile) {
		p.Retries, p.Initial, p.Max, p.MaxRetryAfter = 1, 500*time.Millisecond, time.Second, time.Second
	}, classify.PolicyRateLimit, classify.ProviderRateLimit)
	s.Gate.Probe.MaxElapsed, s.Gate.Probe.MaxRetryAfter = patience, 2*time.Second
	s.Breakers[0].Hold = 500 * time.Millisecond
	return s
}

// Batch returns a set for jobs that nobody waits for, such as a nightly sync: a call that succeeds after ten minutes is worth
// more than one that has to be looked into in the morning. It differs from [Default] in this:
//
//   - A call may pause until 15 min after its beginning, and a server may ask for 5 min of patience.
//   - Connecting is tried for 10 min, which sits out a restart or a rollout, and a token's refresh may take 2 min.
//   - Answers such as 503 and lost connections have ten retries, rate limits five. The pauses grow to 30 s, those of
//     rate limits to 1 min: patience is harmless only if it asks seldom.
//   - The breaker on rate limits holds a call for up to 1 min, so that a job runs at the rate that the server allows.
//   - [OutageBreaker] is part of it, and holds calls for up to 5 min: while a server is down one call asks every few seconds,
//     and the others of the job wait in line.
//   - The budget starts with 20 tokens and looks back for 1 min, and retries of failed connections and outages cost half.
//     It still earns a tenth of what succeeds, and nothing by waiting.
//
// Through a server's outage of five minutes, of the calls of a job with ten workers some 3 fail; with Default it is thousands.
// Give each attempt a timeout of its own, or a server that never answers uses up all of that time.
// Every call returns a fresh copy, to be changed at will. The numbers are steadytrip's own, not Alter's.
func Batch() Set {
	const (
		hint    = 5 * time.Minute
		refresh = 2 * time.Minute
	)
	s := Default()
	s.MaxAttempts, s.MaxElapsed = 1000, 15*time.Minute
	s.change(func(p *Profile) { p.Max, p.MaxElapsed, p.MaxRetryAfter = 5*time.Second, refresh, refresh }, classify.TokenRefreshInProgress)
	s.change(func(p *Profile) {
		p.Max, p.MaxElapsed, p.MaxRetryAfter, p.Cost = 30*time.Second, 10*time.Minute, hint, 0.25
	}, classify.Dial, classify.DialTimeout)
	s.change(func(p *Profile) {
		p.Retries, p.Initial, p.Max, p.MaxRetryAfter, p.Cost = 10, 500*time.Millisecond, 30*time.Second, hint, 0.5
	}, classify.Network, classify.BackendUnavailable, classify.ProviderUnavailable)
	s.change(func(p *Profile) { p.Retries, p.Max, p.MaxRetryAfter = 5, time.Minute, hint }, classify.PolicyRateLimit, classify.ProviderRateLimit)
	s.Budget.Min, s.Budget.Window = 20, time.Minute
	s.Gate.Probe.Max, s.Gate.Probe.MaxElapsed, s.Gate.Probe.MaxRetryAfter = time.Second, refresh, refresh
	s.Breakers[0].Hold = time.Minute
	outage := OutageBreaker()
	outage.Hold = 5 * time.Minute
	s.Breakers = append(s.Breakers, outage)
	return s
}

// Agent returns a set for the tool calls of an AI agent. A model that is handed an error tends to call the same tool again,
// at the price of a turn, and it calls several tools at once on one grant. So what passes in seconds is sat out
// here, and what does not is said soon and once. It differs from [Default] in this:
//
//   - No pause of a call ends later than 15 s after its beginning, which leaves room below the timeouts of most tool runners.
//   - Connecting is tried for 5 s.
//   - Answers such as 503 and lost connections have two retries, and a rate limit may ask for 5 s of patience.
//   - The breaker on rate limits holds a call for up to 3 s, in turn, so that a burst of tool calls is paced instead of refused.
//   - [OutageBreaker] is part of it: while a server is down, calls fail at once, and the agent can do something else.
//
// The gate is that of Default: the calls on a grant whose token is refreshed wait for one of them.
// Every call returns a fresh copy, to be changed at will. The numbers are steadytrip's own, not Alter's.
func Agent() Set {
	s := Default()
	s.MaxElapsed = 15 * time.Second
	s.change(func(p *Profile) { p.MaxElapsed, p.MaxRetryAfter = 5*time.Second, 5*time.Second }, classify.Dial, classify.DialTimeout)
	s.change(func(p *Profile) { p.Retries = 2 }, classify.Network, classify.BackendUnavailable, classify.ProviderUnavailable)
	s.change(func(p *Profile) { p.MaxRetryAfter = 5 * time.Second }, classify.PolicyRateLimit, classify.ProviderRateLimit)
	s.Breakers[0].Hold = 3 * time.Second
	s.Breakers = append(s.Breakers, OutageBreaker())
	return s
}

// change changes the profiles of kinds.
func (s *Set) change(change func(*Profile), kinds ...classify.Kind) {
	for _, k := range kinds {
		p := s.Profiles[k]
		change(&p)
		s.Profiles[k] = p
	}
}
