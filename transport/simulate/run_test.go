package simulate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

func TestNothingIsPlayedThatIsNotValid(t *testing.T) {
	s := steady(simulate.Backend{})
	if _, err := simulate.On(t).Run(t.Context(), s, policy.Set{}); err == nil || !strings.Contains(err.Error(), "MaxAttempts") {
		t.Errorf("got %v, want the fault of the policy", err)
	}
	s.Traffic = nil
	if _, err := simulate.On(t).Run(t.Context(), s, once); err == nil || !strings.Contains(err.Error(), "Traffic is empty") {
		t.Errorf("got %v, want the fault of the scenario", err)
	}
}

func TestPanicsBecomeErrors(t *testing.T) {
	bang := func(http.RoundTripper) http.RoundTripper { panic("bang") }
	tests := []struct {
		name      string
		configure func(*transport.Config)
		progress  func(simulate.Progress)
		want      string
	}{
		{"of Configure", func(*transport.Config) { panic("bang") }, nil, "bang"},
		{"of a middleware's constructor", func(cfg *transport.Config) { cfg.PerCall = []transport.Middleware{bang} }, nil, "bang"},
		{"of a hook, in the middle of a call", func(cfg *transport.Config) {
			cfg.Hooks.Call = func(context.Context, transport.CallInfo) { panic("bang") }
		}, nil, "bang"},
		{"of a classifier", func(cfg *transport.Config) {
			cfg.Classifier = classify.ClassifierFunc(func(classify.Outcome) classify.Verdict { panic("bang") })
		}, nil, "bang"},
		{"of the progress", nil, func(p simulate.Progress) {
			if p.At > 3*time.Second {
				panic("bang")
			}
		}, "bang"},
		{"a chain that cannot be made", func(cfg *transport.Config) { cfg.PerCall = []transport.Middleware{nil} }, nil, "Config.PerCall[0] is nil"},
		{"a chain without Shared", func(cfg *transport.Config) { cfg.Shared = nil }, nil, "Config.Shared"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := simulate.On(t)
			r.Configure, r.Progress = tt.configure, tt.progress
			_, err := r.Run(t.Context(), steady(simulate.Backend{}, simulate.Fault{Kind: simulate.Fail, Share: 0.1, Status: 503}), policy.Default())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			var panicked *simulate.PanicError
			if tt.want == "bang" && (!errors.As(err, &panicked) || panicked.Value != "bang" || len(panicked.Stack) == 0) {
				t.Errorf("got %T, want the value and the stack of the panic", err)
			}
		})
	}
}

func TestTheContextEndsASimulation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := simulate.On(t)
	var last simulate.Progress
	r.Progress = func(p simulate.Progress) {
		if last = p; p.At >= 5*time.Second {
			cancel()
		}
	}
	s := steady(simulate.Backend{})
	s.Repeat = 3
	if _, err := r.Run(ctx, s, once); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was canceled", err)
	}
	if last.At > 6*time.Second || last.Played != 0 {
		t.Errorf("it went on until %+v", last)
	}
}

// TestCallsThatNobodyAnswersEndWithTheSimulation: without a deadline and a timeout nothing else would end them.
func TestCallsThatNobodyAnswersEndWithTheSimulation(t *testing.T) {
	s := steady(simulate.Backend{}, simulate.Fault{Kind: simulate.Hang, Share: 0.1})
	s.Traffic[0].Deadline = 0
	r := simulate.Run(t, s, policy.Default())
	if r.Kinds["canceled"] == 0 || r.Kinds["canceled"] != r.Answers.GaveUp || r.TimeToFail.Max < time.Minute {
		t.Errorf("got %v, %+v, at most %v; want about 100 calls that wait until the end", r.Kinds, r.Answers, r.TimeToFail.Max)
	}
}

func TestProgressIsTold(t *testing.T) {
	r := simulate.On(t)
	var all []simulate.Progress
	r.Progress = func(p simulate.Progress) { all = append(all, p) }
	s := steady(simulate.Backend{})
	s.Repeat = 2
	if _, err := r.Run(t.Context(), s, once); err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 || len(all) > 24 {
		t.Fatalf("told %d times, want once in each of twice ten seconds", len(all))
	}
	if p := all[5]; p.Played != 0 || p.Repeat != 2 || p.At.Round(time.Second) != 5*time.Second || p.Duration != 10*time.Second || p.Calls < 450 || p.Succeeded != p.Calls {
		t.Errorf("after 5s: %+v", p)
	}
	if p := all[len(all)-1]; p.Played != 1 {
		t.Errorf("at the end: %+v", p)
	}
}

// TestMiddlewaresTakePart: what Configure adds works in the simulation as it does in production.
func TestMiddlewaresTakePart(t *testing.T) {
	var calls, attempts atomic.Int64
	counting := func(n *atomic.Int64) transport.Middleware {
		return func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(req *http.Request) (*http.Response, error) {
				n.Add(1)
				return next.RoundTrip(req)
			})
		}
	}
	r := simulate.On(t)
	r.Configure = func(cfg *transport.Config) {
		cfg.PerCall = []transport.Middleware{transport.AnswerRefusals(), counting(&calls)}
		cfg.PerAttempt = []transport.Middleware{counting(&attempts)}
	}
	s := steady(simulate.Backend{}, simulate.Fault{Kind: simulate.RateLimit, Limit: 5, Window: time.Second, Hint: true})
	result, err := r.Run(t.Context(), s, policy.Default())
	if err != nil {
		t.Fatal(err)
	}
	if n, m := int(calls.Load()), int(attempts.Load()); n != result.Calls || m != result.Attempts || m == 0 {
		t.Errorf("counted %d calls and %d attempts, the result has %d and %d", n, m, result.Calls, result.Attempts)
	}
	if result.ByBreaker == 0 {
		t.Error("refusals that have become answers do not count")
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestBodiesOfRefusalsCanBeRead: a middleware may look at them.
func TestBodiesOfRefusalsCanBeRead(t *testing.T) {
	var body string
	r := simulate.On(t)
	r.Configure = func(cfg *transport.Config) {
		cfg.PerCall = []transport.Middleware{func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(req *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(req)
				if err == nil && resp.StatusCode == http.StatusTooManyRequests {
					data, _ := io.ReadAll(resp.Body)
					body = string(data)
				}
				return resp, err
			})
		}}
	}
	s := steady(simulate.Backend{}, simulate.Fault{Kind: simulate.RateLimit, Limit: 1, Window: time.Hour})
	s.Traffic = []simulate.Traffic{{Kind: simulate.Recorded, Arrivals: []time.Duration{0, time.Second}}}
	if _, err := r.Run(t.Context(), s, once); err != nil {
		t.Fatal(err)
	}
	if want := `{"error":"rate_limit_exceeded"}`; body != want {
		t.Errorf("got %q, want %q", body, want)
	}
}

// TestAnHourOfTraffic plays 36000 calls. On one processor that takes about a second:
//
//	GOMAXPROCS=1 go test -run AnHourOfTraffic -v ./transport/simulate
func TestAnHourOfTraffic(t *testing.T) {
	s := simulate.Scenario{
		Duration: time.Hour,
		Traffic:  []simulate.Traffic{{Kind: simulate.Open, Rate: 10, Deadline: 10 * time.Second, Keys: simulate.Keys{Count: 20}, NamesGrant: true}},
		Backend: simulate.Backend{
			RTT: ms(10), Spread: 0.2, Latency: simulate.Delay{Median: ms(20), P99: ms(200)}, AttemptTimeout: time.Second,
		},
		Faults: []simulate.Fault{{Kind: simulate.Fail, Share: 0.02, Status: http.StatusServiceUnavailable}},
	}
	if raceEnabled || testing.Short() {
		s.Duration = 10 * time.Minute
	}
	begin := time.Now()
	r := simulate.Run(t, s, policy.Default())
	t.Logf("%v of %d calls in %v", s.Duration, r.Calls, time.Since(begin).Round(time.Millisecond))
	if want := 10 * s.Duration.Seconds(); float64(r.Calls) < 0.95*want || float64(r.Calls) > 1.05*want {
		t.Errorf("%d calls, want about %v", r.Calls, want)
	}
	if r.Success < 0.999 || r.Amplification > 1.03 {
		t.Errorf("success %v at %v attempts for each; want nearly all, one in fifty with another attempt", r.Success, r.Amplification)
	}
}
