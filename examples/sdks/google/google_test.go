package google

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/storage/v1"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 1, rig.Limited: 1, rig.Refused: 1},
		Doubled: map[rig.Fault]int{rig.Unavailable: 2, rig.Limited: 3, rig.Refused: 7, rig.Open: 1},
	})
}

func service(t *testing.T, base http.RoundTripper, url string) *storage.Service {
	t.Helper()
	hc, err := transport.Wrap(&http.Client{Transport: base}, transport.Config{Policy: rig.Policy()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Client(t.Context(), hc, url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLimits has the ways in which Google says that a limit is reached.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		status     int
		attempts   int
	}{
		{"rate", `{"error":{"code":403,"errors":[{"domain":"usageLimits","reason":"rateLimitExceeded"}]}}`, 403, 2},
		{"rate of a user", `{"error":{"code":403,"errors":[{"domain":"usageLimits","reason":"userRateLimitExceeded"}]}}`, 403, 2},
		{"rate, as gRPC says it", `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED"}]}}`, 429, 2},
		{"day", `{"error":{"code":403,"errors":[{"domain":"usageLimits","reason":"dailyLimitExceeded"}]}}`, 403, 1},
		{"access", `{"error":{"code":403,"errors":[{"domain":"global","reason":"forbidden"}]}}`, 403, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := transporttest.NewServer(transporttest.Answer(200, `{"name":"object"}`))
			defer server.Close()
			server.AnswerNext(transporttest.Answer(c.status, c.body), 1)
			_, err := service(t, server.Client().Transport, server.URL).Objects.Get("bucket", "object").Context(t.Context()).Do()
			if got := server.Total(); got != c.attempts || (err == nil) != (c.attempts == 2) {
				t.Errorf("%d attempts, error %v, want %d", got, err, c.attempts)
			}
			var answer *googleapi.Error
			if err != nil && (!errors.As(err, &answer) || answer.Code != c.status || answer.Body != c.body) {
				t.Errorf("the error is %#v", err)
			}
		})
	}
}

// TestUpload shows who repeats an upload: it is a POST, which steadytrip repeats if the caller says that this is harmless,
// and if it can be read again.
func TestUpload(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("content "), 100<<10) // four chunks of 256 KiB, the smallest there is
	byDefault := func(ctx context.Context, s *storage.Service, media io.Reader, chunk googleapi.MediaOption) (*storage.Object, error) {
		return s.Objects.Insert("bucket", &storage.Object{Name: "object"}).Media(media, chunk).Context(ctx).Do()
	}
	ours := func(ctx context.Context, s *storage.Service, media io.Reader, chunk googleapi.MediaOption) (*storage.Object, error) {
		return Upload(ctx, s, "bucket", "object", media, chunk)
	}
	for _, c := range []struct {
		name     string
		upload   func(context.Context, *storage.Service, io.Reader, googleapi.MediaOption) (*storage.Object, error)
		chunk    int
		broken   int64 // request that is answered 503
		attempts int
		fails    bool
	}{
		{"in one piece, by default", byDefault, 16 << 20, 1, 1, true},
		{"in one piece", ours, 16 << 20, 1, 2, false},
		{"the beginning, by default", byDefault, 256 << 10, 1, 1, true},
		{"the beginning", ours, 256 << 10, 1, 6, false},
		{"a chunk, by default", byDefault, 256 << 10, 3, 6, false},
		{"a chunk", ours, 256 << 10, 3, 6, false},
		{"streamed", ours, 0, 1, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := &bucket{broken: c.broken}
			server := transporttest.NewServer(b)
			defer server.Close()
			_, err := c.upload(t.Context(), service(t, server.Client().Transport, server.URL), bytes.NewReader(content), googleapi.ChunkSize(c.chunk))
			if got := server.Total(); got != c.attempts || (err != nil) != c.fails {
				t.Errorf("%d attempts, error %v, want %d, and an error: %v", got, err, c.attempts, c.fails)
			}
			if !c.fails && !bytes.Contains(b.content.Bytes(), content) {
				t.Errorf("stored %d bytes, want %d", b.content.Len(), len(content))
			}
		})
	}
}

// bucket takes uploads in one piece and in chunks.
type bucket struct {
	broken  int64 // number of the request that is answered 503
	asked   atomic.Int64
	content bytes.Buffer
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b.asked.Add(1) == b.broken {
		_, _ = io.Copy(io.Discard, r.Body) // or else the connection outlives the server by half a second
		transporttest.Answer(503, string(SDK().Unavailable)).ServeHTTP(w, r)
		return
	}
	if r.URL.Query().Get("upload_id") == "" && r.URL.Query().Get("uploadType") == "resumable" {
		w.Header().Set("Location", "http://"+r.Host+r.URL.Path+"?upload_id=1")
		return
	}
	_, _ = io.Copy(&b.content, r.Body)
	if strings.HasSuffix(r.Header.Get("Content-Range"), "/*") {
		w.Header().Set("X-Http-Status-Code-Override", "308")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(storage.Object{Name: "object"})
}

func TestLargeUploadIsNotBuffered(t *testing.T) {
	t.Parallel()
	body := &rig.Upload{Size: 64 << 20}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := body.Take(r.Body); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, `{"name":"object"}`)
	}))
	defer server.Close()
	_, err := service(t, server.Client().Transport, server.URL).Objects.Insert("bucket", &storage.Object{Name: "object"}).
		Media(body, googleapi.ChunkSize(0)).Context(t.Context()).Do()
	if err != nil {
		t.Fatal(err)
	}
	if body.Taken() < body.Size || body.Ahead() > body.Size/4 {
		t.Errorf("the server took in %d bytes, and the body was %d ahead of it; want %d, and a quarter of that at most", body.Taken(), body.Ahead(), body.Size)
	}
	t.Logf("%d MiB ahead", body.Ahead()>>20)
}

// TestDownloadIsResumed: the rest is asked for when the connection is lost midway.
func TestDownloadIsResumed(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("content "), 128<<10)
	server, hc := rig.Serve(t, rig.Answers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"1"`)
		http.ServeContent(w, r, "object", time.Time{}, bytes.NewReader(content))
	}), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"1"`)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content[:len(content)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}), transport.Config{PerCall: []transport.Middleware{transport.Resume(1)}})
	s, err := Client(t.Context(), hc, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Objects.Get("bucket", "object").Context(t.Context()).Download()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, content) || server.Total() != 2 {
		t.Errorf("got %d bytes, %v after %d requests, want %d after 2", len(got), err, server.Total(), len(content))
	}
}
