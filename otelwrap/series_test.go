package otelwrap

import (
	"strconv"
	"sync"
	"testing"
)

func TestSeriesFindRoomOrAreToldByLess(t *testing.T) {
	s := newSeries()
	exact := seriesKey{"GET", "a.example", 443, 200, "", "1.1"}
	first := s.of(exact)
	for i := range 100_000 {
		k := seriesKey{
			method: "M" + strconv.Itoa(i%500), address: "h" + strconv.Itoa(i) + ".example", port: i % 60_000, status: 100 + i%900, version: "1.1",
		}
		if k.status >= 400 {
			k.errorType = strconv.Itoa(k.status)
		}
		if len(s.of(k)) == 0 {
			t.Fatal("no series, want one for each")
		}
	}
	if got := len(s.known); got != maxSeries+2 {
		t.Errorf("%d series, want the bound of %d and the two for what comes in addition", got, maxSeries+2)
	}
	told := 0
	for key := range s.known {
		if key.version != "" {
			told++
		}
	}
	if told != maxExact {
		t.Errorf("%d series with all that there is to tell, want %d", told, maxExact)
	}
	if got := len(s.servers); got != maxServers {
		t.Errorf("%d servers, want %d", got, maxServers)
	}
	if got := s.of(exact); &got[0] != &first[0] {
		t.Error("a series that was there first is another one later, want the same")
	}
	for key, want := range map[seriesKey]seriesKey{
		{"PUT", "b.example", 1, 404, "404", "2"}:          {"PUT", other, 0, 404, "404", ""},
		{"PUT", "b.example", 1, 599, "599", "2"}:          {"PUT", other, 0, 0, other, ""},
		{"PUT", "b.example", 1, 0, "timeout", ""}:         {"PUT", other, 0, 0, "timeout", ""},
		{"PUT", "b.example", 1, 299, "", "3"}:             {"PUT", other, 0, 0, "", ""},
		{"PUT", "b.example", 1, 0, "connection_lost", ""}: {"PUT", other, 0, 0, "connection_lost", ""},
	} {
		if got := key.coarse(); got != want {
			t.Errorf("%v is told by %v, want %v", key, got, want)
		}
	}
}

func TestSeriesAreSafeForConcurrentUse(t *testing.T) {
	s := newSeries()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 5000 {
				s.of(seriesKey{"GET", "h" + strconv.Itoa(i%300), 443, 200, "", "1.1"})
			}
		})
	}
	all.Wait()
	if got := len(s.servers); got != maxServers {
		t.Errorf("%d servers, want %d", got, maxServers)
	}
}
