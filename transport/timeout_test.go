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
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestAttemptTimeoutOfNothingIsNotThere(t *testing.T) {
	base := transporttest.Play()
	for _, d := range []time.Duration{0, -1} {
		if got := transport.Chain(base, transport.AttemptTimeout(d)); got != http.RoundTripper(base) {
			t.Errorf("AttemptTimeout(%v) is a %T, want the base itself", d, got)
		}
	}
}

func TestAttemptTimeoutFiresInTimeWithAnErrorOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := transporttest.Play(transporttest.Hang())
		start := time.Now()
		resp, err := transport.Chain(script, transport.AttemptTimeout(2*time.Second)).
			RoundTrip(newRequest(t, "POST", "https://api.example", "payload"))
		if took := time.Since(start); resp != nil || took != 2*time.Second {
			t.Errorf("got %v after %v, want no answer after 2s", resp, took)
		}
		var own *transport.AttemptTimeoutError
		if !errors.As(err, &own) || own.After != 2*time.Second || !own.Timeout() || !own.Temporary() {
			t.Fatalf("error %#v, want an AttemptTimeoutError of 2s", err)
		}
		if got, want := err.Error(), "transport: attempt timed out after 2s"; got != want {
			t.Errorf("text %q, want %q", got, want)
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v passes for a context error", err)
		}
		if err := script.Check(); err != nil {
			t.Error(err)
		}
	})
}

func TestAttemptTimeoutIsOfKindTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: transport.Chain(transporttest.Play(transporttest.Hang()),
			transport.Classify(nil), transport.AttemptTimeout(time.Second))}
		_, err := client.Get("https://api.example")
		var (
			outer *url.Error
			typed *classify.TimeoutError
			own   *transport.AttemptTimeoutError
		)
		if !errors.As(err, &outer) || !outer.Timeout() || !errors.As(err, &typed) || !errors.As(err, &own) {
			t.Errorf("%v: want a url.Error whose Timeout() is true, around a TimeoutError, around an AttemptTimeoutError", err)
		}
		v := classify.Of(nil, err)
		if v.Kind != classify.Timeout || v.Unprocessed {
			t.Errorf("verdict %+v, want the kind timeout, and no proof that nobody acted on it", v)
		}
	})
}

// Bases report the end of their context in different ways: HTTP/1 returns the cause, HTTP/2 context.Canceled,
// and a body that was closed while it was read may have its own word.
func TestAttemptTimeoutIsToldFromTheCallersEnd(t *testing.T) {
	own := errors.New("shutting down")
	slow := ms(300) // what the base needs to return
	bases := map[string]func(*http.Request) error{
		"cause":      func(r *http.Request) error { return context.Cause(r.Context()) },
		"canceled":   func(*http.Request) error { return context.Canceled },
		"body error": func(*http.Request) error { return io.ErrClosedPipe },
	}
	for name, tc := range map[string]struct {
		caller  func(context.Context) (context.Context, func())
		timeout bool
		after   time.Duration
		want    map[string]error // by base
	}{
		"the caller never gives up": {func(ctx context.Context) (context.Context, func()) {
			return ctx, func() {}
		}, true, time.Second + slow, nil},
		"the caller cancels first": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(ms(500), func() { cancel(own) })
			return ctx, func() { cancel(nil) }
		}, false, ms(500) + slow, map[string]error{"cause": own, "canceled": context.Canceled, "body error": io.ErrClosedPipe}},
		"the caller's deadline is first": {func(ctx context.Context) (context.Context, func()) {
			return context.WithTimeout(ctx, ms(500))
		}, false, ms(500) + slow, map[string]error{
			"cause": context.DeadlineExceeded, "canceled": context.Canceled, "body error": io.ErrClosedPipe,
		}},
		"the caller cancels while the base is slow to end a timed out attempt": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(ms(1100), func() { cancel(own) })
			return ctx, func() { cancel(nil) }
		}, false, time.Second + slow, map[string]error{"cause": own, "canceled": context.Canceled, "body error": io.ErrClosedPipe}},
	} {
		for style, fails := range bases {
			t.Run(name+", "+style, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := tc.caller(t.Context())
					defer cancel()
					base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
						<-r.Context().Done()
						err := fails(r)
						time.Sleep(slow)
						return nil, err
					})
					start := time.Now()
					_, err := transport.Chain(base, transport.AttemptTimeout(time.Second)).
						RoundTrip(newRequest(t, "GET", "https://api.example", "").WithContext(ctx))
					if took := time.Since(start); took != tc.after {
						t.Errorf("took %v, want %v", took, tc.after)
					}
					var timeout *transport.AttemptTimeoutError
					if errors.As(err, &timeout) != tc.timeout {
						t.Errorf("error %#v; is it an AttemptTimeoutError? want %v", err, tc.timeout)
					}
					if want := tc.want[style]; want != nil && err != want {
						t.Errorf("error %v, want the base's own: %v", err, want)
					}
				})
			})
		}
	}
}

func TestRequestCancelChannelIsNoAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		req := newRequest(t, "GET", "https://api.example", "")
		//lint:ignore SA1019 http.Client.Timeout sets it
		req.Cancel = stop
		base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			close(stop)
			return nil, context.Cause(r.Context())
		})
		_, err := transport.Chain(base, transport.AttemptTimeout(time.Second)).RoundTrip(req)
		if err != context.Canceled {
			t.Errorf("error %v, want context.Canceled: the caller gave up too", err)
		}
	})
}

func TestAttemptTimeoutDoesNotCutTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := transporttest.Play(transporttest.After(ms(900), transporttest.Answer(200, "").Stream(
			transporttest.Chunk("first "), transporttest.Pause(2*time.Second), transporttest.Chunk("last"),
		)))
		resp, err := transport.Chain(script, transport.AttemptTimeout(time.Second)).
			RoundTrip(newRequest(t, "GET", "https://api.example", ""))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != "first last" {
			t.Errorf("read %q, %v; want the whole body", got, err)
		}
		resp.Body.Close()
		if err := script.Check(); err != nil {
			t.Error(err)
		}
	})
}

func TestAnswerInTheInstantOfTheTimeoutIsTooLate(t *testing.T) {
	own := func(err error) bool {
		var timeout *transport.AttemptTimeoutError
		return errors.As(err, &timeout)
	}
	untilDone := func(r *http.Request) { <-r.Context().Done() }
	for name, tc := range map[string]struct {
		wait   func(*http.Request)
		caller error
		want   func(error) bool
	}{
		"later":                  {untilDone, nil, own},
		"at the same time":       {func(*http.Request) { time.Sleep(time.Second) }, nil, own},
		"and the caller gave up": {untilDone, io.ErrNoProgress, func(err error) bool { return err == io.ErrNoProgress }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				body := transporttest.NewBody(transporttest.Chunk("late"))
				base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
					tc.wait(r)
					if tc.caller != nil {
						cancel(tc.caller)
					}
					return &http.Response{StatusCode: 200, Body: body, Request: r}, nil
				})
				resp, err := transport.Chain(base, transport.AttemptTimeout(time.Second)).
					RoundTrip(newRequest(t, "GET", "https://api.example", "").WithContext(ctx))
				if resp != nil || !tc.want(err) || !body.Closed() {
					t.Errorf("got %v, %v, body closed: %v", resp, err, body.Closed())
				}
			})
		})
	}
}

func TestAttemptTimeoutReleasesTheContextWithTheBody(t *testing.T) {
	read := func(resp *http.Response) { io.Copy(io.Discard, resp.Body) }
	shut := func(resp *http.Response) { resp.Body.Close() }
	nothing := func(*http.Response) {}
	for name, tc := range map[string]struct {
		body  io.ReadCloser
		err   error
		use   func(*http.Response)
		early bool // released when RoundTrip returns
	}{
		"read to its end":     {transporttest.NewBody(transporttest.Chunk("x")), nil, read, false},
		"closed unread":       {transporttest.NewBody(transporttest.Chunk("x")), nil, shut, false},
		"breaks":              {transporttest.NewBody(transporttest.Break(io.ErrUnexpectedEOF)), nil, read, false},
		"http.NoBody":         {http.NoBody, nil, nothing, true},
		"nil":                 {nil, nil, nothing, true},
		"an error":            {nil, io.ErrNoProgress, nothing, true},
		"beside an error":     {transporttest.NewBody(transporttest.Chunk("x")), io.ErrNoProgress, nothing, true},
		"an upgrade is ended": {upgraded{transporttest.NewBody()}, nil, shut, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got *http.Request
				base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
					got = r
					return &http.Response{StatusCode: 200, Body: tc.body, Request: r}, tc.err
				})
				req := newRequest(t, "PUT", "https://api.example", "")
				sent := transporttest.NewBody()
				req.Body = sent
				resp, err := transport.Chain(base, transport.AttemptTimeout(time.Second)).RoundTrip(req)
				if !errors.Is(err, tc.err) {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if early := got.Context().Err() != nil; early != tc.early {
					t.Errorf("context over when RoundTrip has returned: %v, want %v", early, tc.early)
				}
				if tc.err == nil {
					if resp.Request != req {
						t.Error("the answer's request is not the one that was sent: its context is over before the caller's")
					}
					tc.use(resp)
				} else if b, ok := tc.body.(*transporttest.Body); resp != nil || ok && !b.Closed() {
					t.Error("an answer beside an error was handed out, or left open")
				}
				if got.Context().Err() == nil {
					t.Error("the context is never released")
				}
				if synctest.Wait(); tc.err == nil && sent.Closed() {
					t.Error("the request's body was closed: that is up to the base, which may still send it")
				}
			})
		})
	}
	t.Run("a panic", func(t *testing.T) {
		var got *http.Request
		defer func() {
			if v := recover(); v != "base" || got.Context().Err() == nil {
				t.Errorf("recovered %v, context over: %v", v, got.Context().Err())
			}
		}()
		base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
			got = r
			panic("base")
		})
		_, _ = transport.Chain(base, transport.AttemptTimeout(time.Hour)).RoundTrip(newRequest(t, "GET", "https://api.example", ""))
	})
	t.Run("no answer and no error", func(t *testing.T) {
		base := roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, nil })
		resp, err := transport.Chain(base, transport.AttemptTimeout(time.Hour)).RoundTrip(newRequest(t, "GET", "https://api.example", ""))
		if resp != nil || err != nil {
			t.Errorf("got %v, %v; want what the base returned", resp, err)
		}
	})
}

// upgraded is the body of a 101.
type upgraded struct{ *transporttest.Body }

func (upgraded) Write(p []byte) (int, error) { return len(p), nil }

// upgradedHalf is one whose sides can be ended one by one.
type upgradedHalf struct {
	upgraded
	ended *bool
}

func (u upgradedHalf) CloseWrite() error { *u.ended = true; return nil }

func TestAttemptTimeoutLeavesUpgradedConnectionsAlone(t *testing.T) {
	ended := false
	body := transporttest.NewBody(transporttest.Chunk("hello"))
	for _, tc := range []struct {
		body io.ReadCloser
		half bool
	}{
		{upgraded{body}, false},
		{upgradedHalf{upgraded{body}, &ended}, true},
	} {
		var got *http.Request
		base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
			got = r
			return &http.Response{StatusCode: 101, Body: tc.body, Request: r}, nil
		})
		resp, err := transport.Chain(base, transport.AttemptTimeout(time.Hour)).RoundTrip(newRequest(t, "GET", "https://api.example", ""))
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		if got.Context().Err() != nil {
			t.Error("the context is over although only the peer's side is")
		}
		if n, err := resp.Body.(io.Writer).Write([]byte("abc")); n != 3 || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
		half, ok := resp.Body.(interface{ CloseWrite() error })
		if ok != tc.half {
			t.Errorf("CloseWrite is there: %v, want %v", ok, tc.half)
		}
		if ok && (half.CloseWrite() != nil || !ended) {
			t.Error("CloseWrite does not reach the connection")
		}
		resp.Body.Close()
		if got.Context().Err() == nil {
			t.Error("the context outlives Close")
		}
	}
}

func TestAttemptTimeoutBodyIsClosedOnceAlsoDuringARead(t *testing.T) {
	body := transporttest.NewBody(transporttest.Stall(), transporttest.FailClose(io.ErrClosedPipe))
	rt := transport.Chain(roundTripFunc(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: body, Request: r}, nil
	}), transport.AttemptTimeout(time.Hour))
	resp, err := rt.RoundTrip(newRequest(t, "GET", "https://api.example", ""))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := resp.Body.Read(make([]byte, 1)); err != http.ErrBodyReadAfterClose {
			t.Errorf("Read: %v, want the body's own error", err)
		}
	})
	if err := resp.Body.Close(); err != io.ErrClosedPipe {
		t.Errorf("Close: %v, want the body's own error", err)
	}
	wg.Wait()
	if err := resp.Body.Close(); err != nil || body.Closes() != 1 {
		t.Errorf("second Close: %v, and the body was closed %d times; want nothing", err, body.Closes())
	}
}

func TestTimeoutIsRetriedIfThatIsSafe(t *testing.T) {
	for name, tc := range map[string]struct {
		method   string
		attempts int
		took     time.Duration
		ok       bool
	}{
		"GET":  {"GET", 2, time.Second + ms(200), true},
		"POST": {"POST", 1, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				steps := []http.RoundTripper{transporttest.Hang(), transporttest.Answer(200, "")}
				script := transporttest.Play(steps[:tc.attempts]...)
				rt := newChain(t, script, transport.Config{
					Policy: steady(), PerAttempt: []transport.Middleware{transport.AttemptTimeout(time.Second)},
				})
				start := time.Now()
				resp, err := rt.RoundTrip(newRequest(t, tc.method, "https://api.example", "payload"))
				if took := time.Since(start); took != tc.took || (err == nil) != tc.ok {
					t.Errorf("%v, %v after %v; want it to go well: %v, after %v", resp, err, took, tc.ok, tc.took)
				}
				if err := script.Check(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestAttemptTimeoutLeavesTheRequestAsItIs(t *testing.T) {
	req := newRequest(t, "PUT", "https://api.example", "payload")
	req.Trailer = http.Header{"T": nil}
	before := *req
	base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
		if reflect.ValueOf(r.Trailer).Pointer() != reflect.ValueOf(req.Trailer).Pointer() {
			t.Error("the attempt has a trailer map of its own: what the caller sets late is lost")
		}
		again, err := r.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range []io.ReadCloser{r.Body, again} {
			if got, _ := io.ReadAll(body); string(got) != "payload" {
				t.Errorf("body %q, want the payload", got)
			}
			body.Close()
		}
		return &http.Response{StatusCode: 204, Request: r}, nil
	})
	if _, err := transport.Chain(base, transport.AttemptTimeout(time.Hour)).RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	if now := *req; now.Body != before.Body || now.Context() != before.Context() ||
		reflect.ValueOf(now.GetBody).Pointer() != reflect.ValueOf(before.GetBody).Pointer() {
		t.Error("the caller's request is another")
	}
}

// A base that finds its connection stale rewinds by itself, and is then stuck in a body that it took from GetBody.
func TestAttemptTimeoutClosesTheBodyThatIsBeingRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, again, late := transporttest.NewBody(), transporttest.NewBody(transporttest.Stall()), transporttest.NewBody()
		bodies := []io.ReadCloser{again, late}
		req := newRequest(t, "PUT", "https://api.example", "")
		req.Body = first
		req.GetBody = func() (io.ReadCloser, error) {
			if len(bodies) == 0 {
				return nil, io.ErrClosedPipe
			}
			body := bodies[0]
			bodies = bodies[1:]
			return body, nil
		}
		base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
			r.Body.Close()
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			_, err = io.Copy(io.Discard, body) // as HTTP/1, which pays no attention to the context here
			if body, late := r.GetBody(); late == nil {
				t.Errorf("after the timeout GetBody yields %v", body)
			}
			if _, late := r.GetBody(); late != io.ErrClosedPipe {
				t.Errorf("GetBody fails with %v, want its own error", late)
			}
			return nil, err
		})
		start := time.Now()
		_, err := transport.Chain(base, transport.AttemptTimeout(time.Second)).RoundTrip(req)
		var own *transport.AttemptTimeoutError
		if !errors.As(err, &own) || time.Since(start) != time.Second {
			t.Errorf("%v after %v, want a timeout after 1s", err, time.Since(start))
		}
		if !first.Closed() || !again.Closed() || !late.Closed() {
			t.Errorf("closed: %v, %v, %v; want all", first.Closed(), again.Closed(), late.Closed())
		}
	})
}

// deafCloser is a body whose Close waits, and panics afterwards.
type deafCloser struct {
	io.Reader
	open chan struct{}
}

func (c deafCloser) Close() error { <-c.open; panic("close") }

func TestBodyThatCannotBeClosedDoesNotHoldTheTimeoutUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := deafCloser{strings.NewReader("x"), make(chan struct{})}
		req := newRequest(t, "PUT", "https://api.example", "")
		req.Body = body
		base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		_, err := transport.Chain(base, transport.AttemptTimeout(time.Second)).RoundTrip(req)
		if err == nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v, want a timeout after 1s", err, time.Since(start))
		}
		close(body.open)
	})
}

// eachProtocol runs f with a server and a bare transport that speak HTTP/1 over TLS, then HTTP/2. They are connected already.
func eachProtocol(t *testing.T, handler http.HandlerFunc, f func(t *testing.T, srv *httptest.Server, base *http.Transport)) {
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP/%d", major), func(t *testing.T) {
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor != major {
					t.Errorf("spoke %s, want HTTP/%d", r.Proto, major)
				}
				if r.URL.Path != "/connect" {
					handler(w, r)
				}
			}))
			srv.EnableHTTP2 = major == 2
			srv.StartTLS()
			defer srv.Close()
			base := newTransport(t)
			defer base.CloseIdleConnections()
			resp, err := base.RoundTrip(newRequest(t, "GET", srv.URL+"/connect", ""))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			f(t, srv, base)
		})
	}
}

func TestAttemptTimeoutDoesNotCutARealBody(t *testing.T) {
	const limit = 250 * time.Millisecond
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 2<<20/16)
	eachProtocol(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write(chunk)
		w.(http.Flusher).Flush()
		select {
		case <-time.After(2 * limit):
		case <-r.Context().Done():
		}
		w.Write(chunk)
	}, func(t *testing.T, srv *httptest.Server, base *http.Transport) {
		// The header is there within a few milliseconds, or on a busy machine an attempt later.
		rt := newChain(t, base, transport.Config{
			Policy: fast(), PerAttempt: []transport.Middleware{transport.AttemptTimeout(limit)},
		})
		resp, err := rt.RoundTrip(newRequest(t, "GET", srv.URL, ""))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil || len(got) != 2*len(chunk) || !bytes.Equal(got[:len(chunk)], chunk) || !bytes.Equal(got[len(chunk):], chunk) {
			t.Errorf("read %d bytes, %v; want %d", len(got), err, 2*len(chunk))
		}
	})
}

// A stuck upload holds up HTTP/1's RoundTrip, and over HTTP/2 the Close of a body, until the request's body is closed.
func TestTimeoutOfAStalledHeaderDespiteAStuckUpload(t *testing.T) {
	own := errors.New("shutting down")
	for name, tc := range map[string]struct {
		caller func(context.Context) (context.Context, func())
		limit  time.Duration
		own    bool
	}{
		"timeout": {func(ctx context.Context) (context.Context, func()) { return ctx, func() {} }, ms(50), true},
		"caller cancels": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			timer := time.AfterFunc(ms(50), func() { cancel(own) })
			return ctx, func() { timer.Stop(); cancel(nil) }
		}, time.Hour, false},
		"caller's deadline": {func(ctx context.Context) (context.Context, func()) {
			return context.WithTimeout(ctx, ms(50))
		}, time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			eachProtocol(t, func(_ http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			}, func(t *testing.T, srv *httptest.Server, base *http.Transport) {
				ctx, cancel := tc.caller(t.Context())
				defer cancel()
				stuck, feed := io.Pipe()
				defer feed.Close()
				req := newRequest(t, "PUT", srv.URL, "").WithContext(ctx)
				req.Body = stuck
				start := time.Now()
				_, err := transport.Chain(base, transport.AttemptTimeout(tc.limit)).RoundTrip(req)
				var timeout *transport.AttemptTimeoutError
				if errors.As(err, &timeout) != tc.own || time.Since(start) > 20*time.Second {
					t.Errorf("%v after %v; is it an AttemptTimeoutError? want %v, soon", err, time.Since(start), tc.own)
				}
			})
		})
	}
}

// Over HTTP/2 Close waits for the upload, unless the context is over.
func TestAttemptTimeoutBodyIsClosedDespiteAStuckUpload(t *testing.T) {
	eachProtocol(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		io.Copy(io.Discard, r.Body)
	}, func(t *testing.T, srv *httptest.Server, base *http.Transport) {
		stuck := make(chan struct{})
		defer close(stuck)
		req := newRequest(t, "PUT", srv.URL, "")
		req.Body = transporttest.NewBody(transporttest.Deaf(stuck))
		resp, err := transport.Chain(base, transport.AttemptTimeout(20*time.Second)).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			resp.Body.Close()
		}()
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Error("Close waits for the upload")
		}
	})
}

func TestAttemptTimeoutOverARealUpgrade(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.Flush()
		all, _ := io.ReadAll(rw) // until the client has ended its side
		rw.WriteString("echo " + string(all))
		rw.Flush()
	}))
	defer srv.Close()
	req := newRequest(t, "GET", srv.URL, "")
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := transport.Chain(newTransport(t), transport.AttemptTimeout(20*time.Second)).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.WriteString(resp.Body.(io.Writer), "hello")
	if err := resp.Body.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(resp.Body); string(got) != "echo hello" {
		t.Errorf("read %q, want %q", got, "echo hello")
	}
}

func TestAttemptTimeoutKeepsConnections(t *testing.T) {
	var mu sync.Mutex
	conns := 0
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat("x", 10_000))
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if s == http.StateNew {
			conns++
		}
	}
	srv.Start()
	defer srv.Close()
	rt := transport.Chain(newTransport(t), transport.AttemptTimeout(20*time.Second))
	for range 5 {
		resp, err := rt.RoundTrip(newRequest(t, "GET", srv.URL, ""))
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	mu.Lock()
	defer mu.Unlock()
	if conns != 1 {
		t.Errorf("%d connections, want 1", conns)
	}
}

// What a timeout costs an attempt that succeeds: a copy of the request, two contexts' worth of bookkeeping, a timer, and the body.
func TestAttemptTimeoutAllocatesLittle(t *testing.T) {
	resp, body := &http.Response{StatusCode: 200}, transporttest.NewBody()
	rt := transport.Chain(roundTripFunc(func(req *http.Request) (*http.Response, error) {
		resp.Body, resp.Request = body, req
		return resp, nil
	}), transport.AttemptTimeout(time.Hour))
	req := newRequest(t, "GET", "https://api.example", "")
	got := testing.AllocsPerRun(100, func() {
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
	if got > 15 {
		t.Errorf("%v allocations, want 15 at most", got)
	}
	t.Logf("%v allocations", got)
}

// An attempt that hangs costs its timeout, and the next one answers.
func ExampleAttemptTimeout() {
	api := transporttest.Play(transporttest.Hang(), transporttest.Answer(200, "hello"))
	client, err := transport.Wrap(api.Client(), transport.Config{
		PerAttempt: []transport.Middleware{transport.AttemptTimeout(20 * time.Millisecond)},
	})
	if err != nil {
		panic(err)
	}
	resp, err := client.Get("https://api.example.com/greeting")
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode, "after", api.Count(), "attempts")
	fmt.Println(api.Attempts()[0].Err)
	// Output:
	// 200 after 2 attempts
	// transport: attempt timed out after 20ms
}
