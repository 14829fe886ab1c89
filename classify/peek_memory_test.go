package classify

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"
)

// mark is a reader that the garbage collector can be asked about.
type mark struct{ io.Reader }

func (*mark) Close() error { return nil }

func TestAKeptVerdictKeepsNoBody(t *testing.T) {
	for name, length := range map[string]int64{"known length": 16, "unknown length": -1} {
		t.Run(name, func(t *testing.T) {
			body := &mark{strings.NewReader(`{"error":"nope"}`)}
			gone := weak.Make(body)
			resp := failing(body, length)
			kept := Response(resp, nil).Err(nil)
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Fatal(err)
			}
			for range 100 {
				if runtime.GC(); gone.Value() == nil {
					break
				}
				time.Sleep(time.Millisecond) // the goroutine that read ahead may not have ended
			}
			if gone.Value() != nil {
				t.Error("the body, and with it the connection, lives as long as the error")
			}
			runtime.KeepAlive(kept)
		})
	}
}

// What is in memory and partly read is looked at from there on, in place.
func TestABodyInMemoryIsLookedAtFromWhereItIs(t *testing.T) {
	const before, text = `{"code":"outside_business_hours"}`, `{"code":"grant_revoked"}`
	for name, reader := range map[string]func(text string) io.Reader{
		"a bytes.Reader": func(text string) io.Reader { return bytes.NewReader([]byte(text)) },
		"a strings.Reader": func(text string) io.Reader {
			return strings.NewReader(text)
		},
		"a bytes.Buffer":   func(text string) io.Reader { return bytes.NewBufferString(text) },
		"any other reader": func(text string) io.Reader { return &mark{strings.NewReader(text)} },
	} {
		for _, pad := range []int{0, 400, usual - len(text), usual, 2 * usual, MaxBody - len(text) - 1} {
			rest := text[:len(text)-1] + strings.Repeat(" ", pad) + "}"
			r := reader(before + rest)
			if _, err := io.ReadFull(r, []byte(before)); err != nil {
				t.Fatal(err)
			}
			resp := failing(io.NopCloser(r), -1)
			if v := Response(resp, new(Alter)); v.Code != "grant_revoked" {
				t.Errorf("%s, %d bytes: got %v %q, want the code of what is left", name, len(rest), v.Kind, v.Code)
			}
			if got, err := io.ReadAll(resp.Body); string(got) != rest || err != nil {
				t.Errorf("%s: got %d bytes and %v, want the %d that were left", name, len(got), err, len(rest))
			}
		}
	}
}

func TestAVerdictOutlivesTheBufferItWasReadFrom(t *testing.T) {
	buf := bytes.NewBufferString("<html>no</html>")
	err := Response(failing(io.NopCloser(buf), -1), nil).Err(nil)
	buf.Reset()
	buf.WriteString("something of another exchange")
	if got := err.(*ProviderAPIError).ResponseBody; string(got) != "<html>no</html>" {
		t.Errorf("got %q", got)
	}
}

// A text is kept as far as it was looked at, and that far whether it is in memory or arrives at once.
func TestMuchOfATextIsKept(t *testing.T) {
	text := strings.Repeat("<p>no</p>", 1000)
	for name, body := range map[string]io.ReadCloser{
		"in memory":       io.NopCloser(strings.NewReader(text)),
		"in a buffer":     io.NopCloser(bytes.NewBufferString(text)),
		"over connection": &mark{strings.NewReader(text)},
	} {
		err := Response(failing(body, -1), nil).Err(nil)
		if got := err.(*ProviderAPIError).ResponseBody; string(got) != text[:usual] {
			t.Errorf("%s: got %d bytes of the answer, want %d", name, len(got), usual)
		}
	}
}

func TestCompressedJSONInMemoryIsLookedAtInFull(t *testing.T) {
	filler, r := make([]byte, 3*usual), rand.New(rand.NewPCG(1, 2))
	for i := range filler {
		filler[i] = byte('a' + r.IntN(26))
	}
	packed := gzipBytes([]byte(`{"filler":"` + string(filler) + `","code":"grant_revoked"}`))
	if len(packed) < usual+100 {
		t.Fatalf("%d bytes are seen at the first look", len(packed))
	}
	for name, body := range map[string]io.ReadCloser{
		"bytes.Reader": io.NopCloser(bytes.NewReader(packed)),
		"bytes.Buffer": io.NopCloser(bytes.NewBuffer(bytes.Clone(packed))),
	} {
		resp := failing(body, int64(len(packed)))
		resp.Header = http.Header{"Content-Encoding": {"gzip"}}
		if v := Response(resp, new(Alter)); v.Code != "grant_revoked" {
			t.Errorf("%s of %d bytes: got %v %q, want the code at its end", name, len(packed), v.Kind, v.Code)
		}
	}
}
