package classify

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func BenchmarkClassify(b *testing.B) {
	alter, err := ForAlter(backendHost)
	if err != nil {
		b.Fatal(err)
	}
	small := []byte(`{"error":"grant_revoked","message":"The grant was revoked.","details":{"grant_id":"9c2f"}}`)
	for _, c := range []struct {
		name string
		o    Outcome
	}{
		{"success", Outcome{Host: backendHost, Status: 200}},
		{"small JSON", Outcome{Host: backendHost, Status: 410, Body: small}},
		{"unknown code", Outcome{Host: backendHost, Status: 400, Body: []byte(`{"code":"brand_new"}`)}},
		{"no body", Outcome{Host: backendHost, Status: 503}},
		{"64 KiB", Outcome{Host: backendHost, Status: 409, Body: []byte(`{"message":"` + strings.Repeat("x", MaxBody-40) + `","code":"x"}`)}},
		{"provider", Outcome{Host: "p.example", Status: 404, Body: small}},
		{"network error", Outcome{Host: "p.example", Err: io.EOF}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				alter.Classify(c.o)
			}
		})
	}
}

func BenchmarkResponse(b *testing.B) {
	const text = `{"error":"grant_revoked","message":"The grant was revoked.","details":{"grant_id":"9c2f"}}`
	req := answer("GET", "https://"+backendHost+"/", 410, nil, "").Request
	for _, status := range []int{200, 410} {
		b.Run(http.StatusText(status), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				resp := &http.Response{StatusCode: status, ContentLength: int64(len(text)), Body: io.NopCloser(strings.NewReader(text)), Request: req}
				Response(resp, &Alter{})
				io.Copy(io.Discard, resp.Body)
			}
		})
	}
}
