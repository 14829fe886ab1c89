package policyfile

import "github.com/steadytrip/steadytrip/policy"

// base is what a file starts from. The zero value is the default.
type base uint8

const (
	fromDefault base = iota
	fromInteractive
	fromBatch
	fromAgent
	fromNone
)

var bases = []base{fromDefault, fromInteractive, fromBatch, fromAgent, fromNone}

func (b base) String() string {
	return [...]string{"default", "interactive", "batch", "agent", "none"}[b]
}

// set returns the set that b names.
func (b base) set() policy.Set {
	switch b {
	case fromInteractive:
		return policy.Interactive()
	case fromBatch:
		return policy.Batch()
	case fromAgent:
		return policy.Agent()
	case fromNone:
		return policy.Set{}
	default:
		return policy.Default()
	}
}
