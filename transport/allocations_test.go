package transport_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
)

// wire is a body as net/http has them: nobody can know whether reading it takes long.
type wire struct{ io.Reader }

func (wire) Close() error { return nil }

// What failures cost beyond the base's own allocations.
func TestFailuresAllocateLittle(t *testing.T) {
	const revoked = `{"error":"grant_revoked","message":"the user has revoked it","details":{"grant_id":"grant-1"}}`
	inMemory := func(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }
	overWire := func(text string) io.ReadCloser { return wire{strings.NewReader(text)} }
	answering := func(body func(string) io.ReadCloser, statuses ...int) http.RoundTripper {
		n := 0
		return roundTripFunc(func(req *http.Request) (*http.Response, error) {
			status := statuses[n%len(statuses)]
			n++
			resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: req}
			text := revoked
			if status == 409 {
				text = `{"error":"token_refresh_in_progress"}`
			}
			if status >= 400 {
				resp.Body, resp.ContentLength = body(text), int64(len(text))
			}
			return resp, nil
		})
	}
	for name, tc := range map[string]struct {
		base http.RoundTripper
		sent int // attempts
		most float64
	}{
		"a judged 403, passed through":            {answering(inMemory, 403), 1, 6},
		"a judged 403 over a connection":          {answering(overWire, 403), 1, 8},
		"a 409 and a retry":                       {answering(inMemory, 409, 200), 2, 4},
		"a 409 and a retry, over a connection":    {answering(overWire, 409, 200), 2, 8},
		"an answer that succeeds after all of it": {answering(inMemory, 200), 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			set := fast()
			for kind, p := range set.Profiles {
				p.Initial, p.Max = 1, 1
				set.Profiles[kind] = p
			}
			rt := newChain(t, tc.base, transport.Config{Classifier: alter(t), Policy: set})
			send := func(rt http.RoundTripper, times int) func() {
				req := newRequest(t, "GET", backend, "")
				return func() {
					for range times {
						if resp, err := rt.RoundTrip(req); err == nil {
							resp.Body.Close()
						}
					}
				}
			}
			bare := testing.AllocsPerRun(200, send(tc.base, tc.sent))
			got := testing.AllocsPerRun(200, send(rt, 1)) - bare
			t.Logf("%v allocations over the bare base's %v", got, bare)
			if got > tc.most && !raceEnabled {
				t.Errorf("%v allocations, want at most %v", got, tc.most)
			}
		})
	}
}

func TestRefusalsAllocateTwice(t *testing.T) {
	rt := newChain(t, answer(429, "rate_limit_exceeded", "Retry-After", "100"), transport.Config{Classifier: alter(t)})
	req := newRequest(t, "GET", backend, "")
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := testing.AllocsPerRun(100, func() {
		if _, err = rt.RoundTrip(req); !errors.Is(err, transport.ErrOpen) {
			t.Fatal(err)
		}
	}); got > 2 {
		t.Errorf("%v allocations, want the refusal and its typed error", got)
	}
	if trail := transport.TrailOf(nil, err); trail.Attempts != 1 || trail.Reason.String() != "refused" {
		t.Errorf("%+v, want the trail of a refusal", trail)
	}
	var sdk interface{ RetryableError() bool }
	if !errors.As(err, &sdk) || sdk.RetryableError() {
		t.Error("an SDK further out would try again")
	}
}

func TestCheckResponseAllocatesTheErrorOnly(t *testing.T) {
	rt := newChain(t, answer(403, "grant_revoked"), transport.Config{Classifier: alter(t)})
	resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := testing.AllocsPerRun(100, func() { err = classify.CheckResponse(resp) }); err == nil || got > 1 {
		t.Errorf("%v allocations for %v, want one", got, err)
	}
}
