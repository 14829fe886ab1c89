package policy

import (
	"slices"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// Breaker says when requests are refused locally, to leave a server alone that keeps saying no.
// The zero value is no breaker.
type Breaker struct {
	// Kinds are the failures that count, each with its descendants. None: no breaker, and the other fields mean nothing.
	// Every other outcome is a success or leaves the breaker as it is.
	Kinds []classify.Kind

	Failures int           // failures in a row, none of them with a hint, that open it; a hint opens it at once
	Open     time.Duration // how long it stays open without a hint
	Jitter   Jitter        // spreads Open upward only: a random time in [Open, Open*(1+Jitter)], so FullJitter is up to double
	MaxOpen  time.Duration // longest hint that is honoured; it stays open no longer than that
	Probes   int           // requests let through at once when half-open; as many successes close it
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
