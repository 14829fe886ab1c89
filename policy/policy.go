package policy

import (
	"math"

	"github.com/steadytrip/steadytrip/classify"
)

// Policy is a valid set that nobody can change any more. It is safe for concurrent use, and one is meant to serve
// all calls of a client. A nil *Policy is the policy of [Default].
type Policy struct {
	set      Set
	profiles [math.MaxUint8 + 1]applied // by kind, as the set says
}

// applied is the profile that applies to a kind of failure.
type applied struct {
	profile *Profile // not to be changed; nil if none applies
	owner   classify.Kind
}

// New returns the policy of a copy of s, or the faults that [Set.Validate] finds.
func New(s Set) (*Policy, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return policyOf(s.clone()), nil
}

// policyOf is the policy of a set that nobody else has.
func policyOf(s Set) *Policy {
	p := &Policy{set: s}
	own := make(map[classify.Kind]*Profile, len(s.Profiles))
	for k, prof := range s.Profiles {
		own[k] = &prof
	}
	for i := range p.profiles {
		if _, owner, ok := s.Profile(classify.Kind(i)); ok {
			p.profiles[i] = applied{own[owner], owner}
		}
	}
	return p
}

var defaultPolicy = policyOf(Default())

func (p *Policy) orDefault() *Policy {
	if p == nil {
		return defaultPolicy
	}
	return p
}

// Set returns a copy of the policy's set.
func (p *Policy) Set() Set { return p.orDefault().set.clone() }

// Profile returns the profile that applies to failures of kind k, and the kind that owns it: see [Set.Profile].
func (p *Policy) Profile(k classify.Kind) (prof Profile, from classify.Kind, ok bool) {
	a := &p.orDefault().profiles[k]
	if a.profile == nil {
		return Profile{}, a.owner, false
	}
	return *a.profile, a.owner, true
}

// Gates reports whether calls that fail with kind k wait at a gate: there is one, and k is a refresh that is retried at all.
func (p *Policy) Gates(k classify.Kind) bool {
	if !k.Is(classify.TokenRefreshInProgress) || !p.orDefault().set.Gate.Enabled() {
		return false
	}
	prof := p.orDefault().profiles[k].profile
	return prof != nil && prof.Retries > 0
}

func healedByTime(k classify.Kind) bool {
	a := k.Action()
	return a == classify.Retry || a == classify.Wait
}

// Plan returns a new plan for one call. A call needs none before its first failure.
func (p *Policy) Plan() *Plan {
	return &Plan{policy: p.orDefault()}
}
