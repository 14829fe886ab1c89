package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
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

func TestASecondWithMillionsOfCallsIsInterrupted(t *testing.T) {
	p, err := policy.New(policy.Set{MaxAttempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var sent atomic.Int64
	r := On(t)
	r.Configure = func(c *transport.Config) {
		c.PerAttempt = append(c.PerAttempt, func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(req *http.Request) (*http.Response, error) {
				if sent.Add(1) == 1000 {
					cancel()
				}
				return next.RoundTrip(req)
			})
		})
	}
	s := Scenario{Duration: time.Second, Traffic: []Traffic{{Kind: Closed, Clients: 2}}}
	w, err := r.play(ctx, s, p, 0, 10_000)
	if !errors.Is(err, context.Canceled) || len(w.calls) > 1100 {
		t.Errorf("%d calls, %v; want the end soon after the thousandth", len(w.calls), err)
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

func TestTokensOfHugeBudgetsAreANumber(t *testing.T) {
	p := policy.Default()
	p.Budget.Min = math.MaxFloat64
	r := Run(t, Scenario{Duration: 2 * time.Second, Processes: 2, Repeat: 2, Traffic: []Traffic{{Kind: Open, Rate: 20}}}, p)
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestAttemptsAreInFlightAtTheStartOfASecond(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	w := &world{scenario: Scenario{Duration: 5 * time.Second}, backend: &backend{}}
	w.calls = []*call{{end: ms(4500), tries: []try{
		{begin: 0, end: ms(900)}, {begin: ms(900), end: ms(1000)}, {begin: ms(500), end: ms(2500)}, {begin: ms(1500), end: ms(4500)}, {begin: ms(4200)},
	}}}
	w.samples = []sample{{open: 1}, {held: 2, tokens: 3}}
	rec := record{}
	rec.add(w)
	rec.add(w)
	var flying []int
	for _, row := range rec.timeline() {
		flying = append(flying, row.InFlight)
	}
	if got, want := flying, []int{0, 4, 4, 2, 2}; len(got) != len(want) || [5]int(got) != [5]int(want) {
		t.Errorf("in flight: %v, want %v", got, want)
	}
	if rows := rec.timeline(); rows[0].Open != 2 || rows[1].Held != 4 || rows[1].Tokens != 6 {
		t.Errorf("%+v, want what both plays saw", rows[:2])
	}
}

func TestBurstsMayFollowEachOther(t *testing.T) {
	s := Scenario{Duration: time.Minute, Traffic: []Traffic{{Kind: Burst, Calls: 10, Within: time.Second, Every: time.Second}}}
	if err := s.Validate(); err != nil {
		t.Errorf("%v; want bursts without a gap between them to be valid", err)
	}
}

// A fixed window ends when it does, and not a moment later.
func TestTheNextWindowBeginsWhereOneEnds(t *testing.T) {
	b := newBackend(Scenario{Faults: []Fault{{Kind: RateLimit, Limit: 1, Window: time.Second}}}, 0)
	for _, tc := range []struct {
		at time.Duration
		ok bool
	}{{0, true}, {time.Second - 1, false}, {time.Second, true}, {2*time.Second - 1, false}} {
		if left, ok := b.count(&b.faults[0], tc.at, 0); ok != tc.ok || !ok && left != 1+(2*time.Second-1-tc.at)%time.Second {
			t.Errorf("at %s: %v, %s left; want %v", tc.at, ok, left, tc.ok)
		}
	}
}
