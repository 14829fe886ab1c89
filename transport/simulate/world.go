package simulate

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// host is the name of the backend.
const host = "backend.example"

// grace is how long calls without a deadline may take to end when no further ones begin.
const grace = time.Minute

// world is a scenario that is being played. It lives in a bubble of testing/synctest.
type world struct {
	scenario  Scenario
	number    int // how often the scenario was played before
	epoch     time.Time
	ctx       context.Context //nolint:containedctx // of everything in the world
	stop      context.CancelFunc
	backend   *backend
	processes []process
	watch     func(Progress) error // nil: nobody is told
	ended     func() error         // why nobody wants to know any more; nil: somebody does

	callers sync.WaitGroup
	mu      sync.Mutex
	calls   []*call // that have ended
	good    int     // of them
	samples []sample
	most    int   // how many of them there may be
	fault   error // that ended the simulation; the first
}

// process is one of those that the callers are in.
type process struct {
	shared *transport.Shared
	chain  http.RoundTripper
}

// newWorld returns the world in which a scenario is played for the i-th time.
func newWorld(s Scenario, i int, p *policy.Policy, configure func(*transport.Config)) (*world, error) {
	w := &world{scenario: s, number: i, epoch: time.Now(), backend: newBackend(s, i)}
	w.ctx, w.stop = context.WithCancel(context.Background())
	var classifier classify.Classifier
	if !s.Backend.Plain {
		alter, err := classify.ForAlter(host)
		if err != nil {
			return nil, err
		}
		classifier = alter
	}
	for range s.processes() {
		cfg := transport.Config{Classifier: classifier, Shared: transport.NewShared(p, transport.Keys{Key: policyName})}
		if configure != nil {
			configure(&cfg)
		}
		cfg.Hooks = transport.JoinHooks(transport.Hooks{Wait: func(ctx context.Context, _ transport.WaitInfo) { apart(ctx) }}, cfg.Hooks)
		cfg.PerAttempt = append([]transport.Middleware{wire, transport.AttemptTimeout(s.Backend.AttemptTimeout)}, cfg.PerAttempt...)
		if cfg.Shared == nil {
			return nil, errors.New("simulate: Configure took Config.Shared away: want one, it is what is looked at")
		}
		chain, err := transport.New(answering{w}, cfg)
		if err != nil {
			return nil, err
		}
		w.processes = append(w.processes, process{cfg.Shared, chain})
	}
	return w, nil
}

// play lets everything happen. It returns when the last call has ended.
func (w *world) play() error {
	defer w.stop()
	end := w.scenario.Duration + grace
	for _, t := range w.scenario.Traffic {
		end = max(end, w.scenario.Duration+t.Deadline+grace)
	}
	limit := time.AfterFunc(end, w.stop)
	defer limit.Stop()
	var others sync.WaitGroup
	others.Go(func() { w.guard(w.sample) })
	for i := range w.scenario.Traffic {
		w.callers.Go(func() { w.guard(func() { w.drive(i) }) })
	}
	w.callers.Wait()
	w.stop()
	others.Wait()
	return w.fault
}

// guard runs a part of the simulation. If that panics the simulation is over.
func (w *world) guard(part func()) {
	defer func() {
		if p := recover(); p != nil {
			w.fail(&PanicError{p, debug.Stack()})
		}
	}()
	part()
}

// fail ends the simulation.
func (w *world) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.abort(err)
}

func (w *world) abort(err error) {
	if w.fault == nil {
		w.fault = err
	}
	w.stop()
}

func (w *world) now() time.Duration { return time.Since(w.epoch) }

// alarm is what one goroutine waits with, again and again. The zero value is ready.
type alarm struct{ timer *time.Timer }

// wait waits for d, or for the end of the context. It reports whether the time has come.
func (a *alarm) wait(ctx context.Context, d time.Duration) bool {
	if a.timer == nil {
		a.timer = time.NewTimer(d)
	} else {
		a.timer.Reset(d)
	}
	select {
	case <-a.timer.C:
		return true
	case <-ctx.Done():
		a.timer.Stop()
		return false
	}
}

// Moments. Two events in the same nanosecond would happen in the order that the scheduler pleases. So every call has
// nanoseconds of its own, one in every turn, at which it starts, sends and is answered; what happens between the calls has one, too.

// turn is after how many nanoseconds the moments of a call come again.
const turn = 1 << 14

// slot returns the place in a turn of the n-th call of a source.
func (w *world) slot(source, n int) time.Duration {
	return time.Duration(1 + (n*len(w.scenario.Traffic)+source)%(turn-1))
}

// next returns the first moment of a slot that is not before t.
func next(t, slot time.Duration) time.Duration {
	at := t - t%turn + slot
	if at < t {
		at += turn
	}
	return at
}

// nearest returns the moment of a slot that is nearest to t, but after now.
func nearest(t, now, slot time.Duration) time.Duration { return next(max(t-turn/2, now+1), slot) }
