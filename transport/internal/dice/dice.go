// Package dice is where the chain gets its randomness: from a source that rides in a request's context, so that a simulation can
// repeat itself, and from the global generator of math/rand/v2 everywhere else.
package dice

import (
	"context"
	"math/rand/v2"
)

// Source yields numbers in [0, 1). It need not be safe for concurrent use: the chain asks the source of a call in that call's
// own goroutine only.
type Source interface{ Float64() float64 }

type key struct{}

// With returns a context whose requests get their randomness from s.
func With(ctx context.Context, s Source) context.Context { return context.WithValue(ctx, key{}, s) }

// Float64 returns a number in [0, 1).
func Float64(ctx context.Context) float64 {
	if s, ok := ctx.Value(key{}).(Source); ok {
		return s.Float64()
	}
	return rand.Float64()
}
