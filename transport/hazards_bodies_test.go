package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// overBoth runs a test over HTTP/1.1 and over HTTP/2, each with a server of its own.
// No request outlives its context, which ends after half a minute.
func overBoth(t *testing.T, handler func(t *testing.T) http.Handler, test func(t *testing.T, ctx context.Context, url string, rt http.RoundTripper)) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(proto, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(handler(t))
			srv.Config.ErrorLog = log.New(io.Discard, "", 0)
			if srv.EnableHTTP2 = proto == "HTTP/2"; srv.EnableHTTP2 {
				srv.StartTLS()
			} else {
				srv.Start()
			}
			defer srv.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			test(t, ctx, srv.URL, newChain(t, newTransport(t), transport.Config{Policy: fast()}))
		})
	}
}

// flush sends what the handler wrote so far.
func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// seekable is a body that stands somewhere in a file. It cannot be opened again.
type seekable struct {
	*bytes.Reader
	sought atomic.Int32
}

func (s *seekable) Seek(offset int64, whence int) (int64, error) {
	s.sought.Add(1)
	return s.Reader.Seek(offset, whence)
}

func (s *seekable) Close() error { return nil }

func TestEveryAttemptCarriesTheWholeBody(t *testing.T) {
	whole := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	again := func(r *http.Request) {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(whole)), nil }
	}
	file := &seekable{}
	for name, tc := range map[string]struct {
		prepare  func(*http.Request)
		want     []byte
		attempts int
	}{
		"a body that GetBody repeats":         {again, whole, 2},
		"one of unknown length":               {func(r *http.Request) { again(r); r.ContentLength = -1 }, whole, 2},
		"one that cannot be had again":        {func(*http.Request) {}, whole, 1},
		"a file that does not stand at its 0": {func(r *http.Request) { r.Body, r.ContentLength = file, int64(len(whole))-5000 }, whole[5000:], 1},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var got [][]byte
			overBoth(t, func(*testing.T) http.Handler {
				got = nil
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					mu.Lock()
					defer mu.Unlock()
					got = append(got, body)
					if err != nil || len(got) == 1 {
						w.WriteHeader(503)
					}
				})
			}, func(t *testing.T, ctx context.Context, url string, rt http.RoundTripper) {
				file.Reader = bytes.NewReader(whole)
				file.Reader.Seek(5000, io.SeekStart)
				req := newRequest(t, "PUT", url, "").WithContext(ctx)
				req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(whole)), int64(len(whole))
				tc.prepare(req)
				resp, err := rt.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				mu.Lock()
				defer mu.Unlock()
				if want := map[int]int{1: 503, 2: 200}[tc.attempts]; resp.StatusCode != want || len(got) != tc.attempts {
					t.Errorf("%d after %d attempts, want %d after %d", resp.StatusCode, len(got), want, tc.attempts)
				}
				for i, body := range got {
					if !bytes.Equal(body, tc.want) {
						t.Errorf("attempt %d sent %d bytes, want the whole %d", i+1, len(body), len(tc.want))
					}
				}
				if file.sought.Load() != 0 {
					t.Error("the caller's file was moved")
				}
			})
		})
	}
}

func TestAnswersBeforeTheEndOfTheUploadDamageNoOther(t *testing.T) {
	const rounds, size = 4, 512 << 10
	overBoth(t, func(t *testing.T) http.Handler {
		var seen sync.Map
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := r.Header.Get("X-Id")
			if _, second := seen.LoadOrStore(id, true); !second {
				w.WriteHeader(503) // while the upload is being written
				return
			}
			n, want := 0, id[0]
			buf := make([]byte, 32<<10)
			for {
				k, err := r.Body.Read(buf)
				for _, c := range buf[:k] {
					if c != want {
						t.Errorf("%s: byte %q, want %q", id, c, want)
						return
					}
				}
				if n += k; err == io.EOF {
					break
				} else if err != nil {
					t.Errorf("%s: %v", id, err)
					return
				}
			}
			if n != size {
				t.Errorf("%s: %d bytes, want %d", id, n, size)
			}
		})
	}, func(t *testing.T, ctx context.Context, url string, _ http.RoundTripper) {
		base := newTransport(t)
		var wg sync.WaitGroup
		for g := range 3 {
			wg.Go(func() {
				for i := range rounds {
					id := fmt.Sprintf("%c%d", 'a'+g, i)
					payload := bytes.Repeat([]byte(id[:1]), size)
					req := newRequest(t, "PUT", url, "").WithContext(ctx)
					req.Header.Set("X-Id", id)
					req.GetBody = func() (io.ReadCloser, error) {
						if i%2 == 0 {
							return &seekable{Reader: bytes.NewReader(payload)}, nil
						}
						return io.NopCloser(bytes.NewReader(payload)), nil
					}
					req.Body, _ = req.GetBody()
					req.ContentLength = size
					// A chain for each, since together they would spend the budget.
					resp, err := newChain(t, base, transport.Config{Policy: fast()}).RoundTrip(req)
					if err != nil {
						t.Errorf("%s: %v", id, err)
						return
					}
					resp.Body.Close()
					if resp.StatusCode != 200 {
						t.Errorf("%s: %d, want the 200", id, resp.StatusCode)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestAnswersAreHandedOutAtTheirHeaders(t *testing.T) {
	const size = 4 << 20
	var hits atomic.Int32
	release := make(chan struct{}, 1)
	overBoth(t, func(*testing.T) http.Handler {
		hits.Store(0)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if hits.Add(1) == 1 {
				w.WriteHeader(503)
				return
			}
			flush(w)
			select {
			case <-release: // once the caller has the answer
			case <-r.Context().Done():
				return
			}
			w.Write(bytes.Repeat([]byte("x"), size))
		})
	}, func(t *testing.T, ctx context.Context, url string, rt http.RoundTripper) {
		resp, err := rt.RoundTrip(newRequest(t, "GET", url, "").WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		release <- struct{}{}
		got, err := finish(resp)
		if resp.StatusCode != 200 || len(got) != size || err != nil || hits.Load() != 2 {
			t.Errorf("%d with %d bytes, %v, after %d attempts; want the 200 with %d bytes after 2", resp.StatusCode, len(got), err, hits.Load(), size)
		}
	})
}

func TestAFailureWithinABodyIsTheCallers(t *testing.T) {
	var hits atomic.Int32
	overBoth(t, func(*testing.T) http.Handler {
		hits.Store(0)
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			hits.Add(1)
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, "half of it")
			flush(w)
			panic(http.ErrAbortHandler)
		})
	}, func(t *testing.T, ctx context.Context, url string, rt http.RoundTripper) {
		resp, err := rt.RoundTrip(newRequest(t, "GET", url, "").WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		got, err := finish(resp)
		if got != "half of it" || err == nil || hits.Load() != 1 {
			t.Errorf("read %q, %v, %d attempts; want the half, an error, 1 attempt", got, err, hits.Load())
		}
	})
}

// atEnd calls then when r has ended.
type atEnd struct {
	io.Reader
	then func()
}

func (r *atEnd) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF {
		r.then()
	}
	return n, err
}

func TestTrailersSurviveARetryInBothDirections(t *testing.T) {
	var hits atomic.Int32
	overBoth(t, func(*testing.T) http.Handler {
		hits.Store(0)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			if hits.Add(1) == 1 {
				w.WriteHeader(503)
				return
			}
			w.Header().Set("Trailer", "Sum")
			io.WriteString(w, "body")
			flush(w)
			w.Header().Set("Sum", r.Trailer.Get("Sum"))
			w.Header().Set(http.TrailerPrefix+"Late", "l")
		})
	}, func(t *testing.T, ctx context.Context, url string, rt http.RoundTripper) {
		req := newRequest(t, "PUT", url, "").WithContext(ctx)
		req.Trailer = http.Header{"Sum": nil}
		read := 0
		req.GetBody = func() (io.ReadCloser, error) {
			return io.NopCloser(&atEnd{strings.NewReader("payload"), func() {
				read++
				req.Trailer.Set("Sum", fmt.Sprintf("of upload %d", read))
			}}), nil
		}
		req.Body, _ = req.GetBody()
		req.ContentLength = -1
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := finish(resp); body != "body" || err != nil {
			t.Errorf("read %q, %v", body, err)
		}
		if got := resp.Trailer; got.Get("Sum") != "of upload 2" || got.Get("Late") != "l" {
			t.Errorf("trailer %v, want the sum of the second upload and the late field", got)
		}
	})
}

func TestErrorStreamsArriveAsTheyAreSent(t *testing.T) {
	for _, status := range []int{400, 503} {
		next, closed := make(chan struct{}, 1), make(chan struct{}, 1)
		overBoth(t, func(*testing.T) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				w.WriteHeader(status)
				io.WriteString(w, "data: 1\n\n")
				flush(w)
				select {
				case <-next:
				case <-r.Context().Done():
					return
				}
				io.WriteString(w, "data: 2\n\n")
				flush(w)
				<-r.Context().Done() // the caller's Close
				closed <- struct{}{}
			})
		}, func(t *testing.T, ctx context.Context, url string, rt http.RoundTripper) {
			resp, err := rt.RoundTrip(newRequest(t, "POST", url, "").WithContext(ctx))
			if err != nil {
				t.Fatal(err)
			}
			var event [9]byte
			for i := range 2 {
				if _, err := io.ReadFull(resp.Body, event[:]); err != nil || event[6] != byte('1'+i) {
					t.Errorf("%d: event %d is %q, %v", status, i+1, event, err)
				}
				if i == 0 {
					next <- struct{}{}
				}
			}
			resp.Body.Close()
			select {
			case <-closed:
			case <-ctx.Done():
				t.Errorf("%d: the server did not see the Close", status)
			}
		})
	}
}

func TestBothDirectionsAtOnce(t *testing.T) {
	overBoth(t, func(*testing.T) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			flush(w)
			line := make([]byte, 4)
			for {
				if _, err := io.ReadFull(r.Body, line); err != nil {
					return
				}
				w.Write(line)
				flush(w)
			}
		})
	}, func(t *testing.T, ctx context.Context, url string, rt http.RoundTripper) {
		upload, feed := io.Pipe()
		defer context.AfterFunc(ctx, func() { feed.CloseWithError(context.Canceled) })()
		req := newRequest(t, "POST", url, "").WithContext(ctx)
		req.Body = upload
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for _, word := range []string{"ping", "pong", "last"} {
			io.WriteString(feed, word)
			got := make([]byte, 4)
			if _, err := io.ReadFull(resp.Body, got); string(got) != word {
				t.Fatalf("echo of %q is %q, %v", word, got, err)
			}
		}
		feed.Close()
		if rest, err := io.ReadAll(resp.Body); len(rest) != 0 || err != nil {
			t.Errorf("after the end: %q, %v", rest, err)
		}
	})
}

func TestAnUploadNobodyAskedForIsNotRead(t *testing.T) {
	var hits atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hits.Add(1) == 1 {
			w.WriteHeader(503) // instead of the 100 that would ask for the body
			return
		}
		io.Copy(w, r.Body)
	}))
	defer srv.Close()
	tr := newTransport(t)
	tr.ExpectContinueTimeout = time.Minute
	var bodies []*transporttest.Body
	req := newRequest(t, "PUT", srv.URL, "")
	req.GetBody = func() (io.ReadCloser, error) {
		bodies = append(bodies, transporttest.NewBody(transporttest.Chunk("payload")))
		return bodies[len(bodies)-1], nil
	}
	req.Body, _ = req.GetBody()
	req.ContentLength = 7
	req.Header.Set("Expect", "100-continue")
	resp, err := newChain(t, tr, transport.Config{Policy: fast()}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := finish(resp); got != "payload" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if len(bodies) != 2 || bodies[0].Reads() != 0 || !bodies[0].Closed() || !bodies[1].Closed() {
		t.Errorf("%d bodies, the first read %d times; want 2, both closed, the first unread", len(bodies), bodies[0].Reads())
	}
}

func TestAnUploadThatBreaksIsNeverTakenForWhole(t *testing.T) {
	own := errors.New("the disk is gone")
	for name, tc := range map[string]struct {
		method string
		length int64
		err    error
		again  bool // it could be had again
	}{
		"of known length":   {"PUT", 7, own, false},
		"of unknown length": {"PUT", -1, own, false},
		"with an error of another connection, which proves nothing of this one": {"POST", 7, transporttest.ErrRefused, true},
	} {
		t.Run(name, func(t *testing.T) {
			var whole atomic.Int32
			overBoth(t, func(*testing.T) http.Handler {
				return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if _, err := io.ReadAll(r.Body); err == nil {
						whole.Add(1)
					}
				})
			}, func(t *testing.T, ctx context.Context, url string, rt http.RoundTripper) {
				body := transporttest.NewBody(transporttest.Chunk("pay"), transporttest.Break(tc.err))
				req := newRequest(t, tc.method, url, "").WithContext(ctx)
				req.Body, req.ContentLength = body, tc.length
				if tc.again {
					req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("payload")), nil }
				}
				_, err := rt.RoundTrip(req)
				if !errors.Is(err, tc.err) || classify.Of(nil, err).Kind == classify.Unclassified {
					t.Errorf("%v, want the body's own error and a verdict", err)
				}
				if trail := transport.TrailOf(nil, err); trail.Attempts != 1 || !body.Closed() {
					t.Errorf("%d attempts, body closed: %t; want one, and the body closed", trail.Attempts, body.Closed())
				}
			})
			if whole.Load() != 0 { // every handler has ended
				t.Error("the server took the upload for complete")
			}
		})
	}
}

func TestUploadsAreNotBuffered(t *testing.T) {
	const size = 64 << 20
	base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, req.Body, make([]byte, 32<<10))
		req.Body.Close()
		if n != size || err != nil {
			t.Errorf("sent %d bytes, %v; want %d", n, err, size)
		}
		return transporttest.Answer(503, "").HTTP(req), nil
	})
	rt := newChain(t, base, transport.Config{Policy: fast()})
	req := newRequest(t, "PUT", backend, "")
	req.Body = io.NopCloser(io.LimitReader(zeros{}, size))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	runtime.ReadMemStats(&after)
	if grown, limit := after.TotalAlloc-before.TotalAlloc, uint64(1<<20); grown > limit {
		t.Errorf("an upload of %d bytes took %d bytes of memory, want %d at most", size, grown, limit)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
