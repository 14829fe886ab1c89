package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
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

// panicking is a source of pauses.
type panicking struct{}

func (panicking) NextBackOff() time.Duration { panic("backoff") }
func (panicking) Reset()                     {}

func TestEveryDiscardedAnswerIsClosed(t *testing.T) {
	busy, fine := transporttest.Answer(503, `{"error":"busy"}`), transporttest.Answer(200, "fine")
	for name, tc := range map[string]struct {
		steps   []http.RoundTripper
		prepare func(*http.Request, *policy.Set) *http.Request
		panics  any
	}{
		"retries that help":              {steps: []http.RoundTripper{busy, busy, fine}},
		"retries that end in an answer":  {steps: []http.RoundTripper{busy, busy, busy}},
		"retries that end in an error":   {steps: []http.RoundTripper{busy, transporttest.Times(2, transporttest.Fail(transporttest.ErrReset)), transporttest.Fail(transporttest.ErrReset)}},
		"an answer of another kind":      {steps: []http.RoundTripper{busy, transporttest.Answer(404, "no")}},
		"a base that panics":             {steps: []http.RoundTripper{busy, transporttest.Panic("base")}, panics: "base"},
		"a base that says nothing":       {steps: []http.RoundTripper{busy, transporttest.Func(func(*http.Request) (*http.Response, error) { return nil, nil })}},
		"an answer without a body":       {steps: []http.RoundTripper{transporttest.Func(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 503}, nil }), fine}},
		"a breaker that opens meanwhile": {steps: []http.RoundTripper{transporttest.Canned("rate_limit_exceeded").RetryAfter(4 * time.Second)}},
		"a caller that leaves in a pause": {steps: []http.RoundTripper{busy}, prepare: func(r *http.Request, _ *policy.Set) *http.Request {
			ctx, cancel := context.WithCancel(r.Context())
			time.AfterFunc(ms(5), cancel)
			return r.WithContext(ctx)
		}},
		"GetBody fails": {steps: []http.RoundTripper{busy}, prepare: func(r *http.Request, _ *policy.Set) *http.Request {
			r.GetBody = func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe }
			return r
		}},
		"GetBody panics": {steps: []http.RoundTripper{busy}, panics: "body", prepare: func(r *http.Request, _ *policy.Set) *http.Request {
			r.GetBody = func() (io.ReadCloser, error) { panic("body") }
			return r
		}},
		"a source of pauses that panics": {steps: []http.RoundTripper{busy}, panics: "backoff", prepare: func(r *http.Request, s *policy.Set) *http.Request {
			s.Profiles[classify.BackendUnavailable] = policy.Profile{Retries: 1, BackOff: func() policy.BackOff { return panicking{} }}
			return r
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := transporttest.Play(tc.steps...)
				set := twice(ms(10))
				req := newRequest(t, "PUT", backend, "payload")
				if tc.prepare != nil {
					req = tc.prepare(req, set)
				}
				rt := newChain(t, script, transport.Config{Classifier: &classify.Alter{}, Policy: set})
				func() {
					defer func() {
						if got := recover(); got != tc.panics {
							t.Errorf("recovered %v, want %v", got, tc.panics)
						}
					}()
					resp, err := rt.RoundTrip(req)
					if err == nil && resp != nil {
						resp.Body.Close()
					}
				}()
				synctest.Wait()
				if err := script.Check(); err != nil {
					t.Error(err)
				}
				if n := script.IdleClosed(); n != 0 {
					t.Errorf("the pool of connections was closed %d times", n)
				}
				script.Then(fine)
				resp, err := rt.RoundTrip(newRequest(t, "GET", "https://other.example", ""))
				if err != nil {
					t.Fatalf("the next call: %v", err)
				}
				resp.Body.Close()
			})
		})
	}
}

// stubborn is a body that ends neither when it is read nor when it is closed, before open.
type stubborn struct{ open chan struct{} }

func (b stubborn) Read([]byte) (int, error) { <-b.open; return 0, io.EOF }
func (b stubborn) Close() error             { <-b.open; return nil }

func TestDiscardingIsBoundedWhateverTheBody(t *testing.T) {
	for name, tc := range map[string]struct {
		field string
		body  func(open chan struct{}) io.ReadCloser
		took  time.Duration
	}{
		"one of 8 MiB": {"text/plain", func(chan struct{}) io.ReadCloser {
			return transporttest.NewBody(transporttest.Chunk(strings.Repeat("x", 8<<20)))
		}, 0},
		"one of 8 MiB of JSON": {"application/json", func(chan struct{}) io.ReadCloser {
			return transporttest.NewBody(transporttest.Chunk(strings.Repeat("{", 8<<20)))
		}, 0},
		"one that stalls":                   {"image/png", func(chan struct{}) io.ReadCloser { return transporttest.NewBody(transporttest.Stall()) }, ms(50)},
		"one whose read cannot be woken":    {"image/png", func(open chan struct{}) io.ReadCloser { return transporttest.NewBody(transporttest.Deaf(open)) }, ms(50)},
		"one that cannot be ended":          {"image/png", func(open chan struct{}) io.ReadCloser { return stubborn{open} }, ms(50)},
		"one that cannot be ended, of JSON": {"application/json", func(open chan struct{}) io.ReadCloser { return stubborn{open} }, classify.Patience + ms(50)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				open := make(chan struct{})
				body := tc.body(open)
				script := transporttest.Play(transporttest.Func(func(req *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: 503, Header: http.Header{"Content-Type": {tc.field}}, ContentLength: -1, Body: body, Request: req}, nil
				}), transporttest.Answer(200, ""))
				start := time.Now()
				resp, err := newChain(t, script, transport.Config{Policy: twice(ms(10))}).RoundTrip(newRequest(t, "GET", backend, ""))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if took, want := time.Since(start), max(tc.took, ms(10)); resp.StatusCode != 200 || took != want {
					t.Errorf("%d after %v, want the 200 after %v", resp.StatusCode, took, want)
				}
				synctest.Wait()
				if b, ok := body.(*transporttest.Body); ok && (!b.Closed() || b.Delivered() > 128<<10) {
					t.Errorf("closed: %t, %d bytes read; want it closed after 128 KiB at most", b.Closed(), b.Delivered())
				}
				close(open)
			})
		})
	}
}

func TestNoAttemptAfterTheCallersEnd(t *testing.T) {
	own := errors.New("the user went away")
	slow := func(step http.RoundTripper) http.RoundTripper {
		return transporttest.Func(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done() // and takes no notice
			return step.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
		})
	}
	cancelled := func(ctx context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(ms(70), func() { cancel(own) })
		return ctx, func() { cancel(nil) }
	}
	expired := func(ctx context.Context) (context.Context, func()) {
		ctx, cancel := context.WithTimeout(ctx, ms(70))
		return ctx, cancel
	}
	patient := func(ctx context.Context) (context.Context, func()) { return ctx, func() {} }
	for name, tc := range map[string]struct {
		ctx      func(context.Context) (context.Context, func())
		step     http.RoundTripper
		status   int
		is       error
		kind     classify.Kind
		attempts int
	}{
		"an answer that comes too late is an answer":      {cancelled, slow(transporttest.Answer(503, "")), 503, nil, classify.ProviderUnavailable, 1},
		"an error that comes too late, whatever it says":  {cancelled, slow(transporttest.Fail(transporttest.ErrRefused)), 0, transporttest.ErrRefused, classify.Canceled, 1},
		"a cancellation that is known by its cause alone": {cancelled, transporttest.Hang(), 0, own, classify.Canceled, 1},
		"a deadline": {expired, transporttest.Hang(), 0, context.DeadlineExceeded, classify.Deadline, 1},
		"a deadline that shows as a lost connection":      {expired, slow(transporttest.Fail(transporttest.ErrReset)), 0, transporttest.ErrReset, classify.Deadline, 1},
		"a timeout of the base is not the caller's":       {patient, transporttest.Fail(transporttest.ErrDialTimeout), 0, transporttest.ErrDialTimeout, classify.DialTimeout, 3},
		"nor is an error that only looks like a deadline": {patient, transporttest.Fail(fmt.Errorf("awaiting headers: %w", context.DeadlineExceeded)), 0, context.DeadlineExceeded, classify.Timeout, 3},
		"a pause after a refusal":                         {cancelled, transporttest.After(ms(34), transporttest.Fail(transporttest.ErrRefused)), 0, own, classify.Canceled, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := tc.ctx(t.Context())
				defer cancel()
				script := transporttest.Play(tc.step).Repeat()
				start := time.Now()
				resp, err := newChain(t, script, transport.Config{Policy: twice(ms(5))}).RoundTrip(newRequest(t, "GET", backend, "").WithContext(ctx))
				status := 0
				if err == nil {
					status = resp.StatusCode
					resp.Body.Close()
				}
				if took := time.Since(start); ctx.Err() != nil && took != ms(70) {
					t.Errorf("returned after %v, want 70ms, when the caller left", took)
				}
				if status != tc.status || tc.is != nil && !errors.Is(err, tc.is) {
					t.Errorf("%d, %v; want %d, %v", status, err, tc.status, tc.is)
				}
				if kind := classify.Of(resp, err).Kind; kind != tc.kind || script.Count() != tc.attempts {
					t.Errorf("%v after %d attempts, want %v after %d", kind, script.Count(), tc.kind, tc.attempts)
				}
			})
		})
	}
}

func TestAttemptsHaveTheCallersContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		req := newRequest(t, "GET", backend, "").WithContext(ctx)
		//lint:ignore SA1019 http.Client.Timeout sets it
		req.Cancel = stop
		deadline, _ := ctx.Deadline()
		look := transporttest.Func(func(r *http.Request) (*http.Response, error) {
			// A context that one has to release is one that can be forgotten.
			if r.Context().Done() != ctx.Done() {
				t.Error("the attempt's context ends by itself")
			}
			if d, _ := r.Context().Deadline(); !d.Equal(deadline) {
				t.Errorf("deadline %v, want %v", d, deadline)
			}
			//lint:ignore SA1019 http.Client.Timeout sets it
			if r.Cancel != stop {
				t.Error("the caller's cancel channel is lost")
			}
			return transporttest.Answer(503, "").HTTP(r), nil
		})
		resp, err := newChain(t, transporttest.Play(transporttest.Times(3, look)), transport.Config{Policy: twice(ms(10))}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
}

func TestContextsOfAttemptsAreReleased(t *testing.T) {
	for name, last := range map[string]struct {
		step transporttest.Response
		open bool // the context lives as long as the body
		read bool // the body is read to its end, rather than closed
	}{
		"with the end of the answer":                 {transporttest.Answer(200, "fine"), true, true},
		"with an end that comes too early":           {transporttest.Answer(206, "").Stream(transporttest.Chunk("fi"), transporttest.Break(io.ErrUnexpectedEOF)), true, true},
		"with Close":                                 {transporttest.Answer(200, "fine"), true, false},
		"with Close, of a failure passed on":         {transporttest.Answer(404, "no"), true, false},
		"at once if the answer does not have a body": {transporttest.Answer(200, ""), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var contexts []context.Context
				watch := func(step http.RoundTripper) http.RoundTripper {
					return roundTripFunc(func(r *http.Request) (*http.Response, error) {
						contexts = append(contexts, r.Context())
						return step.RoundTrip(r)
					})
				}
				req := newRequest(t, "PUT", backend, "")
				req.GetBody = func() (io.ReadCloser, error) { return transporttest.NewBody(transporttest.Chunk("payload")), nil }
				req.Body, _ = req.GetBody()
				script := transporttest.Play(watch(transporttest.Answer(503, "")), watch(transporttest.Fail(transporttest.ErrReset)), watch(last.step))
				resp, err := newChain(t, script, transport.Config{Policy: twice(ms(10))}).RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				for i, ctx := range contexts {
					if open := ctx.Err() == nil; open != (last.open && i == 2) {
						t.Errorf("before the answer is read: context %d is open: %t", i+1, open)
					}
				}
				if !last.read {
					resp.Body.Close()
				} else if _, err := io.ReadAll(resp.Body); last.step.Status() == 206 && err == nil {
					t.Error("the break is hidden")
				}
				if err := contexts[2].Err(); len(contexts) != 3 || err == nil {
					t.Errorf("%d attempts, the last one's context is open", len(contexts))
				}
				resp.Body.Close()
				if req.Context().Err() != nil {
					t.Error("the caller's context has ended too")
				}
			})
		})
	}
}

// A goroutine that stays behind makes synctest.Test panic.
func TestNothingIsLeftRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stalled := transporttest.Answer(503, "{}").Stream(transporttest.Chunk("{"), transporttest.Stall())
		rt := newChain(t, transporttest.Play(
			transporttest.Answer(200, "read"), transporttest.Answer(503, "busy"), stalled,
			transporttest.Fail(transporttest.ErrReset), transporttest.After(ms(40), transporttest.Answer(502, "")), transporttest.Hang(),
			transporttest.Times(2000, transporttest.After(ms(3), transporttest.Answer(503, "")))), transport.Config{Policy: twice(ms(20))})
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), ms(20*(1+i%40)))
				defer cancel()
				if resp, err := rt.RoundTrip(newRequest(t, "PUT", fmt.Sprintf("https://h%d.example", i%7), "x").WithContext(ctx)); err == nil {
					resp.Body.Close()
				}
			})
		}
		wg.Wait()
	})
}

func TestHintsOfAnySizeNeitherStallNorHurry(t *testing.T) {
	for hint, want := range map[string]time.Duration{
		"0":                       ms(200), // the profile's own pause
		"-1":                      ms(200),
		"1e9":                     ms(200),
		"":                        ms(200),
		"soon":                    ms(200),
		strings.Repeat("9", 5000): ms(200),
		"1":                       time.Second,
		"10":                      10 * time.Second,
		"11":                      0, // the answer at once
		"86400":                   0,
		"9223372036":              0,
		"9223372037":              0, // as nanoseconds, no longer an int64
		"18446744073709551616":    0,
	} {
		synctest.Test(t, func(t *testing.T) {
			script := transporttest.Play(transporttest.Answer(503, "busy").Header("Retry-After", hint)).Repeat()
			start := time.Now()
			resp, err := newChain(t, script, transport.Config{Policy: steady()}).RoundTrip(newRequest(t, "GET", backend, ""))
			if err != nil {
				t.Fatal(err)
			}
			if body, err := finish(resp); body != "busy" || err != nil {
				t.Errorf("%.30q: read %q, %v", hint, body, err)
			}
			attempts := 2
			if want == 0 {
				attempts = 1
			}
			if took := time.Since(start); took != want || script.Count() != attempts {
				t.Errorf("%.30q: %v and %d attempts, want %v and %d", hint, took, script.Count(), want, attempts)
			}
		})
	}
}

func TestStatusesThatAreSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transient := []int{408, 425, 502, 503, 504}
		for status := 200; status < 600; status++ {
			for _, method := range []string{"GET", "POST"} {
				script := transporttest.Play(transporttest.Answer(status, "")).Repeat()
				resp, err := newChain(t, script, transport.Config{Policy: steady()}).RoundTrip(newRequest(t, method, backend, ""))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				want := 1
				switch {
				case status == 429:
					want = 3
				case method == "GET" && slices.Contains(transient, status):
					want = 2
				}
				if script.Count() != want || resp.StatusCode != status {
					t.Errorf("%s answered %d: %d attempts and a %d, want %d", method, status, script.Count(), resp.StatusCode, want)
				}
			}
		}
	})
}

func TestClientTimeoutsAreToldAsTimeouts(t *testing.T) {
	for name, tc := range map[string]struct {
		step   http.RoundTripper
		status int
		took   time.Duration
	}{
		"in the first attempt":            {transporttest.Hang(), 0, time.Second},
		"in the second":                   {transporttest.After(ms(600), transporttest.Answer(503, "")), 0, time.Second},
		"where another pause is too long": {transporttest.After(ms(400), transporttest.Answer(503, "")), 503, ms(900)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, err := transport.Wrap(&http.Client{Transport: transporttest.Play(tc.step).Repeat(), Timeout: time.Second}, transport.Config{Policy: twice(ms(100))})
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				resp, err := client.Get(backend)
				took := time.Since(start)
				status := 0
				if err == nil {
					status = resp.StatusCode
					resp.Body.Close()
				}
				if status != tc.status || took != tc.took {
					t.Errorf("%d, %v after %v; want %d after %v", status, err, took, tc.status, tc.took)
				}
				var outer *url.Error
				if tc.status == 0 && (!errors.As(err, &outer) || !outer.Timeout()) {
					t.Errorf("%v: want a *url.Error that says it is a timeout", err)
				}
			})
		})
	}
}

func TestABodyIsTakenOnlyForAnAttempt(t *testing.T) {
	for name, tc := range map[string]struct {
		step    http.RoundTripper
		getBody error
		taken   int
		reason  policy.Reason
	}{
		"GetBody fails beside an answer":    {transporttest.Answer(503, "the answer"), io.ErrClosedPipe, 1, policy.NotReplayable},
		"GetBody fails beside an error":     {transporttest.Fail(transporttest.ErrRefused), io.ErrClosedPipe, 1, policy.NotReplayable},
		"a hint that is too long":           {transporttest.Answer(503, "the answer").Header("Retry-After", "3600"), nil, 0, policy.RetryAfterTooLong},
		"a deadline that is too near":       {transporttest.Answer(503, "the answer").Header("Retry-After", "9"), nil, 0, policy.DeadlineTooNear},
		"a failure that is not sent again":  {transporttest.Answer(404, "the answer"), nil, 0, policy.NotRetryable},
		"an answer that is none of failure": {transporttest.Answer(200, "the answer"), nil, 0, policy.NotDecided},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				taken := 0
				req := newRequest(t, "PUT", backend, "payload").WithContext(ctx)
				req.GetBody = func() (io.ReadCloser, error) {
					taken++
					return io.NopCloser(strings.NewReader("payload")), tc.getBody
				}
				script := transporttest.Play(tc.step)
				resp, err := newChain(t, script, transport.Config{Policy: steady()}).RoundTrip(req)
				if got := transport.TrailOf(resp, err).Reason; got != tc.reason || taken != tc.taken {
					t.Errorf("%v after %d calls of GetBody, want %v after %d", got, taken, tc.reason, tc.taken)
				}
				if errors.Is(err, io.ErrClosedPipe) || err != nil && !errors.Is(err, transporttest.ErrRefused) {
					t.Errorf("%v: want the failure of the attempt itself", err)
				}
				if err == nil {
					if body, err := finish(resp); body != "the answer" || err != nil {
						t.Errorf("read %q, %v", body, err)
					}
				}
				if err := script.Check(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestARequestCanBeSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy, fine := transporttest.Answer(503, ""), transporttest.Answer(200, "")
		script := transporttest.Play(busy, fine, fine, busy, fine)
		rt := newChain(t, script, transport.Config{Policy: steady()})
		req := newRequest(t, "", backend, "")
		for i, attempts := range []int{2, 0, 2} { // a call that succeeds at once leaves no trail
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := transport.TrailOf(resp, nil).Attempts; got != attempts || resp.StatusCode != 200 {
				t.Errorf("call %d: %d after %d attempts, want 200 after %d", i+1, resp.StatusCode, got, attempts)
			}
		}
		if err := script.Check(); err != nil {
			t.Error(err)
		}
	})
}
