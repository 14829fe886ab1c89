package simulate_test

import (
	"fmt"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// A scenario file is read strictly: every fault is told, with its place.
func ExampleParse() {
	_, err := simulate.Parse("ours.yaml", []byte(`
duration: 2m
traffic:
  - kind: open
    rate: 100
    deadline: 5
backend:
  latency: {median: 40ms, p99: 25ms}
  atempt_timeout: 1s
`))
	fmt.Println(err)
	// Output:
	// ours.yaml:6:15: traffic[0].deadline is "5": want a duration with its unit, such as "250ms"
	// ours.yaml:8:32: backend.latency.p99 is 25ms: want at least the median, which is 40ms, or 0s for no other
	// ours.yaml:9:3: backend.? is "atempt_timeout", which does not exist: want one of rtt, spread, rate, workers, latency, queue, full, hint, attempt_timeout, plain
}

// A scenario in Go can be written down as a file.
func ExampleScenario_YAML() {
	s := simulate.Scenario{
		Name: "deploy", Duration: time.Minute,
		Traffic: []simulate.Traffic{{Kind: simulate.Open, Rate: 50, Deadline: 10 * time.Second}},
		Backend: simulate.Backend{RTT: 5 * time.Millisecond, Latency: simulate.Delay{Median: 20 * time.Millisecond, P99: 200 * time.Millisecond}},
		Faults:  []simulate.Fault{{Kind: simulate.Refuse, At: 20 * time.Second, For: 3 * time.Second}},
	}
	fmt.Printf("%s", s.YAML())
	// Output:
	// name: deploy
	// duration: 1m0s
	// traffic:
	//   - kind: open
	//     rate: 50
	//     deadline: 10s
	// backend:
	//   rtt: 5ms
	//   latency: {median: 20ms, p99: 200ms}
	// faults:
	//   - kind: refuse
	//     at: 20s
	//     for: 3s
}

// Gates are what a policy has to come to, for a test or a pipeline.
func ExampleResult_Check() {
	gates, err := simulate.ParseGates(`
success >= 99.9%
amplification <= 1.2
p99 <= 700ms
recovery <= 50s
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	result := simulate.Result{ // of simulate.Run
		Calls: 1000, Success: 0.998, Amplification: 1.07,
		Latency:  simulate.Quantiles{Count: 998, P99: 640 * time.Millisecond},
		Recovery: simulate.Recovery{State: simulate.Never},
	}
	fmt.Println(result.Check(gates))
	// Output:
	// simulate: want success >= 99.9%, got 99.80%
	// simulate: want recovery <= 50s, got never
}

func ExampleCompare() {
	// of simulate.Run, of one scenario with two policies
	before := simulate.Result{Calls: 1000, Success: 0.7622, Amplification: 1, Recovery: simulate.Recovery{State: simulate.Never}}
	after := simulate.Result{Calls: 1000, Success: 0.93, Amplification: 0.94, Recovery: simulate.Recovery{State: simulate.Recovered, Longest: 7 * time.Second}}
	fmt.Print(simulate.Compare(before, after, "three retries", "a breaker"))
	// Output:
	//                three retries  a breaker
	// success        76.22%         93.00%  better
	// amplification  1.00           0.94    better
	// recovery       never          7s      better
}

// A grid is every combination of some settings, to be searched by a Runner.
func ExampleGrid() {
	open := simulate.Axis{Name: "open"}
	for _, d := range []time.Duration{2 * time.Second, 5 * time.Second} {
		open.Values = append(open.Values, simulate.Value{Name: d.String(), Apply: func(s *policy.Set) { s.Breakers[0].Open = d }})
	}
	window := simulate.Axis{Name: "window"}
	for _, n := range []int{8, 32} {
		window.Values = append(window.Values, simulate.Value{Name: fmt.Sprint(n), Apply: func(s *policy.Set) { s.Gate.Window = n }})
	}
	for _, c := range simulate.Grid(policy.Default(), open, window) {
		fmt.Println(c.Name)
	}
	// Output:
	// open=2s window=8
	// open=2s window=32
	// open=5s window=8
	// open=5s window=32
}

func ExampleReady() {
	for _, s := range simulate.Ready() {
		fmt.Println(s.Name)
	}
	// Output:
	// brown-out
	// lossy-network
	// mild-overload
	// outage
	// policy-limit
	// refresh-storm-400
	// refresh-storm
	// restart
}
