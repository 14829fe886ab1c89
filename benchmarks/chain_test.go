// Package benchmarks measures what the chain costs over the bare base. Run it with "make bench".
package benchmarks

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// stub answers at once: with its answers in turn, the last one for ever.
type stub struct {
	answers []answer
	next    int
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (s *stub) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	a := s.answers[s.next%len(s.answers)]
	s.next++
	resp := &http.Response{StatusCode: a.status, Header: a.header, Body: http.NoBody, Request: req}
	if a.body != "" {
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader([]byte(a.body))), int64(len(a.body))
	}
	return resp, nil
}

var (
	fine    = answer{200, http.Header{}, ""}
	refresh = answer{409, http.Header{}, `{"error":"token_refresh_in_progress","message":"refreshing"}`}
	revoked = answer{403, http.Header{}, `{"error":"grant_revoked","message":"revoked","details":{"grant_id":"g1"}}`}
	limited = answer{429, http.Header{"Retry-After": {"100"}}, `{"error":"rate_limit_exceeded"}`}
)

func measure(b *testing.B, rt http.RoundTripper) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "https://backend.example/v1", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if resp, err := rt.RoundTrip(req); err == nil {
			resp.Body.Close()
		}
	}
}

func chain(b *testing.B, base http.RoundTripper) http.RoundTripper {
	b.Helper()
	classifier, err := classify.ForAlter("backend.example")
	if err != nil {
		b.Fatal(err)
	}
	set := policy.Default()
	for kind, p := range set.Profiles {
		p.Initial, p.Max = 1, 1 // nanoseconds: the work is measured, not the pause
		set.Profiles[kind] = p
	}
	rt, err := transport.New(base, transport.Config{Classifier: classifier, Policy: &set})
	if err != nil {
		b.Fatal(err)
	}
	return rt
}

func BenchmarkBare(b *testing.B)    { measure(b, &stub{answers: []answer{fine}}) }
func BenchmarkSuccess(b *testing.B) { measure(b, chain(b, &stub{answers: []answer{fine}})) }

// BenchmarkOneRetry is a call whose first attempt meets a refresh in progress.
func BenchmarkOneRetry(b *testing.B) { measure(b, chain(b, &stub{answers: []answer{refresh, fine}})) }

// BenchmarkPassedThrough is a call that ends with a judged error answer.
func BenchmarkPassedThrough(b *testing.B) { measure(b, chain(b, &stub{answers: []answer{revoked}})) }

// BenchmarkRefused is a call that an open breaker turns away.
func BenchmarkRefused(b *testing.B) { measure(b, chain(b, &stub{answers: []answer{limited}})) }
