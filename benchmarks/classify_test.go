package benchmarks

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/benchmarks/internal/stub"
	"github.com/steadytrip/steadytrip/classify"
)

const small = `{"error":"grant_revoked","message":"revoked","details":{"grant_id":"g1"}}`

// failing are the answers that are judged. All but one of them name the same code.
var failing = []struct {
	name   string
	answer stub.Answer
	code   string
}{
	{"small", failure(small, "application/json"), "grant_revoked"},
	{"64KiB", failure(strings.Replace(small, `"revoked"`, `"`+strings.Repeat("x", 64<<10-len(small))+`"`, 1), "application/json"), "grant_revoked"},
	{"deep", failure(strings.Replace(small, `"revoked"`, strings.Repeat("[", 1000)+strings.Repeat("]", 1000), 1), "application/json"), "grant_revoked"},
	{"gzip", failure(zipped(small), "application/json", "Content-Encoding", "gzip"), "grant_revoked"},
	{"HTML", failure("<html><head><title>403 Forbidden</title></head><body>"+strings.Repeat("<p>no</p>", 500)+"</body></html>", "text/html"), ""},
	{"none", failure("", "application/json"), ""},
}

func failure(body, contentType string, header ...string) stub.Answer {
	a := stub.Answer{Status: 403, Header: http.Header{"Content-Type": {contentType}}, Body: body}
	for i := 0; i < len(header); i += 2 {
		a.Header[header[i]] = []string{header[i+1]}
	}
	return a
}

func zipped(text string) string {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := io.WriteString(w, text); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return buf.String()
}

// judging is a worker that makes an answer, lets it be judged if there is a classifier, and reads its body.
func judging(base http.RoundTripper, c classify.Classifier, code string) stub.Worker {
	return func(ctx context.Context) func() error {
		req := stub.Get(ctx, stub.URL)
		return func() error {
			resp, err := base.RoundTrip(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if c != nil {
				if v := classify.Response(resp, c); v.Code != code {
					return fmt.Errorf("code %q, want %q", v.Code, code)
				}
			}
			_, err = io.Copy(io.Discard, resp.Body)
			return err
		}
	}
}

// BenchmarkDecode is what encoding/json takes for the code and the message of a small body.
func BenchmarkDecode(b *testing.B) {
	body := []byte(stub.Unavailable.Body)
	stub.Parallel(b, 1, func(context.Context) func() error {
		return func() error {
			var said struct{ Error, Message string }
			return json.Unmarshal(body, &said)
		}
	})
}

// BenchmarkClassify judges an answer, whose body is read then.
func BenchmarkClassify(b *testing.B) {
	alter, err := classify.ForAlter(stub.Host)
	if err != nil {
		b.Fatal(err)
	}
	for _, tc := range failing {
		for _, body := range stub.Bodies {
			base := &stub.Base{Body: body, Answers: []stub.Answer{tc.answer}}
			b.Run(fmt.Sprintf("answer=%s/body=%s", tc.name, body.Name), func(b *testing.B) {
				b.Run("chain=bare", func(b *testing.B) { stub.Run(b, judging(base, nil, "")) })
				b.Run("chain=classify", func(b *testing.B) { stub.Run(b, judging(base, alter, tc.code)) })
			})
		}
	}
}
