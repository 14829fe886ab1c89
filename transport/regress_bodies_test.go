package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestUploadThatFailsItselfDoesNotPassForOneThatNeverLeft(t *testing.T) {
	for name, cause := range map[string]error{
		"as a refused dial does":   transporttest.ErrRefused,
		"as an unknown host does":  &net.DNSError{Err: "no such host", Name: "storage.example", IsNotFound: true},
		"with another call's kind": classify.Verdict{Kind: classify.ConnectionRefused, Unprocessed: true}.Err(errors.New("storage")),
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %t", name, h2), func(t *testing.T) {
				var (
					hits, again atomic.Int32
					arrived     = make(chan struct{})
					once        sync.Once
				)
				srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					hits.Add(1)
					once.Do(func() { close(arrived) })
					io.Copy(io.Discard, r.Body)
				}))
				srv.EnableHTTP2 = h2
				srv.StartTLS()
				defer srv.Close()
				upload := func() io.ReadCloser {
					return transporttest.NewBody(transporttest.Chunk(strings.Repeat("x", 8<<10)), transporttest.Until(arrived), transporttest.Break(cause))
				}
				req := newRequest(t, "POST", srv.URL, "")
				req.Body, req.ContentLength = upload(), -1
				req.GetBody = func() (io.ReadCloser, error) { again.Add(1); return upload(), nil }
				_, err := exchange(newChain(t, newTransport(t), transport.Config{Policy: fast()}), req)
				if err == nil || hits.Load() != 1 || again.Load() != 0 {
					t.Errorf("%v: the server saw %d requests, %d bodies more were asked for; want an error, 1 and 0", err, hits.Load(), again.Load())
				}
			})
		}
	}
}

func TestPostIsSentAgainAfterARefusedDial(t *testing.T) {
	for name, body := range map[string]io.Reader{
		"from memory":     strings.NewReader("order"),
		"of another type": &closeCounter{Reader: strings.NewReader("order")},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				got = append(got, string(b))
			}))
			defer srv.Close()
			tr, nobody, dials := newTransport(t), closedPort(t), 0
			tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if dials++; dials == 1 {
					addr = nobody
				}
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}
			req, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			if req.GetBody == nil {
				req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("order")), nil }
			}
			status, err := exchange(newChain(t, tr, transport.Config{Policy: fast()}), req)
			if status != 200 || dials != 2 || fmt.Sprint(got) != "[order]" {
				t.Errorf("%d, %v after %d dials, the server got %q; want 200 after 2, and one order", status, err, dials, got)
			}
		})
	}
}

func TestDiscardLeavesTheCallersNextBodyAlone(t *testing.T) {
	again := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }
	for name, tc := range map[string]struct {
		body    io.ReadCloser
		getBody func() (io.ReadCloser, error)
		err     error // comes beside the answer
	}{
		"after a retry from memory":       {io.NopCloser(strings.NewReader("x")), again, nil},
		"after a retry of another upload": {&closeCounter{Reader: strings.NewReader("x")}, again, nil},
		"after an answer beside an error": {&closeCounter{Reader: strings.NewReader("x")}, nil, io.ErrNoProgress},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := transporttest.Answer(503, "").Header("Content-Type", "image/png").Stream(transporttest.Pause(time.Second))
				attempts := 0
				rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
					if attempts++; attempts > 1 {
						req.Body.Close()
						return transporttest.Answer(200, "").HTTP(req), nil
					}
					return slow.HTTP(req), tc.err // before the upload is over
				}), transport.Config{Policy: steady()})
				req := newRequest(t, "PUT", backend, "")
				req.Body, req.GetBody, req.ContentLength = tc.body, tc.getBody, -1
				if _, err := exchange(rt, req); !errors.Is(err, tc.err) {
					t.Fatalf("got %v, want %v", err, tc.err)
				}
				next := &closeCounter{Reader: strings.NewReader("next")}
				req.Body = next
				time.Sleep(time.Minute)
				if next.closed.Load() != 0 || req.Body != next {
					t.Errorf("closed %d times, want it untouched", next.closed.Load())
				}
			})
		})
	}
}

func TestGetBodyThatYieldsNoneHandsTheAnswerOut(t *testing.T) {
	for name, getBody := range map[string]func() (io.ReadCloser, error){
		"nothing": func() (io.ReadCloser, error) { return nil, nil },
		"error":   func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe },
		"panic":   func() (io.ReadCloser, error) { panic("GetBody") },
	} {
		for _, length := range []int64{7, 0, -1} {
			base := &counting{status: 503}
			req := newRequest(t, "PUT", backend, "payload")
			req.GetBody, req.ContentLength = getBody, length
			var resp *http.Response
			var err error
			v := panicOf(func() { resp, err = newChain(t, base, transport.Config{Policy: fast()}).RoundTrip(req) })
			if name == "panic" {
				if v != "GetBody" || base.open() != 0 {
					t.Errorf("recovered %v, %d answers open; want GetBody's own panic and none", v, base.open())
				}
				continue
			}
			if err != nil || len(base.bodies) != 1 || base.open() != 1 || transport.TrailOf(resp, err).Reason != policy.NotReplayable {
				t.Errorf("%s, length %d: %v, %v after %d attempts; want the 503 in hand", name, length, resp, err, len(base.bodies))
			}
		}
	}
}

func TestPanickingHookLeavesNothingOpen(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		hooks  transport.Hooks
	}{
		"before a retry":             {503, transport.Hooks{Attempt: func(context.Context, transport.AttemptInfo) { panic("hook") }}},
		"after the last attempt":     {404, transport.Hooks{Attempt: func(context.Context, transport.AttemptInfo) { panic("hook") }}},
		"after a failed call":        {404, transport.Hooks{Call: func(context.Context, transport.CallInfo) { panic("hook") }}},
		"after a call that succeeds": {200, transport.Hooks{Call: func(context.Context, transport.CallInfo) { panic("hook") }}},
		"when the breaker opens":     {429, transport.Hooks{Breaker: func(context.Context, transport.BreakerInfo) { panic("hook") }}},
		"when the breaker refuses":   {429, transport.Hooks{Refuse: func(context.Context, transport.RefuseInfo) { panic("hook") }}},
	} {
		t.Run(name, func(t *testing.T) {
			base := &counting{status: tc.status, hint: "4"}
			rt := newChain(t, base, transport.Config{Classifier: &classify.Alter{}, Hooks: tc.hooks})
			var bodies []*closeCounter
			fresh := func() (io.ReadCloser, error) {
				bodies = append(bodies, &closeCounter{Reader: strings.NewReader("x")})
				return bodies[len(bodies)-1], nil
			}
			var v any
			for range 2 { // the first opens the breaker, the second is refused
				req := newRequest(t, "PUT", backend, "")
				req.Body, _ = fresh()
				req.ContentLength, req.GetBody = 1, fresh
				if v = panicOf(func() { _, _ = exchange(rt, req) }); v != nil {
					break
				}
			}
			for i, body := range bodies {
				if body.closed.Load() == 0 {
					t.Errorf("request body %d is open", i+1)
				}
			}
			if v != "hook" || base.open() != 0 {
				t.Errorf("recovered %v, %d answers open; want the hook's panic and none", v, base.open())
			}
		})
	}
}

func TestPauseBeginsWithTheDecision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), ms(220)) // the pause is 200ms, giving up a stalled body takes 50ms
		defer cancel()
		stalled := transporttest.Answer(503, "").Header("Content-Type", "text/event-stream").Stream(transporttest.Stall())
		script := transporttest.Play(stalled, transporttest.Answer(503, ""))
		start := time.Now()
		status, err := exchange(newChain(t, script, transport.Config{Policy: steady()}), newRequest(t, "GET", backend, "").WithContext(ctx))
		if status != 503 || time.Since(start) != ms(200) {
			t.Errorf("%d, %v after %v; want the second 503 after 200ms", status, err, time.Since(start))
		}
		synctest.Wait()
		if err := script.Check(); err != nil {
			t.Error(err)
		}
	})
}

// reading counts what is read of a body, and how often it is closed.
type reading struct {
	closeCounter
	read atomic.Int64
}

func (b *reading) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read.Add(int64(n))
	return n, err
}

// endless is a body of zeros.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// repeated serves a 503 with this body and then a 200.
func repeated(t *testing.T, media string, body io.ReadCloser) http.RoundTripper {
	attempts := 0
	return newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if attempts++; attempts > 1 {
			return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
		}
		return &http.Response{StatusCode: 503, Header: http.Header{"Content-Type": {media}}, Body: body, ContentLength: -1, Request: req}, nil
	}), transport.Config{Policy: steady()})
}

func TestOfADiscardedAnswerABoundedPartIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &reading{}
		body.Reader = io.LimitReader(endless{}, 64<<20)
		status, err := exchange(repeated(t, "image/png", body), newRequest(t, "GET", backend, ""))
		if n := body.read.Load(); status != 200 || n > 128<<10 || body.closed.Load() == 0 {
			t.Errorf("%d, %v; %d bytes read of the 503, closed %d times; want 200, 128 KiB at most, and closed", status, err, n, body.closed.Load())
		}
	})
}

func TestDiscardedAnswerThatStallsIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := transporttest.NewBody(transporttest.Stall())
		status, err := exchange(repeated(t, "image/png", body), newRequest(t, "GET", backend, ""))
		synctest.Wait()
		if status != 200 || !body.Closed() {
			t.Errorf("%d, %v, closed %t; want 200 and a closed 503", status, err, body.Closed())
		}
		body.Close()
	})
}

func TestPanicOfADiscardedAnswerReachesTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, again := &reading{}, &closeCounter{Reader: strings.NewReader("x")}
		body.Reader = nil // Read panics
		req := newRequest(t, "PUT", backend, "x")
		req.GetBody = func() (io.ReadCloser, error) { return again, nil }
		v := panicOf(func() { _, _ = exchange(repeated(t, "image/png", body), req) })
		if v == nil || body.closed.Load() == 0 || again.closed.Load() == 0 {
			t.Errorf("recovered %v, answer closed %d times, next body %d times; want the panic and both closed", v, body.closed.Load(), again.closed.Load())
		}
	})
}

func TestNoBodyStaysNoBodyWhenSentAgain(t *testing.T) {
	for name, getBody := range map[string]func() (io.ReadCloser, error){
		"without GetBody":         nil,
		"with an odd GetBody":     func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil },
		"with net/http's GetBody": func() (io.ReadCloser, error) { return http.NoBody, nil },
	} {
		var coded []string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			coded = append(coded, r.TransferEncoding...)
			w.WriteHeader(503)
		}))
		tr, attempts, odd := newTransport(t), 0, 0
		rt := newChain(t, roundTripFunc(func(r *http.Request) (*http.Response, error) {
			if attempts++; r.Body != http.NoBody {
				odd++
			}
			return tr.RoundTrip(r)
		}), transport.Config{Policy: fast()})
		req := newRequest(t, "PUT", srv.URL, "")
		req.Body, req.GetBody = http.NoBody, getBody
		_, err := exchange(rt, req)
		srv.Close()
		if err != nil || attempts != 3 || odd != 0 || len(coded) != 0 {
			t.Errorf("%s: %v after %d attempts, %d with another body, encodings %v; want 3 with http.NoBody", name, err, attempts, odd, coded)
		}
	}
}

func TestRetryAloneClosesAnAnswerBesideAnError(t *testing.T) {
	body := &closeCounter{Reader: bytes.NewReader(nil)}
	base := roundTripFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: body}, io.ErrNoProgress
	})
	resp, err := transport.Chain(base, transport.Retry(nil, nil)).RoundTrip(newRequest(t, "POST", backend, ""))
	if resp != nil || !errors.Is(err, io.ErrNoProgress) || body.closed.Load() == 0 {
		t.Errorf("%v, %v, closed %d times; want the error alone and the body closed", resp, err, body.closed.Load())
	}
}

func TestReverseProxyMayLookAtAnnouncedTrailers(t *testing.T) {
	returned := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "T")
		w.WriteHeader(404)
		io.WriteString(w, `{"a":`)
		w.(http.Flusher).Flush()
		<-returned
		io.WriteString(w, `1}`)
		w.Header().Set("T", "v")
	}))
	defer srv.Close()
	target, _ := url.Parse(srv.URL)
	chain := newChain(t, newTransport(t), transport.Config{})
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = roundTripFunc(func(req *http.Request) (*http.Response, error) {
		defer close(returned) // the proxy looks at the map while the body goes on
		return chain.RoundTrip(req)
	})
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Result(); got.StatusCode != 404 || w.Body.String() != `{"a":1}` || got.Trailer.Get("T") != "v" {
		t.Errorf("%d %q, trailer %v; want the 404 as the server sent it", got.StatusCode, w.Body, got.Trailer)
	}
}
