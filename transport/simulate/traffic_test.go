package simulate_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// once never retries.
var once = policy.Set{MaxAttempts: 1}

// offered returns the calls that began in each second.
func offered(r simulate.Result) (all []int) {
	for _, row := range r.Timeline {
		all = append(all, row.Offered)
	}
	return all
}

func TestOpenTrafficComesAtItsRate(t *testing.T) {
	r := simulate.Run(t, simulate.Scenario{
		Duration: 300 * time.Second,
		Traffic: []simulate.Traffic{{
			Kind: simulate.Open, From: 50 * time.Second, To: 250 * time.Second, Rate: 20,
			Steps: []simulate.Step{{100 * time.Second, 0}, {150 * time.Second, 80}, {200 * time.Second, 20}},
		}},
	}, once)
	all := offered(r)
	sum := func(from, to int) (n int) {
		for _, calls := range all[from:to] {
			n += calls
		}
		return n
	}
	for _, part := range []struct{ from, to, want int }{{0, 50, 0}, {50, 100, 1000}, {100, 150, 0}, {150, 200, 4000}, {200, 250, 1000}, {250, 300, 0}} {
		got := sum(part.from, part.to)
		if off := math.Abs(float64(got - part.want)); off > 4*math.Sqrt(float64(part.want)) {
			t.Errorf("from %ds to %ds: %d calls, want about %d", part.from, part.to, got, part.want)
		}
	}
	// In a Poisson process the counts vary as much as their mean.
	mean, variance := float64(sum(150, 200))/50, 0.0
	for _, n := range all[150:200] {
		variance += (float64(n) - mean) * (float64(n) - mean) / 49
	}
	if ratio := variance / mean; ratio < 0.5 || ratio > 1.8 {
		t.Errorf("the variance of calls in a second is %.2f of their mean, want about 1", ratio)
	}
}

func TestEvenTrafficComesEvenly(t *testing.T) {
	r := simulate.Run(t, simulate.Scenario{
		Duration: 60 * time.Second, Traffic: []simulate.Traffic{{Kind: simulate.Open, Rate: 10, Even: true}},
	}, once)
	all := offered(r)
	if low, high := slices.Min(all), slices.Max(all); low < 7 || high > 13 {
		t.Errorf("%d to %d calls in a second, want about 10 in each", low, high)
	}
}

func TestBurstsComeAtOnce(t *testing.T) {
	r := simulate.Run(t, simulate.Scenario{
		Duration: 10 * time.Second,
		Traffic:  []simulate.Traffic{{Kind: simulate.Burst, From: 2 * time.Second, Calls: 100, Within: ms(50), Every: 3 * time.Second}},
	}, once)
	if got, want := offered(r), []int{0, 0, 100, 0, 0, 100, 0, 0, 100, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestClosedTrafficWaitsForItsAnswers(t *testing.T) {
	r := simulate.Run(t, simulate.Scenario{
		Duration: 60 * time.Second,
		Traffic:  []simulate.Traffic{{Kind: simulate.Closed, Clients: 5, Think: simulate.Delay{Median: ms(400)}}},
		Backend:  simulate.Backend{RTT: ms(100)},
	}, once)
	if r.Calls < 595 || r.Calls > 600 || r.PeakInFlight != 5 {
		t.Errorf("%d calls, %d in flight; want five clients that call every 500ms", r.Calls, r.PeakInFlight)
	}
}

func TestRecordedTrafficComesWhenItCame(t *testing.T) {
	r := simulate.Run(t, simulate.Scenario{
		Duration: 5 * time.Second,
		Traffic: []simulate.Traffic{{
			Kind: simulate.Recorded, From: time.Second, Arrivals: []time.Duration{0, ms(1500), ms(1500), ms(1500), ms(4999), 5 * time.Second},
		}},
	}, once)
	if got, want := offered(r), []int{0, 3, 0, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v: what is before From and after the end does not count", got, want)
	}
}

func TestTheHotGrantGetsItsShare(t *testing.T) {
	r := simulate.Run(t, simulate.Scenario{
		Duration: 100 * time.Second,
		Traffic: []simulate.Traffic{
			{Name: "a", Kind: simulate.Open, Rate: 100, Keys: simulate.Keys{Count: 10, Hot: 0.5}},
			{Name: "b", Kind: simulate.Open, Rate: 10, Keys: simulate.Keys{Count: 2, First: 5}},
		},
	}, once)
	share := float64(r.Hot.Calls) / float64(r.Traffic[0].Calls)
	if share < 0.48 || share > 0.52 {
		t.Errorf("the hot grant got %.3f of the calls, want half", share)
	}
	if r.Hot.Calls+r.Others.Calls != r.Calls || r.Traffic[0].Name != "a" || r.Traffic[0].Calls+r.Traffic[1].Calls != r.Calls {
		t.Errorf("groups %+v, %+v and %+v do not add up to %d calls", r.Hot, r.Others, r.Traffic, r.Calls)
	}
}

func TestCallersAreSpreadOverTheProcesses(t *testing.T) {
	s := simulate.Scenario{
		Duration: 60 * time.Second, Processes: 10,
		Traffic: []simulate.Traffic{{Kind: simulate.Open, Rate: 100}},
		Faults:  []simulate.Fault{{Kind: simulate.Fail, Status: 503}},
	}
	set := once
	breaker := policy.OutageBreaker()
	breaker.Open, breaker.MaxOpen = time.Hour, time.Hour
	set.Breakers = []policy.Breaker{breaker}
	r := simulate.Run(t, s, set)
	if r.Attempts != 60 || r.Timeline[59].Open != 10 {
		t.Errorf("%d attempts, %d breakers open; want six by each of ten processes, until its breaker opens", r.Attempts, r.Timeline[59].Open)
	}
}
