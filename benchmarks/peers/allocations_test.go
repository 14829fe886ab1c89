package peers

import (
	"fmt"
	"testing"

	"github.com/steadytrip/steadytrip/benchmarks/internal/stub"
)

// more is how many allocations steadytrip may take more than a peer for a retried POST. It takes fewer than those that are not here.
var more = map[string]map[string]float64{
	"503":             {"heimdall": 2}, // which sends the caller's own request again
	"409-grant-named": {"rehttp": 5},
}

// The error's body is in memory, as in the peers' own benchmarks.
func TestRetriedPostAllocatesLessThanPeers(t *testing.T) {
	for _, post := range posts {
		t.Run(post.name, func(t *testing.T) {
			base := &stub.Base{Body: stub.InMemory, Answers: []stub.Answer{post.answer, stub.Fine}}
			ours := 0.0
			for i, l := range libs {
				if l.only5xx && post.answer.Status < 500 {
					continue
				}
				work := posting(l.wrap(t, base), post.ctx, post.key)(t.Context())
				got := allocations(t, work)
				t.Logf("%s: %v", l.name, got)
				if i == 0 {
					ours = got
					continue
				}
				most := got - 1
				if by, ok := more[post.name][l.name]; ok {
					most = got + by
				}
				if ours > most && !raceEnabled {
					t.Errorf("%v allocations, want at most %v beside the %v of %s", ours, most, got, l.name)
				}
			}
		})
	}
}

func TestSuccessAllocatesNothing(t *testing.T) {
	base := &stub.Base{Answers: []stub.Answer{stub.Fine}}
	bare := allocations(t, get(base, stub.URL, 200)(t.Context()))
	for _, l := range libs {
		got := allocations(t, get(l.wrap(t, base), stub.URL, 200)(t.Context())) - bare
		t.Logf("%s: %v", l.name, got)
		if l.name == libs[0].name && got != 0 {
			t.Errorf("%v allocations over the bare base, want none", got)
		}
	}
}

func allocations(tb testing.TB, work func() error) float64 {
	tb.Helper()
	var failed error
	got := testing.AllocsPerRun(500, func() {
		if err := work(); err != nil {
			failed = fmt.Errorf("the exchange: %w", err)
		}
	})
	if failed != nil {
		tb.Fatal(failed)
	}
	return got
}
