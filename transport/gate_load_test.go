package transport_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// registrar is a backend that refreshes the tokens of all grants, and counts. Its answers take a millisecond,
// its refusals no time. A request's grant is the last part of its path.
type registrar struct {
	http.RoundTripper
	shared     *transport.Shared
	refreshing atomic.Bool
	unsized    bool // refusals do not tell their length

	sent, flying atomic.Int64
	peak         atomic.Int64 // requests at once that were not refused
}

var jsonHeader = http.Header{"Content-Type": {"application/json"}}

func newRegistrar(t testing.TB, set *policy.Set, perAttempt ...transport.Middleware) *registrar {
	t.Helper()
	p, err := policy.New(*set)
	if err != nil {
		t.Fatal(err)
	}
	r := &registrar{shared: transport.NewShared(p, transport.Keys{})}
	r.refreshing.Store(true)
	r.RoundTripper = newChain(t, roundTripFunc(r.serve), transport.Config{
		Classifier: alter(t), Shared: r.shared, PerAttempt: perAttempt,
	})
	return r
}

func (r *registrar) serve(req *http.Request) (*http.Response, error) {
	r.sent.Add(1)
	if r.refreshing.Load() {
		body := `{"error":"token_refresh_in_progress","details":{"grant_id":"` + path.Base(req.URL.Path) + `"}}`
		resp := &http.Response{
			StatusCode: 409, Header: jsonHeader, ContentLength: int64(len(body)), Request: req,
			Body: io.NopCloser(strings.NewReader(body)),
		}
		if r.unsized {
			resp.ContentLength = -1
		}
		return resp, nil
	}
	n := r.flying.Add(1)
	defer r.flying.Add(-1)
	for peak := r.peak.Load(); n > peak && !r.peak.CompareAndSwap(peak, n); peak = r.peak.Load() {
	}
	time.Sleep(ms(1))
	return &http.Response{StatusCode: 200, Header: jsonHeader, Body: http.NoBody, Request: req}, nil
}

// answerSecond lets every call through at its second attempt.
func answerSecond(next http.RoundTripper) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if transport.Attempt(req.Context()) == 2 {
			return &http.Response{StatusCode: 200, Header: jsonHeader, Body: http.NoBody, Request: req}, nil
		}
		return next.RoundTrip(req)
	})
}

// send makes a call and returns what it came to: a status, or a kind.
func (r *registrar) send(req *http.Request) string {
	resp, err := r.RoundTrip(req)
	if err != nil {
		return classify.Of(nil, err).Kind.String()
	}
	resp.Body.Close()
	return fmt.Sprint(resp.StatusCode)
}

// requestOn is a request on a grant, which is told before it is sent if known.
func requestOn(ctx context.Context, grant string, known bool) *http.Request {
	if known {
		ctx = transport.ForGrant(ctx, grant)
	}
	req, _ := http.NewRequestWithContext(ctx, "POST", backend+"/"+grant, nil)
	return req
}

func allocated() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Of ten thousand calls a thousand leave, and the others are sent in the end.
func TestGateOfTenThousandCalls(t *testing.T) {
	const leave = 1000
	for name, tc := range map[string]struct {
		n              int
		known, unsized bool
		most           int64 // bytes for each
	}{
		"that have not asked":                          {n: 10_000, known: true, most: 1 << 10},
		"that have asked":                              {n: 10_000, most: 5 << 9},
		"that have asked, and got an answer by chunks": {n: 2000, unsized: true, most: 7 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := gating()
				set.MaxAttempts, set.Gate.Probe.MaxElapsed = 1_000_000, time.Hour
				r := newRegistrar(t, set)
				r.unsized = tc.unsized
				var (
					calls sync.WaitGroup
					begin = make(chan struct{})
					mu    sync.Mutex
					ends  = map[string]int{}
				)
				calls.Go(func() { r.send(requestOn(t.Context(), "g", false)) })
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				for i := range tc.n {
					req := requestOn(t.Context(), "g", tc.known)
					if i < leave {
						req = requestOn(ctx, "g", tc.known)
					}
					calls.Go(func() {
						<-begin
						end := r.send(req)
						mu.Lock()
						defer mu.Unlock()
						ends[end]++
					})
				}
				synctest.Wait()
				before := allocated()
				close(begin)
				synctest.Wait()
				each := (allocated() - before) / int64(tc.n)
				t.Logf("a call that waits takes %d bytes of the heap", each)
				if each > tc.most && !raceEnabled {
					t.Errorf("a call that waits takes %d bytes, want %d at most", each, tc.most)
				}
				if gates := r.shared.Snapshot().Gates; len(gates) != 1 || gates[0].Waiting != tc.n {
					t.Fatalf("gates %+v, want one where %d calls wait", gates, tc.n)
				}
				start := time.Now()
				cancel()
				synctest.Wait()
				if ends["canceled"] != leave || time.Since(start) != 0 {
					t.Errorf("%v after %v, want %d that left at once", ends, time.Since(start), leave)
				}
				r.refreshing.Store(false)
				calls.Wait()
				if ends["200"] != tc.n-leave {
					t.Errorf("%v, want %d that got through", ends, tc.n-leave)
				}
				if got := r.peak.Load(); got != 32 {
					t.Errorf("%d requests at once, want the window of 32", got)
				}
				if gates := r.shared.Snapshot().Gates; len(gates) != 0 {
					t.Errorf("gates left behind: %+v", gates)
				}
			})
		})
	}
}

func TestGatesOfAHundredThousandGrants(t *testing.T) {
	number := 100_000
	if raceEnabled || testing.Short() {
		number = 10_000
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRegistrar(t, gating(), answerSecond)
		const workers = 100
		var calls sync.WaitGroup
		for w := range workers {
			calls.Go(func() {
				for i := range number / workers {
					if end := r.send(requestOn(t.Context(), fmt.Sprint(w*number+i), false)); end != "200" {
						t.Errorf("%s, want 200", end)
					}
				}
			})
		}
		calls.Wait()
		if gates := r.shared.Snapshot().Gates; len(gates) != 0 {
			t.Errorf("%d gates left behind", len(gates))
		}
	})
}

// There are more grants at once than a registry remembers.
func TestGatesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := gating()
		set.Gate.Probe.Initial, set.Gate.Probe.Max = 5*time.Second, 5*time.Second
		r := newRegistrar(t, set, answerSecond)
		const grants, most = 20_000, 16_384
		var calls sync.WaitGroup
		for i := range grants {
			calls.Go(func() { r.send(requestOn(t.Context(), fmt.Sprintf("g%d", i), false)) })
		}
		time.Sleep(time.Second)
		gates := r.shared.Snapshot().Gates
		if len(gates) != most {
			t.Fatalf("%d gates, want %d", len(gates), most)
		}
		// Whoever finds no room retries by the profile of the failure; at a gate that is there is room for everybody.
		_, known, _ := strings.Cut(fmt.Sprint(gates[0].Key), " grant ")
		for grant, want := range map[string]time.Duration{"another": ms(200), known: 4 * time.Second} {
			calls.Go(func() {
				resp, err := r.RoundTrip(requestOn(t.Context(), grant, false))
				if trail := transport.TrailOf(resp, err); trail.Waited != want || trail.Reason != policy.Succeeded {
					t.Errorf("%s: %v, waited %v; want %v", grant, trail.Reason, trail.Waited, want)
				}
			})
		}
		calls.Wait()
		if gates := r.shared.Snapshot().Gates; len(gates) != 0 {
			t.Errorf("%d gates left behind", len(gates))
		}
	})
}

// The token of one grant is refreshed again and again, for 20 of every 50 ms; calls come and leave all the time. A call that is
// forgotten would wait for a second at least, after which a request counts as one that got through.
func TestGateForgetsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := gating()
		set.Gate.Probe.Initial, set.Gate.Probe.Max, set.Gate.Window = ms(7), ms(7), 4
		set.MaxAttempts = 1000
		start := time.Now()
		r := newRegistrar(t, set, func(next http.RoundTripper) http.RoundTripper {
			return roundTripFunc(func(req *http.Request) (*http.Response, error) {
				if time.Since(start)%ms(50) < ms(20) {
					return refreshing.RoundTrip(req)
				}
				time.Sleep(ms(1))
				return ok.RoundTrip(req)
			})
		})
		var calls sync.WaitGroup
		for w := range uint64(64) {
			calls.Go(func() {
				random := rand.New(rand.NewPCG(1, w))
				for range 50 {
					time.Sleep(time.Duration(random.IntN(10)) * ms(1))
					ctx, cancel := context.WithCancel(t.Context())
					if random.IntN(4) == 0 {
						time.AfterFunc(time.Duration(random.IntN(40))*ms(1), cancel)
					}
					begin := time.Now()
					end := r.send(requestOn(ctx, "g", random.IntN(2) == 0))
					if took := time.Since(begin); took >= time.Second || end != "200" && ctx.Err() == nil {
						t.Errorf("%s after %v, want 200 within a second", end, took)
					}
					cancel()
				}
			})
		}
		calls.Wait()
		if gates := r.shared.Snapshot().Gates; len(gates) != 0 {
			t.Errorf("gates left behind: %+v", gates)
		}
	})
}

func TestGateCostsTheCallsOnOtherGrantsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistrar(t, gating())
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		calls.Go(func() { r.send(requestOn(ctx, "g", false)) })
		synctest.Wait()
		resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}
		rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp.Request = req
			return resp, nil
		}), transport.Config{Classifier: alter(t), Shared: r.shared})
		req := requestOn(t.Context(), "h", true)
		if got := testing.AllocsPerRun(100, func() { _, _ = rt.RoundTrip(req) }); got != 0 {
			t.Errorf("%v allocations, want none", got)
		}
		if gates := r.shared.Snapshot().Gates; len(gates) != 1 || !gates[0].Closed {
			t.Errorf("gates %+v, want the one that is closed", gates)
		}
		cancel()
		calls.Wait()
	})
}
