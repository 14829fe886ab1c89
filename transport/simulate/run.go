package simulate

import (
	"context"
	"fmt"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// Run plays a scenario with a policy, inside a test, and returns what came of it. A scenario or a policy that is not valid
// fails the test at once.
func Run(t *testing.T, s Scenario, p policy.Set) Result {
	t.Helper()
	result, err := On(t).Run(t.Context(), s, p)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// Runner plays scenarios. Get one from [On] in a test, or from [Main] in a program. It plays one at a time.
type Runner struct {
	// Progress, if not nil, is called once in a simulated second. It runs inside the simulation, where time is virtual and stands still
	// meanwhile: it may write, but must not wait.
	Progress func(Progress)

	// Configure, if not nil, may change the chain of each process before it is made: add middlewares and hooks, or put another classifier or
	// another transport.Shared in the place of the simulation's own. What it adds must not wait for anything outside of the simulation.
	Configure func(*transport.Config)

	t *testing.T
}

// Progress says how far a simulation is.
type Progress struct {
	Played    int           // how often the scenario was played to its end
	Repeat    int           // how often it will be
	At        time.Duration // how far it is this time
	Duration  time.Duration // for how long calls begin
	Calls     int           // that have ended, this time
	Succeeded int           // of them
}

// On returns the runner of a test, which must not be in a bubble of testing/synctest itself.
func On(t *testing.T) *Runner { return &Runner{t: t} }

// Run plays a scenario with a policy. It returns an error if either is not valid, if the context ends, which is looked at once in
// a simulated second, if there are far more calls than [Scenario.Validate] allows for, or if something panics: a [*PanicError].
func (r *Runner) Run(ctx context.Context, s Scenario, p policy.Set) (Result, error) {
	if err := s.Validate(); err != nil {
		return Result{}, err
	}
	frozen, err := policy.New(p)
	if err != nil {
		return Result{}, err
	}
	var rec record
	most := mostCalls + mostCalls/10 // Validate counts what chance brings about
	for i := range s.repeat() {
		w, err := r.play(ctx, s, frozen, i, most)
		if err != nil {
			return Result{}, err
		}
		most -= len(w.calls)
		rec.add(w)
	}
	return rec.result(s), nil
}

// play plays the scenario for the i-th time, in a bubble of its own.
func (r *Runner) play(ctx context.Context, s Scenario, p *policy.Policy, i, most int) (w *world, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = &PanicError{panicked, debug.Stack()}
		}
	}()
	synctest.Test(r.t, func(*testing.T) {
		defer func() {
			if panicked := recover(); panicked != nil {
				err = &PanicError{panicked, debug.Stack()}
			}
		}()
		if w, err = newWorld(s, i, p, r.Configure); err != nil {
			return
		}
		w.most, w.ended = most, ctx.Err
		w.watch = func(p Progress) error {
			if r.Progress != nil {
				r.Progress(p)
			}
			return ctx.Err()
		}
		err = w.play()
	})
	return w, err
}

// PanicError says that something panicked inside a simulation: a hook, a middleware, a classifier, or the chain.
type PanicError struct {
	Value any    // that it panicked with
	Stack []byte // where that was
}

// Error returns the value in a line.
func (e *PanicError) Error() string { return fmt.Sprintf("simulate: panic: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
