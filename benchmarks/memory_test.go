package benchmarks

import (
	"context"
	"testing"
)

// Below what a registry has room for, even if the shards fill unevenly.
const someKeys, someWaiters = 10_000, 1000

// What is kept, at most.
const keyBytes, waiterBytes = 2400, 1300

// waiting is how much of the heap a call takes that waits at a gate. Its goroutine, which every call has, is left out.
func waiting(tb testing.TB) (bytes float64) {
	tb.Helper()
	r := newRefresh(tb)
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	if err := r.begin(ctx, someWaiters); err != nil {
		tb.Fatal(err)
	}
	if err := r.end(); err != nil { // the runtime keeps what it knows of goroutines for those to come
		tb.Fatal(err)
	}
	before := heap()
	if err := r.begin(ctx, someWaiters); err != nil {
		tb.Fatal(err)
	}
	bytes = float64(heap()-before) / someWaiters
	if err := r.end(); err != nil {
		tb.Fatal(err)
	}
	return bytes
}

// BenchmarkMemory is what the chain keeps: of a key whose breaker is open and which has a budget, and of a call that waits
// at a gate.
func BenchmarkMemory(b *testing.B) {
	for name, measure := range map[string]func(testing.TB) float64{
		"per=key":    func(tb testing.TB) float64 { return tracked(tb, someKeys) },
		"per=waiter": waiting,
	} {
		b.Run(name, func(b *testing.B) {
			bytes := 0.0
			for b.Loop() {
				bytes = measure(b)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(bytes, "B")
		})
	}
}

// The bounds leave room for half as much again.
func TestMemory(t *testing.T) {
	if got := tracked(t, someKeys); got > keyBytes {
		t.Errorf("%.0f bytes for a key, want %d at most", got, keyBytes)
	} else {
		t.Logf("%.0f bytes for a key", got)
	}
	if got := waiting(t); got > waiterBytes {
		t.Errorf("%.0f bytes for a call that waits, want %d at most", got, waiterBytes)
	} else {
		t.Logf("%.0f bytes for a call that waits", got)
	}
}
