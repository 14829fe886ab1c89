package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// pattern is n bytes of which no two pieces of some length are alike.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8*7 ^ i>>16*13)
	}
	return p
}

// upload is a PUT whose body cannot be read again.
func upload(t testing.TB, url string, body io.ReadCloser) *http.Request {
	t.Helper()
	req := newRequest(t, "PUT", url, "")
	req.Body, req.ContentLength = body, -1
	return req
}

func buffered(limit int64) []transport.Middleware {
	return []transport.Middleware{transport.Buffer(limit)}
}

// through sends req through a Buffer to a base of the test's own.
func through(limit int64, req *http.Request, base roundTripFunc) (*http.Response, error) {
	return transport.Chain(base, transport.Buffer(limit)).RoundTrip(req)
}

func noContent(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 204, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// newBody is a body that delivers data in chunks of a size.
func newBody(data []byte, chunk int) *transporttest.Body {
	var pieces []transporttest.Piece
	for len(data) > 0 {
		n := min(chunk, len(data))
		pieces = append(pieces, transporttest.Chunk(string(data[:n])))
		data = data[n:]
	}
	return transporttest.NewBody(pieces...)
}

func TestBufferOfNothingIsNotThere(t *testing.T) {
	base := transporttest.Play()
	for _, limit := range []int64{0, -1} {
		if got := transport.Chain(base, transport.Buffer(limit)); got != http.RoundTripper(base) {
			t.Errorf("Buffer(%d) is a %T, want the base itself", limit, got)
		}
	}
}

func TestBufferPassesOnWhatNeedsNone(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"no body":        func(r *http.Request) { r.Body = nil },
		"http.NoBody":    func(r *http.Request) { r.Body = http.NoBody },
		"has GetBody":    func(r *http.Request) { r.GetBody = func() (io.ReadCloser, error) { return nil, nil } },
		"longer than it": func(r *http.Request) { r.ContentLength = 101 },
	} {
		req := upload(t, "https://api.example", transporttest.NewBody())
		change(req)
		_, err := through(100, req, func(r *http.Request) (*http.Response, error) {
			if r != req {
				t.Errorf("%s: another request arrived", name)
			}
			return noContent(r)
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestBufferedUploadsAreRepeatedWhole(t *testing.T) {
	const limit = 10_000
	for _, size := range []int{1, 511, 512, 4095, 4096, 4097, limit - 1, limit, limit + 1, 3 * limit} {
		for _, chunk := range []int{1000, 1 << 20} {
			for _, known := range []bool{false, true} {
				want, attempts := pattern(size), 3
				if size > limit {
					attempts = 1
				}
				var n int
				base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
					defer r.Body.Close()
					n++
					got, err := io.ReadAll(r.Body)
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("%d bytes, attempt %d: got %d bytes, %v; want all of them", size, n, len(got), err)
					}
					if known && r.ContentLength != int64(size) || !known && r.ContentLength != -1 {
						t.Errorf("ContentLength has become %d", r.ContentLength)
					}
					status := 503
					if n == 3 {
						status = 200
					}
					return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
				})
				body := newBody(want, chunk)
				req := upload(t, "https://api.example", body)
				if known {
					req.ContentLength = int64(size)
				}
				resp, err := newChain(t, base, transport.Config{Policy: fast(), PerCall: buffered(limit)}).RoundTrip(req)
				if err != nil || n != attempts || resp.StatusCode == 200 != (attempts == 3) {
					t.Errorf("%d bytes: %v, %v after %d attempts, want %d", size, resp, err, n, attempts)
				}
				if body.Closes() != 1 || body.Overlapped() || body.ReadsAfterClose() != 0 {
					t.Errorf("%d bytes: the body was closed %d times, overlapped: %v, late reads: %d; want one, no, none",
						size, body.Closes(), body.Overlapped(), body.ReadsAfterClose())
				}
			}
		}
	}
}

func TestBufferLeavesTheRequestAsItIs(t *testing.T) {
	body := newBody(pattern(10), 10)
	req := upload(t, "https://api.example", body)
	req.Header = http.Header{"X-A": {"1"}}
	req.Trailer = http.Header{"T": nil}
	before := *req
	_, err := through(100, req, func(r *http.Request) (*http.Response, error) {
		if r == req || r.Body == req.Body || r.GetBody == nil {
			t.Error("the request that arrived cannot be read again")
		}
		if reflect.ValueOf(r.Trailer).Pointer() != reflect.ValueOf(req.Trailer).Pointer() {
			t.Error("the copy has a trailer map of its own: what the caller sets late is lost")
		}
		return noContent(r)
	})
	if err != nil {
		t.Fatal(err)
	}
	if now := *req; now.Body != before.Body || now.GetBody != nil || now.ContentLength != -1 || now.Context() != before.Context() {
		t.Error("the caller's request is another")
	}
}

func TestBufferReadsOnlyWhatIsAskedFor(t *testing.T) {
	body := newBody(pattern(100), 100)
	_, err := through(50, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
		defer r.Body.Close()
		if body.Reads() != 0 {
			t.Error("the body was read before anybody asked")
		}
		var at int64
		for _, n := range []int{1, 7, 30, 13} {
			if got, err := r.Body.Read(make([]byte, n)); got == 0 || err != nil {
				t.Fatal(got, err)
			} else if at += int64(got); body.Delivered() != at {
				t.Errorf("%d bytes were read of the body, and %d asked for", body.Delivered(), at)
			}
		}
		if n, err := r.Body.Read(nil); n != 0 || err != nil {
			t.Errorf("Read(nil) = %d, %v", n, err)
		}
		return noContent(r)
	})
	if err != nil || !body.Closed() {
		t.Errorf("%v, body closed: %v", err, body.Closed())
	}
}

func TestGetBodyFailsBeyondTheBuffer(t *testing.T) {
	body := newBody(pattern(1000), 10)
	var again func() (io.ReadCloser, error)
	_, err := through(100, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
		again = r.GetBody
		io.CopyN(io.Discard, r.Body, 100)
		second, err := r.GetBody()
		if err != nil {
			t.Fatalf("after 100 of 100 bytes: %v", err)
		}
		second.Close()
		io.CopyN(io.Discard, r.Body, 1)
		if _, err := r.GetBody(); !errors.Is(err, transport.ErrBufferFull) {
			t.Errorf("after 101 of 100 bytes: %v, want ErrBufferFull", err)
		}
		rest, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(rest, pattern(1000)[101:]) {
			t.Errorf("the attempt under way got %d bytes more, %v; want the other 899", len(rest), err)
		}
		if body.Closed() {
			t.Error("the body is closed, and an attempt has it open")
		}
		r.Body.Close()
		if !body.Closed() {
			t.Error("the body is open, and nobody can read it again")
		}
		return noContent(r)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again(); err == nil || errors.Is(err, transport.ErrBufferFull) {
		t.Errorf("GetBody after the call: %v, want an error of its own", err)
	}
}

func TestBufferBoundsItsMemory(t *testing.T) {
	const size, limit = 64 << 20, 1 << 20
	body := io.NopCloser(io.LimitReader(transporttest.NewBody(transporttest.Endless(string(pattern(1<<10)))), size))
	req := upload(t, "https://api.example", body)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := through(limit, req, func(r *http.Request) (*http.Response, error) {
		defer r.Body.Close()
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 32<<10))
		if n != size || err != nil {
			t.Errorf("read %d bytes, %v; want %d", n, err, size)
		}
		return noContent(r)
	})
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; err != nil || got > 4<<20 {
		t.Errorf("%d KiB were allocated for %d KiB, %v; want 4096 KiB at most", got>>10, size>>10, err)
	}
}

func TestBufferForgetsWithTheCall(t *testing.T) {
	const size = 32 << 20
	req := upload(t, "https://api.example", io.NopCloser(io.LimitReader(transporttest.NewBody(transporttest.Endless("x")), size)))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	resp, err := through(size, req, func(r *http.Request) (*http.Response, error) {
		defer r.Body.Close()
		io.Copy(io.Discard, r.Body)
		return noContent(r)
	})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if got := int64(after.HeapAlloc) - int64(before.HeapAlloc); got > size/2 {
		t.Errorf("%d MiB are still remembered", got>>20)
	}
	runtime.KeepAlive(resp) // and with it the request that arrived
}

func TestBufferKeepsTheBodysErrorInItsPlace(t *testing.T) {
	broken := errors.New("disk is gone")
	for name, last := range map[string]transporttest.Piece{
		"alone":                 transporttest.Break(broken),
		"end":                   transporttest.Final(""),
		"end with the last one": transporttest.Final("!"),
	} {
		body := transporttest.NewBody(transporttest.Chunk("0123456789"), last)
		var texts []string
		_, err := through(100, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
			for range 3 {
				text, err := io.ReadAll(r.Body)
				if want := map[bool]error{true: broken}[name == "alone"]; err != want {
					t.Errorf("%s: error %v, want %v", name, err, want)
				}
				if _, again := r.Body.Read(make([]byte, 1)); again != err && again != io.EOF {
					t.Errorf("%s: then %v", name, again)
				}
				texts = append(texts, string(text))
				next, err := r.GetBody()
				if err != nil {
					t.Fatal(err)
				}
				r.Body.Close()
				r.Body = next
			}
			r.Body.Close()
			if !body.Closed() {
				t.Errorf("%s: the body is open although it has been read to its end and nobody has it open", name)
			}
			late, err := r.GetBody()
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(late)
			texts = append(texts, string(text))
			return noContent(r)
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			if strings.TrimSuffix(text, "!") != "0123456789" || text != texts[0] {
				t.Errorf("%s: attempts read %q, want the same", name, texts)
			}
		}
		if body.Closes() != 1 || body.ReadsAfterClose() != 0 {
			t.Errorf("%s: closed %d times, read %d times after that", name, body.Closes(), body.ReadsAfterClose())
		}
	}
}

func TestBufferedBodyIsClosedWhenNobodyNeedsIt(t *testing.T) {
	t.Run("an upload goes on after the answer", func(t *testing.T) {
		body := newBody(pattern(1000), 10)
		var sent io.ReadCloser
		_, err := through(100, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
			sent = r.Body
			io.CopyN(io.Discard, sent, 15)
			return noContent(r)
		})
		if err != nil || body.Closed() {
			t.Fatalf("%v, body closed: %v; want it open for the upload that goes on", err, body.Closed())
		}
		rest, err := io.ReadAll(sent)
		if err != nil || !bytes.Equal(rest, pattern(1000)[15:]) {
			t.Errorf("the upload went on with %d bytes, %v", len(rest), err)
		}
		sent.Close()
		if sent.Close(); body.Closes() != 1 {
			t.Errorf("the body was closed %d times", body.Closes())
		}
		if _, err := sent.Read(make([]byte, 1)); err != http.ErrBodyReadAfterClose {
			t.Errorf("Read after Close: %v", err)
		}
	})
	t.Run("two uploads go on after the answer", func(t *testing.T) {
		body := newBody(pattern(1000), 10)
		var sent [2]io.ReadCloser
		_, err := through(1000, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
			sent[0] = r.Body
			sent[1], _ = r.GetBody()
			return noContent(r)
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range sent {
			if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, pattern(1000)) {
				t.Errorf("upload %d: %d bytes, %v", i+1, len(got), err)
			}
		}
		sent[1].Close()
		if body.Closed() {
			t.Error("the body is closed too early")
		}
		sent[0].Close()
		if !body.Closed() {
			t.Error("the body is left open")
		}
	})
	t.Run("the answer comes before anything was read", func(t *testing.T) {
		body := newBody(pattern(1000), 10)
		_, err := through(100, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
			r.Body.Close()
			if body.Closed() {
				t.Error("the body is closed, and a further attempt may come")
			}
			return noContent(r)
		})
		if err != nil || body.Closes() != 1 || body.Reads() != 0 {
			t.Errorf("%v, closed %d times, read %d times", err, body.Closes(), body.Reads())
		}
	})
	t.Run("its end arrives when no attempt has it open", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			arrives := make(chan struct{})
			body := transporttest.NewBody(transporttest.Deaf(arrives), transporttest.Final("end"))
			_, err := through(100, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
				go io.Copy(io.Discard, r.Body)
				synctest.Wait()
				r.Body.Close()
				if close(arrives); body.Closed() {
					t.Error("the body is closed too early")
				}
				synctest.Wait()
				if !body.Closed() {
					t.Error("the body is left open")
				}
				again, err := r.GetBody()
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(again); err != nil || string(got) != "end" {
					t.Errorf("read %q, %v; want what has arrived", got, err)
				}
				return noContent(r)
			})
			if err != nil || body.Closes() != 1 {
				t.Errorf("%v, closed %d times", err, body.Closes())
			}
		})
	})
	t.Run("closing it fails", func(t *testing.T) {
		body := transporttest.NewBody(transporttest.FailClose(io.ErrClosedPipe))
		_, err := through(100, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
			io.Copy(io.Discard, r.Body)
			if err := r.Body.Close(); err != io.ErrClosedPipe {
				t.Errorf("Close: %v, want the body's own error", err)
			}
			return noContent(r)
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the base panics", func(t *testing.T) {
		body := newBody(pattern(1000), 10)
		var sent io.ReadCloser
		defer func() {
			if v := recover(); v != "base" || body.Closes() != 1 {
				t.Errorf("recovered %v, body closed %d times", v, body.Closes())
			}
			if _, err := sent.Read(make([]byte, 1)); err == nil || body.ReadsAfterClose() != 0 {
				t.Errorf("Read after the panic: %v", err)
			}
		}()
		_, _ = through(100, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
			sent = r.Body
			panic("base")
		})
	})
	t.Run("the context is over before the call", func(t *testing.T) {
		body := newBody(pattern(1000), 10)
		_, err := through(100, upload(t, "https://api.example", body).WithContext(doneContext()), func(r *http.Request) (*http.Response, error) {
			defer r.Body.Close()
			<-body.Done()
			if _, err := r.GetBody(); !errors.Is(err, context.Canceled) {
				t.Errorf("GetBody: %v, want the context's error", err)
			}
			return nil, context.Cause(r.Context())
		})
		if !errors.Is(err, context.Canceled) || body.Closes() != 1 || body.Reads() != 0 {
			t.Errorf("%v, closed %d times, read %d times", err, body.Closes(), body.Reads())
		}
	})
}

func TestBufferedBodyPanicsWhereItIsRead(t *testing.T) {
	for name, broken := range map[string]struct {
		body io.Reader
		want any
	}{
		"a panic":             {readerFunc(func([]byte) (int, error) { panic("body") }), "body"},
		"an impossible count": {readerFunc(func(p []byte) (int, error) { return len(p) + 1, nil }), "transport: request body's Read returned an impossible count"},
		"a count below zero":  {readerFunc(func([]byte) (int, error) { return -1, nil }), "transport: request body's Read returned an impossible count"},
	} {
		body := &closeCounter{Reader: broken.body}
		func() {
			defer func() {
				if v := recover(); v != broken.want || body.closed.Load() != 1 {
					t.Errorf("%s: recovered %v, body closed %d times", name, v, body.closed.Load())
				}
			}()
			_, _ = through(100, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
				defer r.Body.Close()
				_, _ = io.Copy(io.Discard, r.Body)
				return noContent(r)
			})
		}()
	}
	body := &closeCounter{Reader: readerFunc(func([]byte) (int, error) { runtime.Goexit(); return 0, nil })}
	_, err := through(100, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
		defer r.Body.Close()
		_, err := io.Copy(io.Discard, r.Body)
		return nil, err
	})
	if err == nil || body.closed.Load() != 1 {
		t.Errorf("Goexit: %v, body closed %d times; want an error", err, body.closed.Load())
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A body that is stuck holds nobody up: an attempt that is closed ends, the next one waits for the same Read,
// and gets what it brings.
func TestBufferHandsAStuckReadToTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arrives := make(chan struct{})
		body := transporttest.NewBody(transporttest.Chunk("abc"), transporttest.Deaf(arrives), transporttest.Chunk("def"))
		_, err := through(100, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
			first := r.Body
			ended := make(chan error)
			go func() {
				_, err := io.Copy(io.Discard, first)
				ended <- err
			}()
			synctest.Wait() // the first attempt is stuck behind abc
			first.Close()
			if err := <-ended; err != http.ErrBodyReadAfterClose {
				t.Errorf("the closed attempt ended with %v", err)
			}
			second, err := r.GetBody()
			if err != nil {
				t.Fatal(err)
			}
			third, _ := r.GetBody()
			go func() {
				_, err := io.Copy(io.Discard, third)
				ended <- err
			}()
			time.AfterFunc(time.Second, func() { close(arrives) })
			synctest.Wait()
			third.Close()
			if err := <-ended; err != http.ErrBodyReadAfterClose {
				t.Errorf("the attempt that was closed while it waited ended with %v", err)
			}
			start := time.Now()
			got, err := io.ReadAll(second)
			if err != nil || string(got) != "abcdef" || time.Since(start) != time.Second {
				t.Errorf("read %q, %v after %v; want abcdef after 1s", got, err, time.Since(start))
			}
			second.Close()
			return noContent(r)
		})
		if err != nil || body.Closes() != 1 || body.Overlapped() {
			t.Errorf("%v, closed %d times, overlapped: %v", err, body.Closes(), body.Overlapped())
		}
	})
}

func TestBufferEndsAStuckReadWithTheContext(t *testing.T) {
	own := errors.New("shutting down")
	for name, limit := range map[string]int64{"remembered": 1000, "beyond the limit": 100} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				body := transporttest.NewBody(transporttest.Chunk(string(pattern(150))), transporttest.Stall())
				start := time.Now()
				_, err := through(limit, upload(t, "https://api.example", body).WithContext(ctx), func(r *http.Request) (*http.Response, error) {
					time.AfterFunc(time.Second, func() { cancel(own) })
					_, err := io.Copy(io.Discard, r.Body)
					return nil, err
				})
				if err != own || time.Since(start) != time.Second || !body.Closed() {
					t.Errorf("%v after %v, body closed: %v; want the context's cause after 1s", err, time.Since(start), body.Closed())
				}
			})
		})
	}
}

func TestBeyondTheBufferOnlyTheLatestAttemptGoesOn(t *testing.T) {
	body := newBody(pattern(1000), 10)
	_, err := through(100, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
		old := r.Body
		io.CopyN(io.Discard, old, 100)
		latest, err := r.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // there is one byte more than may be remembered, and it is the latest's, too
			_, err = old.Read(make([]byte, 10))
		}
		if err == nil {
			t.Error("the old attempt reads on: the latest cannot have what it reads")
		}
		got, err := io.ReadAll(latest)
		if err != nil || !bytes.Equal(got, pattern(1000)) {
			t.Errorf("the latest attempt got %d bytes, %v; want all", len(got), err)
		}
		old.Close()
		latest.Close()
		return noContent(r)
	})
	if err != nil || body.Closes() != 1 {
		t.Errorf("%v, closed %d times", err, body.Closes())
	}
	body = newBody(pattern(1000), 10)
	_, err = through(100, upload(t, "https://api.example", body), func(r *http.Request) (*http.Response, error) {
		old := r.Body
		io.CopyN(io.Discard, old, 50)
		latest, _ := r.GetBody()
		if got, err := io.ReadAll(latest); err != nil || !bytes.Equal(got, pattern(1000)) {
			t.Errorf("the latest attempt got %d bytes, %v; want all", len(got), err)
		}
		latest.Close()
		if n, err := old.Read(make([]byte, 10)); n != 0 || err == nil || err == io.EOF {
			t.Errorf("the attempt that was left behind got %d bytes, %v; want an error", n, err)
		}
		return noContent(r)
	})
	if err != nil || body.Closes() != 1 {
		t.Errorf("%v, closed %d times", err, body.Closes())
	}
}

// Attempts read, are closed and begun at random; whatever one reads is the beginning of the upload.
func TestBufferNeverMixesBytesUp(t *testing.T) {
	for round := range 200 {
		var (
			r     = rand.New(rand.NewPCG(1, uint64(round)))
			data  = pattern(1 + r.IntN(20_000))
			limit = int64(1 + r.IntN(20_000))
			body  = newBody(data, 1+r.IntN(3000))
			seeds = make([]uint64, 6)
		)
		for i := range seeds {
			seeds[i] = r.Uint64()
		}
		whole, full := new(atomic.Bool), false
		_, err := through(limit, upload(t, "https://api.example", body), func(req *http.Request) (*http.Response, error) {
			var wg sync.WaitGroup
			attempt := func(b io.ReadCloser, seed uint64, last bool) {
				defer b.Close()
				r := rand.New(rand.NewPCG(2, seed))
				for at := 0; last || r.IntN(10) > 0; {
					p := make([]byte, 1+r.IntN(2000))
					n, err := b.Read(p)
					if at+n > len(data) || !bytes.Equal(p[:n], data[at:at+n]) {
						t.Errorf("round %d: %d bytes at %d are others", round, n, at)
						return
					}
					at += n
					if err == io.EOF && at != len(data) {
						t.Errorf("round %d: the end is at %d, want %d", round, at, len(data))
					}
					if err != nil {
						if last && err == io.EOF {
							whole.Store(true)
						}
						return
					}
				}
			}
			next := req.Body
			for i, seed := range seeds {
				b, last := next, i == len(seeds)-1
				if !last && r.IntN(2) == 0 {
					attempt(b, seed, false)
				} else {
					wg.Go(func() { attempt(b, seed, last) })
				}
				if last {
					break
				}
				var err error
				if next, err = req.GetBody(); err != nil {
					full = true
					if !errors.Is(err, transport.ErrBufferFull) || int64(len(data)) <= limit {
						t.Errorf("round %d: GetBody: %v", round, err)
					}
					break
				}
			}
			wg.Wait()
			return noContent(req)
		})
		if err != nil || !full && !whole.Load() {
			t.Errorf("round %d: %v; the last attempt read everything: %v", round, err, whole.Load())
		}
		if body.Closes() != 1 || body.Overlapped() || body.ReadsAfterClose() > 0 {
			t.Errorf("round %d: closed %d times, overlapped: %v, late reads: %d", round, body.Closes(), body.Overlapped(), body.ReadsAfterClose())
		}
	}
}

// answerEarly answers 503 and then reads for as long as the client sends.
func answerEarly(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(503)
	w.(http.Flusher).Flush()
	io.Copy(io.Discard, r.Body)
}

// The server answers the first attempts somewhere in the middle of the upload, while the transport reads on.
func TestBufferedUploadIsUndamagedAfterEarlyAnswers(t *testing.T) {
	data := pattern(300_000)
	attempts := func(r *http.Request) int { n := 0; fmt.Sscan(r.Header.Get("Retries"), &n); return n + 1 }
	eachProtocol(t, func(w http.ResponseWriter, r *http.Request) {
		if attempts(r) < 3 {
			http.NewResponseController(w).EnableFullDuplex()
			io.CopyN(io.Discard, r.Body, rand.Int64N(200_000))
			answerEarly(w, r)
			return
		}
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("the last upload has %d bytes, %v; want %d, undamaged", len(got), err, len(data))
		}
	}, func(t *testing.T, srv *httptest.Server, base *http.Transport) {
		number := func(next http.RoundTripper) http.RoundTripper {
			return roundTripFunc(func(r *http.Request) (*http.Response, error) {
				r = r.WithContext(r.Context())
				r.Header = http.Header{"Retries": {fmt.Sprint(transport.Attempt(r.Context()) - 1)}}
				return next.RoundTrip(r)
			})
		}
		set := fast()
		set.MaxAttempts = 10
		set.Budget = policy.Budget{} // many failures at once, and all of them wanted
		for kind, p := range set.Profiles {
			p.Retries = 6
			set.Profiles[kind] = p
		}
		rt := newChain(t, base, transport.Config{
			Policy: set, PerCall: buffered(1 << 20), PerAttempt: []transport.Middleware{number},
		})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 3 {
					body := &closeCounter{Reader: iotest.HalfReader(bytes.NewReader(data))}
					resp, err := rt.RoundTrip(upload(t, srv.URL, body))
					if err != nil {
						t.Error(err)
						return
					}
					resp.Body.Close()
					if resp.StatusCode != 200 {
						t.Errorf("status %d, want 200", resp.StatusCode)
					}
				}
			})
		}
		wg.Wait()
	})
}

// Upload and answer are full duplex: the answer to the second attempt comes while its upload goes on.
func TestBufferedUploadStreamsAndAnswersEarly(t *testing.T) {
	var hits atomic.Int32
	eachProtocol(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		io.ReadFull(r.Body, make([]byte, 5))
		if hits.Add(1) == 1 {
			answerEarly(w, r)
			return
		}
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		io.Copy(w, r.Body)
	}, func(t *testing.T, srv *httptest.Server, base *http.Transport) {
		hits.Store(0)
		body, feed := io.Pipe()
		go feed.Write([]byte("hello"))
		resp, err := newChain(t, base, transport.Config{Policy: fast(), PerCall: buffered(7)}).RoundTrip(upload(t, srv.URL, body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != 200 || hits.Load() != 2 {
			t.Errorf("status %d after %d attempts, want 200 after 2", resp.StatusCode, hits.Load())
		}
		go func() {
			for _, word := range []string{" and", " so", " on"} {
				feed.Write([]byte(word))
			}
			feed.Close()
		}()
		if got, err := io.ReadAll(resp.Body); err != nil || string(got) != " and so on" {
			t.Errorf("the server got %q of the rest, %v", got, err)
		}
	})
}

// Without an end of its own, an attempt whose upload is stuck would hold up HTTP/1's RoundTrip, and with it the next attempt.
func TestBufferedUploadThatIsStuckGoesOnInTheNextAttempt(t *testing.T) {
	var hits atomic.Int32
	body, feed := io.Pipe()
	eachProtocol(t, func(_ http.ResponseWriter, r *http.Request) {
		if hits.Add(1) > 1 {
			go func() { // the client comes to life again
				feed.Write([]byte(" world"))
				feed.Close()
			}()
		}
		got, err := io.ReadAll(r.Body)
		if hits.Load() > 1 && (err != nil || string(got) != "hello world") {
			t.Errorf("the second upload is %q, %v; want the whole", got, err)
		}
	}, func(t *testing.T, srv *httptest.Server, base *http.Transport) {
		hits.Store(0)
		body, feed = io.Pipe()
		go feed.Write([]byte("hello"))
		rt := newChain(t, base, transport.Config{
			Policy: fast(), PerCall: buffered(100), PerAttempt: []transport.Middleware{transport.AttemptTimeout(ms(300))},
		})
		resp, err := rt.RoundTrip(upload(t, srv.URL, body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("status %d, want 200", resp.StatusCode)
		}
	})
}

// A body that could be read only once is sent again after a failure.
func ExampleBuffer() {
	api := transporttest.Play(transporttest.Answer(503, ""), transporttest.Answer(200, ""))
	client, err := transport.Wrap(api.Client(), transport.Config{
		PerCall: []transport.Middleware{transport.Buffer(1 << 20)},
	})
	if err != nil {
		panic(err)
	}
	stream := io.MultiReader(strings.NewReader("from here "), strings.NewReader("and there"))
	req, err := http.NewRequest("PUT", "https://api.example.com/file", stream)
	if err != nil {
		panic(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	for _, a := range api.Attempts() {
		fmt.Printf("%d %q\n", a.Status, a.Body)
	}
	// Output:
	// 503 "from here and there"
	// 200 "from here and there"
}
