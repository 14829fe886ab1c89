package simulate

import (
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/policy"
)

func TestClientsThatWaitForNothingAreStopped(t *testing.T) {
	p, err := policy.New(policy.Set{MaxAttempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	s := Scenario{Duration: 24 * time.Hour, Traffic: []Traffic{{Kind: Closed, Clients: 2}}}
	w, err := On(t).play(t.Context(), s, p, 0, 1000)
	if err == nil || !strings.Contains(err.Error(), "more than 10000000 calls") {
		t.Errorf("%v; want it to say that there are too many calls", err)
	}
	if n := len(w.calls); n > 1010 {
		t.Errorf("%d calls, want about a thousand", n)
	}
}

func TestABackendThatTakesForeverNeverAnswers(t *testing.T) {
	long := Delay{Median: longestRun}
	for name, tc := range map[string]struct {
		backend Backend
		faults  []Fault
	}{
		"that hardly serves any":       {Backend{Rate: 1e-12}, nil},
		"slowed down":                  {Backend{Latency: long}, []Fault{{Kind: Slow, Factor: 1e6}}},
		"slowed down, with a worker":   {Backend{Latency: long, Workers: 1}, []Fault{{Kind: Slow, Factor: 1e6}}},
		"slowed down again and again":  {Backend{Latency: long, Rate: 1}, []Fault{{Kind: Slow, Factor: 1e6}, {Kind: Slow, Factor: 1e6}}},
		"that serves one in 30 years":  {Backend{Rate: 1e-9, Workers: 1, Latency: long}, nil},
		"that is slow for all its age": {Backend{Rate: 3.2e-10}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := Run(t, Scenario{
				Duration: 10 * time.Second, Backend: tc.backend, Faults: tc.faults,
				Traffic: []Traffic{{Kind: Open, Rate: 2, Deadline: 5 * time.Second}},
			}, policy.Set{MaxAttempts: 1})
			if r.Calls < 10 || r.Succeeded > 0 {
				t.Errorf("%d of %d calls succeed, want none of about 20", r.Succeeded, r.Calls)
			}
		})
	}
}
