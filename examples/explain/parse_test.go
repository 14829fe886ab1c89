package main

import (
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func TestStatusLine(t *testing.T) {
	for _, c := range []struct {
		line   string
		proto  string
		status int
	}{
		{"HTTP/1.1 429 Too Many Requests\r\n", "HTTP/1.1", 429},
		{"HTTP/2 429", "HTTP/2", 429},
		{"HTTP/2 429 \r\n", "HTTP/2", 429},
		{"HTTP/3 200\n", "HTTP/3", 200},
		{"HTTP/2.0 200 OK", "HTTP/2.0", 200},
		{"HTTP/1.1  204", "HTTP/1.1", 204},
		{"HTTP/1.1 42", "", 0},
		{"HTTP/1.1 4290", "", 0},
		{"HTTP/1.1 099", "", 0},
		{"HTTP/1.1\t200", "", 0},
		{"HTTP/1. 200", "", 0},
		{"HTTP/ 200", "", 0},
		{"HTTP/1.1429", "", 0},
		{"HTTPS/1.1 200", "", 0},
		{"HTTP/1.1 +20", "", 0},
		{"HTTP/1.1", "", 0},
		{"", "", 0},
	} {
		proto, status, ok := statusLine([]byte(c.line))
		if proto != c.proto || status != c.status || ok != (c.status != 0) {
			t.Errorf("statusLine(%q) = %q, %d, %v; want %q, %d", c.line, proto, status, ok, c.proto, c.status)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text string
		status     int
		before     []int
		body       string
		notes      string
	}{
		{"a body that talks about HTTP is one answer", "HTTP/1.1 500 X\n\nHTTP/1.1 is old\nHTTP/1.1 200 OK: so it said", 500, nil, "HTTP/1.1 is old\nHTTP/1.1 200 OK: so it said", ""},
		{"a length tells the body from the next answer", "HTTP/1.1 500 X\nContent-Length: 5\n\nhelloHTTP/1.1 200 OK\n\n", 200, []int{500}, "", ""},
		{"the line end of a JSON body may be missing", "HTTP/2 500\n\n{\"a\":1}HTTP/2 502\nx: y\n\n", 502, []int{500}, "", ""},
		{"HEAD and a redirect", "HTTP/1.1 301 X\nContent-Length: 100\n\nHTTP/1.1 404 X\nContent-Length: 7\n\n", 404, []int{301}, "", "There is no body, though Content-Length says 7: an answer to HEAD (curl -I), or cut."},
		{"a cut body", "HTTP/1.1 500 X\nContent-Length: 9\n\n{}", 500, nil, "{}", "The body is cut: 2 bytes, and Content-Length says 9."},
		{"line ends that lost their CR are no cut", "HTTP/1.1 500 X\nContent-Length: 9\n\n{\n\"a\"\n}", 500, nil, "{\n\"a\"\n}", ""},
		{"a line end of the terminal is no surplus", "HTTP/1.1 500 X\nContent-Length: 2\n\n{}\n", 500, nil, "{}\n", ""},
		{"a body beyond its length", "HTTP/1.1 500 X\nContent-Length: 2\n\n{}and more", 500, nil, "{}and more", "The body is longer than it says: 10 bytes, and Content-Length says 2."},
		{"a length that is none", "HTTP/1.1 500 X\nContent-Length: -5\n\n{}", 500, nil, "{}", ""},
		{"chunks that are missing", "HTTP/1.1 500 X\nTransfer-Encoding: chunked\n\n2\r\n{\"\r\n9\r\na\":", 500, nil, "{\"a\":", ""},
		{"a first chunk that is cut", "HTTP/1.1 500 X\nTransfer-Encoding: chunked\n\n99\r\n{\"a\":", 500, nil, "{\"a\":", ""},
		{"a text that begins like a chunk", "HTTP/1.1 500 X\nTransfer-Encoding: chunked\n\nbad\nluck", 500, nil, "bad\nluck", ""},
		{"a folded field", "HTTP/1.1 500 X\nX-A: b\n c\n d\n\n{}", 500, nil, "{}", ""},
		{"no header at all", "HTTP/1.1 500 X\n\n{}", 500, nil, "{}", ""},
		{"no end of line", "HTTP/1.1 500 X", 500, nil, "", ""},
		{"lines before it", "$ curl\n# remark\nHTTP/1.1 500 X\n\n", 500, nil, "", "Skipped 2 lines before the response."},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := parse([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if a.status != c.status || !reflect.DeepEqual(a.before, c.before) || string(a.body) != c.body {
				t.Errorf("got %d after %v with %q, want %d after %v with %q", a.status, a.before, a.body, c.status, c.before, c.body)
			}
			if got := strings.Join(a.notes, " "); got != c.notes {
				t.Errorf("noted %q, want %q", got, c.notes)
			}
		})
	}
}

func TestHeaderKeepsRepeatedAndFoldedFields(t *testing.T) {
	a, err := parse([]byte("HTTP/1.1 403 X\nwww-authenticate: Bearer a\nWWW-AUTHENTICATE: Basic\nx-long: one\n\ttwo\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"Www-Authenticate": {"Bearer a", "Basic"}, "X-Long": {"one two"}}
	if got := map[string][]string(a.header); !reflect.DeepEqual(got, want) {
		t.Errorf("header %q, want %q", got, want)
	}
}

// A field that went on for a whole megabyte once took a minute.
func TestFoldedFieldIsBounded(t *testing.T) {
	a, err := parse([]byte("HTTP/1.1 403 X\nx: y\n" + strings.Repeat(" z\n", maxInput/3)))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(a.header.Get("X")); n > maxField+2 {
		t.Errorf("field of %d bytes, want %d at most", n, maxField+2)
	}
}

func TestEveryReasonHasASentence(t *testing.T) {
	for reason := policy.Retrying; reason <= policy.Refused; reason++ {
		if why(retry{reason: reason, method: "GET"}, classify.Verdict{}, policy.Profile{}, false) == "" {
			t.Errorf("%v has no sentence", reason)
		}
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                                "0s",
		199999999 * time.Nanosecond:      "200ms",
		90 * time.Second:                 "1m30s",
		time.Minute:                      "1m",
		time.Hour:                        "1h",
		26*time.Hour + time.Second:       "26h0m1s",
		72 * time.Hour:                   "3 days",
		100 * 365 * 24 * time.Hour:       "100 years",
		365*24*time.Hour + time.Hour:     "1 year",
		10*time.Second + time.Nanosecond: "10s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %q, want %q", d, got, want)
		}
	}
}

// The parser takes whatever it is given: it neither panics nor makes more of it than there is, save by decompression,
// which has a bound of its own.
func FuzzParse(f *testing.F) {
	for _, c := range cases {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := parse(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has more than one line", err)
			}
			return
		}
		if a.status < 100 || a.status > 999 {
			t.Errorf("status %d", a.status)
		}
		if len(a.body) > max(maxInput, 2*len(text)) {
			t.Errorf("body of %d bytes from %d", len(a.body), len(text))
		}
		for _, q := range []question{{details: true}, {alterBackend: true, details: true}, {alter: []string{"a"}}} {
			e, err := explain(a, q)
			if err != nil {
				if a.asked == nil || a.asked.host == "" {
					continue // nobody knows who answered
				}
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := e.writeText(&b); err != nil {
				t.Error(err)
			}
			if i := bytes.IndexFunc(b.Bytes(), func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }); i >= 0 {
				t.Errorf("printed a control character: %q", b.Bytes()[i])
			}
			if err := e.writeJSON(io.Discard); err != nil {
				t.Error(err)
			}
		}
	})
}
