package simulate_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

func TestThePartsOfAResultAddUp(t *testing.T) {
	for _, s := range simulate.Ready() {
		s.Repeat, s.Duration = min(s.Repeat, 2), min(s.Duration, 75*time.Second)
		r := simulate.Run(t, s.Times(0.3), policy.Default())
		var sum simulate.Second
		for i, row := range r.Timeline {
			if row.At != i {
				t.Fatalf("%s: row %d is of second %d", s.Name, i, row.At)
			}
			sum.Offered += row.Offered
			sum.Sent += row.Sent
			sum.Succeeded += row.Succeeded
			sum.Failed += row.Failed
			sum.Refused += row.Refused
			sum.RefusedLocally += row.RefusedLocally
		}
		count := func(m map[string]int) (n int) {
			for _, c := range m {
				n += c
			}
			return n
		}
		calls := r.Before.Calls + r.During.Calls + r.After.Calls
		for _, part := range []struct {
			name      string
			got, want int
		}{
			{"calls in the time line", sum.Offered, r.Calls},
			{"attempts in the time line", sum.Sent, r.Attempts},
			{"successes in the time line", sum.Succeeded, r.Succeeded},
			{"failures in the time line", sum.Failed, r.Calls - r.Succeeded},
			{"refusals in the time line", sum.Refused, r.Refused},
			{"local refusals in the time line", sum.RefusedLocally, r.ByBreaker + r.ByGate},
			{"calls in the phases", calls, r.Calls},
			{"successes in the phases", r.Before.Succeeded + r.During.Succeeded + r.After.Succeeded, r.Succeeded},
			{"latencies", r.Latency.Count, r.Succeeded},
			{"times to fail", r.TimeToFail.Count, r.Calls - r.Succeeded},
			{"reasons", count(r.Reasons), r.Calls - r.Succeeded},
			{"kinds", count(r.Kinds), r.Calls - r.Succeeded},
			{"calls by grant", r.Hot.Calls + r.Others.Calls, r.Calls},
			{"attempts by grant", r.Hot.Attempts + r.Others.Attempts, r.Attempts},
		} {
			if part.got != part.want {
				t.Errorf("%s: %d %s, want %d", s.Name, part.got, part.name, part.want)
			}
		}
		if got := r.Before.Length + r.During.Length + r.After.Length; got != s.Duration {
			t.Errorf("%s: the phases last %v, want %v", s.Name, got, s.Duration)
		}
	}
}

func TestResultSurvivesJSON(t *testing.T) {
	s, err := simulate.Find("policy-limit")
	if err != nil {
		t.Fatal(err)
	}
	want := simulate.Run(t, s, policy.Default())
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got simulate.Result
	if err := json.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for _, name := range []string{`"success":`, `"p999_ns":`, `"amplification":`, `"by_breaker":`, `"refused_locally":`, `"tokens":`, `"after_ns":`, `"faults_end":`} {
		if !strings.Contains(string(data), name) {
			t.Errorf("there is no %s in %.300s", name, data)
		}
	}
}

func TestFaultsDivideTheTime(t *testing.T) {
	second := time.Second
	stop := func(at, length time.Duration) simulate.Fault {
		return simulate.Fault{Kind: simulate.Stop, At: at, For: length}
	}
	fail := simulate.Fault{Kind: simulate.Fail, Share: 0.5, Status: 503}
	tests := []struct {
		name                  string
		faults                []simulate.Fault
		before, during, after time.Duration
		recovery              simulate.RecoveryState
	}{
		{"no fault", nil, 10 * second, 0, 0, simulate.Unknown},
		{"a fault all the time", []simulate.Fault{fail}, 10 * second, 0, 0, simulate.Unknown},
		{"one in the middle", []simulate.Fault{stop(2*second, second)}, 2 * second, second, 7 * second, simulate.Recovered},
		{"from the first's start to the last's end", []simulate.Fault{stop(5*second, second), stop(2*second, second)}, 2 * second, 4 * second, 4 * second, simulate.Recovered},
		{"one that does not end", []simulate.Fault{{Kind: simulate.Fail, Status: 503, At: 4 * second}}, 4 * second, 6 * second, 0, simulate.Unknown},
		{"one that comes after the end", []simulate.Fault{stop(20*second, second)}, 10 * second, 0, 0, simulate.Unknown},
		{"one that leaves another behind", []simulate.Fault{stop(2*second, second), fail}, 2 * second, second, 7 * second, simulate.Never},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := simulate.Run(t, steady(simulate.Backend{}, tt.faults...), once)
			if r.Before.Length != tt.before || r.During.Length != tt.during || r.After.Length != tt.after {
				t.Errorf("got %v, %v and %v; want %v, %v and %v", r.Before.Length, r.During.Length, r.After.Length, tt.before, tt.during, tt.after)
			}
			if r.Recovery.State != tt.recovery {
				t.Errorf("recovery is %s, want %s", r.Recovery.State, tt.recovery)
			}
			if len(r.Faults) != len(tt.faults) {
				t.Errorf("got %+v, want %d faults", r.Faults, len(tt.faults))
			}
		})
	}
}

func TestRecoveryIsWhenCallsSucceedAgain(t *testing.T) {
	s := steady(simulate.Backend{}, simulate.Fault{Kind: simulate.Stop, At: 2 * time.Second, For: time.Second})
	s.Traffic[0].Deadline = 0
	// The queue of the stopped second is served at once: nobody fails. With a rate it is worked off.
	if r := simulate.Run(t, s, once); r.Recovery.State != simulate.Recovered || r.Recovery.After != 0 {
		t.Errorf("recovery is %+v, want at once", r.Recovery)
	}
	s.Duration, s.Backend.Rate, s.Backend.AttemptTimeout = 30*time.Second, 125, ms(200)
	// 0.8 s of work wait in the end, and 0.2 s more are done than come in a second: after 3 s nobody waits longer than 0.2 s.
	if r := simulate.Run(t, s, once); r.Recovery.State != simulate.Recovered || (r.Recovery.After-3*time.Second).Abs() > ms(300) {
		t.Errorf("recovery is %+v, want after about 3s", r.Recovery)
	}
}

func TestResultPrintsAsTables(t *testing.T) {
	s := steady(simulate.Backend{RTT: ms(10)}, simulate.Fault{Name: "deploy", Kind: simulate.Fail, Status: 503, At: 2 * time.Second, For: time.Second})
	s.Name, s.Traffic[0].Keys.Count = "steady", 2
	text := simulate.Run(t, s, policy.Default()).String()
	for _, want := range []string{
		"steady: seed 0, 10s\n  deploy from 2s to 3s\n", "success ", "recovery ", "before ", "during ", "30s after ", "succeeded after ",
		"failed after ", "grant-0 ", "failed as ", "backend_unavailable ", "budget_spent ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if strings.TrimRight(line, " \n")+"\n" != line {
			t.Errorf("%q ends in space", line)
		}
	}
}
