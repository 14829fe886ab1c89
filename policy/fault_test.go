package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func TestEveryErrorOfValidateIsAFault(t *testing.T) {
	s := policy.Default()
	s.MaxAttempts, s.Gate.Window = 0, -1
	s.Profiles[classify.Success] = policy.Profile{}
	s.Profiles[classify.Timeout] = policy.Profile{Retries: 2, Initial: sec, Max: 99 * ms, Multiplier: 2}
	s.Breakers = append(s.Breakers, policy.Breaker{Failures: 1, Open: sec, MaxOpen: sec, Probes: 1})
	want := []policy.Fault{
		{Field: "MaxAttempts", Value: "0", Want: "at least 1, the first attempt included (1 never retries; policy.Default() is a set to start from)"},
		{Field: "Profiles[success]", Value: "no kind of failure", Want: "one of classify.Kinds"},
		{Field: "Profiles[timeout].Max", Value: "99ms", Want: "at least Initial, which is 1s"},
		{Field: "Breakers[1].Name", Value: "empty", Want: `a name of its own, such as "outage"`},
		{Field: "Breakers[1].Kinds", Value: "empty", Want: "at least one kind of failure"},
		{Field: "Gate.Window", Value: "-1", Want: "1 to 10000 requests"},
	}
	joined, ok := s.Validate().(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got %v, want joined errors", s.Validate())
	}
	var got []policy.Fault
	for _, err := range joined.Unwrap() {
		var fault *policy.Fault
		if !errors.As(err, &fault) {
			t.Fatalf("got %T, want a *policy.Fault", err)
		}
		if !strings.HasPrefix(fault.Error(), "policy: "+fault.Field) || !strings.HasSuffix(fault.Error(), " is "+fault.Value+": want "+fault.Want) {
			t.Errorf("got %q of %+v", fault.Error(), fault)
		}
		got = append(got, policy.Fault{Field: fault.Field, Value: fault.Value, Want: fault.Want})
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// A program can show a fault in its own words.
func ExampleFault() {
	s := policy.Default()
	s.MaxAttempts = 0
	var fault *policy.Fault
	if errors.As(s.Validate(), &fault) {
		fmt.Printf("please correct %q\n", fault.Field)
	}
	// Output: please correct "MaxAttempts"
}
