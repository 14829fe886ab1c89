package policy_test

import (
	"regexp"
	"testing"

	"github.com/steadytrip/steadytrip/policy"
)

func TestReasonNames(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for r := policy.NotDecided; r <= policy.Gated; r++ {
		text, err := r.MarshalText()
		if name := r.String(); err != nil || string(text) != name || !snake.MatchString(name) || seen[name] {
			t.Errorf("reason %d: got name %q and text %q, %v; want one new name in snake case", r, name, text, err)
		}
		seen[r.String()] = true
	}
	if got, want := policy.DeadlineTooNear.String(), "deadline_too_near"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (policy.Gated + 1).String(), "reason(18)"; got != want {
		t.Errorf("beyond the last reason: got %q, want %q", got, want)
	}
}
