package simulate_test

import (
	"context"
	"math"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// steady is ten seconds of 100 calls a second, without retries.
func steady(b simulate.Backend, faults ...simulate.Fault) simulate.Scenario {
	return simulate.Scenario{
		Duration: 10 * time.Second,
		Traffic:  []simulate.Traffic{{Kind: simulate.Open, Rate: 100, Even: true, Deadline: 5 * time.Second}},
		Backend:  b, Faults: faults,
	}
}

func TestBackendsAnswerAsTheyShould(t *testing.T) {
	about := func(got int, want, off float64) bool { return math.Abs(float64(got)-want) <= off }
	second := time.Second
	tests := []struct {
		name string
		s    simulate.Scenario
		want func(r simulate.Result) bool
	}{
		{"none of it is in the way: a round trip", steady(simulate.Backend{RTT: ms(20), Spread: 0.5}), func(r simulate.Result) bool {
			return r.Success == 1 && (r.Latency.P50-ms(20)).Abs() < ms(1) && r.Latency.Max <= ms(30)+time.Millisecond && r.Latency.Curve[0] >= ms(10)-time.Millisecond
		}},
		{"serving takes time", steady(simulate.Backend{Latency: simulate.Delay{Median: ms(50), P99: ms(200)}}), func(r simulate.Result) bool {
			return r.Success == 1 && (r.Latency.P50-ms(50)).Abs() < ms(5) && (r.Latency.P99-ms(200)).Abs() < ms(60)
		}},
		{"a rate below the traffic: the queue grows", steady(simulate.Backend{Rate: 50}), func(r simulate.Result) bool {
			return about(r.Succeeded, 500, 10) && r.Latency.Max > 4900*time.Millisecond
		}},
		{"workers below the traffic: the queue grows", steady(simulate.Backend{Workers: 5, Latency: simulate.Delay{Median: ms(100)}, AttemptTimeout: 3 * second}), func(r simulate.Result) bool {
			return r.Latency.Max > 2900*time.Millisecond && r.Answers.GaveUp > 100 // 50 a second are served
		}},
		{"workers enough: nobody waits", steady(simulate.Backend{Workers: 20, Latency: simulate.Delay{Median: ms(100)}}), func(r simulate.Result) bool {
			return r.Success == 1 && r.Latency.Max < ms(101)
		}},
		{"a full queue sheds", steady(simulate.Backend{Rate: 50, Queue: 10}), func(r simulate.Result) bool {
			return about(r.Answers.Shed, 490, 15) && r.Refused == r.Answers.Shed && r.Kinds["backend_unavailable"] == r.Refused && r.Latency.Max <= ms(221)
		}},
		{"a full queue loses connections", steady(simulate.Backend{Rate: 50, Queue: 10, Full: simulate.Lose}), func(r simulate.Result) bool {
			return about(r.Answers.Lost, 490, 15) && r.Refused == 0 && r.Kinds["connection_lost"] == r.Answers.Lost
		}},
		{"the queue of a stopped backend is bounded, too", steady(simulate.Backend{Queue: 10}, simulate.Fault{Kind: simulate.Stop, At: second, For: second}), func(r simulate.Result) bool {
			return about(r.Answers.Shed, 90, 3) && r.Latency.Max > ms(900)
		}},
		{"the client does not wait for ever", steady(simulate.Backend{Rate: 10, AttemptTimeout: ms(300)}), func(r simulate.Result) bool {
			return r.TimeToFail.Max <= ms(301) && r.Kinds["timeout"] == r.Answers.GaveUp && r.Answers.GaveUp > 900
		}},
		{"what is given up on is served all the same", steady(simulate.Backend{Rate: 80, AttemptTimeout: ms(300)}), func(r simulate.Result) bool {
			return r.Timeline[0].Succeeded > 70 && r.Timeline[9].Succeeded == 0 // the queue is 2 s long by then
		}},
		{"stopped", steady(simulate.Backend{}, simulate.Fault{Kind: simulate.Stop, At: 4 * second, For: 2 * second}), func(r simulate.Result) bool {
			return r.Success == 1 && r.Timeline[4].Succeeded+r.Timeline[5].Succeeded == 0 && about(r.Timeline[6].Succeeded, 300, 10) &&
				about(r.Extra.Count, 200, 4) && r.Extra.Max < ms(1) && r.Recovery.State == simulate.Recovered && r.Recovery.After == 0
		}},
		{"slow", steady(simulate.Backend{Latency: simulate.Delay{Median: ms(10)}}, simulate.Fault{Kind: simulate.Slow, At: 5 * second, For: second, Factor: 50}), func(r simulate.Result) bool {
			return about(r.Timeline[5].Succeeded, 51, 4) && (r.Latency.Max-ms(500)).Abs() < ms(1)
		}},
		{"failing", steady(simulate.Backend{}, simulate.Fault{Kind: simulate.Fail, Share: 0.25, Status: 500}), func(r simulate.Result) bool {
			return about(r.Answers.Failed, 250, 45) && r.Kinds["backend_internal"] == r.Answers.Failed
		}},
		{"failing for one grant", steady(simulate.Backend{}, simulate.Fault{Kind: simulate.Fail, Status: 500, Keys: []int{7}}), func(r simulate.Result) bool {
			return r.Success == 1
		}},
		{"failing takes its time", steady(simulate.Backend{Latency: simulate.Delay{Median: ms(100)}}, simulate.Fault{Kind: simulate.Fail, Status: 500, Work: 0.5}), func(r simulate.Result) bool {
			return (r.TimeToFail.P50 - ms(50)).Abs() < ms(1)
		}},
		{"refusing connections", steady(simulate.Backend{RTT: ms(2)}, simulate.Fault{Kind: simulate.Refuse, At: second, For: second}), func(r simulate.Result) bool {
			return about(r.Answers.Disconnected, 100, 2) && r.Kinds["connection_refused"] == r.Answers.Disconnected && r.TimeToFail.Max < ms(3)
		}},
		{"hanging", steady(simulate.Backend{AttemptTimeout: ms(500)}, simulate.Fault{Kind: simulate.Hang, Share: 0.1}), func(r simulate.Result) bool {
			return about(r.Answers.GaveUp, 100, 30) && (r.TimeToFail.P50-ms(500)).Abs() < ms(1)
		}},
		{"hanging until the caller's deadline", steady(simulate.Backend{}, simulate.Fault{Kind: simulate.Hang, Share: 0.1}), func(r simulate.Result) bool {
			return about(r.Kinds["deadline"], 100, 30) && r.TimeToFail.Max == 5*second-1
		}},
		{"losing answers", steady(simulate.Backend{RTT: ms(10)}, simulate.Fault{Kind: simulate.Drop}), func(r simulate.Result) bool {
			return r.Success == 0 && r.Kinds["connection_lost"] == r.Calls && (r.TimeToFail.P50-ms(10)).Abs() < ms(1)
		}},
		{"locked", steady(simulate.Backend{}, simulate.Fault{Kind: simulate.Lock, At: second, For: second}), func(r simulate.Result) bool {
			return about(r.Answers.Refreshing, 100, 2) && r.Kinds["token_refresh_in_progress"] == r.Answers.Refreshing
		}},
		{"a lock that is looked at when it is one's turn", steady(simulate.Backend{Rate: 50}, simulate.Fault{Kind: simulate.Lock, For: second, Work: 1}), func(r simulate.Result) bool {
			return about(r.Answers.Refreshing, 50, 2)
		}},
		{"a limit in windows", steady(simulate.Backend{}, simulate.Fault{Kind: simulate.RateLimit, Limit: 30, Window: second}), func(r simulate.Result) bool {
			return about(r.Succeeded, 300, 5) && r.Refused == r.Answers.RateLimited && r.Kinds["policy_rate_limit"] == r.Refused
		}},
		{"a limit of tokens", steady(simulate.Backend{}, simulate.Fault{Kind: simulate.RateLimit, Limit: 30, Window: second, Bucket: true}), func(r simulate.Result) bool {
			return about(r.Succeeded, 330, 5) && r.Timeline[0].Succeeded > 50 && about(r.Timeline[9].Succeeded, 30, 2)
		}},
		{"any API at all", steady(simulate.Backend{Plain: true}, simulate.Fault{Kind: simulate.RateLimit, Limit: 30, Window: second}), func(r simulate.Result) bool {
			return r.Kinds["provider_rate_limit"] == r.Refused && r.Refused > 600
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.s.Validate(); err != nil {
				t.Fatal(err)
			}
			r := simulate.Run(t, tt.s, once)
			if !tt.want(r) {
				t.Errorf("this is not it:\n%v\n%+v\n%+v", r, r.Answers, r.Timeline)
			}
			if a := r.Answers; a.Served+a.Refreshing+a.RateLimited+a.Shed+a.Failed+a.Disconnected+a.Lost+a.GaveUp != r.Attempts {
				t.Errorf("%+v are not %d attempts", a, r.Attempts)
			}
		})
	}
}

// TestAnswersSayWhatTheyShould looks at what the chain makes of a limit's answers, and of a shed request's.
func TestAnswersSayWhatTheyShould(t *testing.T) {
	tests := []struct {
		name string
		s    simulate.Scenario
		want func(v classify.Verdict) bool
	}{
		{"a limit that says nothing", steady(simulate.Backend{}, simulate.Fault{Kind: simulate.RateLimit, Limit: 1, Window: 3 * time.Second}), func(v classify.Verdict) bool {
			return v.RetryAfter == 0 && v.Kind == classify.PolicyRateLimit
		}},
		{"a limit with a hint", steady(simulate.Backend{}, simulate.Fault{Kind: simulate.RateLimit, Limit: 1, Window: 3 * time.Second, Hint: true}), func(v classify.Verdict) bool {
			return v.RetryAfter > 0 && v.RetryAfter <= 3*time.Second && v.RetryAfter%time.Second == 0
		}},
		{"a limit with fields", steady(simulate.Backend{}, simulate.Fault{Kind: simulate.RateLimit, Limit: 1, Window: 3 * time.Second, Fields: true}), func(v classify.Verdict) bool {
			return v.Detail != nil && v.Detail.RateLimit != nil && v.Detail.RateLimit.Policy == "policy-0" && v.Detail.RateLimit.Limit == 1 &&
				v.Detail.RateLimit.Window == 3*time.Second
		}},
		{"a queue with a hint", steady(simulate.Backend{Rate: 1, Queue: 1, Hint: 7 * time.Second}), func(v classify.Verdict) bool {
			return v.RetryAfter == 7*time.Second
		}},
		{"a lock", steady(simulate.Backend{}, simulate.Fault{Kind: simulate.Lock}), func(v classify.Verdict) bool {
			return v.Detail != nil && v.Detail.GrantID == "grant-0"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var mu sync.Mutex
			seen := 0
			r := simulate.On(t)
			r.Configure = func(cfg *transport.Config) {
				cfg.Hooks.Call = func(_ context.Context, info transport.CallInfo) {
					if info.Status < http.StatusBadRequest {
						return
					}
					mu.Lock()
					defer mu.Unlock()
					if seen++; !tt.want(info.Verdict) && seen < 10 {
						t.Errorf("%+v %+v", info.Verdict, info.Verdict.Detail)
					}
				}
			}
			tt.s.Traffic[0].Deadline = 0
			if _, err := r.Run(t.Context(), tt.s, once); err != nil {
				t.Fatal(err)
			}
			if seen == 0 {
				t.Error("nothing was refused")
			}
		})
	}
}

// TestCallersNameWhatTheyKnow: who names the grant waits at its gate without asking, and who names the policy has a breaker of its own.
func TestCallersNameWhatTheyKnow(t *testing.T) {
	var (
		mu   sync.Mutex
		keys []string
	)
	note := func(key string) {
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, key)
	}
	r := simulate.On(t)
	r.Configure = func(cfg *transport.Config) {
		cfg.Hooks.Wait = func(_ context.Context, info transport.WaitInfo) { note(info.Key) }
		cfg.Hooks.Refuse = func(_ context.Context, info transport.RefuseInfo) { note(info.Key) }
	}
	s := steady(simulate.Backend{RTT: ms(10)}, simulate.Fault{Kind: simulate.Lock, At: time.Second, For: time.Second})
	s.Traffic[0].Keys.First, s.Traffic[0].NamesGrant = 3, true
	locked, err := r.Run(t.Context(), s, policy.Default())
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://backend.example grant grant-3"; len(keys) == 0 || slices.ContainsFunc(keys, func(k string) bool { return k != want }) {
		t.Errorf("waited at %q, want %q", keys, want)
	}
	if locked.Success != 1 || locked.Answers.Refreshing > 15 {
		t.Errorf("%v of the calls succeeded, %d asked in vain; want all, and few", locked.Success, locked.Answers.Refreshing)
	}
	keys = nil
	s = steady(simulate.Backend{RTT: ms(10)}, simulate.Fault{Kind: simulate.RateLimit, Limit: 10, Window: time.Second, Hint: true})
	s.Traffic[0].NamesPolicy = true
	if _, err := r.Run(t.Context(), s, policy.Default()); err != nil {
		t.Fatal(err)
	}
	if want := "policy-0"; len(keys) == 0 || slices.ContainsFunc(keys, func(k string) bool { return k != want }) {
		t.Errorf("refused for %q, want %q", keys, want)
	}
}
