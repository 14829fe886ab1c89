package stub

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// Worker returns what one goroutine repeats.
type Worker func(ctx context.Context) func() error

// Goroutines are how many of them a benchmark is run with. As many as that share the processors: a time is that from one
// exchange's end to the next one's end.
var Goroutines = []int{1, 32}

// Run measures a worker alone and with 31 others.
func Run(b *testing.B, w Worker) {
	b.Helper()
	for _, n := range Goroutines {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) { Parallel(b, n, w) })
	}
}

// Parallel measures n workers at once.
func Parallel(b *testing.B, n int, w Worker) {
	b.Helper()
	b.ReportAllocs()
	if n == 1 {
		work := w(b.Context())
		for b.Loop() {
			if err := work(); err != nil {
				b.Fatal(err)
			}
		}
		return
	}
	procs := runtime.GOMAXPROCS(0)
	b.SetParallelism((n + procs - 1) / procs)
	b.RunParallel(func(pb *testing.PB) {
		work := w(b.Context())
		for pb.Next() {
			if err := work(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// batch is how many exchanges each goroutine makes before it is the other's turn. They take a millisecond or so.
func batch(n int, once time.Duration) int { return max(1, int(2*time.Millisecond/max(once, 1))/n) }

// Paired measures two workers in turn, so that whatever else the machine does hits both. It reports the medians of: how many times
// as long the second takes (x-bare), and how much longer (over-bare).
func Paired(b *testing.B, n int, bare, chain Worker) {
	b.Helper()
	ws := [2][]func() error{}
	for range n {
		ws[0] = append(ws[0], bare(b.Context()))
		ws[1] = append(ws[1], chain(b.Context()))
	}
	run := func(works []func() error, times int) time.Duration {
		var all sync.WaitGroup
		begin := time.Now()
		for _, work := range works {
			all.Go(func() {
				for range times {
					if err := work(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		return time.Since(begin)
	}
	for _, works := range ws {
		run(works, 10) // connections, pools, keys
	}
	times := batch(n, run(ws[0], 10)/time.Duration(10*n))
	var ratios, more []float64
	for i := 0; b.Loop(); i++ {
		var took [2]time.Duration
		for j := range 2 {
			which := (i + j) % 2 // neither goes first
			took[which] = run(ws[which], times)
		}
		ratios = append(ratios, float64(took[1])/float64(took[0]))
		more = append(more, float64(took[1]-took[0])/float64(times*n))
	}
	b.ReportMetric(0, "ns/op") // of both together
	b.ReportMetric(median(ratios), "x-bare")
	b.ReportMetric(median(more), "over-bare-ns/op")
}

func median[T cmp.Ordered](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}
