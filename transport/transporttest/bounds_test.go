package transporttest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"

	"github.com/steadytrip/steadytrip/classify"
)

func TestNoCannedAnswerWithoutACode(t *testing.T) {
	for code := range cannedRows {
		if !slices.ContainsFunc(classify.Codes(), func(row classify.Code) bool { return row.Code == code }) {
			t.Errorf("%s is not in the code table", code)
		}
	}
}

// What a server remembers is bounded, however long a test runs. The handlers are called without sockets here.

func TestServerKeepsTheNewestRequests(t *testing.T) {
	s := NewServer(Answer(204, ""))
	defer s.Close()
	for i := range maxReceived + 1 {
		s.serve(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/"+strconv.Itoa(i), nil))
	}
	all := s.Requests()
	if len(all) != maxReceived/2+1 || all[len(all)-1].Number != maxReceived+1 || s.Total() != maxReceived+1 {
		t.Errorf("kept %d of %d", len(all), s.Total())
	}
	if len(s.counts) != maxRoutes || s.Count(http.MethodGet, "/0") != 1 || s.Count(http.MethodGet, "/"+strconv.Itoa(maxRoutes)) != 0 {
		t.Errorf("told %d routes apart", len(s.counts))
	}
}

func TestBackendKeepsTheNewestEffects(t *testing.T) {
	b := NewBackend()
	defer b.Close()
	for i := range maxEffects + 1 {
		b.carryOut(t.Context(), call{grant: "g", key: strconv.Itoa(i)}, "")
	}
	effects := b.Effects()
	if len(effects) != maxEffects/2+1 || effects[len(effects)-1].Number != maxEffects+1 || b.Acted("g") != maxEffects+1 {
		t.Errorf("kept %d of %d", len(effects), b.Acted("g"))
	}
	if len(b.keys) != maxEffects {
		t.Errorf("kept %d keys", len(b.keys))
	}
}
