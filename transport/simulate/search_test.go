package simulate_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

func retries(counts ...int) simulate.Axis {
	axis := simulate.Axis{Name: "retries"}
	for _, n := range counts {
		axis.Values = append(axis.Values, simulate.Value{Name: string(rune('0' + n)), Apply: func(s *policy.Set) {
			p := s.Profiles[classify.BackendUnavailable]
			p.Retries = n
			s.Profiles[classify.BackendUnavailable] = p
		}})
	}
	return axis
}

func TestGridHasEveryCombination(t *testing.T) {
	open := simulate.Axis{Name: "open", Values: []simulate.Value{
		{Name: "1s", Apply: func(s *policy.Set) { s.Breakers[0].Open = time.Second }},
		{Name: "2s", Apply: func(s *policy.Set) { s.Breakers[0].Kinds[0], s.Breakers[0].Open = classify.Timeout, 2*time.Second }},
	}}
	base := policy.Default()
	var names []string
	for _, c := range simulate.Grid(base, retries(0, 1, 2), open) {
		names = append(names, c.Name)
		if p := c.Set.Profiles[classify.BackendUnavailable]; !strings.Contains(c.Name, "retries="+string(rune('0'+p.Retries))) {
			t.Errorf("%s has %d retries", c.Name, p.Retries)
		}
		if !strings.HasSuffix(c.Name, "open="+c.Set.Breakers[0].Open.String()) {
			t.Errorf("%s is open for %v", c.Name, c.Set.Breakers[0].Open)
		}
	}
	want := []string{"retries=0 open=1s", "retries=0 open=2s", "retries=1 open=1s", "retries=1 open=2s", "retries=2 open=1s", "retries=2 open=2s"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	if !reflect.DeepEqual(base, policy.Default()) {
		t.Error("the base has changed")
	}
	if alone := simulate.Grid(base); len(alone) != 1 {
		t.Errorf("without axes there are %d candidates, want the base", len(alone))
	}
}

func TestSearchHoldsEveryCandidateAgainstTheGates(t *testing.T) {
	s := steady(simulate.Backend{}, simulate.Fault{Kind: simulate.Fail, Share: 0.2, Status: 503})
	base := policy.Default()
	base.Budget = policy.Budget{}
	gates, err := simulate.ParseGates("success >= 93%\namplification <= 1.3\n")
	if err != nil {
		t.Fatal(err)
	}
	trials, err := simulate.On(t).Search(t.Context(), s, simulate.Grid(base, retries(0, 1, 2, 3)), gates)
	if err != nil {
		t.Fatal(err)
	}
	var met []bool
	for _, trial := range trials {
		met = append(met, trial.Missed == nil)
	}
	if want := []bool{false, true, true, true}; !slices.Equal(met, want) {
		t.Errorf("met %v, want %v", met, want)
	}
	front, err := simulate.Front(trials, "success", "amplification")
	if err != nil || len(front) != 4 {
		t.Errorf("got %d of the trials, %v; want all four: each buys success with attempts", len(front), err)
	}
	front, err = simulate.Front(trials, "success", "goodput")
	if err != nil || len(front) != 1 || front[0].Name != "retries=3" {
		t.Errorf("got %d trials, %v; want the best alone", len(front), err)
	}
	if front, err := simulate.Front(trials, "success", "recovery"); err != nil || len(front) != 0 {
		t.Errorf("got %d trials, %v; want none, since nothing recovers", len(front), err)
	}
	if _, err := simulate.Front(trials, "beauty"); err == nil {
		t.Error("got no error for a metric that does not exist")
	}
	bad := simulate.Candidate{Name: "bad", Set: policy.Set{}}
	some, err := simulate.On(t).Search(t.Context(), s, []simulate.Candidate{{Name: "good", Set: base}, bad}, nil)
	if len(some) != 1 || err == nil || !strings.Contains(err.Error(), `candidate "bad"`) {
		t.Errorf("got %d trials, %v; want the good one and the fault of the bad one", len(some), err)
	}
}

func TestLimitIsTheLoadThatIsStillServed(t *testing.T) {
	s := steady(simulate.Backend{Rate: 150, AttemptTimeout: ms(200)})
	gates, err := simulate.ParseGates("success >= 100%")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name                     string
		least, most, floor, ceil float64
	}{
		{"in between", 0.5, 4, 1.4, 1.6},
		{"never", 3, 4, 0, 0},
		{"always", 0.25, 0.5, 0.5, 0.5},
	} {
		got, err := simulate.On(t).Limit(t.Context(), s, once, gates, tt.least, tt.most, 5)
		if err != nil || got < tt.floor || got > tt.ceil {
			t.Errorf("%s: got %v, %v; want %v to %v", tt.name, got, err, tt.floor, tt.ceil)
		}
	}
}

func TestLimitStoppedByAnErrorReturnsWhatIsKnownToMeetTheGates(t *testing.T) {
	s := steady(simulate.Backend{Rate: 150, AttemptTimeout: ms(200)})
	gates, err := simulate.ParseGates("success >= 100%")
	if err != nil {
		t.Fatal(err)
	}
	tooMany := 1e9
	if got, err := simulate.On(t).Limit(t.Context(), s, once, gates, 0.5, tooMany, 5); err == nil || got != 0.5 {
		t.Errorf("got %v, %v; want 0.5 and why the greatest factor was not played", got, err)
	}
}
