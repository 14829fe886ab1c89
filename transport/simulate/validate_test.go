package simulate_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

func TestValidateNamesTheFieldItsValueAndWhatWasWanted(t *testing.T) {
	traffic := func(t simulate.Traffic) func(*simulate.Scenario) {
		return func(s *simulate.Scenario) { s.Traffic[0] = t }
	}
	backend := func(b simulate.Backend) func(*simulate.Scenario) {
		return func(s *simulate.Scenario) { s.Backend = b }
	}
	fault := func(f simulate.Fault) func(*simulate.Scenario) {
		return func(s *simulate.Scenario) { s.Faults = []simulate.Fault{f} }
	}
	tests := []struct {
		name   string
		change func(*simulate.Scenario)
		want   []string
	}{
		{"no time", func(s *simulate.Scenario) { s.Duration = 0 }, []string{"Duration is 0s: want more than 0s, at most 744h0m0s"}},
		{"negative numbers", func(s *simulate.Scenario) { s.Repeat, s.Processes = -1, -2 }, []string{
			"Repeat is -1: want 0 to 10000", "Processes is -2: want 0 to 10000",
		}},
		{"names that would command a terminal", func(s *simulate.Scenario) {
			s.Name, s.About, s.Traffic[0].Name = "a\x1b]0;b\a", "met\nnever", "\u202e"
			s.Faults = []simulate.Fault{{Name: "\r", Kind: simulate.Stop, For: time.Second}}
		}, []string{
			`Name is "a\x1b]0;b\a": want text in one line, without control characters`,
			`About is "met\nnever": want text in one line, without control characters`,
			`Traffic[0].Name is "\u202e": want text in one line, without control characters`,
			`Faults[0].Name is "\r": want text in one line, without control characters`,
		}},
		{"nobody calls", func(s *simulate.Scenario) { s.Traffic = nil }, []string{"Traffic is empty: want somebody who calls"}},
		{"more calls than anybody can wait for", traffic(simulate.Traffic{Kind: simulate.Open, Rate: 1e6}), []string{
			"Duration is 1m0s: want at most 10000000 calls all together, not some 60000000: less time, traffic or repetition",
		}},
		{"a kind of traffic that does not exist", traffic(simulate.Traffic{Kind: "flood"}), []string{
			`Traffic[0].Kind is "flood": want one of open, burst, closed, recorded`,
		}},
		{"no kind of traffic", traffic(simulate.Traffic{}), []string{"Traffic[0].Kind is empty: want one of open, burst, closed, recorded"}},
		{"fields of another kind", traffic(simulate.Traffic{Kind: simulate.Burst, Calls: 1, Rate: 2, Arrivals: []time.Duration{1}}), []string{
			"Traffic[0].Rate is 2: want nothing: it means nothing to burst",
			"Traffic[0].Arrivals is a list of 1: want nothing: it means nothing to burst",
		}},
		{"open traffic without a rate", traffic(simulate.Traffic{Kind: simulate.Open}), []string{"Traffic[0].Rate is 0: want more than 0 calls a second"}},
		{"a rate that is no number", traffic(simulate.Traffic{Kind: simulate.Open, Rate: math.NaN()}), []string{
			"Traffic[0].Rate is NaN: want 0 to 1000000 in a second",
		}},
		{"steps that go back", traffic(simulate.Traffic{
			Kind: simulate.Open, Rate: 1, Steps: []simulate.Step{{At: 2 * time.Second, Rate: 1}, {At: time.Second, Rate: -1}},
		}), []string{
			"Traffic[0].Steps[1].Rate is -1: want 0 to 1000000 in a second",
			"Traffic[0].Steps[1].At is 1s: want the order of time; the step before is at 2s",
		}},
		{"an end before the start", traffic(simulate.Traffic{Kind: simulate.Open, Rate: 1, From: 2 * time.Second, To: time.Second}), []string{
			"Traffic[0].To is 1s: want later than From, which is 2s, or 0s for the end",
		}},
		{"a method in lower case", traffic(simulate.Traffic{Kind: simulate.Open, Rate: 1, Method: "get"}), []string{
			`Traffic[0].Method is "get": want a method in upper case, such as GET`,
		}},
		{"a hot one of one", traffic(simulate.Traffic{Kind: simulate.Open, Rate: 1, Keys: simulate.Keys{Hot: 0.5}}), []string{
			"Traffic[0].Keys.Hot is 0.5: want 0 unless there are two keys or more",
		}},
		{"bursts that overlap", traffic(simulate.Traffic{Kind: simulate.Burst, Calls: 1, Within: 2 * time.Second, Every: time.Second}), []string{
			"Traffic[0].Every is 1s: want at least Within, which is 2s, or 0s for a single burst",
		}},
		{"nobody in a closed loop", traffic(simulate.Traffic{Kind: simulate.Closed, Think: simulate.Delay{Median: 2, P99: 1}}), []string{
			"Traffic[0].Clients is 0: want 1 to 1000000",
			"Traffic[0].Think.P99 is 1ns: want at least the median, which is 2ns, or 0s for no other",
		}},
		{"a record out of order", traffic(simulate.Traffic{Kind: simulate.Recorded, Arrivals: []time.Duration{2, 1}}), []string{
			"Traffic[0].Arrivals[1] is 1ns: want the order of time; the one before is 2ns",
		}},
		{"an empty record", traffic(simulate.Traffic{Kind: simulate.Recorded}), []string{"Traffic[0].Arrivals is empty: want when the calls began"}},
		{"a backend of negatives", backend(simulate.Backend{RTT: -1, Spread: 2, Rate: -1, Workers: -1, Queue: -1, AttemptTimeout: -1}), []string{
			"Backend.RTT is -1ns: want 0s to 744h0m0s", "Backend.Spread is 2: want a number from 0 to 1",
			"Backend.Rate is -1: want 0 to 1000000 in a second", "Backend.Workers is -1: want 0 to 1000000",
			"Backend.Queue is -1: want 0 to 10000000", "Backend.AttemptTimeout is -1ns: want 0s to 744h0m0s",
		}},
		{"what becomes of those whom a boundless queue has no room for", backend(simulate.Backend{Full: simulate.Lose, Hint: time.Second}), []string{
			`Backend.Full is "lose": want nothing: a queue without a bound is never full`,
			"Backend.Hint is 1s: want 0s, because nothing is shed",
		}},
		{"a latency with a tail alone", backend(simulate.Backend{Latency: simulate.Delay{P99: 1}}), []string{
			"Backend.Latency.Median is 0s: want more than 0s beside a 99th percentile",
		}},
		{"a fault that does not exist", fault(simulate.Fault{Kind: "fire"}), []string{
			`Faults[0].Kind is "fire": want one of lock, stop, slow, fail, refuse, hang, drop, rate_limit`,
		}},
		{"fields of another fault", fault(simulate.Fault{Kind: simulate.Stop, For: 1, Hold: simulate.Delay{Median: 1}, Status: 503, Keys: []int{1}}), []string{
			"Faults[0].Keys is a list of 1: want nothing: it means nothing to stop",
			"Faults[0].Hold is set: want nothing: it means nothing to stop",
			"Faults[0].Status is 503: want nothing: it means nothing to stop",
		}},
		{"a stop without an end", fault(simulate.Fault{Kind: simulate.Stop}), []string{
			"Faults[0].For is 0s: want an end, or nothing would ever be served again; refuse and hang need none",
		}},
		{"a lock with two lengths, of a plain backend", func(s *simulate.Scenario) {
			s.Backend.Plain = true
			s.Faults = []simulate.Fault{{Kind: simulate.Lock, For: 1, Hold: simulate.Delay{Median: 1}}}
		}, []string{
			"Faults[0].For is 1ns: want 0s beside a Hold, which says how long it lasts",
			`Faults[0].Kind is "lock": want another one: a plain backend has no tokens to refresh`,
		}},
		{"slower by nothing", fault(simulate.Fault{Kind: simulate.Slow, Factor: 1}), []string{"Faults[0].Factor is 1: want more than 1, at most 1000000"}},
		{"a failure that is none", fault(simulate.Fault{Kind: simulate.Fail, Status: 200, Share: 2, Keys: []int{-1}}), []string{
			"Faults[0].Keys[0] is -1: want 0 to 1000000", "Faults[0].Share is 2: want a number from 0 to 1", "Faults[0].Status is 200: want 400 to 599",
		}},
		{"a limit of nothing", fault(simulate.Fault{Kind: simulate.RateLimit, Window: 1500 * time.Millisecond, Fields: true}), []string{
			"Faults[0].Limit is 0: want 1 to 10000000",
			"Faults[0].Window is 1.5s: want whole seconds, because the RateLimit fields have no others",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := simulate.Scenario{Duration: time.Minute, Traffic: []simulate.Traffic{{Kind: simulate.Open, Rate: 1}}}
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
			tt.change(&s)
			err := s.Validate()
			if err == nil {
				t.Fatalf("got no error, want %q", tt.want)
			}
			got := strings.Split(err.Error(), "\n")
			for i := range got {
				got[i] = strings.TrimPrefix(got[i], "simulate: ")
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
		})
	}
}
