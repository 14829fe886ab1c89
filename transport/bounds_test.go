package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// refusing answers every request with a refusal that asks for an hour, and costs next to nothing.
func refusing(req *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: 429, Body: http.NoBody, Request: req}
	classify.Attach(resp, classify.Verdict{Kind: classify.PolicyRateLimit, RetryAfter: time.Hour})
	return resp, nil
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAMillionKeysStayWithinTheBound(t *testing.T) {
	const room = 16 * 1024
	crowd := 1_000_000
	if raceEnabled || testing.Short() {
		crowd = 100_000
	}
	type nameKey struct{}
	s := newShared(t, transport.Keys{Key: func(req *http.Request) string { return *req.Context().Value(nameKey{}).(*string) }}, withOutages)
	through := func(rt http.RoundTripper, refused *int) {
		name := ""
		req := newRequest(t, "GET", backend, "")
		req = req.WithContext(context.WithValue(req.Context(), nameKey{}, &name))
		for i := range crowd {
			name = strconv.Itoa(i)
			if _, err := rt.RoundTrip(req); err != nil {
				*refused++
			}
		}
	}
	before := heapInUse()
	var refused, failed int
	var wg sync.WaitGroup
	no, _ := refusing(newRequest(t, "GET", backend, ""))
	wg.Go(func() {
		through(transport.Chain(roundTripFunc(func(*http.Request) (*http.Response, error) { return no, nil }), transport.Break(s, nil)), &refused)
	})
	fine := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}
	wg.Go(func() {
		through(transport.Chain(roundTripFunc(func(*http.Request) (*http.Response, error) { return fine, nil }), transport.Retry(s, nil)), &failed)
	})
	wg.Wait()
	grown := heapInUse() - before
	if refused != 0 || failed != 0 {
		t.Errorf("%d refused and %d failed of as many keys as requests, want none", refused, failed)
	}
	snap := s.Snapshot()
	if n, m := len(snap.Breakers), len(snap.Budgets); n > room || n < room*9/10 || m > room || m < room*9/10 {
		t.Errorf("%d breakers and %d budgets are remembered, want as many as there is room for, %d", n, m, room)
	}
	if limit := int64(40 << 20); grown > limit {
		t.Errorf("%d keys took %d bytes, want at most %d", crowd, grown, limit)
	}
	runtime.KeepAlive(s)
}

// What is said about a key that is known counts although there is no room for others.
func TestFullHouseStillHearsOfItsGuests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, hint := "guest", 2*time.Hour
		s := newShared(t, transport.Keys{Key: func(*http.Request) string { return key }}, func(s *policy.Set) { s.Breakers[0].MaxOpen = 2 * time.Hour })
		late := make(chan struct{})
		rt := transport.Chain(roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if req.Method == "POST" {
				<-late
			}
			resp, err := refusing(req)
			classify.Attach(resp, classify.Verdict{Kind: classify.PolicyRateLimit, RetryAfter: hint})
			return resp, err
		}), transport.Break(s, nil))
		done := make(chan struct{})
		go func() { // sent while all was well
			defer close(done)
			_, _ = rt.RoundTrip(newRequest(t, "POST", backend, ""))
		}()
		synctest.Wait()
		hint = time.Hour
		req := newRequest(t, "GET", backend, "")
		_, _ = rt.RoundTrip(req)
		for i := range 40_000 { // all of them open, so that none makes room; and many are not even looked for, for a while
			key = strconv.Itoa(i)
			_, _ = rt.RoundTrip(req)
		}
		key, hint = "guest", 2*time.Hour
		close(late)
		<-done
		_, err := rt.RoundTrip(req)
		var open *transport.OpenError
		if !errors.As(err, &open) || open.RetryAfter != 2*time.Hour {
			t.Errorf("%v: want a refusal for the two hours that the late answer asked for", err)
		}
	})
}

// flood puts more keys in trouble than there is room for, each of which can be forgotten for another.
func (c *crowd) flood(t testing.TB) {
	req := newRequest(t, "GET", backend, "")
	no, _ := refusing(req)
	classify.Attach(no, classify.Verdict{Kind: classify.PolicyRateLimit})
	rt := transport.Chain(roundTripFunc(func(*http.Request) (*http.Response, error) { return no, nil }), transport.Break(c.shared, nil))
	for i := range 40_000 {
		req.URL.Host = strconv.Itoa(i)
		_, _ = rt.RoundTrip(req)
	}
	if n := len(c.shared.Snapshot().Breakers); n != 16*1024 {
		t.Errorf("%d breakers in trouble, want as many as there is room for, %d", n, 16*1024)
	}
}

func TestBreakerThatIsInUseIsNotForgottenForOthers(t *testing.T) {
	for name, flood := range map[string]time.Duration{ // the breaker probes at 1s, and closes at 1.1s
		"callers wait for it to probe":      ms(900),
		"callers wait for the probe":        ms(1050),
		"callers wait for the pace to pass": ms(1200),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, transport.Keys{Grant: func(req *http.Request) string { return req.URL.Query().Get("grant") }}, holding(3*time.Second))
				c.open(t, backend+"?grant=g", "Retry-After", "1", "RateLimit", `"p";r=0;t=1`, "RateLimit-Policy", `"p";q=2;w=1`)
				c.set(transporttest.After(ms(100), ok))
				time.Sleep(ms(500))
				held := c.sendAll(t.Context(), "a?grant=g", "b?grant=g", "c?grant=g")
				time.Sleep(flood - ms(500))
				c.flood(t)
				held = append(held, c.sendAll(t.Context(), "d?grant=g")...)
				check(t, "those held, and one who came after the flood", ends(held...), "200 at 1.1s, 200 at 1.6s, 200 at 2.1s, 200 at 2.6s")
			})
		})
	}
}

func TestProbeUnderWayIsNotForgottenForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, transport.Keys{}, nil)
		c.open(t, backend, "Retry-After", "1")
		time.Sleep(time.Second)
		c.set(transporttest.After(time.Minute, ok))
		probe := c.send(t.Context(), backend)
		c.flood(t)
		if end := c.send(t.Context(), backend).end(); end != "refused at 1s" {
			t.Errorf("%s: want a refusal, the probe has the only slot", end)
		}
		time.Sleep(5 * time.Second) // the probe has lost its slot, and nobody asks
		c.flood(t)
		check(t, "the probe", probe.end(), "200 at 1m1s")
	})
}

// Breakers whose probes came to nothing are neither open nor probing. They must not fill the house for ever.
func TestProbesThatCameToNothingMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared(t, transport.Keys{}, nil)
		var fault error
		rt := transport.Chain(roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if fault != nil {
				return nil, fault
			}
			resp, err := refusing(req)
			classify.Attach(resp, classify.Verdict{Kind: classify.PolicyRateLimit, RetryAfter: time.Second})
			return resp, err
		}), transport.Break(s, nil))
		req := newRequest(t, "GET", backend, "")
		send := func(host string) error {
			r := *req
			r.URL = &url.URL{Scheme: "https", Host: host}
			_, err := rt.RoundTrip(&r)
			return err
		}
		for i := range 20_000 {
			_ = send(strconv.Itoa(i))
		}
		time.Sleep(time.Second)
		fault = transporttest.ErrReset
		for i := range 20_000 {
			_ = send(strconv.Itoa(i))
		}
		fault = nil
		for i := range 3000 { // some go without, as long as the house is taken to be full
			_ = send(fmt.Sprint("early", i))
		}
		for i := range 100 {
			host := fmt.Sprint("late", i)
			_ = send(host)
			if err := send(host); !errors.Is(err, transport.ErrOpen) {
				t.Fatalf("%s: %v, want a refusal: there is room", host, err)
			}
		}
	})
}

// While some key is in trouble, the others pay for looking their own up, and nothing else.
func TestOtherKeysTroubleCostsNoAllocation(t *testing.T) {
	for _, url := range []string{"https://api.example.com/v1", "http://127.0.0.1:8080/v1", "https://api.example.com:8443/v1", "http://[::1]:8080/v1"} {
		s := newShared(t, transport.Keys{}, withOutages)
		resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}
		trouble := true
		base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if trouble {
				return transporttest.Fail(transporttest.ErrReset).RoundTrip(req)
			}
			resp.Request = req
			return resp, nil
		})
		rt := newChain(t, base, transport.Config{Shared: s})
		for _, other := range []string{"https://a.example", "https://b.example"} {
			_, _ = rt.RoundTrip(newRequest(t, "GET", other, ""))
			if _, err := rt.RoundTrip(newRequest(t, "GET", other, "")); !errors.Is(err, transport.ErrOpen) {
				t.Fatalf("%v: want the other keys in trouble", err)
			}
		}
		trouble = false
		req := newRequest(t, "GET", url, "")
		if n := testing.AllocsPerRun(100, func() { _, _ = rt.RoundTrip(req) }); n != 0 {
			t.Errorf("%s: %v allocations while other keys are in trouble, want 0", url, n)
		}
	}
}

func BenchmarkBreaker(b *testing.B) {
	one := func(b *testing.B, rt http.RoundTripper, req *http.Request) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = rt.RoundTrip(req)
		}
	}
	fine := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}
	base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.URL.Host != "fine.example" {
			return refusing(req)
		}
		fine.Request = req
		return fine, nil
	})
	for _, keys := range []int{0, 1, 16 * 1024} {
		s := newShared(b, transport.Keys{}, nil)
		rt := transport.Chain(base, transport.Break(s, nil))
		req := newRequest(b, "GET", backend, "")
		for i := range keys {
			r := *req
			r.URL = &url.URL{Scheme: "https", Host: fmt.Sprintf("h%d.example", i)}
			_, _ = rt.RoundTrip(&r)
		}
		b.Run(fmt.Sprintf("success/%d keys open", keys), func(b *testing.B) { one(b, rt, newRequest(b, "GET", "https://fine.example/", "")) })
		if keys > 0 {
			b.Run(fmt.Sprintf("refusal/%d keys open", keys), func(b *testing.B) { one(b, rt, newRequest(b, "GET", "https://h0.example/", "")) })
		}
		b.Run(fmt.Sprintf("snapshot/%d keys open", keys), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Snapshot()
			}
		})
	}
}

// What a breaker remembers of the answer that opened it is small, however much the answer said.
func TestAnOpenBreakerKeepsLittleOfAnAnswer(t *testing.T) {
	const keys = 200
	much := `{"error":"policy_violation","details":{"required":[` + strings.Repeat(`"`+strings.Repeat("x", 1000)+`",`, 60) + `"x"],`
	s := newShared(t, transport.Keys{}, func(s *policy.Set) { s.Budget = policy.Budget{} })
	id := 0
	rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		text := much + `"policy_error":"rate_limit_exceeded","grant_id":"` + strconv.Itoa(id) + `"}}`
		return &http.Response{
			StatusCode: 429, Header: http.Header{"Retry-After": {"100"}, "Content-Type": {"application/json"}}, Request: req,
			Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
		}, nil
	}), transport.Config{Shared: s, Classifier: alter(t)})
	before := heapInUse()
	for id = range keys {
		if _, err := exchange(rt, newRequest(t, "POST", backend, "a thing")); err != nil {
			t.Fatal(err)
		}
	}
	after := heapInUse()
	if n := len(s.Snapshot().Breakers); n != keys {
		t.Fatalf("%d breakers, want %d", n, keys)
	}
	if kept := (after - before) / keys; kept > 8<<10 {
		t.Errorf("a breaker keeps %d bytes, want a few hundred", kept)
	}
	runtime.KeepAlive(rt)
}
