package transporttest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestResponsesAreValues(t *testing.T) {
	plain := transporttest.Answer(200, "x")
	plain.Header("X-A", "1").Header("X-B", "1", "2").RetryAfter(time.Second).Stream()
	if h := plain.HTTP(nil).Header; len(h) != 2 || h.Get("Content-Type") != "text/plain; charset=utf-8" || h.Get("Content-Length") != "1" {
		t.Errorf("a method changed its receiver: %v", h)
	}
	changed := plain.Header("x-b", "1", "2").Header("Content-Type").HTTP(nil)
	if got := changed.Header["X-B"]; len(got) != 2 || changed.Header["Content-Type"] != nil {
		t.Errorf("got %v", changed.Header)
	}
	canned := transporttest.Canned("grant_revoked")
	canned.Detail("grant_id", "other")
	if got := read(t, canned.HTTP(nil)); got != `{"error":"grant_revoked","message":"The grant was revoked.","details":{"grant_id":"grant-1"}}` {
		t.Errorf("got %s", got)
	}
}

func TestZeroResponseIs200(t *testing.T) {
	var r transporttest.Response
	resp := r.HTTP(nil)
	if resp.StatusCode != 200 || resp.Body != http.NoBody || resp.ContentLength != 0 || resp.Header.Get("Content-Length") != "0" {
		t.Errorf("got %+v", resp)
	}
	if got := r.Header("A", "b").Status(); got != 200 {
		t.Errorf("got %d", got)
	}
}

func TestRetryAfterIsWholeSecondsRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		2 * time.Second:        {"2", ""},
		0:                      {"0", ""},
		300 * time.Millisecond: {"1", "300"},
		1001 * time.Microsecond: {
			"1", "2",
		},
	} {
		h := transporttest.Answer(429, "").RetryAfter(d).HTTP(nil).Header
		if got := [2]string{h.Get("Retry-After"), h.Get("Retry-After-Ms")}; got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

// A response reads the same whether a script plays it or a server sends it.
func TestResponsesAsStepAndAsHandler(t *testing.T) {
	cut := transporttest.Answer(400, "").Stream(transporttest.Chunk("seventeen bytes.."), transporttest.Break(io.ErrUnexpectedEOF))
	for name, c := range map[string]struct {
		method string
		r      transporttest.Response
		text   string
		length int64
		err    error
	}{
		"text":             {"GET", transporttest.Answer(200, "x"), "x", 1, nil},
		"empty":            {"GET", transporttest.Answer(500, ""), "", 0, nil},
		"HEAD":             {"HEAD", transporttest.Answer(200, "12345"), "", 5, nil},
		"204":              {"GET", transporttest.Answer(204, ""), "", 0, nil},
		"stream":           {"GET", transporttest.Answer(200, "").Stream(transporttest.Chunk("a"), transporttest.Chunk("b")), "ab", -1, nil},
		"announced stream": {"GET", transporttest.Answer(200, "").Stream(transporttest.Chunk("a")).Length(1), "a", 1, nil},
		"cut":              {"GET", cut.Length(1000), "seventeen bytes..", 1000, io.ErrUnexpectedEOF},
		"cut, chunked":     {"GET", cut, "seventeen bytes..", -1, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			server := transporttest.NewServer(c.r)
			defer server.Close()
			for side, rt := range map[string]http.RoundTripper{"step": transporttest.Play(c.r), "handler": server.Client().Transport} {
				req := request(t, c.method, server.URL, "")
				resp, err := rt.RoundTrip(req)
				if err != nil {
					t.Fatal(side, err)
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(text) != c.text || !errors.Is(err, c.err) || resp.ContentLength != c.length || resp.StatusCode != c.r.Status() {
					t.Errorf("%s: got %d, %q, %v, length %d", side, resp.StatusCode, text, err, resp.ContentLength)
				}
				if empty := c.text == ""; empty != (resp.Body == http.NoBody) {
					t.Errorf("%s: empty is %v, body is %T", side, empty, resp.Body)
				}
			}
		})
	}
}

func TestHandlersStopWhenNobodyReads(t *testing.T) {
	w := &brokenWriter{ResponseRecorder: httptest.NewRecorder()}
	transporttest.Answer(200, "").Stream(transporttest.Endless("x")).ServeHTTP(w, request(t, "GET", url, ""))
	if w.writes != 1 {
		t.Errorf("wrote %d times", w.writes)
	}
}

type brokenWriter struct {
	*httptest.ResponseRecorder
	writes int
}

func (w *brokenWriter) Write([]byte) (int, error) {
	w.writes++
	return 0, io.ErrClosedPipe
}
