package simulate_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

func TestReadyScenariosAreValidAndNamedAsTheirFiles(t *testing.T) {
	var names []string
	for _, s := range simulate.Ready() {
		names = append(names, s.Name)
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if s.About == "" {
			t.Errorf("%s does not say what it shows", s.Name)
		}
		found, err := simulate.Find(s.Name)
		if err != nil || !reflect.DeepEqual(found, s) {
			t.Errorf("Find(%q) is %+v, %v; want %+v", s.Name, found, err, s)
		}
	}
	want := []string{
		"brown-out", "lossy-network", "mild-overload", "outage", "policy-limit", "refresh-storm-400", "refresh-storm", "restart",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestUnknownScenarioIsToldWithTheKnownOnes(t *testing.T) {
	_, err := simulate.Find("meltdown")
	if err == nil || !strings.Contains(err.Error(), `"meltdown"`) || !strings.Contains(err.Error(), "refresh-storm") {
		t.Errorf("got %v, want the name and the known ones", err)
	}
}

// full has every field set that can be.
func full() simulate.Scenario {
	return simulate.Scenario{
		Name: "full: of everything", About: "true", Seed: 1<<64 - 1, Duration: 90 * time.Second, Repeat: 2, Processes: 3,
		Traffic: []simulate.Traffic{
			{
				Name: "open", Kind: simulate.Open, From: time.Second, To: time.Minute, Rate: 2.5, Even: true,
				Steps:  []simulate.Step{{At: 2 * time.Second, Rate: 1e-3}, {At: 1500 * time.Millisecond * 2, Rate: 0}},
				Method: "POST", Deadline: ms(2500), Keys: simulate.Keys{Count: 9, First: 1, Hot: 0.25}, NamesGrant: true, NamesPolicy: true,
			},
			{Kind: simulate.Burst, Calls: 3, Within: ms(50), Every: time.Second},
			{Kind: simulate.Closed, Clients: 4, Think: simulate.Delay{Median: ms(100), P99: time.Second}},
			{Kind: simulate.Recorded, Arrivals: []time.Duration{0, ms(10), ms(10)}},
		},
		Backend: simulate.Backend{
			RTT: 1234567 * time.Nanosecond, Spread: 0.1, Rate: 100, Workers: 5, Latency: simulate.Delay{Median: ms(10)},
			Queue: 10, Full: simulate.Shed, Hint: time.Second, AttemptTimeout: time.Second,
		},
		Faults: []simulate.Fault{
			{Name: "l", Kind: simulate.Lock, At: time.Second, Keys: []int{0, 2}, Hold: simulate.Delay{Median: ms(400), P99: 3 * time.Second}, Work: 0.5},
			{Kind: simulate.Stop, For: time.Second},
			{Kind: simulate.Slow, Factor: 1.5},
			{Kind: simulate.Fail, Share: 0.125, Status: 500},
			{Kind: simulate.Refuse}, {Kind: simulate.Hang}, {Kind: simulate.Drop},
			{Kind: simulate.RateLimit, Limit: 10, Window: time.Second, Bucket: true, Hint: true, Fields: true},
		},
	}
}

func TestScenarioSurvivesItsFile(t *testing.T) {
	plain := simulate.Scenario{Duration: 1, Traffic: []simulate.Traffic{{Kind: simulate.Open, Rate: 1}}, Backend: simulate.Backend{Plain: true}}
	for _, s := range append(simulate.Ready(), full(), plain) {
		text := s.YAML()
		got, err := simulate.Parse("s.yaml", text)
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%s\ncame back as %+v, %v\nwant %+v", text, got, err, s)
		}
	}
}

func TestTimesMultipliesTheTraffic(t *testing.T) {
	s := full()
	got := s.Times(2)
	if got.Traffic[0].Rate != 5 || got.Traffic[0].Steps[0].Rate != 2e-3 || got.Traffic[1].Calls != 6 || got.Traffic[2].Clients != 8 {
		t.Errorf("got %+v, want twice the rates, calls and clients", got.Traffic)
	}
	if !reflect.DeepEqual(s, full()) {
		t.Error("the scenario itself has changed")
	}
	if least := s.Times(1e-9).Traffic; least[1].Calls != 1 || least[2].Clients != 1 {
		t.Errorf("got %+v, want one call and one client at least", least)
	}
}

func TestDelayHasItsMedianAndItsTail(t *testing.T) {
	d := simulate.Delay{Median: ms(400), P99: 3 * time.Second}
	for _, tt := range []struct {
		p    float64
		want time.Duration
	}{{0.5, ms(400)}, {0.99, 3 * time.Second}} {
		if got := d.Quantile(tt.p); (got - tt.want).Abs() > time.Microsecond {
			t.Errorf("quantile %v is %v, want %v", tt.p, got, tt.want)
		}
	}
	if low, high := d.Quantile(-1), d.Quantile(2); low <= 0 || high < 3*time.Second || high > time.Hour {
		t.Errorf("beyond its ends it is %v and %v", low, high)
	}
	if got := (simulate.Delay{Median: ms(5)}).Quantile(0.999); got != ms(5) {
		t.Errorf("a constant delay is %v, want 5ms", got)
	}
}
