package transport

import (
	"net/http"
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
	policy   *policy.Policy
	keys     Keys
	breakers []*breaker
	forced   *registry[forced]
	gate     policy.Gate
	gates    *registry[gate]
	budgets  *budgets
}

// breaker is one breaker of the policy, for all keys.
type breaker struct {
	rule     policy.Breaker
	circuits *registry[circuit] // of the keys in trouble; empty while all is well
}

// NewShared returns the state of calls that follow p and are keyed by keys. A nil p is [policy.Default].
func NewShared(p *policy.Policy, keys Keys) *Shared {
	s := &Shared{policy: p, keys: keys, forced: newRegistry((*forced).spare), gates: newRegistry((*gate).retire)}
	set := p.Set()
	s.gate = set.Gate
	for _, rule := range set.Breakers {
		s.breakers = append(s.breakers, &breaker{rule, newRegistry((*circuit).spare)})
	}
	s.budgets = newBudgets(set.Budget, &s.keys)
	return s
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

// calm reports whether no key is in trouble: an atomic load for each breaker, and one more.
func (s *Shared) calm() bool {
	for _, b := range s.breakers {
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
