package classify

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// body is a response body made of reads. Reads after the last one repeat its error, or block until Close if it had none.
type body struct {
	reads    []func([]byte) (int, error)
	closeErr error

	once   sync.Once
	closed chan struct{}
	mu     sync.Mutex
	next   int
	closes int
	err    error
}

func newBody(reads ...func([]byte) (int, error)) *body {
	return &body{reads: reads, closed: make(chan struct{})}
}

var errClosed = errors.New("read on closed body")

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	i, last := b.next, b.err
	b.next++
	b.mu.Unlock()
	select {
	case <-b.closed:
		return 0, errClosed
	default:
	}
	if i >= len(b.reads) {
		if last == nil {
			<-b.closed
			last = errClosed
		}
		return 0, last
	}
	n, err := b.reads[i](p)
	b.mu.Lock()
	b.err = err
	b.mu.Unlock()
	return n, err
}

func (b *body) Close() error {
	b.mu.Lock()
	b.closes++
	b.mu.Unlock()
	b.once.Do(func() { close(b.closed) })
	return b.closeErr
}

// gives returns s, which must fit, with err.
func gives(s string, err error) func([]byte) (int, error) {
	return func(p []byte) (int, error) {
		if len(p) < len(s) {
			panic("the buffer is too small for this test")
		}
		return copy(p, s), err
	}
}

// after returns what read returns, after d.
func after(d time.Duration, read func([]byte) (int, error)) func([]byte) (int, error) {
	return func(p []byte) (int, error) {
		time.Sleep(d)
		return read(p)
	}
}

func failing(b io.ReadCloser, length int64) *http.Response {
	return &http.Response{StatusCode: 409, Header: http.Header{}, Body: b, ContentLength: length}
}

func TestAPeekedBodyReadsAsItIs(t *testing.T) {
	own := errors.New("the body's own error")
	for _, c := range []struct {
		name   string
		reads  []func([]byte) (int, error)
		peeked string
		rest   string
		err    error
	}{
		{"a body with its end in one read", []func([]byte) (int, error){gives(`{"a":1}`, io.EOF)}, `{"a":1}`, `{"a":1}`, nil},
		{"a body and then its end", []func([]byte) (int, error){gives(`{"a":1}`, nil), gives("", io.EOF)}, `{"a":1}`, `{"a":1}`, nil},
		{"nothing", []func([]byte) (int, error){gives("", io.EOF)}, "", "", nil},
		{"cut short", []func([]byte) (int, error){gives(`{"a":`, io.ErrUnexpectedEOF)}, `{"a":`, `{"a":`, io.ErrUnexpectedEOF},
		{"an error of its own", []func([]byte) (int, error){gives(`{"a":`, nil), gives("", own)}, `{"a":`, `{"a":`, own},
		{"an error with bytes", []func([]byte) (int, error){gives(`{`, nil), gives(`"`, own)}, `{"`, `{"`, own},
		{"an error at once", []func([]byte) (int, error){gives("", own)}, "", "", own},
		{"reads of nothing", []func([]byte) (int, error){gives("", nil), gives(`{`, nil), gives("", nil), gives(`}`, nil), gives("", nil), gives("", io.EOF)}, `{}`, `{}`, nil},
		{"a body that is no JSON is left alone after its first bytes", []func([]byte) (int, error){gives("<html>", nil), gives("more", nil), gives("", own)}, "<html>", "<html>more", own},
		{"white space does not tell", []func([]byte) (int, error){gives("\xef\xbb\xbf \n", nil), gives("<html>", nil), gives("", io.EOF)}, "\xef\xbb\xbf \n<html>", "\xef\xbb\xbf \n<html>", nil},
		{"reads after the end", []func([]byte) (int, error){gives(`{}`, io.EOF)}, `{}`, `{}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBody(c.reads...)
				resp := failing(b, -1)
				if got := peek(resp); string(got) != c.peeked {
					t.Errorf("peeked: got %q, want %q", got, c.peeked)
				}
				rest, err := io.ReadAll(resp.Body)
				if string(rest) != c.rest || !errors.Is(err, c.err) || err != c.err {
					t.Errorf("got %q, %v, want %q, %v", rest, err, c.rest, c.err)
				}
				if c.err == nil {
					if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
						t.Errorf("read after the end: got %d, %v, want 0, EOF", n, err)
					}
				}
				resp.Body.Close()
			})
		})
	}
}

func TestPeekingIsBounded(t *testing.T) {
	t.Run("in bytes", func(t *testing.T) {
		for _, length := range []int64{-1, 10 << 20} {
			data := []byte(`{"a":"` + strings.Repeat("x", 10<<20-7) + `"`)
			resp := failing(io.NopCloser(bytes.NewReader(data)), length)
			if got := peek(resp); len(got) != MaxBody || !bytes.Equal(got, data[:MaxBody]) {
				t.Errorf("length %d: got %d bytes, want %d", length, len(got), MaxBody)
			}
			if got, err := io.ReadAll(resp.Body); !bytes.Equal(got, data) || err != nil {
				t.Errorf("length %d: got %d bytes, %v, want %d", length, len(got), err, len(data))
			}
		}
	})
	t.Run("in reads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			resp := failing(io.NopCloser(nothing{}), -1)
			start := time.Now()
			if got := peek(resp); len(got) != 0 || time.Since(start) > Patience {
				t.Errorf("got %q after %v", got, time.Since(start))
			}
		})
	})
	t.Run("in reads of one byte", func(t *testing.T) {
		data := strings.Repeat(`{"a":1}`, MaxBody)
		resp := failing(io.NopCloser(iotestOneByte{strings.NewReader(data)}), -1)
		got := peek(resp)
		if !strings.HasPrefix(data, string(got)) || len(got) > MaxBody {
			t.Errorf("got %d bytes", len(got))
		}
		if all, err := io.ReadAll(resp.Body); string(all) != data || err != nil {
			t.Errorf("got %d bytes, %v, want %d", len(all), err, len(data))
		}
	})
}

// nothing never returns a byte nor an error.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

type iotestOneByte struct{ r io.Reader }

func (r iotestOneByte) Read(p []byte) (int, error) { return r.r.Read(p[:min(1, len(p))]) }

func TestAStalledBodyIsNotWaitedFor(t *testing.T) {
	for _, c := range []struct {
		name   string
		reads  []func([]byte) (int, error)
		peeked string
		rest   string
		err    error
	}{
		{"after its beginning", []func([]byte) (int, error){gives(`{"a":`, nil), after(time.Minute, gives(`1}`, nil)), gives("", io.EOF)}, `{"a":`, `{"a":1}`, nil},
		{"before its beginning", []func([]byte) (int, error){after(time.Minute, gives(`{}`, io.EOF))}, ``, `{}`, nil},
		{"and then broken", []func([]byte) (int, error){gives(`{`, nil), after(time.Minute, gives(`x`, io.ErrUnexpectedEOF))}, `{`, `{x`, io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				resp := failing(newBody(c.reads...), -1)
				start := time.Now()
				got := peek(resp)
				if took := time.Since(start); string(got) != c.peeked || took != Patience {
					t.Errorf("got %q after %v, want %q after %v", got, took, c.peeked, Patience)
				}
				if b := make([]byte, 10); c.peeked != "" {
					if n, err := resp.Body.Read(b); string(b[:n]) != c.peeked || err != nil || time.Since(start) != Patience {
						t.Errorf("what arrived: got %q, %v, want %q at once", b[:n], err, c.peeked)
					}
				}
				rest, err := io.ReadAll(resp.Body)
				if c.peeked+string(rest) != c.rest || err != c.err || time.Since(start) != time.Minute {
					t.Errorf("got %q, %v after %v, want %q, %v", c.peeked+string(rest), err, time.Since(start), c.rest, c.err)
				}
				if string(got) != c.peeked {
					t.Errorf("what was peeked changed to %q", got)
				}
			})
		})
	}
}

func TestCloseWakesAStalledRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBody(gives(`{"a":`, nil))
		b.closeErr = errors.New("close")
		resp := failing(b, -1)
		peek(resp)
		io.ReadFull(resp.Body, make([]byte, 5))

		read := make(chan error)
		go func() {
			_, err := resp.Body.Read(make([]byte, 1))
			read <- err
		}()
		synctest.Wait()
		start := time.Now()
		for i := range 3 {
			if err := resp.Body.Close(); err != b.closeErr {
				t.Errorf("Close %d: got %v, want %v", i, err, b.closeErr)
			}
		}
		if err := <-read; err != errClosed || time.Since(start) != 0 {
			t.Errorf("Read: got %v after %v, want %v at once", err, time.Since(start), errClosed)
		}
		if b.closes != 3 {
			t.Errorf("got %d closes of the body, want 3", b.closes)
		}
	})
}

func TestClosingDropsWhatWasReadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resp := failing(newBody(gives(`{"a":1}`, io.EOF)), -1)
		peek(resp)
		resp.Body.Close()
		if n, err := resp.Body.Read(make([]byte, 10)); n != 0 || err != errClosed {
			t.Errorf("got %d, %v, want 0, %v", n, err, errClosed)
		}
	})
}

func TestAPanickingBodyPanicsInTheCallersGoroutine(t *testing.T) {
	bang := func([]byte) (int, error) { panic("bang") }
	panics := func(f func()) (v any) {
		defer func() { v = recover() }()
		f()
		return nil
	}
	for _, c := range []struct {
		name string
		read func([]byte) (int, error)
		want any
	}{
		{"a panic", bang, "bang"},
		{"a count too large", func(p []byte) (int, error) { return len(p) + 1, nil }, "classify: response body's Read returned an impossible count"},
		{"a negative count", func([]byte) (int, error) { return -1, nil }, "classify: response body's Read returned an impossible count"},
	} {
		t.Run(c.name+" while it is peeked at", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				resp := failing(newBody(gives("{", nil), c.read), -1)
				if got := panics(func() { peek(resp) }); got != c.want {
					t.Errorf("got %v, want %v", got, c.want)
				}
				resp.Body.Close()
			})
		})
		t.Run(c.name+" afterwards", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				resp := failing(newBody(gives("{", nil), after(time.Second, c.read)), -1)
				peek(resp)
				if got := panics(func() { io.ReadAll(resp.Body) }); got != c.want {
					t.Errorf("got %v, want %v", got, c.want)
				}
				resp.Body.Close()
			})
		})
	}
}

// writable is the body of a 101 answer.
type writable struct{ io.ReadCloser }

func (writable) Write(p []byte) (int, error) { return len(p), nil }

func TestSomeBodiesAreNotTouched(t *testing.T) {
	untouchable := func() io.ReadCloser {
		return newBody(func([]byte) (int, error) { panic("read") })
	}
	header := func(key, value string) http.Header { return http.Header{key: {value}} }
	for _, c := range []struct {
		name string
		resp *http.Response
	}{
		{"none", failing(nil, -1)},
		{"http.NoBody", failing(http.NoBody, 0)},
		{"a length of zero", failing(untouchable(), 0)},
		{"HEAD", &http.Response{StatusCode: 404, Body: untouchable(), ContentLength: 12345, Request: &http.Request{Method: http.MethodHead}}},
		{"101", &http.Response{StatusCode: 101, Body: writable{untouchable()}, ContentLength: -1}},
		{"204", &http.Response{StatusCode: 204, Body: untouchable(), ContentLength: -1}},
		{"304", &http.Response{StatusCode: 304, Body: untouchable(), ContentLength: -1}},
		{"a writable body", &http.Response{StatusCode: 500, Body: writable{untouchable()}, ContentLength: -1}},
		{"an event stream", &http.Response{StatusCode: 500, Body: untouchable(), ContentLength: -1, Header: header("Content-Type", "text/event-stream; charset=utf-8")}},
		{"an event stream in upper case", &http.Response{StatusCode: 500, Body: untouchable(), ContentLength: -1, Header: header("Content-Type", "Text/Event-Stream")}},
		{"lines of JSON", &http.Response{StatusCode: 500, Body: untouchable(), ContentLength: -1, Header: header("Content-Type", "application/x-ndjson")}},
		{"gRPC", &http.Response{StatusCode: 500, Body: untouchable(), ContentLength: -1, Header: header("Content-Type", "application/grpc+json")}},
		{"parts", &http.Response{StatusCode: 500, Body: untouchable(), ContentLength: -1, Header: header("Content-Type", "multipart/mixed; boundary=x")}},
		{"an image", &http.Response{StatusCode: 500, Body: untouchable(), ContentLength: -1, Header: header("Content-Type", "image/png")}},
		{"a coding that cannot be read", &http.Response{StatusCode: 500, Body: untouchable(), ContentLength: -1, Header: header("Content-Encoding", "br")}},
		{"two codings", &http.Response{StatusCode: 500, Body: untouchable(), ContentLength: -1, Header: header("Content-Encoding", "gzip, br")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := *c.resp
			Response(c.resp, ClassifierFunc(func(o Outcome) Verdict {
				if o.Body != nil {
					t.Errorf("got body %q, want none", o.Body)
				}
				return Verdict{}
			}))
			if !reflect.DeepEqual(*c.resp, before) {
				t.Errorf("got %+v, want %+v", *c.resp, before)
			}
		})
	}
	resp := &http.Response{StatusCode: 500, Body: newBody(gives(`{"code":"x"}`, io.EOF)), ContentLength: -1, Header: header("Content-Type", "application/octet-stream")}
	if v := Response(resp, nil); v.Code != "x" {
		t.Errorf("bytes of no declared type: got code %q, want x", v.Code)
	}
}

// served runs an exchange twice against one handler: bare, and looked at by Response.
func served(t *testing.T, s *httptest.Server, path string, edit func(*http.Request)) (bare, judged *http.Response) {
	t.Helper()
	do := func() *http.Response {
		req, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if edit != nil {
			edit(req)
		}
		resp, err := s.Client().Transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	bare, judged = do(), do()
	Response(judged, nil)
	return bare, judged
}

// same compares everything a caller can see of two answers, bodies last.
func same(t *testing.T, got, want *http.Response) {
	t.Helper()
	delete(got.Header, "Date")
	delete(want.Header, "Date")
	if !maps.EqualFunc(got.Header, want.Header, func(a, b []string) bool { return reflect.DeepEqual(a, b) }) {
		t.Errorf("header: got %v, want %v", got.Header, want.Header)
	}
	type facts struct {
		Status           string
		StatusCode       int
		Proto            string
		ContentLength    int64
		TransferEncoding string
		Close            bool
		Uncompressed     bool
	}
	of := func(r *http.Response) facts {
		return facts{r.Status, r.StatusCode, r.Proto, r.ContentLength, fmt.Sprint(r.TransferEncoding), r.Close, r.Uncompressed}
	}
	if of(got) != of(want) {
		t.Errorf("got %+v, want %+v", of(got), of(want))
	}
	gotBody, gotErr := io.ReadAll(got.Body)
	wantBody, wantErr := io.ReadAll(want.Body)
	if !bytes.Equal(gotBody, wantBody) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
		t.Errorf("body: got %d bytes, %v, want %d bytes, %v", len(gotBody), gotErr, len(wantBody), wantErr)
	}
	if !reflect.DeepEqual(got.Trailer, want.Trailer) {
		t.Errorf("trailer: got %v, want %v", got.Trailer, want.Trailer)
	}
}

func TestPeekingChangesNothingOfARealAnswer(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	bodies := map[string]func(n int) []byte{
		"JSON":   func(n int) []byte { return append([]byte(`{"a":"`), bytes.Repeat([]byte("x"), max(0, n-6))...)[:n] },
		"HTML":   func(n int) []byte { return bytes.Repeat([]byte("<html>"), n/6+1)[:n] },
		"BOM":    func(n int) []byte { return append([]byte("\xef\xbb\xbf{"), bytes.Repeat([]byte(" "), n)...)[:n] },
		"random": func(n int) []byte { b := make([]byte, n); random.Read(b); return b },
	}
	var data []byte
	var status int
	var chunked bool
	var contentType string
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("X-Own", "x")
		if !chunked {
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		}
		w.WriteHeader(status)
		if chunked {
			w.(http.Flusher).Flush()
		}
		w.Write(data)
	})
	h1 := httptest.NewServer(handler)
	defer h1.Close()
	h2 := httptest.NewUnstartedServer(handler)
	h2.EnableHTTP2 = true
	h2.StartTLS()
	defer h2.Close()

	for name, newBody := range bodies {
		for _, size := range []int{0, 1, 17, 4095, 4096, 4097, MaxBody - 1, MaxBody, MaxBody + 1, 1 << 20, 10 << 20} {
			if size > 1<<20 && name != "JSON" {
				continue
			}
			data = newBody(size)
			for _, chunked = range []bool{false, true} {
				for _, s := range []*httptest.Server{h1, h2} {
					status, contentType = []int{200, 400, 404, 409, 500}[random.Uint64()%5], []string{"application/json", "text/html", "", "x"}[random.Uint64()%4]
					t.Run(fmt.Sprintf("%s of %d bytes, chunked %v, %d, %q, h2 %v", name, size, chunked, status, contentType, s == h2), func(t *testing.T) {
						bare, judged := served(t, s, "/", nil)
						same(t, judged, bare)
					})
				}
			}
		}
	}
}

func TestATruncatedAnswerStaysTruncated(t *testing.T) {
	const sent = `{"error":"grant_r`
	for _, status := range []int{200, 400, 404, 409, 500} {
		for _, head := range []string{"Content-Length: 1000\r\n\r\n" + sent, "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(sent), sent)} {
			t.Run(fmt.Sprintf("%d %.12s", status, head), func(t *testing.T) {
				address := listen(t, afterRequest(func(conn net.Conn) { fmt.Fprintf(conn, "HTTP/1.1 %d X\r\n%s", status, head) }))
				tr := &http.Transport{}
				defer tr.CloseIdleConnections()
				resp, err := (&http.Client{Transport: tr}).Get("http://" + address)
				if err != nil {
					t.Fatal(err)
				}
				length := resp.ContentLength
				v := Response(resp, &Alter{})
				if v.Code != "" {
					t.Errorf("got code %q from half a code", v.Code)
				}
				got, err := io.ReadAll(resp.Body)
				if string(got) != sent || err != io.ErrUnexpectedEOF || resp.ContentLength != length {
					t.Errorf("got %q, %v, length %d, want %q, %v, %d", got, err, resp.ContentLength, sent, io.ErrUnexpectedEOF, length)
				}
				resp.Body.Close()
			})
		}
	}
}

func TestAStalledAnswerIsNotWaitedFor(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, `{"code":"ambiguous_grant",`)
		w.(http.Flusher).Flush()
		select {
		case <-release:
			io.WriteString(w, `"x":1}`)
		case <-r.Context().Done():
		}
	}))
	defer s.Close()

	t.Run("later data can be read", func(t *testing.T) {
		resp, err := s.Client().Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		start := time.Now()
		v := Response(resp, &Alter{})
		if took := time.Since(start); v.Kind != AmbiguousGrant || took < Patience || took > Patience+2*time.Second {
			t.Errorf("got %v after %v, want %v after %v", v.Kind, took, AmbiguousGrant, Patience)
		}
		close(release)
		if got, err := io.ReadAll(resp.Body); string(got) != `{"code":"ambiguous_grant","x":1}` || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
	release = make(chan struct{})
	t.Run("Close is prompt", func(t *testing.T) {
		resp, err := s.Client().Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		Response(resp, &Alter{})
		start := time.Now()
		if err := resp.Body.Close(); err != nil || time.Since(start) > time.Second {
			t.Errorf("got %v after %v, want nil at once", err, time.Since(start))
		}
	})
	t.Run("cancellation wakes it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		Response(resp, &Alter{})
		cancel()
		if got, err := io.ReadAll(resp.Body); string(got) != `{"code":"ambiguous_grant",` || !errors.Is(err, context.Canceled) {
			t.Errorf("got %q, %v, want the beginning and %v", got, err, context.Canceled)
		}
	})
}

func gzipBytes(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(data)
	z.Close()
	return b.Bytes()
}

func TestGzipAnswers(t *testing.T) {
	text := `{"code":"grant_revoked","message":"m"}`
	packed := gzipBytes([]byte(text))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusGone)
		w.Write(packed)
	}))
	defer s.Close()

	t.Run("decompressed by the transport", func(t *testing.T) {
		bare, judged := served(t, s, "/", nil)
		if v := Of(judged, nil); v.Code != "grant_revoked" || !judged.Uncompressed {
			t.Errorf("got code %q, uncompressed %v", v.Code, judged.Uncompressed)
		}
		same(t, judged, bare)
	})
	t.Run("asked for by the caller", func(t *testing.T) {
		bare, judged := served(t, s, "/", func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") })
		if v := Of(judged, nil); v.Code != "grant_revoked" || judged.Uncompressed {
			t.Errorf("got code %q, uncompressed %v", v.Code, judged.Uncompressed)
		}
		same(t, judged, bare)
	})

	h := http.Header{"Content-Encoding": {"GZIP"}}
	bomb := gzipBytes(bytes.Repeat([]byte(`{"code":"grant_revoked","a":"`), 1<<16))
	for _, c := range []struct {
		name string
		body []byte
		code string
	}{
		{"whole", packed, "grant_revoked"},
		{"cut short", packed[:len(packed)-12], "grant_revoked"},
		{"a broken checksum", append(packed[:len(packed)-8:len(packed)-8], "12345678"...), "grant_revoked"},
		{"a bomb", bomb[:min(len(bomb), MaxBody)], "grant_revoked"},
		{"the header alone", packed[:10], ""},
		{"half a header", packed[:3], ""},
		{"not gzip at all", []byte(text), "grant_revoked"},
		{"nothing", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 { // the decompressor is used again
				v := (&Alter{}).Classify(Outcome{Status: 410, Header: h, Body: c.body})
				if v.Code != c.code || len(v.Detail.body) > MaxBody {
					t.Errorf("got code %q of %d bytes, want %q", v.Code, len(v.Detail.body), c.code)
				}
			}
		})
	}
	v := (&Alter{}).Classify(Outcome{Status: 410, Header: http.Header{"Content-Encoding": {"br"}}, Body: []byte(text)})
	if v.Code != "" || v.Kind != ReAuthRequired {
		t.Errorf("another coding: got %v, %q, want %v by the status", v.Kind, v.Code, ReAuthRequired)
	}
}

func TestTrailersStillArrive(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Announced")
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, `{"code":"x"}`)
		w.(http.Flusher).Flush()
		io.WriteString(w, strings.Repeat(" ", 100<<10))
		w.Header().Set("Announced", "a")
		w.Header().Set(http.TrailerPrefix+"Unannounced", "u")
	})
	h1 := httptest.NewServer(handler)
	defer h1.Close()
	h2 := httptest.NewUnstartedServer(handler)
	h2.EnableHTTP2 = true
	h2.StartTLS()
	defer h2.Close()
	for name, s := range map[string]*httptest.Server{"HTTP/1": h1, "HTTP/2": h2} {
		t.Run(name, func(t *testing.T) {
			bare, judged := served(t, s, "/", nil)
			same(t, judged, bare)
			if judged.Trailer.Get("Announced") != "a" || judged.Trailer.Get("Unannounced") != "u" {
				t.Errorf("got trailer %v, want both fields", judged.Trailer)
			}
		})
	}
}

func TestReadAndCloseMayRunAtTheSameTime(t *testing.T) {
	for range 200 {
		b := newBody(gives(`{"a":`, nil), gives(`1`, nil))
		resp := failing(b, -1)
		done := make(chan struct{})
		go func() { defer close(done); peek(resp) }()
		time.AfterFunc(time.Duration(rand.Int64N(int64(50*time.Microsecond))), func() { b.Close() })
		<-done
		var wg sync.WaitGroup
		wg.Go(func() { io.ReadAll(resp.Body) })
		wg.Go(func() { resp.Body.Close() })
		wg.Wait()
	}
}
