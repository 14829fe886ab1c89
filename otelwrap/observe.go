package otelwrap

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/metric"

	"github.com/steadytrip/steadytrip/transport"
)

// Observe registers the metrics of what calls know together: breakers, gates and budgets, summed up over all keys. The state
// is looked at whenever metrics are collected, see [transport.Shared.Snapshot]. Register each Shared once.
//
// Stop ends it, and lets go of shared; it may be called more than once. Of opts only the MeterProvider counts. A nil shared
// is an error.
func Observe(shared *transport.Shared, opts Options) (stop func() error, err error) {
	if shared == nil {
		return nil, errors.New("otelwrap: Observe: shared is nil: want what the chain has as Config.Shared")
	}
	m := meter(opts)
	s := &state{shared: shared, names: map[string]struct{}{}}
	var faults [5]error
	s.breakers, faults[0] = m.Int64ObservableUpDownCounter("steadytrip.client.breaker.count", metric.WithUnit("{breaker}"),
		metric.WithDescription("Breakers that are in trouble, by name and state."))
	s.held, faults[1] = m.Int64ObservableUpDownCounter("steadytrip.client.breaker.waiting", metric.WithUnit("{attempt}"),
		metric.WithDescription("Attempts that a breaker holds until it is their turn."))
	s.gates, faults[2] = m.Int64ObservableUpDownCounter("steadytrip.client.gate.count", metric.WithUnit("{gate}"),
		metric.WithDescription("Gates that are closed, because a token is being refreshed."))
	s.waiting, faults[3] = m.Int64ObservableUpDownCounter("steadytrip.client.gate.waiting", metric.WithUnit("{call}"),
		metric.WithDescription("Calls that wait at a gate."))
	s.tokens, faults[4] = m.Float64ObservableGauge("steadytrip.client.budget.tokens", metric.WithUnit("{token}"),
		metric.WithDescription("Tokens left in the retry budget that has the fewest."))
	if err := errors.Join(faults[:]...); err != nil {
		return nil, err
	}
	registration, err := m.RegisterCallback(s.observe, s.breakers, s.held, s.gates, s.waiting, s.tokens)
	if err != nil {
		return nil, err
	}
	return sync.OnceValue(registration.Unregister), nil
}

// state is what is observed of a Shared.
type state struct {
	shared   *transport.Shared
	breakers metric.Int64ObservableUpDownCounter
	held     metric.Int64ObservableUpDownCounter
	gates    metric.Int64ObservableUpDownCounter
	waiting  metric.Int64ObservableUpDownCounter
	tokens   metric.Float64ObservableGauge

	mu    sync.Mutex
	names map[string]struct{} // of breakers that were in trouble, as many as the policy has: they are told of when it is over, too
}

var states = [...]transport.State{transport.Closed, transport.HalfOpen, transport.Open}

func (s *state) observe(_ context.Context, o metric.Observer) error {
	type named struct {
		name  string
		state transport.State
	}
	snap := s.shared.Snapshot()
	count := map[named]int64{}
	held, closed, waiting := 0, 0, 0
	s.mu.Lock()
	for _, b := range snap.Breakers {
		s.names[b.Name] = struct{}{}
		count[named{b.Name, b.State}]++
		held += b.Held
	}
	for name := range s.names {
		for _, st := range states {
			o.ObserveInt64(s.breakers, count[named{name, st}],
				metric.WithAttributes(keyBreaker.String(name), keyState.String(st.String())))
		}
	}
	s.mu.Unlock()
	o.ObserveInt64(s.held, int64(held))
	for _, g := range snap.Gates {
		waiting += g.Waiting
		if g.Closed {
			closed++
		}
	}
	o.ObserveInt64(s.gates, int64(closed))
	o.ObserveInt64(s.waiting, int64(waiting))
	if len(snap.Budgets) > 0 {
		least := snap.Budgets[0].Tokens
		for _, b := range snap.Budgets {
			least = min(least, b.Tokens)
		}
		o.ObserveFloat64(s.tokens, least)
	}
	return nil
}
