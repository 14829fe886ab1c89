package report

import (
	"reflect"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

func TestAScheduleEndsWithTheCall(t *testing.T) {
	p := policy.Profile{Retries: 5, Initial: time.Second, Max: 4 * time.Second, Multiplier: 2, Jitter: 0.5}
	full, immediate := p, p
	full.Jitter = policy.FullJitter
	immediate.Immediate, immediate.Jitter = true, 0
	const s = time.Second
	for _, c := range []struct {
		name string
		policy.Profile
		n      int
		bounds []bound
		want   []moment
	}{
		{"jitter adds up", p, 10, nil, []moment{{s, s / 2, s, 3 * s / 2}, {2 * s, 3 * s / 2, 3 * s, 9 * s / 2}, {4 * s, 7 * s / 2, 7 * s, 21 * s / 2}, {4 * s, 11 * s / 2, 11 * s, 33 * s / 2}, {4 * s, 15 * s / 2, 15 * s, 45 * s / 2}}},
		{"full jitter may be none at all", full, 2, nil, []moment{{s, 0, s, s}, {2 * s, 0, 3 * s, 3 * s}}},
		{"the first one may be at once", immediate, 2, nil, []moment{{}, {s, s, s, s}}},
		{"the number of attempts ends it", p, 1, nil, []moment{{s, s / 2, s, 3 * s / 2}}},
		{"the nearest bound ends it", p, 10, []bound{{"a", 3 * s}, {"b", 20 * s}}, []moment{{s, s / 2, s, 3 * s / 2}}},
		{"jitter does not pass the bound", p, 10, []bound{{"a", 4 * s}}, []moment{{s, s / 2, s, 3 * s / 2}, {2 * s, 3 * s / 2, 3 * s, 4 * s}}},
		{"no retries", policy.Profile{}, 10, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := schedule(c.Profile, c.n, c.bounds); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestAScheduleShowsWhatWasAskedFor(t *testing.T) {
	all, ok := scheduleChart(simulate.Scenario{}, Run{Set: policy.Default()}, 0, 1)
	names := all.Y.Categories
	if !ok || len(names) < 3 || names[0] != "backend unavailable" || names[len(names)-1] != "gate's probe" {
		t.Fatalf("got %q, want the profiles in the order of the failure tree, and the gate's", names)
	}
	profile, _, _ := policy.Default().Profile(classify.Dial)
	one := Schedule{Profiles: []Profile{{"dial", profile}}, Deadline: time.Minute, Retries: 2}
	c, _ := scheduleChart(simulate.Scenario{}, Run{Set: policy.Default(), Schedule: one}, 0, 1)
	sent := c.Series[len(c.Series)-1].Points
	if len(c.Y.Categories) != 1 || c.Y.Categories[0] != "dial" || len(sent) != 2 {
		t.Errorf("got %q with %d retries, want one profile with two", c.Y.Categories, len(sent))
	}
	one.Retries, one.Deadline = 0, 0
	for _, pause := range profile.Schedule(3) {
		one.Deadline += pause // the third retry would be sent when it is over
	}
	c, _ = scheduleChart(simulate.Scenario{}, Run{Set: policy.Default(), Schedule: one}, 0, 1)
	if sent := c.Series[len(c.Series)-1].Points; len(sent) != 2 || len(c.Marks) == 0 || c.Marks[0].Name != "caller's deadline "+short(one.Deadline) {
		t.Errorf("got %d retries and the bounds %+v, want two retries, and the caller's deadline", len(sent), c.Marks)
	}
}

func TestNumbersAreThoseOfOneTimeThatTheScenarioWasPlayed(t *testing.T) {
	r := result()
	r.Played = 4
	points := rows(r, count(func(s simulate.Second) float64 { return float64(s.Sent) }))
	if len(points) != 5 || *points[0].Y != 3 || points[4].X != 4 || *points[4].Y != 3 {
		t.Errorf("got %+v, want 12/4 in each second, and an end of the last one", points)
	}
	r.Timeline[1].Succeeded, r.Timeline[1].Failed = 0, 0
	points = rows(r, successOf)
	if *points[0].Y != 0.7778 || points[1].Y != nil {
		t.Errorf("got %v and %v, want 7 of 9, and a gap", *points[0].Y, points[1].Y)
	}
}

func TestTheEndOfTheFaultsIsShownCloser(t *testing.T) {
	r := result()
	r.Played = 2
	for i := range 4 {
		r.FaultsEnd = append(r.FaultsEnd, simulate.Interval{At: time.Duration(i-2) * 50 * time.Millisecond, Played: min(i, 2), Sent: 6 * i})
	}
	lock := small()
	lock.Faults = []simulate.Fault{{Kind: simulate.Lock}}
	long := result()
	for i := range 20 {
		long.Timeline = append(long.Timeline, simulate.Second{At: 4 + i, Offered: 1, Sent: 1})
	}
	long.FaultsEnd = r.FaultsEnd
	for _, c := range []struct {
		name  string
		s     simulate.Scenario
		r     simulate.Result
		want  string // the first chart
		title string // of the fine one
	}{
		{"first, of what is over soon", small(), r, "fine", "Attempts around the end of the faults"},
		{"with the lock's own name", lock, r, "fine", "Attempts around the unlock"},
		{"after the load, of what takes longer", lock, long, "load0", "Attempts around the unlock"},
		{"not at all without a lock, if it takes longer", small(), long, "load0", ""},
	} {
		charts := timeCharts(c.s, []Run{{Name: "one", Set: policy.Default(), Result: c.r}})
		if charts[0].ID != c.want {
			t.Errorf("%s: %s is first, want %s", c.name, charts[0].ID, c.want)
		}
		title := ""
		for _, chart := range charts {
			if chart.ID == "fine" {
				title = chart.Title
				got := chart.Series[0].Points
				if len(got) != 5 || got[0].Y != nil || *got[1].Y != 6 || *got[3].Y != 9 || got[0].X != -0.1 || got[4].X != 0.1 {
					t.Errorf("%s: %+v, want what each play sent, and an end of the last row", c.name, got)
				}
			}
		}
		if title != c.title {
			t.Errorf("%s: title %q, want %q", c.name, title, c.title)
		}
	}
}

func TestAPointOfTheSearchIsInOneSeries(t *testing.T) {
	trial := func(name string, attempts int, success float64, missed error) simulate.Trial {
		r := simulate.Result{Calls: 10, Attempts: attempts, Success: success}
		return simulate.Trial{Candidate: simulate.Candidate{Name: name}, Result: r, Missed: missed}
	}
	miss := simulate.Result{}.Check(gates(t, "success >= 99%"))
	all := []simulate.Trial{
		trial("best", 10, 1, nil), trial("equal", 10, 1, nil), trial("cheap", 5, 0.5, miss), trial("dear", 20, 1, nil), trial("bad", 20, 0.2, miss),
		trial("mine", 15, 0.9, miss), {Candidate: simulate.Candidate{Name: "not measured"}},
	}
	front, err := simulate.Front(all, "attempts", "success")
	if err != nil {
		t.Fatal(err)
	}
	x, err := metricOf("attempts")
	if err != nil {
		t.Fatal(err)
	}
	y, err := metricOf("success")
	if err != nil {
		t.Fatal(err)
	}
	r := Report{Trials: all, Front: front, Current: "mine", Gates: gates(t, "success >= 99%")}
	c := searchChart(r, plane{x, y})
	got := make(map[string][]string)
	for _, s := range c.Series {
		for _, p := range s.Points {
			got[s.Name] = append(got[s.Name], p.Text[0])
		}
	}
	want := map[string][]string{
		"best trade-offs (Pareto front)":  {"cheap", "best"},
		"on the front, but misses a gate": {"cheap"},
		"others that meet the gates":      {"dear"},
		"others that miss a gate":         {"bad"},
		"the policy at hand":              {"mine"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if len(c.Marks) != 1 || c.Marks[0].At != 0.99 || !c.Marks[0].Y {
		t.Errorf("got %+v, want a line for the gate", c.Marks)
	}
	table := candidates(r, plane{x, y})
	if len(table) != 3 || table[1].Name != "best" || table[1].Same != 1 || !table[2].Current || table[2].Front {
		t.Errorf("got %+v, want cheap, best with one of the same, and mine", table)
	}
}

func TestFactsSayWhatAScenarioIs(t *testing.T) {
	for _, s := range simulate.Ready() {
		for _, f := range facts(s) {
			if len(f.Lines) == 0 {
				t.Errorf("%s: nothing is said of %s", s.Name, f.Name)
			}
		}
	}
}

func TestTimesAreShort(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"}, {1234 * time.Nanosecond, "1.23µs"}, {12345 * time.Microsecond, "12.3ms"}, {2455500 * time.Microsecond, "2.46s"},
		{time.Minute, "1m"}, {90 * time.Second, "1m30s"}, {2 * time.Hour, "2h"}, {10 * time.Second, "10s"}, {70 * time.Minute, "1h10m"},
	} {
		if got := short(c.d); got != c.want {
			t.Errorf("%d: got %s, want %s", c.d, got, c.want)
		}
	}
}
