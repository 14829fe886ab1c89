package transport_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// A download that loses its connection goes on where it stopped.
func ExampleResume() {
	api := transporttest.Play(
		transporttest.Answer(200, "").Header("ETag", `"v1"`).
			Stream(transporttest.Chunk("All's well "), transporttest.Break(io.ErrUnexpectedEOF)).Length(25),
		transporttest.Answer(206, "that ends well").Header("ETag", `"v1"`).Header("Content-Range", "bytes 11-24/25"),
	)
	client, err := transport.Wrap(api.Client(), transport.Config{
		PerCall: []transport.Middleware{transport.Resume(3)},
	})
	if err != nil {
		panic(err)
	}
	resp, err := client.Get("https://api.example.com/play")
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	fmt.Printf("%d %q %v\n", resp.StatusCode, text, err)
	second := api.Attempts()[1].Header
	fmt.Println(second.Get("Range"), second.Get("If-Range"))
	// Output:
	// 200 "All's well that ends well" <nil>
	// bytes=11- "v1"
}

// How a server loses an answer midway.
type cutting string

const (
	aborts cutting = "the handler aborts"     // h1: FIN, h2: RST_STREAM
	leaves cutting = "GOAWAY, then it aborts" // h1: Connection: close
	closes cutting = "the connection closes"
	resets cutting = "the connection is reset"
)

var cuttings = []cutting{aborts, leaves, closes, resets}

// cut says how many bytes of an answer are sent before it is lost. The zero value loses it before the first.
type cut struct {
	after int
	how   cutting
}

// file is served with the cuts in their order, then without.
type file struct {
	before func(f *file, n int, w http.ResponseWriter, r *http.Request) // called for the n-th request, if set

	mu       sync.Mutex
	content  []byte
	etag     string
	modified time.Time
	cuts     []cut
	ranges   []string // of the requests
}

type connKey struct{}

func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.ranges = append(f.ranges, r.Header.Get("Range"))
	if f.before != nil {
		f.before(f, len(f.ranges), w, r)
	}
	var c cut
	cutOff := len(f.cuts) > 0
	if cutOff {
		c, f.cuts = f.cuts[0], f.cuts[1:]
	}
	content, etag, modified := f.content, f.etag, f.modified
	f.mu.Unlock()
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if !cutOff {
		http.ServeContent(w, r, "", modified, bytes.NewReader(content))
		return
	}
	if c.how == leaves {
		w.Header().Set("Connection", "close")
	}
	lost := &losing{w, r, c}
	http.ServeContent(lost, r, "", modified, bytes.NewReader(content))
	lost.lose()
}

func (f *file) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ranges
}

// losing is a ResponseWriter that loses the answer after so many bytes.
type losing struct {
	http.ResponseWriter
	r *http.Request
	cut
}

func (l *losing) Write(p []byte) (int, error) {
	if len(p) < l.after {
		l.after -= len(p)
		return l.ResponseWriter.Write(p)
	}
	l.ResponseWriter.Write(p[:l.after])
	l.lose()
	return 0, nil
}

func (l *losing) lose() {
	http.NewResponseController(l.ResponseWriter).Flush()
	if l.how == closes || l.how == resets {
		conn := l.r.Context().Value(connKey{}).(net.Conn)
		if c, ok := conn.(*tls.Conn); ok {
			conn = c.NetConn()
		}
		if l.how == resets {
			conn.(*net.TCPConn).SetLinger(0)
		}
		conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// overHTTP runs a test over HTTP/1.1 and HTTP/2.
func overHTTP(t *testing.T, test func(t *testing.T, start func(http.Handler) string)) {
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP%d", major), func(t *testing.T) {
			test(t, func(h http.Handler) string {
				srv := httptest.NewUnstartedServer(h)
				srv.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
					return context.WithValue(ctx, connKey{}, c)
				}
				if srv.EnableHTTP2 = major == 2; major == 2 {
					srv.StartTLS()
				} else {
					srv.Start()
				}
				t.Cleanup(srv.Close)
				return srv.URL
			})
		})
	}
}

// resuming is the default chain with fast pauses, resuming up to limit times.
func resuming(t testing.TB, base http.RoundTripper, limit int) http.RoundTripper {
	t.Helper()
	return newChain(t, base, transport.Config{Policy: fast(), PerCall: []transport.Middleware{transport.Resume(limit)}})
}

// payload is n random bytes.
func payload(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 42)) }

// download gets what url has, and the error that the body ended with.
func download(t testing.TB, rt http.RoundTripper, url string) (*http.Response, []byte, error) {
	t.Helper()
	resp, err := rt.RoundTrip(newRequest(t, "GET", url, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp, got, err
}

func TestResumeAtEveryInterestingOffset(t *testing.T) {
	overHTTP(t, func(t *testing.T, start func(http.Handler) string) {
		random := seeded(1)
		content := payload(random, 1<<20)
		n := len(content)
		offsets := []int{0, 1, 2, 511, 512, 4095, 4096, 4097, 16384, 32768, n / 2, n - 2, n - 1, n}
		for range 6 {
			offsets = append(offsets, random.IntN(n))
		}
		f := &file{content: content, etag: `"v1"`}
		url, rt := start(f), resuming(t, newTransport(t), 1)
		for _, at := range offsets {
			f.mu.Lock()
			f.cuts, f.ranges = []cut{{at, aborts}}, nil
			f.mu.Unlock()
			resp, got, err := download(t, rt, url)
			want := []string{"", fmt.Sprintf("bytes=%d-", at)}
			if at == n { // nothing is missing: over HTTP/1 the body is complete, over HTTP/2 its end is lost
				want = want[:1]
			}
			if (err != nil) != (at == n && resp.ProtoMajor == 2) {
				t.Errorf("cut at %d: %v", at, err)
			}
			if sha256.Sum256(got) != sha256.Sum256(content) {
				t.Errorf("cut at %d: %d bytes that are not the file's %d", at, len(got), n)
			}
			if resp.StatusCode != 200 || resp.ContentLength != int64(n) || resp.Header.Get("Content-Range") != "" {
				t.Errorf("cut at %d: the answer became %v %v", at, resp.Status, resp.Header)
			}
			if r := f.requests(); !reflect.DeepEqual(r, want) {
				t.Errorf("cut at %d: ranges %q, want %q", at, r, want)
			}
		}
	})
}

func TestResumeSurvivesRandomCuts(t *testing.T) {
	overHTTP(t, func(t *testing.T, start func(http.Handler) string) {
		for seed := range uint64(32) {
			random := seeded(seed)
			content := payload(random, 1+random.IntN(256<<10))
			f := &file{content: content, etag: fmt.Sprintf(`"%d"`, seed)}
			if seed%3 == 0 { // with a Content-Encoding, ServeContent announces no length
				f.before = func(_ *file, _ int, w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Encoding", "identity")
				}
			}
			limit := 1 + random.IntN(6)
			hows := cuttings
			if seed%2 == 0 { // what was flushed arrives
				hows = []cutting{aborts, leaves}
			}
			for range random.IntN(limit + 3) {
				f.cuts = append(f.cuts, cut{random.IntN(len(content)), hows[random.IntN(len(hows))]})
			}
			cuts := len(f.cuts)
			resp, err := resuming(t, newTransport(t), limit).RoundTrip(newRequest(t, "GET", start(f), ""))
			if err != nil {
				t.Logf("seed %d: the connection was lost before the answer: %v", seed, err)
				continue
			}
			var got []byte
			for buf := make([]byte, 1+random.IntN(8<<10)); err == nil; {
				var n int
				n, err = resp.Body.Read(buf[:1+random.IntN(len(buf))])
				got = append(got, buf[:n]...)
			}
			resp.Body.Close()
			requests := f.requests()
			switch {
			case err == io.EOF && sha256.Sum256(got) != sha256.Sum256(content):
				t.Errorf("seed %d: complete, but %d bytes are not the file's %d", seed, len(got), len(content))
			case err != io.EOF && !bytes.HasPrefix(content, got):
				t.Errorf("seed %d: %d bytes before %v are not of the file", seed, len(got), err)
			case err != io.EOF && seed%2 == 0 && cuts <= limit && len(got) < len(content):
				t.Errorf("seed %d: %v after %d of %d bytes, %d cuts, limit %d", seed, err, len(got), len(content), cuts, limit)
			}
			if len(requests) > 1+cuts {
				t.Errorf("seed %d: %d requests for %d cuts: %q", seed, len(requests), cuts, requests)
			}
		}
	})
}

func TestResumeStopsAtItsLimit(t *testing.T) {
	overHTTP(t, func(t *testing.T, start func(http.Handler) string) {
		content := payload(seeded(3), 64<<10)
		f := &file{content: content, etag: `"v1"`}
		for range 10 {
			f.cuts = append(f.cuts, cut{1000, aborts})
		}
		_, got, err := download(t, resuming(t, newTransport(t), 3), start(f))
		if err == nil || !bytes.Equal(got, content[:4000]) {
			t.Errorf("%d bytes, error %v; want the 4000 of four answers and an error", len(got), err)
		}
		if want := []string{"", "bytes=1000-", "bytes=2000-", "bytes=3000-"}; !reflect.DeepEqual(f.requests(), want) {
			t.Errorf("ranges %q, want %q", f.requests(), want)
		}
	})
}

func TestResumeNeverMixesVersions(t *testing.T) {
	overHTTP(t, func(t *testing.T, start func(http.Handler) string) {
		old, modified := payload(seeded(4), 64<<10), time.Now().Add(-time.Hour)
		for name, replace := range map[string]func(f *file){
			"another file under another tag":           func(f *file) { f.content, f.etag = payload(seeded(5), 64<<10), `"v2"` },
			"the same tag, weak":                       func(f *file) { f.etag = `W/"v1"` },
			"no tag any more":                          func(f *file) { f.etag = "" },
			"another length under the same tag":        func(f *file) { f.content = payload(seeded(5), 65<<10) },
			"shorter than what was read, the same tag": func(f *file) { f.content = old[:10] },
		} {
			t.Run(name, func(t *testing.T) {
				f := &file{content: old, etag: `"v1"`, modified: modified, cuts: []cut{{30000, aborts}}}
				f.before = func(f *file, n int, _ http.ResponseWriter, _ *http.Request) {
					if n == 2 {
						replace(f)
					}
				}
				resp, got, err := download(t, resuming(t, newTransport(t), 3), start(f))
				if err == nil || !bytes.Equal(got, old[:30000]) {
					t.Errorf("%d bytes, error %v; want the first 30000 of the old file and an error", len(got), err)
				}
				if resp.ProtoMajor == 1 && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%v: want the transport's io.ErrUnexpectedEOF", err)
				}
				if len(f.requests()) != 2 {
					t.Errorf("%d requests, want 2", len(f.requests()))
				}
			})
		}
	})
}

func TestResumeByLastModified(t *testing.T) {
	overHTTP(t, func(t *testing.T, start func(http.Handler) string) {
		content := payload(seeded(6), 64<<10)
		for _, tc := range []struct {
			age     time.Duration
			resumed bool
		}{{time.Hour, true}, {time.Second, false}, {0, false}, {-time.Hour, false}} {
			f := &file{content: content, modified: time.Now().Add(-tc.age), cuts: []cut{{500, aborts}}}
			_, got, err := download(t, resuming(t, newTransport(t), 3), start(f))
			if tc.resumed && (err != nil || !bytes.Equal(got, content)) {
				t.Errorf("changed %v before: %d bytes, %v; want all", tc.age, len(got), err)
			}
			if !tc.resumed && (err == nil || !bytes.Equal(got, content[:500]) || len(f.requests()) != 1) {
				t.Errorf("changed %v before: %d bytes, %v, ranges %q; want the plain error", tc.age, len(got), err, f.requests())
			}
		}
	})
}

func TestResumeOfAnAnswerWithoutLength(t *testing.T) {
	overHTTP(t, func(t *testing.T, start func(http.Handler) string) {
		content := payload(seeded(7), 64<<10)
		f := &file{content: content, etag: `"v1"`}
		requests := 0
		url := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests++; requests > 1 {
				f.ServeHTTP(w, r)
				return
			}
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Trailer", "Digest")
			lost := &losing{w, r, cut{20000, aborts}}
			lost.Write(content[:100])
			w.(http.Flusher).Flush()
			lost.Write(content[100:])
		}))
		f.cuts = []cut{{7, aborts}}
		resp, got, err := download(t, resuming(t, newTransport(t), 3), url)
		if err != nil || !bytes.Equal(got, content) || resp.ContentLength != -1 {
			t.Errorf("%d bytes of announced %d, error %v; want all of an unknown number", len(got), resp.ContentLength, err)
		}
		if want := (http.Header{"Digest": nil}); !reflect.DeepEqual(resp.Trailer, want) {
			t.Errorf("trailer %v, want it announced and without a value", resp.Trailer)
		}
	})
}

func TestResumeLeavesTrailersAlone(t *testing.T) {
	overHTTP(t, func(t *testing.T, start func(http.Handler) string) {
		url := start(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			io.WriteString(w, "text")
			w.(http.Flusher).Flush()
			w.Header().Set(http.TrailerPrefix+"Digest", "abc")
		}))
		resp, got, err := download(t, resuming(t, newTransport(t), 3), url)
		if err != nil || string(got) != "text" || resp.Trailer.Get("Digest") != "abc" {
			t.Errorf("%q, %v, trailer %v; want the text and its trailer", got, err, resp.Trailer)
		}
	})
}

func TestResumeAndGzip(t *testing.T) {
	overHTTP(t, func(t *testing.T, start func(http.Handler) string) {
		plain := bytes.Repeat([]byte("all work and no play "), 20000)
		var packed bytes.Buffer
		zw := gzip.NewWriter(&packed)
		zw.Write(plain)
		zw.Close()
		f := &file{content: packed.Bytes(), etag: `"v1"`}
		f.before = func(_ *file, _ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
		}
		url, rt := start(f), resuming(t, newTransport(t), 3)

		f.cuts = []cut{{packed.Len() / 2, aborts}}
		resp, got, err := download(t, rt, url)
		if err == nil || !resp.Uncompressed || !bytes.HasPrefix(plain, got) || len(f.requests()) != 1 {
			t.Errorf("decompressed by the transport: %d bytes, %v, ranges %q; want the plain error", len(got), err, f.requests())
		}

		f.cuts = []cut{{packed.Len() / 2, aborts}}
		req := newRequest(t, "GET", url, "")
		req.Header.Set("Accept-Encoding", "gzip")
		resp, err = rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got, err = io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, packed.Bytes()) {
			t.Errorf("compressed for the caller: %d bytes, %v; want all %d", len(got), err, packed.Len())
		}
	})
}

func TestResumeOverTheOnlyConnection(t *testing.T) {
	overHTTP(t, func(t *testing.T, start func(http.Handler) string) {
		content := payload(seeded(8), 64<<10)
		base := newTransport(t)
		base.MaxConnsPerHost = 1
		for _, how := range cuttings {
			f := &file{content: content, etag: `"v1"`, cuts: []cut{{20000, how}, {20000, how}}}
			_, got, err := download(t, resuming(t, base, 2), start(f))
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: %d bytes, %v; want all", how, len(got), err)
			}
		}
	})
}

func TestResumeUnderRace(t *testing.T) {
	overHTTP(t, func(t *testing.T, start func(http.Handler) string) {
		content := payload(seeded(9), 128<<10)
		url := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			at := 1 + rand.IntN(len(content))
			(&file{content: content, etag: `"v1"`, cuts: []cut{{at, aborts}}[:min(1, at%3)]}).ServeHTTP(w, r)
		}))
		rt := resuming(t, newTransport(t), 50)
		var downloads sync.WaitGroup
		for i := range 16 {
			downloads.Go(func() {
				for j := range 4 {
					resp, err := rt.RoundTrip(newRequest(t, "GET", url, ""))
					if err != nil {
						t.Error(err)
						return
					}
					closer := make(chan struct{})
					if (i+j)%4 == 0 { // closed in the middle, from elsewhere
						go func() {
							defer close(closer)
							resp.Body.Close()
						}()
					} else {
						close(closer)
					}
					got, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					<-closer
					if !bytes.HasPrefix(content, got) || err == nil && len(got) != len(content) {
						t.Errorf("%d bytes, error %v, of %d", len(got), err, len(content))
					}
				}
			})
		}
		downloads.Wait()
	})
}

// What follows is about the answers that a server can give, without a network.

const whole = "0123456789abcdefghij"

var errBroken = errors.New("own error of the base")

// tagged is an answer of this version, with fields name, value, name, value...
func tagged(status int, fields ...string) transporttest.Response {
	r := transporttest.Answer(status, "").Header("ETag", `"v1"`)
	for i := 0; i < len(fields); i += 2 {
		if fields[i+1] == "" {
			r = r.Header(fields[i])
			continue
		}
		r = r.Header(fields[i], fields[i+1])
	}
	return r
}

// half is a 200 that breaks after 8 of 20 bytes.
func half(fields ...string) transporttest.Response {
	return tagged(200, fields...).Stream(transporttest.Chunk(whole[:8]), transporttest.Break(errBroken)).Length(20)
}

// rest is the 206 that follows it.
func rest(fields ...string) transporttest.Response {
	return tagged(206, append([]string{"Content-Range", "bytes 8-19/20"}, fields...)...).
		Stream(transporttest.Chunk(whole[8:])).Length(12)
}

// play reads what a chain around the script delivers, and checks that nothing was left open.
func play(t *testing.T, steps ...http.RoundTripper) (data string, requests int, err error) {
	t.Helper()
	script := transporttest.Play(steps...)
	_, got, err := download(t, resuming(t, script, 3), "https://api.example/file")
	if fault := script.Check(); fault != nil {
		t.Error(fault)
	}
	return string(got), script.Count(), err
}

func TestResumeTakes(t *testing.T) {
	const modified, date = "Mon, 02 Jan 2006 15:04:05 GMT", "Mon, 02 Jan 2006 15:05:05 GMT"
	dated := []string{"ETag", "", "Last-Modified", modified, "Date", date}
	for name, steps := range map[string][]http.RoundTripper{
		"the rest":                         {half(), rest()},
		"the rest without its length":      {half(), rest().Length(-1)},
		"the unit in capitals":             {half(), rest("Content-Range", "Bytes 8-19/20")},
		"an answer of unknown length":      {half().Length(-1), rest()},
		"a tag without a text":             {half("ETag", `""`), rest("ETag", `""`)},
		"another modification, same tag":   {half("Last-Modified", modified), rest("Last-Modified", date)},
		"a modification long ago":          {half(dated...), rest(dated...)},
		"the same encoding":                {half("Content-Encoding", "br"), rest("Content-Encoding", "br")},
		"ranges accepted":                  {half("Accept-Ranges", "bytes"), rest()},
		"an end together with data":        {half(), rest().Stream(transporttest.Final(whole[8:])).Length(12)},
		"an end before its time":           {tagged(200).Stream(transporttest.Final(whole[:8])).Length(20), rest()},
		"an answer that breaks at 0":       {tagged(200).Stream(transporttest.Break(errBroken)).Length(20), tagged(206, "Content-Range", "bytes 0-19/20").Stream(transporttest.Chunk(whole)).Length(20)},
		"an answer that breaks at the end": {tagged(200).Stream(transporttest.Chunk(whole[:19]), transporttest.Break(errBroken)).Length(20), tagged(206, "Content-Range", "bytes 19-19/20").Stream(transporttest.Chunk("j")).Length(1)},
		"a rest that breaks as well": {
			half().Length(-1),
			rest().Stream(transporttest.Chunk(whole[8:10]), transporttest.Break(transporttest.ErrReset)).Length(12),
			tagged(206, "Content-Range", "bytes 10-19/20").Stream(transporttest.Break(io.ErrUnexpectedEOF)).Length(10),
			tagged(206, "Content-Range", "bytes 10-19/20").Stream(transporttest.Chunk(whole[10:])).Length(10),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, requests, err := play(t, steps...)
			if got != whole || err != nil || requests != len(steps) {
				t.Errorf("%q, %v after %d requests; want the whole after %d", got, err, requests, len(steps))
			}
		})
	}
}

func TestResumeRefuses(t *testing.T) {
	ranges := func(r string) http.RoundTripper { return rest("Content-Range", r) }
	for name, second := range map[string]http.RoundTripper{
		"all of it again":                  tagged(200).Stream(transporttest.Chunk(whole)).Length(20),
		"a 200 with the range":             tagged(200, "Content-Range", "bytes 8-19/20").Stream(transporttest.Chunk(whole[8:])).Length(12),
		"all of it in another version":     tagged(200, "ETag", `"v2"`).Stream(transporttest.Chunk(whole)).Length(20),
		"an endless answer":                tagged(200).Stream(transporttest.Endless("x")),
		"an answer that stalls":            tagged(200).Stream(transporttest.Stall()),
		"no content":                       tagged(204),
		"a redirect":                       tagged(302, "Location", "/elsewhere"),
		"range not satisfiable":            tagged(416, "Content-Range", "bytes */20"),
		"precondition failed":              tagged(412),
		"not found":                        transporttest.Answer(404, "gone"),
		"an error of the connection":       transporttest.Fail(errors.New("unreachable")),
		"another version":                  rest("ETag", `"v2"`),
		"the tag made weak":                rest("ETag", `W/"v1"`),
		"no tag":                           rest("ETag", ""),
		"two tags":                         rest().Header("ETag", `"v1"`, `"v1"`),
		"no range":                         ranges(""),
		"two ranges":                       rest().Header("Content-Range", "bytes 8-19/20", "bytes 8-19/20"),
		"a range that begins earlier":      ranges("bytes 7-19/20"),
		"a range that begins later":        ranges("bytes 9-19/20"),
		"a range that ends earlier":        ranges("bytes 8-18/20"),
		"a range that ends later":          ranges("bytes 8-20/20"),
		"a longer whole":                   ranges("bytes 8-20/21"),
		"a shorter whole":                  ranges("bytes 8-18/19"),
		"an unknown whole":                 ranges("bytes 8-19/*"),
		"another unit":                     ranges("lines 8-19/20"),
		"a range with signs":               ranges("bytes +8-+19/+20"),
		"a range with leading zeros":       ranges("bytes 08-19/20"),
		"a negative whole":                 ranges("bytes 8--2/-1"),
		"a range out of all bounds":        ranges("bytes 8-99999999999999999999/99999999999999999999"),
		"no numbers":                       ranges("bytes"),
		"several parts":                    rest("Content-Type", "multipart/byteranges; boundary=x"),
		"several parts, in capitals":       rest("Content-Type", "Multipart/ByteRanges;boundary=x", "Content-Range", ""),
		"another length than its range":    rest().Length(11),
		"another encoding":                 rest("Content-Encoding", "gzip"),
		"decompressed by what is inside":   transporttest.Func(func(r *http.Request) (*http.Response, error) { return uncompressed(rest().HTTP(r)), nil }),
		"no body":                          transporttest.Func(func(r *http.Request) (*http.Response, error) { return bodyless(rest().HTTP(r)), nil }),
		"neither an answer nor an error":   transporttest.Func(func(*http.Request) (*http.Response, error) { return nil, nil }),
		"an answer together with an error": transporttest.Func(func(r *http.Request) (*http.Response, error) { return rest().HTTP(r), errors.New("both") }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := transporttest.Play(half(), second)
				rt := transport.Chain(script, transport.Resume(3))
				resp, got, err := download(t, rt, "https://api.example/file")
				if string(got) != whole[:8] || err != errBroken || script.Count() != 2 {
					t.Errorf("%q, %v after %d requests; want half, the very error and 2", got, err, script.Count())
				}
				if n, err := resp.Body.Read(make([]byte, 9)); n != 0 || err != errBroken {
					t.Errorf("then %d bytes, %v; want the same error", n, err)
				}
				synctest.Wait() // for the end of what was discarded
				if err := script.Check(); err != nil {
					t.Error(err)
				}
				if resp.StatusCode != 200 || resp.ContentLength != 20 || classify.Of(resp, nil).Kind.Failure() {
					t.Errorf("the caller's answer became %d %d %v", resp.StatusCode, resp.ContentLength, classify.Of(resp, nil))
				}
			})
		})
	}
}

func uncompressed(resp *http.Response) *http.Response {
	resp.Uncompressed = true
	return resp
}

func bodyless(resp *http.Response) *http.Response {
	resp.Body = nil
	return resp
}

func TestResumeRefusesAnEncodingLeftOut(t *testing.T) {
	got, _, err := play(t, half("Content-Encoding", "gzip"), rest())
	if got != whole[:8] || err != errBroken {
		t.Errorf("%q, %v; want half and the very error", got, err)
	}
}

func TestResumeRefusesATagThatWasNotThere(t *testing.T) {
	dated := []string{"ETag", "", "Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT", "Date", "Tue, 03 Jan 2006 15:04:05 GMT"}
	got, requests, err := play(t, half(dated...), rest(append(dated, "ETag", `"v1"`)...))
	if got != whole[:8] || err != errBroken || requests != 2 {
		t.Errorf("%q, %v after %d requests; want half and the very error after 2", got, err, requests)
	}
}

// Otherwise a body of unknown length would pass for complete.
func TestResumeRefusesARangeOfNothing(t *testing.T) {
	for _, r := range []string{"bytes 8-7/8", "bytes 8-6/7", "bytes 8--1/0"} {
		got, requests, err := play(t, half().Length(-1), tagged(206, "Content-Range", r).Stream(transporttest.Final("")))
		if got != whole[:8] || err != errBroken || requests != 2 {
			t.Errorf("%s: %q, %v after %d requests; want half and the very error after 2", r, got, err, requests)
		}
	}
}

func TestResumeRefusesARestThatIsNotItsRange(t *testing.T) {
	for name, tc := range map[string]struct {
		second http.RoundTripper
		want   string
		err    error
	}{
		"shorter":                {rest().Stream(transporttest.Chunk(whole[8:15])), whole[:15], errBroken},
		"empty":                  {rest().Stream(transporttest.Final("")), whole[:8], errBroken},
		"longer":                 {rest().Stream(transporttest.Chunk(whole[8:] + "k")), whole, errBroken},
		"longer, piece by piece": {rest().Stream(transporttest.Chunk(whole[8:]), transporttest.Chunk("k")), whole, errBroken},
		"endless":                {rest().Stream(transporttest.Endless("z")), whole[:8] + strings.Repeat("z", 12), errBroken},
		"broken after its end":   {rest().Stream(transporttest.Chunk(whole[8:]), transporttest.Break(io.ErrNoProgress)), whole, io.ErrNoProgress},
	} {
		t.Run(name, func(t *testing.T) {
			got, requests, err := play(t, half(), tc.second)
			if got != tc.want || err != tc.err || requests != 2 {
				t.Errorf("%q, %v after %d requests; want %q, %v after 2", got, err, requests, tc.want, tc.err)
			}
		})
	}
}

func TestResumeStaysWithTheLengthItLearned(t *testing.T) {
	got, requests, err := play(t,
		half().Length(-1),
		rest().Stream(transporttest.Chunk(whole[8:10]), transporttest.Break(io.ErrUnexpectedEOF)).Length(12),
		tagged(206, "Content-Range", "bytes 10-20/21").Stream(transporttest.Chunk(whole[10:]+"k")).Length(11),
	)
	if got != whole[:10] || err != io.ErrUnexpectedEOF || requests != 3 {
		t.Errorf("%q, %v after %d requests; want 10 bytes and the second error", got, err, requests)
	}
}

func TestResumeDoesNotAsk(t *testing.T) {
	cause := errors.New("cause")
	now := time.Now().UTC()
	dated := func(before time.Duration) []string {
		return []string{"ETag", "", "Last-Modified", now.Add(-before).Format(http.TimeFormat), "Date", now.Format(http.TimeFormat)}
	}
	limited := transporttest.Func(func(r *http.Request) (*http.Response, error) {
		resp := tagged(200).Stream(transporttest.Chunk(whole)).Length(20).HTTP(r)
		resp.Body = http.MaxBytesReader(nil, resp.Body, 8)
		return resp, nil
	})
	for name, tc := range map[string]struct {
		first http.RoundTripper
		err   error // nil: errBroken
	}{
		"a weak tag":                    {half("ETag", `W/"v1"`), nil},
		"a tag that is none":            {half("ETag", `v1`), nil},
		"a tag with a quote in it":      {half("ETag", `"v"1"`), nil},
		"a tag with a blank in it":      {half("ETag", `"v 1"`), nil},
		"half a tag":                    {half("ETag", `"`), nil},
		"two tags":                      {half().Header("ETag", `"v1"`, `"v2"`), nil},
		"no validator":                  {half("ETag", ""), nil},
		"a weak tag and a good date":    {half(append(dated(time.Hour), "ETag", `W/"v1"`)...), nil},
		"modified just now":             {half(dated(0)...), nil},
		"modified 59 seconds before":    {half(dated(59 * time.Second)...), nil},
		"modified in the future":        {half(dated(-time.Hour)...), nil},
		"modified, without a Date":      {half(append(dated(time.Hour), "Date", "")...), nil},
		"modified, nobody knows when":   {half("ETag", "", "Last-Modified", "yesterday", "Date", now.Format(http.TimeFormat)), nil},
		"two modifications":             {half(dated(time.Hour)...).Header("Last-Modified", "a", "b"), nil},
		"a date and an unknown length":  {half(dated(time.Hour)...).Length(-1), nil},
		"no ranges accepted":            {half("Accept-Ranges", "none"), nil},
		"broken after the last byte":    {tagged(200).Stream(transporttest.Chunk(whole), transporttest.Break(cause)).Length(20), cause},
		"broken after more than length": {tagged(200).Stream(transporttest.Chunk(whole), transporttest.Break(cause)).Length(5), cause},
		"cut off by a limit inside":     {limited, &http.MaxBytesError{Limit: 8}},
	} {
		t.Run(name, func(t *testing.T) {
			got, requests, err := play(t, tc.first)
			if tc.err == nil {
				tc.err = errBroken
			}
			var cutOff *http.MaxBytesError
			if err != tc.err && !(errors.As(err, &cutOff) && errors.As(tc.err, &cutOff)) || requests != 1 || !strings.HasPrefix(whole, got) || len(got) < 8 {
				t.Errorf("%q, %v after %d requests; want %v after one", got, err, requests, tc.err)
			}
		})
	}
}

// writable is a body as that of a 101.
type writable struct{ io.ReadWriteCloser }

func TestResumeLeavesBodiesUntouched(t *testing.T) {
	body := func() io.ReadCloser { return transporttest.NewBody(transporttest.Chunk(whole)) }
	with := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = []string{value} }
	}
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	type answered = func(*http.Response)
	for name, tc := range map[string]struct {
		request func(*http.Request)
		answer  answered
		limit   int
	}{
		"limit 0":                {nil, nil, 0},
		"a negative limit":       {nil, nil, -1},
		"HEAD":                   {func(r *http.Request) { r.Method = "HEAD" }, nil, 3},
		"POST":                   {func(r *http.Request) { r.Method = "POST" }, nil, 3},
		"get in small letters":   {func(r *http.Request) { r.Method = "get" }, nil, 3},
		"a GET with a body":      {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("q")) }, nil, 3},
		"Range":                  {with("Range", "bytes=0-"), nil, 3},
		"range in small letters": {with("range", "bytes=0-"), nil, 3},
		"If-Range":               {with("If-Range", `"v1"`), nil, 3},
		"If-Match":               {with("If-Match", `"v1"`), nil, 3},
		"If-None-Match":          {with("If-None-Match", `"v1"`), nil, 3},
		"If-Modified-Since":      {with("If-Modified-Since", "x"), nil, 3},
		"If-Unmodified-Since":    {with("If-Unmodified-Since", "x"), nil, 3},
		"a 203":                  {nil, func(r *http.Response) { r.StatusCode = 203 }, 3},
		"a 206":                  {nil, func(r *http.Response) { r.StatusCode = 206 }, 3},
		"a 404":                  {nil, func(r *http.Response) { r.StatusCode = 404 }, 3},
		"a 101":                  {nil, func(r *http.Response) { r.StatusCode, r.Body = 101, writable{here} }, 3},
		"a writable 200":         {nil, func(r *http.Response) { r.Body = writable{here} }, 3},
		"no body":                {nil, func(r *http.Response) { r.Body = nil }, 3},
		"http.NoBody":            {nil, func(r *http.Response) { r.Body = http.NoBody }, 3},
		"length 0":               {nil, func(r *http.Response) { r.ContentLength = 0 }, 3},
		"decompressed":           {nil, func(r *http.Response) { r.Uncompressed, r.ContentLength = true, -1 }, 3},
		"a weak tag":             {nil, func(r *http.Response) { r.Header.Set("ETag", `W/"v1"`) }, 3},
		"no header map":          {nil, func(r *http.Response) { r.Header = nil }, 3},
		"Accept-Ranges: none":    {nil, func(r *http.Response) { r.Header.Set("Accept-Ranges", " None") }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			var given *http.Response
			var inside io.ReadCloser
			base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
				given = &http.Response{StatusCode: 200, Header: http.Header{"Etag": {`"v1"`}}, ContentLength: 20, Body: body(), Request: r}
				if tc.answer != nil {
					tc.answer(given)
				}
				inside = given.Body
				return given, nil
			})
			req := newRequest(t, "GET", "https://api.example/file", "")
			if tc.request != nil {
				tc.request(req)
			}
			resp, err := transport.Chain(base, transport.Resume(tc.limit)).RoundTrip(req)
			if err != nil || resp != given || resp.Body != inside {
				t.Errorf("%v, %v; want the very answer with its very body", resp, err)
			}
		})
	}
}

func TestResumeLeavesTheRequestAndItsAnswerAsTheyAre(t *testing.T) {
	script := transporttest.Play(half("X-Answer", "1"), rest("X-Answer", "2", "Set-Cookie", "a=b"))
	req := newRequest(t, "GET", "https://user:pw@api.example/a%2Fb?q=1", "")
	req.Header = http.Header{"X-a": {"1"}, "Authorization": {"secret"}, "Accept-Encoding": {"gzip"}}
	req.Host = "other.example"
	before, header := *req, req.Header.Clone()
	type key struct{}
	req = req.WithContext(context.WithValue(t.Context(), key{}, "value"))
	resp, err := resuming(t, script, 3).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	answer, answered := *resp, resp.Header.Clone()
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if !reflect.DeepEqual(req.Header, header) || req.Host != before.Host || req.URL != before.URL || req.Method != before.Method {
		t.Errorf("the request became %v %v", req, req.Header)
	}
	if !reflect.DeepEqual(resp.Header, answered) || resp.ContentLength != 20 || resp.Status != answer.Status || resp.Request != answer.Request {
		t.Errorf("the answer became %v", resp)
	}
	second := script.Attempts()[1]
	header["Range"], header["If-Range"] = []string{"bytes=8-"}, []string{`"v1"`}
	if !reflect.DeepEqual(second.Header, header) {
		t.Errorf("asked with %v, want %v", second.Header, header)
	}
	if second.Method != "GET" || !reflect.DeepEqual(second.URL, req.URL) || second.Request.Host != "other.example" || second.Request.Context().Value(key{}) != "value" {
		t.Errorf("asked for %v %v, host %s", second.Method, second.URL, second.Request.Host)
	}
}

func TestResumeReadsOnlyWhenTheCallerDoes(t *testing.T) {
	script := transporttest.Play(half(), rest())
	resp, err := resuming(t, script, 3).RoundTrip(newRequest(t, "GET", "https://api.example/file", ""))
	if err != nil {
		t.Fatal(err)
	}
	if reads := script.Attempts()[0].Answer.Reads(); reads != 0 {
		t.Errorf("%d reads before the caller's first", reads)
	}
	buf := make([]byte, 8)
	if _, err := io.ReadFull(resp.Body, buf); err != nil || script.Count() != 1 {
		t.Errorf("%v after %d requests; want what has arrived and one request", err, script.Count())
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	if n, err := resp.Body.Read(buf); n != 0 || err == nil || err == io.EOF {
		t.Errorf("read %d, %v after Close; want an error", n, err)
	}
	if script.Count() != 1 || script.Attempts()[0].Answer.Closes() != 1 {
		t.Errorf("%d requests, closed %d times", script.Count(), script.Attempts()[0].Answer.Closes())
	}
}

// together returns its data and its error from the same Read.
type together struct {
	data string
	err  error
}

func (b *together) Read(p []byte) (int, error) { return copy(p, b.data), b.err }
func (b *together) Close() error               { return nil }

func TestResumeKeepsTheBytesBesideAnError(t *testing.T) {
	base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Range") != "" {
			return rest().HTTP(r), nil
		}
		resp := half().HTTP(r)
		resp.Body = &together{whole[:8], errBroken}
		return resp, nil
	})
	_, got, err := download(t, transport.Chain(base, transport.Resume(1)), "https://api.example/file")
	if string(got) != whole || err != nil {
		t.Errorf("%q, %v; want the whole", got, err)
	}
}

func TestResumeIsACallOfItsOwn(t *testing.T) {
	for name, tc := range map[string]struct {
		steps []http.RoundTripper
		took  time.Duration
		want  string
	}{
		"retried by the policy": {
			[]http.RoundTripper{half(), answer(503, "", "Retry-After", "2"), transporttest.Fail(transporttest.ErrRefused), rest()},
			2 * time.Second, whole,
		},
		"not asked again when the retries are used up": {
			[]http.RoundTripper{half(), transporttest.Times(2, transporttest.Fail(transporttest.ErrReset))}, ms(200), whole[:8],
		},
		"kept away by a breaker": {
			[]http.RoundTripper{half(), answer(429, "rate_limit_exceeded", "Retry-After", "3600")}, 0, whole[:8],
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := transporttest.Play(tc.steps...)
				var calls, failures int
				rt := newChain(t, script, transport.Config{
					Policy:  steady(),
					PerCall: []transport.Middleware{transport.Resume(5)},
					Hooks: transport.Hooks{Call: func(_ context.Context, i transport.CallInfo) {
						if calls++; i.Reason != policy.Succeeded {
							failures++
						}
					}},
				})
				start := time.Now()
				resp, got, err := download(t, rt, "https://backend.example/file")
				if took := time.Since(start); took != tc.took {
					t.Errorf("took %v, want %v", took, tc.took)
				}
				complete := tc.want == whole
				if string(got) != tc.want || (err == nil) != complete || !complete && err != errBroken {
					t.Errorf("%q, %v; want %q", got, err, tc.want)
				}
				if calls != 2 || (failures == 0) != complete {
					t.Errorf("%d calls, %d failed; want 2, and a failure: %t", calls, failures, !complete)
				}
				if classify.Of(resp, nil).Kind != classify.Unclassified {
					t.Errorf("the caller's answer carries %v", classify.Of(resp, nil))
				}
				if err := script.Check(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// started begins to read a body until it ends, and returns how it ended.
func started(body io.Reader) <-chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, body)
		ended <- err
	}()
	return ended
}

func TestResumeEndsAtOnce(t *testing.T) {
	stalled := rest().Stream(transporttest.Chunk(whole[8:12]), transporttest.Stall()).Length(12)
	for name, tc := range map[string]struct {
		second http.RoundTripper
		close  bool // or else the caller's context is cancelled
		very   bool // the error is that of the first part
	}{
		"closed while the rest is asked for":         {transporttest.Hang(), true, true},
		"closed while the rest waits to be retried":  {answer(503, "", "Retry-After", "5"), true, true},
		"closed while the rest stalls":               {stalled, true, false},
		"cancelled while the rest is asked for":      {transporttest.Hang(), false, true},
		"cancelled while the rest waits for a retry": {answer(503, "", "Retry-After", "5"), false, true},
		"cancelled while the rest stalls":            {stalled, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := transporttest.Play(half(), tc.second)
				rt := newChain(t, script, transport.Config{Policy: steady(), PerCall: []transport.Middleware{transport.Resume(3)}})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				resp, err := rt.RoundTrip(newRequest(t, "GET", "https://api.example/file", "").WithContext(ctx))
				if err != nil {
					t.Fatal(err)
				}
				ended := started(resp.Body)
				time.Sleep(time.Second)
				begin := time.Now()
				if !tc.close {
					cancel()
				} else if err := resp.Body.Close(); err != nil {
					t.Error(err)
				}
				err = <-ended
				if err == nil || tc.very && err != errBroken {
					t.Errorf("%v; want an error, the first part's own: %t", err, tc.very)
				}
				if !tc.close && !tc.very && !errors.Is(err, context.Canceled) {
					t.Errorf("%v; want context.Canceled", err)
				}
				if took := time.Since(begin); took != 0 {
					t.Errorf("took %v, want no time", took)
				}
				for range 2 {
					if err := resp.Body.Close(); err != nil {
						t.Errorf("closing again: %v", err)
					}
				}
				if err := script.Check(); err != nil || script.Count() != 2 {
					t.Errorf("%v, %d requests; want 2", err, script.Count())
				}
				asked := script.Attempts()
				if asked[1].Request.Context().Err() == nil {
					t.Error("the context of the request for the rest is alive")
				}
				for i, a := range asked {
					if a.Answer != nil && a.Status != 503 && a.Answer.Closes() != 1 {
						t.Errorf("body %d was closed %d times, want once", i+1, a.Answer.Closes())
					}
				}
			})
		})
	}
}

func TestResumeLetsCloseReturnAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := make(chan struct{})
		script := transporttest.Play(half(), transporttest.Func(func(r *http.Request) (*http.Response, error) {
			<-deaf // not even to the end of its context
			return rest().HTTP(r), nil
		}))
		resp, err := transport.Chain(script, transport.Resume(3)).RoundTrip(newRequest(t, "GET", "https://api.example/file", ""))
		if err != nil {
			t.Fatal(err)
		}
		ended := started(resp.Body)
		synctest.Wait()
		resp.Body.Close()
		close(deaf)
		if err := <-ended; err != errBroken {
			t.Errorf("%v; want the first part's error", err)
		}
		if err := script.Check(); err != nil {
			t.Error(err)
		}
	})
}

func TestResumeKeepsAndReleasesContexts(t *testing.T) {
	for name, finish := range map[string]func(t *testing.T, body io.ReadCloser){
		"by the end": func(t *testing.T, body io.ReadCloser) {
			if got, err := io.ReadAll(body); string(got) != whole[11:] || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		},
		"by Close": func(_ *testing.T, body io.ReadCloser) { body.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := transporttest.Play(half(),
					rest().Stream(transporttest.Chunk(whole[8:10]), transporttest.Break(errBroken)).Length(12),
					tagged(206, "Content-Range", "bytes 10-19/20").Stream(transporttest.Chunk(whole[10:])).Length(10))
				resp, err := resuming(t, script, 3).RoundTrip(newRequest(t, "GET", "https://api.example/file", ""))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if _, err := io.ReadFull(resp.Body, make([]byte, 11)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				asked := script.Attempts()
				if asked[1].Request.Context().Err() == nil || asked[2].Request.Context().Err() != nil {
					t.Errorf("contexts %v, %v; want that of the broken part ended, and that of the last alive",
						asked[1].Request.Context().Err(), asked[2].Request.Context().Err())
				}
				finish(t, resp.Body)
				if asked[2].Request.Context().Err() == nil {
					t.Error("the context of the last part is alive")
				}
				if name == "by the end" {
					if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
						t.Errorf("read %d, %v after the end, want io.EOF again", n, err)
					}
				}
			})
		})
	}
}

func TestResumeAfterTheCallersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := transporttest.Play(tagged(200).Stream(transporttest.Chunk(whole[:8]), transporttest.Stall()).Length(20))
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errBroken)
		defer cancel()
		resp, err := resuming(t, script, 3).RoundTrip(newRequest(t, "GET", "https://api.example/file", "").WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadAll(resp.Body); err != errBroken || script.Count() != 1 {
			t.Errorf("%v after %d requests; want the cause of the caller's deadline after one", err, script.Count())
		}
	})
}

func TestResumeLetsPanicsThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := transporttest.Play(half(), transporttest.Panic("base"))
		resp, err := transport.Chain(script, transport.Resume(3)).RoundTrip(newRequest(t, "GET", "https://api.example/file", ""))
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if v := recover(); v != "base" {
					t.Errorf("recovered %v, want the base's panic", v)
				}
			}()
			_, _ = io.ReadAll(resp.Body)
		}()
		if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err != errBroken {
			t.Errorf("read %d, %v after the panic, want the first part's error", n, err)
		}
		if script.Attempts()[1].Request.Context().Err() == nil {
			t.Error("the context of the request that panicked is alive")
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if err := script.Check(); err != nil {
			t.Error(err)
		}
	})
}

func TestResumePassesOnWhatIsNoAnswer(t *testing.T) {
	for _, want := range []error{nil, errBroken} {
		rt := transport.Chain(roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, want }), transport.Resume(3))
		if resp, err := rt.RoundTrip(newRequest(t, "GET", "https://api.example", "")); resp != nil || err != want {
			t.Errorf("%v, %v; want nil, %v", resp, err, want)
		}
	}
	base := &idleCounter{RoundTripper: http.DefaultTransport}
	(&http.Client{Transport: transport.Chain(base, transport.Resume(3))}).CloseIdleConnections()
	if base.closed != 1 {
		t.Errorf("CloseIdleConnections reached the base %d times", base.closed)
	}
}

// The caller may change its request once the body is closed, also while a Read that Close interrupted is on its way out.
func TestResumeIsDoneWithTheRequestAtClose(t *testing.T) {
	for range 200 {
		base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Range") == "" {
				return half().HTTP(r), nil
			}
			_, _ = r.Header["X"], r.URL.String()
			return rest().HTTP(r), nil
		})
		req := newRequest(t, "GET", "https://api.example/file", "")
		resp, err := transport.Chain(base, transport.Resume(3)).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		ended := started(resp.Body)
		resp.Body.Close()
		req.Header.Set("X", "changed")
		*req.URL = url.URL{Scheme: "https", Host: "changed.example"}
		<-ended
	}
}

func FuzzResumeStaysWithinItsRange(f *testing.F) {
	f.Add(8, 20, "bytes 8-19/20", 12, whole[8:])
	f.Add(8, -1, "bytes 8-19/20", -1, whole[8:])
	f.Add(0, 1, "bytes 0-0/1", 1, "0")
	f.Add(8, 20, "bytes 8-19/20", -1, "more than there is")
	f.Fuzz(func(t *testing.T, at, length int, contentRange string, size int, data string) {
		if at < 0 || at > 1000 || length == 0 || strings.ContainsFunc(contentRange, func(r rune) bool { return r < ' ' }) {
			t.Skip("no answer that a server could give")
		}
		first := strings.Repeat("x", at)
		base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Range") == "" {
				return tagged(200).Stream(transporttest.Chunk(first), transporttest.Break(errBroken)).Length(int64(length)).HTTP(r), nil
			}
			resp := tagged(206).Stream(transporttest.Chunk(data)).Length(int64(size)).HTTP(r)
			resp.Header["Content-Range"] = []string{contentRange}
			return resp, nil
		})
		_, got, err := download(t, transport.Chain(base, transport.Resume(3)), "https://api.example/file")
		total := len(got)
		if err != nil {
			return
		}
		if string(got) != first+data || length > 0 && total != length || !strings.EqualFold(contentRange, fmt.Sprintf("bytes %d-%d/%d", at, total-1, total)) {
			t.Errorf("took %q of length %d for the %d bytes after %d of %d", contentRange, size, len(data), at, length)
		}
	})
}
