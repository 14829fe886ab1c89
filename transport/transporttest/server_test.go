package transporttest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// counting is a server whose handler counts its calls and echoes the request's body.
func counting(t *testing.T) (*transporttest.Server, *atomic.Int32) {
	t.Helper()
	var calls atomic.Int32
	s := transporttest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Handler", "yes")
		w.WriteHeader(http.StatusCreated)
		w.Write(body)
	}))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, &calls
}

// post sends a body that net/http will not replay, and returns the answer's body.
func post(t *testing.T, s *transporttest.Server, body string) (*http.Response, string, error) {
	t.Helper()
	resp, err := s.Client().Transport.RoundTrip(request(t, "POST", s.URL+"/path?q=1", body))
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

func TestServerRemembersItsRequests(t *testing.T) {
	s, _ := counting(t)
	s.SetHeader("X-Every", "a", "b")
	resp, text, err := post(t, s, "hello")
	if err != nil || text != "hello" || resp.StatusCode != 201 || len(resp.Header["X-Every"]) != 2 {
		t.Fatalf("got %v, %q, %v", resp, text, err)
	}
	s.SetHeader("X-Every")
	s.AnswerNext(transporttest.Answer(418, "tea"), 1)
	if resp, text, err = post(t, s, "again"); err != nil || resp.StatusCode != 418 || text != "tea" || resp.Header["X-Every"] != nil {
		t.Fatalf("got %v, %q, %v", resp, text, err)
	}
	all := s.Requests()
	if len(all) != 2 || s.Total() != 2 || s.Count("POST", "/path") != 2 || s.Count("GET", "/path") != 0 {
		t.Fatalf("got %d requests, total %d, counted %d", len(all), s.Total(), s.Count("POST", "/path"))
	}
	first, second := all[0], all[1]
	if first.Number != 1 || first.Method != "POST" || first.URL.String() != "/path?q=1" || string(first.Body) != "hello" ||
		first.Status != 201 || first.Order != "" || first.Time.IsZero() {
		t.Errorf("got %+v", first)
	}
	if second.Number != 2 || string(second.Body) != "again" || second.Status != 418 || second.Order != "answer" {
		t.Errorf("got %+v", second)
	}
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		order func(*transporttest.Server)
		calls int32 // of the handler
		check func(t *testing.T, resp *http.Response, text string, err error)
	}{
		"reset before the handler": {func(s *transporttest.Server) { s.FailNext(transporttest.Reset, 1) }, 0, wasReset},
		"reset after the handler":  {func(s *transporttest.Server) { s.LoseNext(transporttest.Reset, 1) }, 1, wasReset},
		"hang up before the handler": {
			func(s *transporttest.Server) { s.FailNext(transporttest.HangUp, 1) }, 0, hungUp},
		"hang up after the handler": {
			func(s *transporttest.Server) { s.LoseNext(transporttest.HangUp, 1) }, 1, hungUp},
		"truncated": {func(s *transporttest.Server) { s.FailNext(transporttest.Truncated, 1) }, 1, truncated},
		"lost":      {func(s *transporttest.Server) { s.LoseNext(transporttest.Truncated, 1) }, 1, truncated},
		"slow header": {func(s *transporttest.Server) { s.SlowNext(20*time.Millisecond, 1) }, 1,
			func(t *testing.T, resp *http.Response, text string, err error) {
				if err != nil || text != "sent body" || resp.StatusCode != 201 || resp.Header.Get("X-Handler") != "yes" {
					t.Errorf("got %v, %q, %v", resp, text, err)
				}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			s, calls := counting(t)
			if _, _, err := post(t, s, "warm up"); err != nil { // the connection is a used one then
				t.Fatal(err)
			}
			calls.Store(0)
			c.order(s)
			resp, text, err := post(t, s, "sent body")
			c.check(t, resp, text, err)
			if got := calls.Load(); got != c.calls {
				t.Errorf("the handler was called %d times, want %d", got, c.calls)
			}
			if rec := s.Requests()[1]; string(rec.Body) != "sent body" || rec.Order == "" {
				t.Errorf("got %+v", rec)
			}
			if _, text, err := post(t, s, "next"); err != nil || text != "next" {
				t.Errorf("the next request: got %q, %v", text, err)
			}
		})
	}
}

func wasReset(t *testing.T, _ *http.Response, _ string, err error) {
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
}

func hungUp(t *testing.T, _ *http.Response, _ string, err error) {
	if !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want io.EOF", err)
	}
}

func truncated(t *testing.T, resp *http.Response, text string, err error) {
	if !errors.Is(err, io.ErrUnexpectedEOF) || resp.StatusCode != 201 || resp.ContentLength != 9 || text != "sent" {
		t.Errorf("got %v, %q, %v", resp, text, err)
	}
}

func TestTruncatedAnswerWithoutABody(t *testing.T) {
	s := transporttest.NewServer(transporttest.Answer(200, ""))
	defer s.Close()
	s.FailNext(transporttest.Truncated, 1)
	resp, text, err := post(t, s, "")
	if !errors.Is(err, io.ErrUnexpectedEOF) || resp.ContentLength != 1 || text != "" {
		t.Errorf("got %v, %q, %v", resp, text, err)
	}
}

func TestFaultsOfAnswersToHEAD(t *testing.T) {
	s, _ := counting(t)
	s.AnswerNext(transporttest.Answer(200, "12345"), 1)
	s.SlowNext(0, 1)
	s.FailNext(transporttest.Truncated, 1)
	for _, want := range []int{200, 201, 201, 201} {
		resp, err := s.Client().Head(s.URL)
		if err != nil || resp.StatusCode != want {
			t.Fatalf("got %v, %v, want %d", resp, err, want)
		}
		if got := read(t, resp); got != "" {
			t.Errorf("got body %q", got)
		}
	}
}

func TestSlowHeaderTakesItsTime(t *testing.T) {
	s, _ := counting(t)
	const d = 100 * time.Millisecond
	s.SlowNext(d, 1)
	began := time.Now()
	var firstByte time.Duration
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotFirstResponseByte: func() { firstByte = time.Since(began) },
	})
	resp, err := s.Client().Transport.RoundTrip(request(t, "GET", s.URL, "").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if took := time.Since(began); took < d || firstByte >= took {
		t.Errorf("the header took %v, its first byte %v; want %v at least, in pieces", took, firstByte, d)
	}
}

func TestStalledRequestsEndWithTheClientOrTheServer(t *testing.T) {
	t.Run("client", func(t *testing.T) {
		s, calls := counting(t)
		s.FailNext(transporttest.Stalled, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer cancel()
			if err := s.Await(t.Context(), 1); err != nil {
				t.Error(err)
			}
		}()
		_, err := s.Client().Do(request(t, "POST", s.URL, "x").WithContext(ctx))
		if !errors.Is(err, context.Canceled) || calls.Load() != 0 {
			t.Errorf("got %v, %d calls of the handler", err, calls.Load())
		}
	})
	t.Run("server", func(t *testing.T) {
		s, calls := counting(t)
		s.LoseNext(transporttest.Stalled, 3)
		s.SlowNext(time.Hour, 1)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, _, err := post(t, s, "x"); err == nil {
					t.Error("got an answer")
				}
			})
		}
		if err := s.Await(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if got := calls.Load(); got > 4 {
			t.Errorf("the handler was called %d times", got)
		}
	})
}

func TestEndlessErrorIsCutByTheClient(t *testing.T) {
	s, calls := counting(t)
	s.FailNext(transporttest.EndlessError, 1)
	resp, err := s.Client().Do(request(t, "POST", s.URL, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	head := make([]byte, 1<<20)
	if _, err := io.ReadFull(resp.Body, head); err != nil || !strings.HasPrefix(string(head), `{"error":"internal","message":"endless `) {
		t.Errorf("got %q, %v", head[:50], err)
	}
	if resp.StatusCode != 500 || resp.ContentLength != -1 || calls.Load() != 0 {
		t.Errorf("got %v", resp)
	}
}

func TestOrdersAreCarriedOutOneAfterTheOther(t *testing.T) {
	s, calls := counting(t)
	s.FailNext(transporttest.HangUp, 1)
	s.AnswerNext(transporttest.Answer(503, ""), 2)
	s.FailNext(transporttest.Reset, 0)
	s.FailNext(transporttest.Fault(99), 1)
	s.AnswerNext(transporttest.Answer(500, ""), 9)
	var got []int
	for range 4 {
		resp, _, err := post(t, s, "x")
		if err != nil {
			got = append(got, 0)
			continue
		}
		got = append(got, resp.StatusCode)
	}
	if want := []int{0, 503, 503, 0}; len(got) != 4 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || got[3] != want[3] {
		t.Errorf("got %v, want %v", got, want)
	}
	s.Forget()
	if resp, _, err := post(t, s, "x"); err != nil || resp.StatusCode != 201 || calls.Load() != 1 {
		t.Errorf("after Forget: got %v, %v", resp, err)
	}
	if got := transporttest.Truncated.String() + " " + transporttest.Fault(99).String(); got != "truncated fault(99)" {
		t.Errorf("got %q", got)
	}
}

func TestEarlyAnswersOverTheWire(t *testing.T) {
	s, _ := counting(t)
	s.AnswerNext(transporttest.Answer(503, "").Early(), 1)
	body := transporttest.NewBody(transporttest.Chunk("begin"), transporttest.Stall())
	req := request(t, "POST", s.URL, "")
	req.Body = body
	resp, err := s.Client().Transport.RoundTrip(req)
	if err != nil || resp.StatusCode != 503 {
		t.Fatalf("got %v, %v", resp, err)
	}
	body.Close()
	resp.Body.Close()
}

func TestRefusedThenBack(t *testing.T) {
	s, calls := counting(t)
	if _, _, err := post(t, s, "x"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.Refuse(time.Hour)
		s.Refuse(time.Hour) // no change
		for range 3 {
			_, _, err := post(t, s, "x")
			var op *net.OpError
			if !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &op) || op.Op != "dial" {
				t.Errorf("got %v, want a refused dial", err)
			}
		}
		for range 2 {
			if err := s.Reopen(); err != nil {
				t.Fatal(err)
			}
		}
		if _, text, err := post(t, s, "back"); err != nil || text != "back" {
			t.Fatalf("after Reopen: got %q, %v", text, err)
		}
	}
	if got := calls.Load(); got != 4 {
		t.Errorf("the handler was called %d times, want 4", got)
	}
}

func TestNobodyTakesThePortThatRefuses(t *testing.T) {
	s, _ := counting(t)
	s.Refuse(time.Hour)
	l, err := net.Listen("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err == nil {
		_ = l.Close()
		t.Error("another server can listen where connections are to be refused")
	}
}

func TestRefuseEndsByItself(t *testing.T) {
	s, _ := counting(t)
	const d = 30 * time.Millisecond
	began := time.Now()
	s.Refuse(d)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		_, _, err := post(t, s, "x")
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v, want a refused dial", err)
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the port did not come back: %v", err)
		}
	}
	if took := time.Since(began); took < d {
		t.Errorf("the port came back after %v, want %v", took, d)
	}
}

func TestRefuseLetsRequestsFinish(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	s := transporttest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(inside)
		<-leave
		io.WriteString(w, "finished")
	}))
	defer s.Close()
	var text string
	var err error
	var wg sync.WaitGroup
	wg.Go(func() { _, text, err = post(t, s, "x") })
	<-inside
	s.Refuse(time.Hour)
	close(leave)
	wg.Wait()
	if text != "finished" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if _, _, err := post(t, s, "x"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v: the connection was kept", err)
	}
}

func TestCloseWhileRefusing(t *testing.T) {
	s := transporttest.NewServer(transporttest.Answer(200, ""))
	s.Refuse(time.Hour)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	if err := s.Reopen(); err == nil {
		t.Error("a closed server was opened again")
	}
	s.Refuse(time.Hour) // nothing happens
	if _, _, err := post(t, s, "x"); err == nil {
		t.Error("a closed server answered")
	}
}

func TestServerUnderLoad(t *testing.T) {
	s, _ := counting(t)
	const n = 40
	s.FailNext(transporttest.Reset, 5)
	s.LoseNext(transporttest.HangUp, 5)
	s.AnswerNext(transporttest.Answer(503, ""), 5)
	var failed, busy, fine atomic.Int32
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			switch resp, _, err := post(t, s, "x"); {
			case err != nil:
				failed.Add(1)
			case resp.StatusCode == 503:
				busy.Add(1)
			default:
				fine.Add(1)
			}
			s.Requests()
		})
	}
	wg.Wait()
	if failed.Load() != 10 || busy.Load() != 5 || fine.Load() != n-15 || s.Total() != n {
		t.Errorf("got %d failed, %d busy, %d fine of %d", failed.Load(), busy.Load(), fine.Load(), s.Total())
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	s, _ := counting(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Await(ctx, 1); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "0 of 1") {
		t.Errorf("got %v", err)
	}
}
