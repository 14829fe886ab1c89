package dice_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/steadytrip/steadytrip/transport/internal/dice"
)

func TestTheContextsSourceIsAsked(t *testing.T) {
	ctx := dice.With(context.Background(), rand.New(rand.NewPCG(1, 2)))
	same := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		if got, want := dice.Float64(ctx), same.Float64(); got != want {
			t.Fatalf("got %v, want %v, as its source yields", got, want)
		}
	}
}

func TestWithoutASourceTheNumbersDiffer(t *testing.T) {
	seen := map[float64]bool{}
	for range 100 {
		x := dice.Float64(context.Background())
		if !(x >= 0 && x < 1) {
			t.Fatalf("got %v, want a number in [0, 1)", x)
		}
		seen[x] = true
	}
	if len(seen) < 99 {
		t.Errorf("got %d different numbers of 100", len(seen))
	}
}
