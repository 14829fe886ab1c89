package simulate_test

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"runtime"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// everything is a policy in which everything that calls share is at work.
func everything() policy.Set {
	s := policy.Default()
	s.Breakers = append(s.Breakers, policy.OutageBreaker())
	s.Breakers[0].Hold = 3 * time.Second
	s.Breakers[1].Hold = time.Second
	return s
}

// TestTheSameScenarioHasTheSameResult plays scenarios on different numbers of processors, with different schedules.
func TestTheSameScenarioHasTheSameResult(t *testing.T) {
	seeds, processors, size := []uint64{1, 2}, []int{1, 2, 8}, 0.3
	if raceEnabled || testing.Short() {
		seeds, processors, size = seeds[:1], []int{1, 4}, 0.2
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, s := range append(simulate.Ready(), lockstep()) {
		s = s.Times(size)
		s.Repeat, s.Duration = min(s.Repeat, 2), min(s.Duration, 75*time.Second)
		results := map[string]bool{}
		for _, seed := range seeds {
			s.Seed = seed
			first := ""
			for _, n := range processors {
				runtime.GOMAXPROCS(n)
				result := simulate.Run(t, s, everything())
				result.Seed = 0
				data, err := json.Marshal(result)
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case first == "":
					first = string(data)
				case string(data) != first:
					t.Errorf("%s with seed %d on %d processors differs from that on %d:\n%s", s.Name, seed, n, processors[0], difference(first, string(data)))
				}
			}
			results[first] = true
			t.Logf("%-18s seed %d: %s", s.Name, seed, digest(first))
		}
		if len(seeds) > 1 && len(results) == 1 {
			t.Errorf("%s: %d different results of %d seeds", s.Name, len(results), len(seeds))
		}
	}
}

// lockstep is a scenario in which all would happen at once, if it were not for the moments of the calls: clients that think for the same time,
// a backend that is always as far away and as fast, pauses without jitter where the server names them, and everything going wrong together.
func lockstep() simulate.Scenario {
	second := time.Second
	return simulate.Scenario{
		Name: "lockstep", Duration: 40 * second, Processes: 3,
		Traffic: []simulate.Traffic{
			{Kind: simulate.Closed, Clients: 60, Think: simulate.Delay{Median: ms(100)}, Deadline: 2 * second, Keys: simulate.Keys{Count: 3}, NamesGrant: true},
			{Kind: simulate.Burst, Calls: 200, Every: 5 * second, Method: "POST", Deadline: second, Keys: simulate.Keys{Count: 3}, NamesPolicy: true},
		},
		Backend: simulate.Backend{RTT: ms(10), Workers: 20, Latency: simulate.Delay{Median: ms(5)}, Queue: 100, Hint: second, AttemptTimeout: second},
		Faults: []simulate.Fault{
			{Kind: simulate.RateLimit, Keys: []int{1}, Limit: 50, Window: second, Hint: true, Fields: true},
			{Kind: simulate.Lock, Keys: []int{0, 2}, At: 5 * second, For: 3 * second},
			{Kind: simulate.Hang, Share: 0.05, At: 6 * second, For: 10 * second},
			{Kind: simulate.Stop, At: 18 * second, For: 2 * second},
			{Kind: simulate.Refuse, Share: 0.5, At: 25 * second, For: 3 * second},
			{Kind: simulate.Lock, At: 30 * second, For: second, Work: 1},
		},
	}
}

func digest(text string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return fmt.Sprintf("%d bytes, FNV-1a %016x", len(text), h.Sum64())
}

// difference shows two texts where they first differ.
func difference(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(0, i-200)
	return a[from:min(len(a), i+200)] + "\n\n" + b[from:min(len(b), i+200)]
}
