package policy

import (
	"slices"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// Breaker says when requests are refused locally, to leave a server alone that keeps saying no.
type Breaker struct {
	// Name tells the breakers of a set apart. It shows in hooks and snapshots, and state goes with it when a policy is replaced.
	Name string

	// Kinds are the failures that count, each with its descendants; at least one.
	// Every other outcome is a success or leaves the breaker as it is.
	Kinds []classify.Kind

	Failures int           // failures in a row, none of them with a hint, that open it; a hint opens it at once
	Open     time.Duration // how long it stays open without a hint
	Jitter   Jitter        // spreads Open upward only: a random time in [Open, Open*(1+Jitter)], so FullJitter is up to double
	MaxOpen  time.Duration // longest hint that is honoured; it stays open no longer than that
	Probes   int           // requests let through at once when half-open; as many successes close it

	// Window bounds the requests in flight while the breaker closes, so that those it kept away do not all come at once.
	// Their number may grow by one with each success; when it would pass Window, or after Open at the latest, the bound is lifted.
	// 0: none.
	Window int

	// Hold is how long an attempt may be kept waiting for the breaker to let it through, first come, first served, instead of
	// being refused. It is kept only if it will be its turn within Hold and before its caller's deadline. If the answer that
	// opened the breaker advertised a rate, those who waited are let through at that rate. 0 refuses at once; 3s is a good bound.
	Hold time.Duration
}

// Counts reports whether a failure of kind k counts. What never left the process, such as invalid input or a call
// that the caller gave up, does not count even if Kinds holds an ancestor.
func (b Breaker) Counts(k classify.Kind) bool {
	return k.Failure() && !local(k) && slices.ContainsFunc(b.Kinds, k.Is)
}

// local reports whether k is the caller's doing and says nothing about a server.
func local(k classify.Kind) bool {
	return k.Is(classify.AlterValue) || k.Is(classify.Canceled) || k.Is(classify.Deadline)
}

// OutageBreaker returns a breaker on outages: on answers that say that the server cannot serve the request right now, and on
// failures of the network. It is not part of [Default]:
//
//	s := policy.Default()
//	s.Breakers = append(s.Breakers, policy.OutageBreaker())
//
// Every call returns a fresh copy, to be changed at will.
func OutageBreaker() Breaker {
	return Breaker{
		Name:     "outage",
		Kinds:    []classify.Kind{classify.BackendUnavailable, classify.ProviderUnavailable, classify.Network},
		Failures: 6,
		Open:     5 * time.Second,
		Jitter:   0.2,
		MaxOpen:  time.Minute,
		Probes:   1,
		Window:   32,
	}
}
