package transport_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// naive is the retry loop of the textbooks. It reads the upload first, rewinds one reader for all attempts, repeats whatever
// failed, sleeps without looking at the context, leaves answers open, and reports an error of its own in the end.
// It is here to be caught: a check that it passes proves nothing.
type naive struct {
	base        http.RoundTripper
	pause       time.Duration
	drains      bool // reads discarded answers, all there is, and closes them
	answersOnly bool // does not repeat what failed with an error
}

func (n naive) RoundTrip(req *http.Request) (*http.Response, error) {
	var upload *bytes.Reader
	if req.Body != nil {
		whole, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		upload = bytes.NewReader(whole)
	}
	var last error
	for range 3 {
		if upload != nil {
			upload.Seek(0, io.SeekStart)
			req.Body = io.NopCloser(upload)
		}
		resp, err := n.base.RoundTrip(req)
		switch {
		case err != nil && n.answersOnly:
			return nil, err
		case err != nil:
			last = err
		case resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests:
			resp.Body = struct {
				io.Reader
				io.Closer
			}{resp.Body, resp.Body}
			return resp, nil
		default:
			last = fmt.Errorf("unexpected response: %+v", resp)
			if n.drains {
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		}
		time.Sleep(n.pause)
	}
	return nil, fmt.Errorf("giving up: %w", last)
}

// subject is a way of retrying that is put to a test: ours, or a naive one.
type subject struct {
	wrap func(base http.RoundTripper, pause time.Duration) http.RoundTripper
	// patience bounds the wait for what goes on beside the call, over real connections.
	patience time.Duration
}

// promise is a sentence about retrying, and what finds out whether it is kept.
type promise struct {
	name  string
	check func(*testing.T, subject) error
	naive []naive // those that must fail the check; nil stands for the plain one
}

func TestPromisesThatATextbookLoopBreaks(t *testing.T) {
	for _, p := range []promise{
		{name: "two 503s and a 200 take one connection, and every answer is closed", check: checkOneConnection},
		{name: "of a discarded answer no more than a bounded part is read", check: checkBoundedDrain, naive: []naive{{}, {drains: true}}},
		{name: "a POST answered 503 is sent once", check: checkUnsafeAnswer},
		{name: "a POST that was read before the connection was reset has one side effect", check: checkSideEffects},
		{name: "a Retry-After that is a date is waited for, and never less", check: checkRetryAfterDate},
		{name: "a Retry-After beyond the deadline hands out the 429 at once", check: checkRetryAfterBeyondTheDeadline},
		{name: "the caller's request is untouched and its body is closed", check: checkRequestUntouched},
		{name: "retries that end in a 503 yield that answer, readable", check: checkExhausted, naive: []naive{{}, {drains: true}}},
		{name: "a 101 keeps its ReadWriteCloser", check: checkUpgrade},
		{name: "an answer that comes before the end of the upload comes out at once", check: checkEarlyAnswer},
		{name: "a refused connection is tried again", check: checkRefused, naive: []naive{{answersOnly: true}}},
		{name: "a 503 comes out at once if the pause would outlast the deadline", check: checkPauseBeyondTheDeadline, naive: []naive{{}, {drains: true}}},
		{name: "a 503 whose body stalls is closed and does not stall the call", check: checkStalledBody, naive: []naive{{}, {drains: true}}},
		{name: "an unknown authority, a bad scheme and a bad header are tried once", check: checkPermanent},
		{name: "an attempt does not share its body with one that is still sending", check: checkUploadsDoNotMix},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Run("kept", func(t *testing.T) {
				ours := func(base http.RoundTripper, pause time.Duration) http.RoundTripper {
					return newChain(t, base, transport.Config{Policy: twice(pause)})
				}
				if err := p.check(t, subject{ours, 10 * time.Second}); err != nil {
					t.Error(err)
				}
			})
			if p.naive == nil {
				p.naive = []naive{{}}
			}
			for _, n := range p.naive {
				t.Run("broken", func(t *testing.T) {
					loop := func(base http.RoundTripper, pause time.Duration) http.RoundTripper {
						n.base, n.pause = base, pause
						return n
					}
					err := p.check(t, subject{loop, ms(20)})
					if err == nil {
						t.Errorf("%+v passes the check too", n)
					}
					t.Log("caught:", err)
				})
			}
		})
	}
}

// twice is the default policy with two retries in every profile and equal pauses.
func twice(pause time.Duration) *policy.Set {
	s := steady()
	for kind, p := range s.Profiles {
		p.Retries, p.Initial, p.Max, p.Multiplier = 2, pause, pause, 1
		s.Profiles[kind] = p
	}
	return s
}

// virtual runs a check where waiting takes no time.
func virtual(t *testing.T, check func(*testing.T) error) (err error) {
	synctest.Test(t, func(t *testing.T) { err = check(t) })
	return err
}

// watched counts what becomes of a base's answers.
type watched struct {
	http.RoundTripper
	attempts, closed atomic.Int32
	most             atomic.Int64 // bytes read of one answer
}

func (w *watched) RoundTrip(req *http.Request) (*http.Response, error) {
	w.attempts.Add(1)
	resp, err := w.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = &watchedBody{ReadCloser: resp.Body, of: w}
	}
	return resp, err
}

type watchedBody struct {
	io.ReadCloser
	of   *watched
	read int64
	once sync.Once
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	for most := b.of.most.Load(); b.read > most && !b.of.most.CompareAndSwap(most, b.read); most = b.of.most.Load() {
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.once.Do(func() { b.of.closed.Add(1) })
	return b.ReadCloser.Close()
}

// allClosed waits until n answers were closed.
func (w *watched) allClosed(n int32, patience time.Duration) error {
	for end := time.Now().Add(patience); w.closed.Load() < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d answers closed", w.closed.Load(), n)
		}
	}
	return nil
}

// counted is a bare transport that counts the connections it dials.
func counted(t *testing.T) (*http.Transport, *atomic.Int32) {
	tr, dials := newTransport(t), new(atomic.Int32)
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	return tr, dials
}

// finish reads an answer to its end and closes it.
func finish(resp *http.Response) (string, error) {
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	return string(body), err
}

func checkOneConnection(t *testing.T, s subject) error {
	srv := transporttest.NewServer(transporttest.Answer(200, "fine"))
	defer srv.Close()
	srv.AnswerNext(transporttest.Answer(503, `{"error":"busy"}`), 2)
	tr, dials := counted(t)
	base := &watched{RoundTripper: tr}
	resp, err := s.wrap(base, ms(1)).RoundTrip(newRequest(t, "GET", srv.URL, ""))
	if err != nil {
		return err
	}
	if body, err := finish(resp); body != "fine" || err != nil {
		return fmt.Errorf("read %q, %v", body, err)
	}
	if dials.Load() != 1 || base.attempts.Load() != 3 {
		return fmt.Errorf("%d attempts over %d connections, want 3 over 1", base.attempts.Load(), dials.Load())
	}
	return base.allClosed(3, s.patience)
}

func checkBoundedDrain(t *testing.T, s subject) error {
	const size, bound = 200 << 10, 128 << 10
	for _, begin := range []string{`{"error":"`, "<html>"} {
		srv := transporttest.NewServer(transporttest.Answer(200, ""))
		defer srv.Close()
		srv.AnswerNext(transporttest.Answer(503, begin+strings.Repeat("x", size)), 2)
		base := &watched{RoundTripper: newTransport(t)}
		resp, err := s.wrap(base, ms(1)).RoundTrip(newRequest(t, "GET", srv.URL, ""))
		if err != nil {
			return err
		}
		resp.Body.Close()
		if err := base.allClosed(3, s.patience); err != nil {
			return err
		}
		if base.most.Load() > bound {
			return fmt.Errorf("read %d bytes of a discarded answer, want %d at most", base.most.Load(), bound)
		}
	}
	return nil
}
