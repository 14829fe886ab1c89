package stub

import (
	"context"
	"flag"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
)

func TestAsManyWorkAsTheNameSays(t *testing.T) {
	times := flag.Lookup("test.benchtime")
	before := times.Value.String()
	if err := times.Value.Set("100x"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = times.Value.Set(before) }()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 3, 40} {
		runtime.GOMAXPROCS(procs)
		for _, n := range Goroutines {
			var workers []int64 // of each run, by their number of exchanges
			result := testing.Benchmark(func(b *testing.B) {
				var all, work atomic.Int64
				Parallel(b, n, func(context.Context) func() error {
					all.Add(1)
					return func() error { work.Add(1); return nil }
				})
				workers = append(workers, all.Load())
				if got := work.Load(); got != int64(b.N) {
					b.Errorf("%d exchanges, want %d", got, b.N)
				}
			})
			if slices.Max(workers) != int64(n) || slices.Min(workers) != int64(n) || result.N != 100 {
				t.Errorf("on %d processors %d work and %d times, want %d and 100 times", procs, workers, result.N, n)
			}
		}
	}
}
