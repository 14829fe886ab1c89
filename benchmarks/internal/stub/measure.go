package stub

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
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

// Parallel measures n workers at once. Beside the time that a call takes it reports how much of the processors' time it takes
// (cpu), in the garbage collector too.
func Parallel(b *testing.B, n int, w Worker) {
	b.Helper()
	b.ReportAllocs()
	begin := cpu()
	defer func() { b.ReportMetric(float64(cpu()-begin)/float64(b.N), "cpu-ns/op") }()
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
	var workers atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		if workers.Add(1) > int64(n) { // there are as many for each processor
			return
		}
		work := w(b.Context())
		for pb.Next() {
			if err := work(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// crew are goroutines that work in batches. They stay, with the stacks that they have grown, so that every batch finds them alike.
type crew struct {
	orders []chan order
	done   sync.WaitGroup
}

// order is a batch: which of the two, and how often.
type order struct{ which, times int }

func newCrew(b *testing.B, n int, both [2]Worker) *crew {
	b.Helper()
	c := &crew{}
	for range n {
		works := [2]func() error{both[0](b.Context()), both[1](b.Context())}
		orders := make(chan order)
		c.orders = append(c.orders, orders)
		go func() {
			for o := range orders {
				for range o.times {
					if err := works[o.which](); err != nil {
						b.Error(err)
						break
					}
				}
				c.done.Done()
			}
		}()
	}
	return c
}

// run lets everybody work, and returns how long that took.
func (c *crew) run(o order) time.Duration {
	c.done.Add(len(c.orders))
	begin := time.Now()
	for _, orders := range c.orders {
		orders <- o
	}
	c.done.Wait()
	return time.Since(begin)
}

func (c *crew) dismiss() {
	for _, orders := range c.orders {
		close(orders)
	}
}

// batch is how long one takes, so that its begin and its end, where not everybody works, do not count, and so short that many are
// over before something else wants the processor.
const batch = time.Millisecond

// Paired measures two workers in turn, so that whatever else the machine does hits both. It reports how many times as long the second
// takes (x-bare), and of the processors' time how many times as much (x-bare-cpu) and how much more (over-bare-cpu). What else the
// machine does only ever adds: x-bare compares the batches of both that a tenth of their kind beat, and the other two are medians of
// pairs, since the processors' time of one batch is told too coarsely.
func Paired(b *testing.B, n int, bare, chain Worker) {
	b.Helper()
	c := newCrew(b, n, [2]Worker{bare, chain})
	defer c.dismiss()
	const warm = 5 // connections, pools, keys, stacks
	c.run(order{1, warm})
	c.run(order{0, warm})
	times := max(warm, int(warm*batch/c.run(order{0, warm})))
	var took [2][]time.Duration
	var costlier, more []float64
	for i := 0; b.Loop(); i++ {
		var used [2]time.Duration
		for j := range 2 {
			which := (i + j) % 2 // neither goes first
			begin := cpu()
			took[which] = append(took[which], c.run(order{which, times}))
			used[which] = cpu() - begin
		}
		costlier = append(costlier, float64(used[1])/float64(max(used[0], 1)))
		more = append(more, float64(used[1]-used[0])/float64(times*n))
	}
	b.ReportMetric(0, "ns/op") // of both together
	b.ReportMetric(float64(quantile(took[1], 0.1))/float64(quantile(took[0], 0.1)), "x-bare")
	b.ReportMetric(quantile(costlier, 0.5), "x-bare-cpu")
	b.ReportMetric(quantile(more, 0.5), "over-bare-cpu-ns/op")
}

// quantile is what the part q of all are below.
func quantile[T cmp.Ordered](all []T, q float64) T {
	slices.Sort(all)
	return all[int(q*float64(len(all)))]
}
