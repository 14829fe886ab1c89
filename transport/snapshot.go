package transport

import (
	"cmp"
	"slices"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// Snapshot is what calls know together at a moment, in the order of the keys. Keys may name grants, and what a user's own
// key function made of a request.
type Snapshot struct {
	Time     time.Time
	Forced   []ForcedStatus  // keys that an operator has forced open or closed
	Breakers []BreakerStatus // breakers that are in trouble; the others know nothing
	Gates    []GateStatus    // grants whose token is being refreshed
	Budgets  []BudgetStatus  // retry budgets
}

// ForcedStatus is an operator's word about a key.
type ForcedStatus struct {
	Key   Key
	State State // Open or Closed
	Until time.Time
}

// BreakerStatus is what a breaker knows about a key.
type BreakerStatus struct {
	Name     string // the breaker's, in the policy
	Key      Key
	State    State
	Until    time.Time        // when it begins to probe; zero unless it is open
	Failures int              // in a row, while it is closed
	Probes   int              // under way, while it is half-open
	Window   int              // bound on the requests in flight while it closes; 0 if there is none
	Flying   int              // of those
	Held     int              // attempts that wait for their turn
	Verdict  classify.Verdict // what opened it last
}

// GateStatus is what the calls on a grant are doing.
type GateStatus struct {
	Key     Key
	Closed  bool // one of them asks, and the others wait for it; otherwise those who waited are being sent
	Waiting int
	Flying  int // sent and without an answer
}

// BudgetStatus is a retry budget.
type BudgetStatus struct {
	Key              Key
	Tokens, Capacity float64 // in hand, and at most
}

// Snapshot returns a copy of what calls know together. It takes as long as there are keys, and holds up nobody.
func (s *Shared) Snapshot() Snapshot {
	snap := Snapshot{Time: time.Now()}
	s.forced.each(func(k key, f *forced) {
		if w := f.word(); w.holds() {
			snap.Forced = append(snap.Forced, ForcedStatus{keyOf(k.name), w.state, snap.Time.Add(w.left)})
		}
	})
	for _, b := range s.rules.Load().breakers {
		b.circuits.each(func(k key, c *circuit) { snap.Breakers = append(snap.Breakers, c.status(b.rule.Name, k, snap.Time)) })
	}
	s.gates.each(func(k key, g *gate) { snap.Gates = append(snap.Gates, g.status(k)) })
	s.budgets.each(func(b BudgetStatus) { snap.Budgets = append(snap.Budgets, b) })

	slices.SortFunc(snap.Forced, func(a, b ForcedStatus) int { return a.Key.compare(b.Key) })
	slices.SortFunc(snap.Breakers, func(a, b BreakerStatus) int {
		return cmp.Or(a.Key.compare(b.Key), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(snap.Gates, func(a, b GateStatus) int { return a.Key.compare(b.Key) })
	slices.SortFunc(snap.Budgets, func(a, b BudgetStatus) int { return a.Key.compare(b.Key) })
	return snap
}

func (c *circuit) status(name string, k key, now time.Time) BreakerStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := BreakerStatus{
		Name: name, Key: k.public(), State: c.state(), Failures: c.failures, Held: c.held.Len(), Verdict: c.verdict,
	}
	switch {
	case s.State == Open:
		s.Until = now.Add(c.until.Sub(now)) // by the clock on the wall as it is now
	case c.trip != nil:
		s.Probes = len(c.trip.leases)
	case c.closing != nil && c.rule.Window > 0:
		s.Window, s.Flying = c.closing.limit, c.closing.flying
	}
	return s
}

func (g *gate) status(k key) GateStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	return GateStatus{Key: k.public(), Closed: g.probe != nil, Waiting: g.waiting.Len(), Flying: g.flying.Len()}
}

// each calls f for every budget, under no lock, by the usual spelling of its server.
func (bs *budgets) each(f func(BudgetStatus)) {
	bs.kept.each(func(k key, b *bucket) {
		if k != k.canonical() || !bs.lock(b) {
			return
		}
		s := BudgetStatus{Key: k.public(), Capacity: b.b.Capacity()}
		s.Tokens = min(b.b.Tokens(), s.Capacity) // what is above is lost when next a retry asks
		b.unlock()
		f(s)
	})
}
