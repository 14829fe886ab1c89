package transport

import (
	"math"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/steadytrip/steadytrip/policy"
)

// Shared is what calls know together: the state of the breakers, the budgets and the gates of all keys, and the policy that
// they follow. [New] makes one for each chain; give the same one to several chains, by [Config].Shared, so that what one of
// them learns the others know at once.
//
// It is bounded. Of each kind it remembers 16384 keys; when there is no room it forgets those with nothing to remember,
// and a key that finds no room goes without. It is safe for concurrent use.
type Shared struct {
	rules   atomic.Pointer[rules]
	keys    Keys
	forced  *registry[forced]
	gates   *registry[gate]
	budgets *budgets

	setting sync.Mutex // held while the policy changes
}

// rules are a policy in force, with what calls ask of it made ready. They do not change: another policy has others.
type rules struct {
	policy   *policy.Policy
	gate     policy.Gate
	patience time.Duration // of a call that waits before it is sent at all, its own deadline aside
	breakers []*breaker
}

// breaker is one breaker of the policy, for all keys.
type breaker struct {
	rule     policy.Breaker
	circuits *registry[circuit] // of the keys in trouble; empty while all is well
}

// NewShared returns the state of calls that follow p and are keyed by keys. A nil p is [policy.Default].
func NewShared(p *policy.Policy, keys Keys) *Shared {
	s := &Shared{keys: keys, forced: newRegistry((*forced).spare), gates: newRegistry((*gate).retire)}
	if p == nil {
		p, _ = policy.New(policy.Default()) // which is valid
	}
	s.budgets = newBudgets(p.Set().Budget, &s.keys)
	s.rules.Store(rulesOf(p, nil))
	return s
}

// rulesOf makes a policy ready. A breaker that has the name of one before takes over what that one knows.
func rulesOf(p *policy.Policy, before []*breaker) *rules {
	set := p.Set()
	r := &rules{policy: p, gate: set.Gate, patience: math.MaxInt64}
	for _, bound := range [...]time.Duration{set.Gate.Probe.MaxElapsed, set.MaxElapsed} {
		if bound > 0 {
			r.patience = min(r.patience, bound)
		}
	}
	for _, rule := range set.Breakers {
		b := &breaker{rule: rule}
		if i := slices.IndexFunc(before, func(old *breaker) bool { return old.rule.Name == rule.Name }); i >= 0 {
			b.circuits = before[i].circuits
		} else {
			b.circuits = newRegistry((*circuit).spare)
		}
		r.breakers = append(r.breakers, b)
	}
	return r
}

// Policy returns the policy in force.
func (s *Shared) Policy() *policy.Policy { return s.rules.Load().policy }

// SetPolicy puts a copy of set in force, while calls are under way. If it is not valid, the error is that of
// [policy.Set.Validate], and the policy stays what it was.
//
// Nothing that is known is lost. A breaker goes on as the one of the same name: what is open stays open for as long as it
// was going to, and what comes next goes by its new rule. A breaker whose name is gone refuses nobody any more.
// Budgets keep their tokens as far as the new capacity allows, gates keep those who wait. A call follows to its end the profiles that were
// in force when its first attempt failed.
//
// It fits policyfile.Watch:
//
//	go policyfile.Watch(ctx, "policy.yaml", 5*time.Second, shared.SetPolicy, report)
func (s *Shared) SetPolicy(set policy.Set) error {
	p, err := policy.New(set)
	if err != nil {
		return err
	}
	s.setting.Lock()
	defer s.setting.Unlock()
	before := s.rules.Load()
	after := rulesOf(p, before.breakers)
	s.budgets.rule.Store(&set.Budget)
	s.rules.Store(after)
	for _, old := range before.breakers {
		if !slices.ContainsFunc(after.breakers, func(b *breaker) bool { return b.circuits == old.circuits }) {
			old.circuits.each(func(_ key, c *circuit) { c.reset() })
		}
	}
	return nil
}

// GrantOf returns the grant that the caller says a request is about: by [Keys].Grant, or else by [ForGrant].
// It is empty if nobody says.
func (s *Shared) GrantOf(req *http.Request) string { return s.keys.grant(req) }

// orOwn returns s, or the state of a chain that shares it with no other.
func (s *Shared) orOwn() *Shared {
	if s == nil {
		return NewShared(nil, Keys{})
	}
	return s
}

// calm reports whether no key is in trouble: an atomic load for each breaker, and two more.
func (s *Shared) calm() bool {
	for _, b := range s.rules.Load().breakers {
		if !b.circuits.empty() {
			return false
		}
	}
	return s.forced.empty()
}

// alarm runs a function at a moment that moves. It is guarded by its owner, and may run the function once too often.
type alarm struct {
	timer *time.Timer
	at    time.Time // zero if it is not set
}

// set makes f run at that moment; the zero time stops it.
func (a *alarm) set(at time.Time, f func()) {
	switch {
	case at.Equal(a.at):
		return
	case at.IsZero():
		a.timer.Stop()
	case a.timer == nil:
		a.timer = time.AfterFunc(time.Until(at), f)
	default:
		a.timer.Reset(time.Until(at))
	}
	a.at = at
}

// rang is to be called by f, first of all.
func (a *alarm) rang() { a.at = time.Time{} }
