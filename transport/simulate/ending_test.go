package simulate

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/policy"
)

// TestTheEndOfTheFaultsIsCountedByThePlay has two plays whose locks end 300 ms and 2 s after the start; the same happens around both ends.
func TestTheEndOfTheFaultsIsCountedByThePlay(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	played := func(end time.Duration) *world {
		lock := window{Fault: &Fault{Kind: Lock}, to: end}
		return &world{
			scenario: Scenario{Duration: 5 * time.Second}, backend: &backend{faults: []window{lock}},
			calls: []*call{
				{begin: end - ms(120), end: end + ms(70), good: true, tries: []try{
					{begin: end - ms(120), end: end - ms(101), cause: refreshing}, {begin: end - ms(1), end: end, cause: limited}, {begin: end, end: end + ms(70)},
				}},
				{begin: end - ms(50), end: end + ms(49), local: gate, number: 1, tries: []try{{begin: end - ms(50), end: end + ms(3000), cause: shed}}},
				{begin: end + ms(1999), end: end + ms(2000), local: breaker, number: 2},
			},
		}
	}
	var rec record
	rec.add(played(ms(300)))
	rec.add(played(ms(2000)))
	rows := rec.faultsEnd()
	if len(rows) != 60 || rows[0].At != -time.Second || rows[59].At != ms(1950) {
		t.Fatalf("%d rows from %v to %v, want 60 from -1s to 1.95s", len(rows), rows[0].At, rows[len(rows)-1].At)
	}
	want := map[int]Interval{ // all others have nothing but an attempt of each play under way, from the end on
		17: {Offered: 2, Sent: 2},
		18: {},
		19: {Offered: 2, Sent: 4},
		20: {Sent: 2, Refused: 2, Failed: 2, RefusedLocally: 2, InFlight: 4},
		21: {Succeeded: 2, InFlight: 4},
		59: {Offered: 2, InFlight: 2},
	}
	for i, got := range rows {
		w, ok := want[i]
		if !ok && i > 21 {
			w.InFlight = 2
		}
		w.At, w.Played = time.Duration(i-20)*ms(50), 2
		if i < 14 { // 300 ms before the end
			w.Played = 1
		}
		if got != w {
			t.Errorf("row %d: got %+v, want %+v", i, got, w)
		}
	}
}

func TestOnlyFaultsThatEndHaveAnEnd(t *testing.T) {
	const second = time.Second
	always := Fault{Kind: Fail, Share: 0.1, Status: 503}
	for _, tt := range []struct {
		name   string
		faults []Fault
		ends   int // of two plays
	}{
		{"no fault", nil, 0},
		{"a fault all the time", []Fault{always}, 0},
		{"a fault that does not end", []Fault{{Kind: Fail, Share: 0.1, Status: 503, At: 2 * second}}, 0},
		{"a fault that ends with the scenario", []Fault{{Kind: Stop, At: 3 * second, For: second}}, 0},
		{"a fault that ends after the scenario", []Fault{{Kind: Stop, At: 3 * second, For: 2 * second}}, 0},
		{"a fault after the scenario", []Fault{{Kind: Stop, At: 9 * second, For: second}}, 0},
		{"a fault that ends, and one all the time", []Fault{always, {Kind: Stop, At: second, For: second}}, 2},
		{"a fault that ends, and one that does not", []Fault{{Kind: Stop, At: second, For: second}, {Kind: Slow, Factor: 2, At: 2 * second}}, 0},
		{"a lock that ends in one of two plays", []Fault{{Kind: Lock, Hold: Delay{Median: 4 * second, P99: 30 * second}}}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Scenario{Duration: 4 * second, Repeat: 2, Traffic: []Traffic{{Kind: Open, Rate: 20, Deadline: second}}, Faults: tt.faults}
			r := Run(t, s, policy.Set{MaxAttempts: 1})
			length, played := 0, 0
			if tt.ends > 0 {
				length = 60
			}
			if len(r.FaultsEnd) > 0 {
				played = r.FaultsEnd[20].Played
			}
			if len(r.FaultsEnd) != length || played != tt.ends {
				t.Errorf("got %d rows of %d plays, want %d of %d", len(r.FaultsEnd), played, length, tt.ends)
			}
			data, err := json.Marshal(r.FaultsEnd)
			if err != nil || tt.ends == 0 && string(data) != "[]" {
				t.Errorf("got %s, %v", data, err)
			}
		})
	}
}

// TestTheEndOfALockIsSharp plays a burst of single attempts into a lock, once for each of three lengths: all are begun, and all refused, a
// lock's length before its end, and what calls after it is served.
func TestTheEndOfALockIsSharp(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	s := Scenario{
		Duration: 3 * time.Second, Repeat: 3, Backend: Backend{RTT: ms(10)},
		Traffic: []Traffic{
			{Kind: Burst, Calls: 30, Within: ms(1), Deadline: time.Second},
			{Kind: Burst, Calls: 10, Within: ms(1), From: ms(1500), Deadline: time.Second},
		},
		Faults: []Fault{{Kind: Lock, Hold: Delay{Median: ms(400), P99: ms(900)}}},
	}
	r := Run(t, s, policy.Set{MaxAttempts: 1})
	var early []int // the rows in which the first bursts began
	sum := Interval{}
	for i, row := range r.FaultsEnd {
		if row.Offered != row.Sent || row.RefusedLocally > 0 || row.Refused > 0 {
			t.Errorf("row %d: %+v", i, row)
		}
		if row.At < 0 && row.Offered > 0 {
			early = append(early, i)
		}
		if row.At < 0 && row.Succeeded > 0 || row.At > 0 && row.Failed > 0 {
			t.Errorf("row %d: %+v, want failures before the end and successes after it", i, row)
		}
		sum.Offered += row.Offered
		sum.Succeeded += row.Succeeded
		sum.Failed += row.Failed
	}
	if sum.Offered != 120 || sum.Succeeded != 30 || sum.Failed != 90 {
		t.Errorf("got %+v, want 3 times 30 that fail and 10 that succeed", sum)
	}
	holds := s.Faults[0].Hold
	for i := range 3 { // the last play's lock is the longest
		hold := holds.Quantile((float64(i) + 0.5) / 3)
		if want := 20 - int((hold+interval-1)/interval); !slices.Contains(early, want) {
			t.Errorf("a lock of %v: the burst is in rows %v, want %d", hold, early, want)
		}
	}
}
