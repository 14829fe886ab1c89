package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/benchmarks/internal/stub"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

const grant = "grant-1"

// refresh is a grant whose token is being refreshed, and the chain before it. The call that asks is let go when over says so.
type refresh struct {
	http.RoundTripper
	shared  *transport.Shared
	base    stub.Base
	asked   chan struct{} // the call that asks has been refused, and asks again
	over    chan struct{}
	ended   chan struct{} // receives for each call; that takes no memory, which is measured
	failed  chan error    // receives for the first that fails
	waiting int
	calls   sync.WaitGroup
}

type askKey struct{}

func newRefresh(tb testing.TB) *refresh {
	tb.Helper()
	cfg := stub.Config(tb)
	p, err := policy.New(*cfg.Policy)
	if err != nil {
		tb.Fatal(err)
	}
	r := &refresh{shared: transport.NewShared(p, transport.Keys{})}
	r.base = stub.Base{Body: stub.InMemory, Answers: []stub.Answer{stub.Refreshing, stub.Fine}}
	cfg.Policy, cfg.Shared = nil, r.shared
	cfg.PerAttempt = []transport.Middleware{func(next http.RoundTripper) http.RoundTripper { return holding{r, next} }}
	r.RoundTripper = stub.NewChain(tb, &r.base, cfg)
	return r
}

// holding keeps the second attempt of the call that asks until the refresh is over.
type holding struct {
	*refresh
	next http.RoundTripper
}

func (h holding) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Context().Value(askKey{}) != nil && transport.Attempt(req.Context()) > 1 {
		h.asked <- struct{}{}
		<-h.over
	}
	return h.next.RoundTrip(req)
}

// begin lets a call ask, and n others wait for it. It returns when all of them do; an error if one has ended before.
func (r *refresh) begin(ctx context.Context, n int) error {
	r.asked, r.over, r.ended, r.waiting = make(chan struct{}), make(chan struct{}), make(chan struct{}, n+1), n
	r.failed = make(chan error, 1)
	ctx = transport.ForGrant(ctx, grant)
	ask := stub.Get(context.WithValue(stub.InTurn(ctx), askKey{}, true), stub.URL)
	late := stub.Get(ctx, stub.URL)
	r.send(ask)
	select {
	case <-r.asked:
	case <-r.ended:
		return errors.Join(errors.New("the call that asks has ended"), r.end())
	}
	for range n {
		r.send(late)
	}
	for !r.inLine() {
		if len(r.ended) > 0 { // perhaps it took all of them so long that the gate gave up the one that asks
			return errors.Join(errors.New("a call has ended that was to wait"), r.end())
		}
		runtime.Gosched()
	}
	return nil
}

// inLine reports whether everybody waits.
func (r *refresh) inLine() bool {
	gates := r.shared.Snapshot().Gates
	return r.waiting == 0 || len(gates) == 1 && gates[0].Waiting == r.waiting
}

func (r *refresh) send(req *http.Request) {
	r.calls.Go(func() {
		if err := stub.Exchange(r, req, 200); err != nil {
			select {
			case r.failed <- err:
			default:
			}
		}
		r.ended <- struct{}{}
	})
}

// end ends the refresh, and returns when everybody has an answer.
func (r *refresh) end() error {
	close(r.over)
	r.calls.Wait()
	select {
	case err := <-r.failed:
		return fmt.Errorf("of %d calls one has failed: %w", r.waiting+1, err)
	default:
		return nil
	}
}

var errGone = errors.New("gone")

// leaving is a chain that has no answer for the call that asks, or for the others.
type leaving struct {
	http.RoundTripper
	asks bool
}

func (l leaving) RoundTrip(req *http.Request) (*http.Response, error) {
	if (req.Context().Value(askKey{}) != nil) == l.asks {
		return nil, errGone
	}
	return l.RoundTripper.RoundTrip(req)
}

func TestNobodyIsAwaitedWhoHasEnded(t *testing.T) {
	for _, asks := range []bool{true, false} {
		r := newRefresh(t)
		r.RoundTripper = leaving{r.RoundTripper, asks}
		if err := r.begin(t.Context(), 3); !errors.Is(err, errGone) {
			t.Errorf("%v if those leave that ask: %v; want that a call has ended", err, asks)
		}
	}
}

// BenchmarkGate is a refresh for which so many calls wait: how long it takes until all have their answers, from its end on.
// The base answers at once. Without the chain they wait for a channel to be closed, which is the least that waiting can cost.
func BenchmarkGate(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("waiters=%d", n), func(b *testing.B) {
			b.Run("chain=bare", func(b *testing.B) {
				base := &stub.Base{Answers: []stub.Answer{stub.Fine}}
				req := stub.Get(b.Context(), stub.URL)
				var took time.Duration
				for b.Loop() {
					var calls, ready sync.WaitGroup
					over := make(chan struct{})
					ready.Add(n)
					for range n {
						calls.Go(func() {
							ready.Done()
							<-over
							if err := stub.Exchange(base, req, 200); err != nil {
								b.Error(err)
							}
						})
					}
					ready.Wait()
					begin := time.Now()
					close(over)
					calls.Wait()
					took += time.Since(begin)
				}
				perWaiter(b, took, n)
			})
			b.Run("chain=steadytrip", func(b *testing.B) {
				r := newRefresh(b)
				var took time.Duration
				for b.Loop() {
					if err := r.begin(b.Context(), n); err != nil {
						b.Fatal(err)
					}
					begin := time.Now()
					if err := r.end(); err != nil {
						b.Fatal(err)
					}
					took += time.Since(begin)
				}
				perWaiter(b, took, n)
			})
		})
	}
}

func perWaiter(b *testing.B, took time.Duration, n int) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // with all that it takes to let them wait
	b.ReportMetric(float64(took)/float64(b.N)/float64(n), "ns/waiter")
}
