package transporttest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/transport/transporttest"
)

const url = "https://api.example.com/v1/things?secret=1"

func TestScriptPlaysItsStepsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		s := transporttest.Play(
			transporttest.Fail(broken),
			transporttest.Answer(409, `{"error":"conflict"}`).Header("Retry-After", "2"),
			transporttest.After(time.Minute, transporttest.Answer(200, "done")),
		)
		began := time.Now()

		if _, err := s.RoundTrip(request(t, "POST", url, "one")); !is(err, broken) {
			t.Errorf("first: got error %v, want %v itself", err, broken)
		}
		req := request(t, "POST", url, "two")
		resp, err := s.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Request != req || resp.Status != "409 Conflict" || resp.Header.Get("Retry-After") != "2" ||
			resp.Header.Get("Content-Type") != "application/json" || resp.ContentLength != 20 {
			t.Errorf("second: got %+v", resp)
		}
		if got := read(t, resp); got != `{"error":"conflict"}` {
			t.Errorf("second: got body %q", got)
		}
		resp, err = s.RoundTrip(request(t, "GET", url, ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); got != "done" {
			t.Errorf("third: got body %q", got)
		}
		if waited := time.Since(began); waited != time.Minute {
			t.Errorf("waited %v, want 1m", waited)
		}

		attempts := s.Attempts()
		if len(attempts) != 3 || s.Count() != 3 {
			t.Fatalf("got %d attempts, Count %d, want 3", len(attempts), s.Count())
		}
		for i, want := range []struct {
			method, body string
			status       int
			err          error
		}{{"POST", "one", 0, broken}, {"POST", "two", 409, nil}, {"GET", "", 200, nil}} {
			a := attempts[i]
			if a.Number != i+1 || a.Method != want.method || string(a.Body) != want.body || a.BodySize != int64(len(want.body)) ||
				a.Status != want.status || !is(a.Err, want.err) || !a.BodyClosed || a.URL.String() != url || a.Time.IsZero() {
				t.Errorf("attempt %d: got %+v", i+1, a)
			}
		}
		if attempts[1].Request != req {
			t.Error("the attempt does not have the request that was handed in")
		}
		if a := attempts[1].Answer; a == nil || !a.Closed() || !a.SawEOF() || a.Delivered() != 20 {
			t.Errorf("the attempt does not have its answer's body: %+v", a)
		}
		if err := s.Check(); err != nil {
			t.Error(err)
		}
	})
}

func TestScriptDoesNotChangeTheRequest(t *testing.T) {
	body := transporttest.NewBody(transporttest.Chunk("upload"))
	req := request(t, "PUT", url, "")
	req.Body, req.ContentLength = body, 6
	req.Header.Set("X-Test", "before")
	s := transporttest.Play(transporttest.Answer(204, ""))
	resp, err := s.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if req.Body != body {
		t.Error("the request's Body was replaced")
	}
	if body.Closes() != 1 || !body.SawEOF() || body.Overlapped() {
		t.Errorf("the body was closed %d times, EOF seen: %v; want it read and closed once", body.Closes(), body.SawEOF())
	}
	if resp.Body != http.NoBody || resp.ContentLength != 0 {
		t.Errorf("204: got body %v, length %d", resp.Body, resp.ContentLength)
	}
	req.Header.Set("X-Test", "after")
	if got := s.Attempts()[0].Header.Get("X-Test"); got != "before" {
		t.Errorf("the recorded header is %q: not a copy", got)
	}
}

func TestScriptAfterItsLastStep(t *testing.T) {
	s := transporttest.Play(transporttest.Times(2, transporttest.Answer(503, "")))
	for range 2 {
		if _, err := s.RoundTrip(request(t, "GET", url, "")); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.RoundTrip(request(t, "POST", url, "body"))
	if !errors.Is(err, transporttest.ErrEnded) || !strings.Contains(err.Error(), "attempt 3 (POST api.example.com/v1/things)") {
		t.Errorf("got %v, want ErrEnded and the number of the attempt", err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error prints the query: %v", err)
	}
	if a := s.Attempts()[2]; !a.BodyClosed || a.BodySize != 0 {
		t.Errorf("the body of the extra attempt: got %+v, want it closed unread", a)
	}
	if err := s.Check(); !errors.Is(err, transporttest.ErrEnded) {
		t.Errorf("Check: got %v, want the extra attempt", err)
	}

	s.Then(transporttest.Answer(200, "")).Repeat()
	for range 3 {
		if resp, err := s.RoundTrip(request(t, "GET", url, "")); err != nil || resp.StatusCode != 200 {
			t.Errorf("repeated: got %v, %v", resp, err)
		}
	}
}

func TestZeroScriptHasNoSteps(t *testing.T) {
	var s transporttest.Script
	if _, err := s.RoundTrip(request(t, "GET", url, "")); !errors.Is(err, transporttest.ErrEnded) {
		t.Errorf("got %v, want ErrEnded", err)
	}
	if _, err := s.Repeat().RoundTrip(request(t, "GET", url, "")); !errors.Is(err, transporttest.ErrEnded) {
		t.Errorf("repeated: got %v, want ErrEnded", err)
	}
}

func TestTimesMultiplies(t *testing.T) {
	answer := transporttest.Answer(200, "")
	s := transporttest.Play(transporttest.Times(2, transporttest.Times(3, answer)), answer)
	if err := s.Check(); err == nil || !strings.Contains(err.Error(), "7 of 7 steps were not played") {
		t.Errorf("got %v, want 7 steps", err)
	}
	if resp, err := transporttest.Times(2, answer).RoundTrip(request(t, "GET", url, "")); err != nil || resp.StatusCode != 200 {
		t.Errorf("on its own: got %v, %v", resp, err)
	}
}

func TestScriptRefusesWhatTransportRefuses(t *testing.T) {
	body := func() *transporttest.Body { return transporttest.NewBody(transporttest.Chunk("x")) }
	cause := errors.New("the user left")
	done, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	good := request(t, "POST", url, "")
	for name, req := range map[string]*http.Request{
		"no URL":               {Method: "POST", Header: http.Header{}},
		"no Header":            {Method: "POST", URL: good.URL},
		"the context was done": good.WithContext(done),
	} {
		t.Run(name, func(t *testing.T) {
			b := body()
			req.Body = b
			s := transporttest.Play(transporttest.Answer(200, ""))
			_, err := s.RoundTrip(req)
			if err == nil || !b.Closed() || b.Reads() != 0 {
				t.Errorf("got error %v, body closed %v after %d reads", err, b.Closed(), b.Reads())
			}
			if name == "the context was done" && !is(err, cause) {
				t.Errorf("got %v, want the cause", err)
			}
			if err := s.Check(); err == nil || !strings.Contains(err.Error(), "1 of 1 steps were not played") {
				t.Errorf("got %v, want the step left", err)
			}
		})
	}
}

func TestWaitingStepsEndWithTheContext(t *testing.T) {
	cause := errors.New("enough")
	for name, step := range map[string]http.RoundTripper{
		"Hang":               transporttest.Hang(),
		"After a response":   transporttest.After(time.Hour, transporttest.Answer(200, "")),
		"After a Func":       transporttest.After(time.Hour, transporttest.Func(nil)),
		"After After a Func": transporttest.After(time.Hour, transporttest.After(time.Hour, transporttest.Func(nil))),
		"After a Hang":       transporttest.After(time.Second, transporttest.Hang()),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, cause)
				defer cancel()
				s := transporttest.Play(step)
				began := time.Now()
				_, err := s.RoundTrip(request(t, "POST", url, "body").WithContext(ctx))
				if !is(err, cause) || time.Since(began) != time.Minute {
					t.Errorf("got %v after %v, want %v after 1m", err, time.Since(began), cause)
				}
				a := s.Attempts()[0]
				if !a.BodyClosed {
					t.Error("the body is not closed")
				}
				if unread := a.BodySize == 0; unread != strings.HasSuffix(name, "Func") {
					t.Errorf("read %d bytes of the body", a.BodySize)
				}
			})
		})
	}
}

func TestHangEndsWithTheClientsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := transporttest.Play(transporttest.Hang())
		client := s.Client()
		client.Timeout = time.Second
		_, err := client.Do(request(t, "GET", url, ""))
		var timeout interface{ Timeout() bool }
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("got %v, want a timeout", err)
		}
	})
}

func TestHangEndsWithRequestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		req := request(t, "GET", url, "")
		over := make(chan struct{})
		req.Cancel = over //lint:ignore SA1019 other code still sets it
		time.AfterFunc(time.Second, func() { close(over) })
		if _, err := transporttest.Play(transporttest.Hang()).RoundTrip(req); err == nil {
			t.Error("got no error")
		}
	})
}

func TestBlockedUploadEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req := request(t, "POST", url, "").WithContext(ctx)
		body := transporttest.NewBody(transporttest.Chunk("begin"), transporttest.Stall())
		req.Body = body
		s := transporttest.Play(transporttest.Answer(200, ""))
		if _, err := s.RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		if a := s.Attempts()[0]; !a.BodyClosed || string(a.Body) != "begin" {
			t.Errorf("got %+v", a)
		}
	})
}

func TestBrokenUploads(t *testing.T) {
	broken := errors.New("disk gone")
	t.Run("the body's own error comes back", func(t *testing.T) {
		req := request(t, "POST", url, "")
		req.Body = transporttest.NewBody(transporttest.Chunk("x"), transporttest.Break(broken))
		if _, err := transporttest.Play(transporttest.Answer(200, "")).RoundTrip(req); !is(err, broken) {
			t.Errorf("got %v, want %v", err, broken)
		}
	})
	t.Run("a body that is shorter than announced is an error", func(t *testing.T) {
		req := request(t, "POST", url, "x")
		req.ContentLength = 825
		_, err := transporttest.Play(transporttest.Answer(200, "")).RoundTrip(req)
		if err == nil || !strings.Contains(err.Error(), "ContentLength=825 with Body length 1") {
			t.Errorf("got %v", err)
		}
	})
}

func TestFailedDialsLeaveTheBodyUnread(t *testing.T) {
	for _, c := range []struct {
		err  error
		read int64
	}{
		{transporttest.ErrRefused, 0}, {transporttest.ErrDialTimeout, 0}, {transporttest.ErrNoSuchHost, 0},
		{transporttest.ErrReset, 4}, {io.EOF, 4},
	} {
		s := transporttest.Play(transporttest.Fail(c.err))
		_, err := s.RoundTrip(request(t, "POST", url, "body"))
		if a := s.Attempts()[0]; !is(err, c.err) || a.BodySize != c.read || !a.BodyClosed || !is(a.Err, c.err) {
			t.Errorf("%v: got %v, read %d bytes, closed %v", c.err, err, a.BodySize, a.BodyClosed)
		}
	}
}

func TestEarlyAnswersLeaveTheBodyUnread(t *testing.T) {
	s := transporttest.Play(transporttest.After(0, transporttest.Answer(503, "").Early()))
	if _, err := s.RoundTrip(request(t, "POST", url, "body")); err != nil {
		t.Fatal(err)
	}
	if a := s.Attempts()[0]; a.BodySize != 0 || !a.BodyClosed {
		t.Errorf("read %d bytes, closed %v", a.BodySize, a.BodyClosed)
	}
}

func TestPanicsPassThrough(t *testing.T) {
	for name, step := range map[string]http.RoundTripper{
		"Panic": transporttest.Panic(http.ErrAbortHandler),
		"Func":  transporttest.Func(func(*http.Request) (*http.Response, error) { panic(http.ErrAbortHandler) }),
	} {
		t.Run(name, func(t *testing.T) {
			s := transporttest.Play(step)
			defer func() {
				if v := recover(); v != any(http.ErrAbortHandler) {
					t.Errorf("recovered %v, want the very value", v)
				}
				if !s.Attempts()[0].BodyClosed {
					t.Error("the body is not closed")
				}
			}()
			s.RoundTrip(request(t, "POST", url, "body"))
		})
	}
}

func TestFuncMayBeImpolite(t *testing.T) {
	impolite := &http.Response{StatusCode: 200}
	s := transporttest.Play(
		transporttest.Func(func(*http.Request) (*http.Response, error) { return nil, nil }),
		transporttest.Func(func(*http.Request) (*http.Response, error) { return impolite, io.EOF }),
		transporttest.Func(func(req *http.Request) (*http.Response, error) {
			if req.Body != nil {
				t.Error("a request without a body got one")
			}
			return transporttest.Answer(200, "x").RoundTrip(req)
		}),
	)
	if resp, err := s.RoundTrip(request(t, "GET", url, "")); resp != nil || err != nil {
		t.Errorf("got %v, %v", resp, err)
	}
	if resp, err := s.RoundTrip(request(t, "POST", url, "x")); resp != impolite || !is(err, io.EOF) || resp.Request != nil {
		t.Errorf("got %v, %v", resp, err)
	}
	req := request(t, "GET", url, "")
	resp, err := s.RoundTrip(req)
	if err != nil || resp.Request != req {
		t.Errorf("got %v, %v", resp, err)
	}
	if err := s.Check(); err == nil || !strings.Contains(err.Error(), "attempt 3: the response's body is not closed") {
		t.Errorf("got %v", err)
	}
	resp.Body.Close()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

func TestCheckSeesOpenRequestBodies(t *testing.T) {
	s := transporttest.Play(forgetful{})
	s.RoundTrip(request(t, "POST", url, "body"))
	if err := s.Check(); err == nil || !strings.Contains(err.Error(), "attempt 1: the request's body is not closed") {
		t.Errorf("got %v", err)
	}
}

type forgetful struct{}

func (forgetful) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Request: req}, nil
}

func TestScriptForwardsToRealTransports(t *testing.T) {
	server := transporttest.NewServer(transporttest.Answer(201, "made"))
	defer server.Close()
	s := transporttest.Play(server.Client().Transport)
	req := request(t, "POST", server.URL+"/x", "body")
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); got != "made" || resp.Request != req {
		t.Errorf("got %q for request %p, want that of %p", got, resp.Request, req)
	}
	if a := s.Attempts()[0]; string(a.Body) != "body" || a.Status != 201 || a.Answer != nil {
		t.Errorf("got %+v", a)
	}
}

func TestScriptKeepsTheFirst4MiBOfABody(t *testing.T) {
	req := request(t, "POST", url, "")
	req.Body = io.NopCloser(io.LimitReader(transporttest.NewBody(transporttest.Endless("0123456789abcdef")), 5<<20))
	s := transporttest.Play(transporttest.Answer(200, ""))
	if _, err := s.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	if a := s.Attempts()[0]; len(a.Body) != 4<<20 || a.BodySize != 5<<20 {
		t.Errorf("kept %d bytes of %d", len(a.Body), a.BodySize)
	}
}

func TestScriptCountsCloseIdleConnections(t *testing.T) {
	s := transporttest.Play()
	s.Client().CloseIdleConnections()
	if got := s.IdleClosed(); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
}

func TestScriptIsSafeForConcurrentUse(t *testing.T) {
	const n = 50
	s := transporttest.Play(transporttest.Times(n, transporttest.Answer(200, "x")))
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			resp, err := s.RoundTrip(request(t, "POST", url, "body"))
			if err != nil {
				t.Error(err)
				return
			}
			s.Attempts()
			read(t, resp)
		})
	}
	wg.Wait()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	for i, a := range s.Attempts() {
		if a.Number != i+1 || string(a.Body) != "body" {
			t.Errorf("attempt %d: got %+v", i+1, a)
		}
	}
}

func TestMisuseIsLoud(t *testing.T) {
	for name, misuse := range map[string]func(){
		"Play(nil)":             func() { transporttest.Play(nil) },
		"After(0, nil)":         func() { transporttest.After(0, nil) },
		"Times(1, nil)":         func() { transporttest.Times(1, nil) },
		"Answer(101)":           func() { transporttest.Answer(101, "") },
		"Endless of nothing":    func() { transporttest.Endless("") },
		"Canned, unknown code":  func() { transporttest.Canned("no_such_code") },
		"Detail of plain text":  func() { transporttest.Answer(200, "").Detail("a", 1) },
		"Detail without JSON":   func() { transporttest.Canned("grant_revoked").Detail("a", func() {}).HTTP(nil) },
		"NewServer(nil)":        func() { transporttest.NewServer(nil) },
		"an unknown grantstate": func() { new(transporttest.Backend).SetGrant("g", 99) },
		"no window":             func() { new(transporttest.Backend).LimitPolicy("p", 1, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v := recover(); v == nil {
					t.Error("did not panic")
				} else if text, ok := v.(string); !ok || !strings.HasPrefix(text, "transporttest: ") {
					t.Errorf("panicked with %v", v)
				}
			}()
			misuse()
		})
	}
}
