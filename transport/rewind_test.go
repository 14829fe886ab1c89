package transport_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// rewound is a body of which there is one, as SDKs make them: GetBody seeks to its beginning.
type rewound struct {
	*bytes.Reader
	open    atomic.Bool
	rewinds atomic.Int64
	early   atomic.Int64 // rewinds while it was open
}

func (r *rewound) Close() error {
	r.open.Store(false)
	return nil
}

func (r *rewound) again(body io.ReadCloser) func() (io.ReadCloser, error) {
	r.open.Store(true)
	return func() (io.ReadCloser, error) {
		r.rewinds.Add(1)
		if r.open.Swap(true) {
			r.early.Add(1)
		}
		_, err := r.Seek(0, io.SeekStart)
		return body, err
	}
}

// RoundTrip: "Callers should wait for the Close call before doing so", of using a body again. A 503 may come while it is still sent.
func TestABodyIsTakenAgainOnlyAfterItsClose(t *testing.T) {
	for name, c := range map[string]struct {
		wrap func(*rewound) io.ReadCloser
		h2   bool
	}{
		"a body of its own type":              {func(r *rewound) io.ReadCloser { return r }, false},
		"a body of its own type, over HTTP/2": {func(r *rewound) io.ReadCloser { return r }, true},
		"io.NopCloser of bytes.Reader":        {func(r *rewound) io.ReadCloser { return io.NopCloser(r.Reader) }, false}, // openai-go, anthropic-sdk-go
	} {
		t.Run(name, func(t *testing.T) {
			const size, calls = 8 << 20, 10
			var asked atomic.Int64
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1)%2 == 1 {
					w.WriteHeader(http.StatusServiceUnavailable) // before the body is read
					return
				}
				if n, err := io.Copy(io.Discard, r.Body); n != size {
					t.Errorf("%d bytes arrived, %v, want %d", n, err, size)
				}
			}))
			base := http.RoundTripper(newTransport(t))
			if srv.EnableHTTP2 = c.h2; c.h2 {
				srv.StartTLS()
				base = srv.Client().Transport
			} else {
				srv.Start()
			}
			defer srv.Close()
			set := fast()
			set.Budget = policy.Budget{} // every second attempt is a retry
			rt := newChain(t, base, transport.Config{Policy: set})
			for range calls {
				one := &rewound{Reader: bytes.NewReader(make([]byte, size))}
				req := newRequest(t, "PUT", srv.URL, "")
				req.Body, req.ContentLength = c.wrap(one), size
				req.GetBody = one.again(req.Body)
				resp, err := rt.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if _, typed := req.Body.(*rewound); resp.StatusCode != 200 || one.rewinds.Load() != 1 || typed && one.early.Load() > 0 {
					t.Errorf("%d after %d rewinds, %d of them too early; want a 200 after one", resp.StatusCode, one.rewinds.Load(), one.early.Load())
				}
			}
		})
	}
}

// stuck is a body whose Read does not return, whatever is closed, until it is let go.
type stuck struct {
	reading chan struct{}
	let     chan struct{}
	once    sync.Once
	closed  atomic.Int64
}

func (s *stuck) Read([]byte) (int, error) {
	s.once.Do(func() { close(s.reading) })
	<-s.let
	return 0, io.EOF
}

func (s *stuck) Close() error {
	s.closed.Add(1)
	return nil
}

func TestABodyThatIsStuckIsNotTakenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &stuck{reading: make(chan struct{}), let: make(chan struct{})}
		defer close(body.let)
		attempts := 0
		rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			attempts++
			go io.Copy(io.Discard, req.Body) // as net/http does while it reads the answer
			<-body.reading
			return answer(503, "").RoundTrip(req)
		}), transport.Config{Policy: steady()})
		req := newRequest(t, "PUT", backend, "")
		req.Body = body
		req.GetBody = func() (io.ReadCloser, error) {
			t.Error("GetBody called during a Read")
			return body, nil
		}
		start := time.Now()
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		trail := transport.TrailOf(resp, nil)
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if attempts != 1 || trail.Reason != policy.NotReplayable || resp.StatusCode != 503 || err != nil || len(text) == 0 {
			t.Errorf("%d attempts, %v, %d %q %v; want the answer of one, not replayable", attempts, trail.Reason, resp.StatusCode, text, err)
		}
		if took := time.Since(start); took != 50*time.Millisecond || body.closed.Load() != 1 {
			t.Errorf("it took %v, and the body was closed %d times; want 50ms and once", took, body.closed.Load())
		}
	})
}

// A base may be about to take the body anew by itself.
func TestABodyIsNotTakenAgainTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		taken := make(chan error, 1)
		taking := 0
		rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
			req.Body.Close()
			go func() {
				_, err := req.GetBody()
				taken <- err
			}()
			synctest.Wait()
			return answer(503, "").RoundTrip(req)
		}), transport.Config{Policy: steady()})
		one := &rewound{Reader: bytes.NewReader([]byte("body"))}
		req := newRequest(t, "PUT", backend, "")
		req.Body = one
		req.GetBody = func() (io.ReadCloser, error) {
			if taking++; taking > 1 {
				t.Error("GetBody called while it was at work")
			}
			<-let
			return one, nil
		}
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if reason := transport.TrailOf(resp, nil).Reason; reason != policy.NotReplayable {
			t.Errorf("ended for %v, want not replayable", reason)
		}
		close(let)
		if err := <-taken; err != nil {
			t.Errorf("the base's own: %v", err)
		}
	})
}

// put sends one as the body of a request.
func put(t *testing.T, rt http.RoundTripper, one *rewound) {
	t.Helper()
	req := newRequest(t, "PUT", backend, "")
	req.Body, req.ContentLength = one, one.Size()
	req.GetBody = one.again(one)
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// What the base does with the body of an attempt that is over does not reach the next one's.
func TestTheBodyOfAnAttemptThatIsOverIsOutOfReach(t *testing.T) {
	one := &rewound{Reader: bytes.NewReader([]byte("body"))}
	var before io.ReadCloser
	attempts := 0
	rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if attempts++; attempts == 1 {
			before = req.Body
			_, _ = req.Body.Read(make([]byte, 1))
			return answer(503, "").RoundTrip(&http.Request{})
		}
		if n, err := before.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, io.EOF) {
			t.Errorf("reading the body before: %d, %v, want an error", n, err)
		}
		if err := before.Close(); err != nil || !one.open.Load() {
			t.Errorf("closing the body before: %v, and this one is open: %v", err, one.open.Load())
		}
		text, err := io.ReadAll(req.Body)
		if string(text) != "body" || err != nil {
			t.Errorf("got %q, %v", text, err)
		}
		req.Body.Close()
		return ok.RoundTrip(&http.Request{})
	}), transport.Config{Policy: fast()})
	put(t, rt, one)
	if attempts != 2 {
		t.Errorf("%d attempts, want 2", attempts)
	}
}

// A base that takes the body anew by itself may leave it to another goroutine to close the one before.
func TestEveryBodyThatABaseTookIsClosedBeforeTheNextAttempt(t *testing.T) {
	one := &rewound{Reader: bytes.NewReader([]byte("body"))}
	var first io.ReadCloser
	attempts := 0
	rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if attempts++; attempts == 1 {
			first = req.Body
			again, err := req.GetBody()
			if err != nil {
				t.Fatal(err)
			}
			again.Close()
			return answer(503, "").RoundTrip(&http.Request{})
		}
		first.Close()
		if !one.open.Load() {
			t.Error("the Close of a body of the attempt before reached this one's")
		}
		req.Body.Close()
		return ok.RoundTrip(&http.Request{})
	}), transport.Config{Policy: fast()})
	put(t, rt, one)
	if attempts != 2 {
		t.Errorf("%d attempts, want 2", attempts)
	}
}

// Of a body beyond what Buffer may remember there is no other: the attempt that answered early goes on, and its answer is whole.
func TestTheUploadOfALastAnswerGoesOn(t *testing.T) {
	const half, long = 64 << 10, 300 << 10
	var arrived atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		_, _ = io.CopyN(io.Discard, r.Body, 1<<10)
		w.WriteHeader(http.StatusServiceUnavailable)
		w.(http.Flusher).Flush()
		n, _ := io.Copy(io.Discard, r.Body)
		arrived.Store(1<<10 + n)
		_, _ = w.Write(make([]byte, long))
	}))
	defer srv.Close()
	rt := newChain(t, newTransport(t), transport.Config{Policy: fast(), PerCall: []transport.Middleware{transport.Buffer(512)}})
	req := newRequest(t, "PUT", srv.URL, "")
	rest := &lateReader{let: make(chan struct{}), Reader: io.LimitReader(zeros{}, half)}
	req.Body, req.ContentLength = io.NopCloser(io.MultiReader(io.LimitReader(zeros{}, half), rest)), -1
	resp, err := rt.RoundTrip(req)
	close(rest.let)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if reason := transport.TrailOf(resp, nil).Reason; reason != policy.NotReplayable || resp.StatusCode != 503 {
		t.Errorf("%d, ended for %v, want a 503 that is not replayable", resp.StatusCode, reason)
	}
	if n != long || err != nil || arrived.Load() != 2*half {
		t.Errorf("%d bytes of the answer, %v, after %d of the upload, want %d after %d", n, err, arrived.Load(), long, 2*half)
	}
}

// lateReader is read once it is let.
type lateReader struct {
	let chan struct{}
	io.Reader
}

func (r *lateReader) Read(p []byte) (int, error) {
	<-r.let
	return r.Reader.Read(p)
}
