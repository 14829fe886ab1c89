// Package simulate shows what a retry policy does before production does: whether calls succeed, what it costs the backend, how late
// callers are, and whether all of it recovers.
//
// A [Scenario] goes in: who calls, what answers, what goes wrong when. It is plain data, in Go or in a file ([Parse]). A [Result] comes
// out. In between runs no model of the chain but the chain: transport.New with the policy, one for each process, on a backend that is
// simulated, in the virtual time of testing/synctest. An hour of ten calls a second takes about one second.
//
//	Traffic ──> transport.New(policy), in each process ──> Backend, with its Faults
//	                          │
//	                          └─> Result: success, amplification, latencies, recovery, a time line
//
// In a test:
//
//	func TestPolicySurvivesAnOutage(t *testing.T) {
//		s := simulate.Scenario{
//			Duration:  3 * time.Minute,
//			Processes: 20,                                                       // each with breakers, budgets and gates of its own
//			Traffic:   []simulate.Traffic{{Kind: simulate.Open, Rate: 160}},     // calls a second, of all processes
//			Backend:   simulate.Backend{Rate: 200, AttemptTimeout: time.Second}, // it serves 200 a second, from a queue
//			Faults:    []simulate.Fault{{Kind: simulate.Stop, At: time.Minute, For: 10 * time.Second}},
//		}
//		result := simulate.Run(t, s, policy.Default())
//		t.Log(result)
//
//		gates, err := simulate.ParseGates("amplification_during <= 1.15\nrecovery <= 50s")
//		if err == nil {
//			err = result.Check(gates)
//		}
//		if err != nil {
//			t.Error(err)
//		}
//	}
//
// In a program, [Main] lends the runner that a test gets from [On]:
//
//	func main() {
//		simulate.Main(func(r *simulate.Runner) int {
//			s, err := simulate.Find("outage") // or simulate.Load("ours.yaml")
//			...
//			result, err := r.Run(ctx, s, set)
//			...
//		})
//	}
//
// [Compare] puts two results side by side, [Runner.Search] tries many policies, such as those of a [Grid], and [Front] keeps those that
// no other one beats; [Runner.Limit] finds the load from which the gates are missed.
//
// # The same again
//
// The same scenario with the same policy has the same result, byte for byte, on any machine and any number of processors. Each call has
// a stream of randomness of its own, which the chain's jitter is taken from, too; and each call has moments of its own, nanoseconds at
// which no other call starts, sends or is answered, so that it does not matter in which order goroutines run. Two policies meet the same calls
// at the same times, with the same luck on the way.
//
// There are moments for 16383 calls at once. Beyond that two may share theirs, and what comes of them may differ in a few calls.
//
// What the user adds can break that: a policy.Profile whose BackOff rolls dice of its own, or middlewares that do. And the ends of pauses are the
// policy's: if two of them, or one and the end of a breaker's hold, fell into one nanosecond, their order would be the scheduler's.
//
// # What is not simulated
//
// Connections are not: a request does not wait for one, and HTTP/2 streams do not share a fate. Requests have no bodies. The code between two
// waits takes no time. A refused connection takes a round trip.
package simulate
