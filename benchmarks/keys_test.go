package benchmarks

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/steadytrip/steadytrip/benchmarks/internal/stub"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

type nameKey struct{}

// named reads the key of a request from its context: a name that its worker sets before each call.
func named(req *http.Request) string {
	name, ok := req.Context().Value(nameKey{}).(*string)
	if !ok {
		return ""
	}
	return *name
}

// BenchmarkKeys is a call that succeeds, on one key after the other. The registry has room for 16384.
func BenchmarkKeys(b *testing.B) {
	for _, n := range []int{1, 10_000, 1_000_000} {
		names := make([]string, n)
		for i := range names {
			names[i] = "tenant-" + strconv.Itoa(i)
		}
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			cfg := stub.Config(b)
			cfg.Key = named
			rt := stub.NewChain(b, &stub.Base{Answers: []stub.Answer{stub.Fine}}, cfg)
			name := ""
			first := stub.Get(context.WithValue(b.Context(), nameKey{}, &name), stub.URL)
			for _, name = range names[:min(n, 50_000)] { // enough to fill the registry
				if err := stub.Exchange(rt, first, 200); err != nil {
					b.Fatal(err)
				}
			}
			var workers atomic.Int64
			stub.Run(b, func(ctx context.Context) func() error {
				name := ""
				req := stub.Get(context.WithValue(ctx, nameKey{}, &name), stub.URL)
				i := int(workers.Add(1)) * 7919 // each begins elsewhere, and comes by all of them, here and there
				return func() error {
					name = names[i%n]
					i += 611_953
					return stub.Exchange(rt, req, 200)
				}
			})
		})
	}
}

// BenchmarkTrouble is a call that succeeds while the breakers of so many other keys are open.
func BenchmarkTrouble(b *testing.B) {
	for _, n := range []int{0, 1, 10_000} {
		b.Run(fmt.Sprintf("open=%d", n), func(b *testing.B) {
			cfg := stub.Config(b)
			cfg.Key = named
			rt := stub.NewChain(b, &stub.Base{Body: stub.InMemory, Answers: []stub.Answer{stub.Limited, stub.Fine}}, cfg)
			for i := range n {
				name := strconv.Itoa(i)
				req := stub.Get(context.WithValue(stub.InTurn(b.Context()), nameKey{}, &name), stub.URL)
				if err := stub.Exchange(rt, req, 429); err != nil {
					b.Fatal(err)
				}
			}
			stub.Run(b, func(ctx context.Context) func() error {
				name := "another"
				req := stub.Get(context.WithValue(ctx, nameKey{}, &name), stub.URL)
				return func() error { return stub.Exchange(rt, req, 200) }
			})
		})
	}
}

// BenchmarkScaling is a call that succeeds, in 32 goroutines on one processor and on all: on the bare base, over 64 hosts
// and over one.
func BenchmarkScaling(b *testing.B) {
	base := &stub.Base{Answers: []stub.Answer{stub.Fine}}
	for _, tc := range []struct {
		name  string
		rt    http.RoundTripper
		hosts int
	}{{"bare", base, 64}, {"64-hosts", stub.Chain(b, base), 64}, {"1-host", stub.Chain(b, base), 1}} {
		for _, procs := range slices.Compact([]int{1, runtime.GOMAXPROCS(0)}) {
			b.Run(fmt.Sprintf("over=%s/procs=%d", tc.name, procs), func(b *testing.B) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				var workers atomic.Int64
				stub.Parallel(b, 32, func(ctx context.Context) func() error {
					i := int(workers.Add(1)) * 2
					reqs := make([]*http.Request, tc.hosts)
					for j := range reqs {
						reqs[j] = stub.Get(ctx, "https://host-"+strconv.Itoa(j)+".example/v1")
					}
					return func() error {
						i++
						return stub.Exchange(tc.rt, reqs[i%len(reqs)], 200)
					}
				})
			})
		}
	}
}

// tracked is the state of n keys that are all in trouble and have a budget, and how much of the heap a key takes.
func tracked(tb testing.TB, n int) (bytes float64) {
	tb.Helper()
	cfg := stub.Config(tb)
	p, err := policy.New(*cfg.Policy)
	if err != nil {
		tb.Fatal(err)
	}
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	name := ""
	req := stub.Get(context.WithValue(tb.Context(), nameKey{}, &name), stub.URL)
	before := heap()
	shared := transport.NewShared(p, transport.Keys{Key: named})
	cfg.Policy, cfg.Shared = nil, shared
	rt := stub.NewChain(tb, &stub.Base{Body: stub.InMemory, Answers: []stub.Answer{stub.Limited}}, cfg)
	for _, name = range names {
		if err := stub.Exchange(rt, req, 429); err != nil {
			tb.Fatal(err)
		}
	}
	bytes = float64(heap()-before) / float64(n)
	if s := shared.Snapshot(); len(s.Breakers) != n || len(s.Budgets) != n {
		tb.Fatalf("%d breakers and %d budgets, want %d of each", len(s.Breakers), len(s.Budgets), n)
	}
	runtime.KeepAlive(names)
	return bytes
}

// heap is how much of it is in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
