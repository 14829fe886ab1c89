package aws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 3, rig.Limited: 3, rig.Refused: 3},
		Doubled: map[rig.Fault]int{rig.Unavailable: 6, rig.Limited: 9, rig.Refused: 7, rig.Open: 1},
	})
}

// calls returns a client around base, and why each of its calls ended.
func calls(t *testing.T, base http.RoundTripper, cfg transport.Config) (*http.Client, *[]string) {
	t.Helper()
	var ends []string
	cfg.Policy = rig.Policy()
	cfg.Hooks.Call = func(_ context.Context, i transport.CallInfo) {
		ends = append(ends, fmt.Sprintf("%d attempts, %v", i.Attempts, i.Reason))
	}
	hc, err := transport.Wrap(&http.Client{Transport: base}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return hc, &ends
}

// TestBodies shows who can repeat a request that has a body: the SDK hides from net/http how to read it again.
func TestBodies(t *testing.T) {
	t.Parallel()
	put := func(ctx context.Context, client *s3.Client, in *s3.PutObjectInput) (*s3.PutObjectOutput, error) {
		return client.PutObject(ctx, in)
	}
	for _, c := range []struct {
		name    string
		perCall []transport.Middleware
		put     func(context.Context, *s3.Client, *s3.PutObjectInput) (*s3.PutObjectOutput, error)
		ends    []string
		fails   bool
	}{
		{"steadytrip alone sends it once", nil, put, []string{"1 attempts, " + policy.NotReplayable.String()}, true},
		{"with a buffer it repeats it", []transport.Middleware{transport.Buffer(1 << 20)}, put, []string{"2 attempts, succeeded"}, false},
		{"or the SDK repeats it", nil, UploadByTheSDK, []string{"1 attempts, " + policy.Forbidden.String(), "1 attempts, succeeded"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := transporttest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
			defer server.Close()
			server.AnswerNext(transporttest.Answer(503, string(SDK().Unavailable)).Header("Content-Type", "application/xml"), 1)
			hc, ends := calls(t, server.Client().Transport, transport.Config{PerCall: c.perCall})
			content := strings.Repeat("content ", 1000)
			_, err := c.put(t.Context(), Client(Config(hc, server.URL)), &s3.PutObjectInput{
				Bucket: aws.String("bucket"), Key: aws.String("key"), Body: strings.NewReader(content),
			})
			var api smithy.APIError
			if failed := errors.As(err, &api) && api.ErrorCode() == "ServiceUnavailable"; failed != c.fails || err != nil && !failed {
				t.Errorf("error %v, want one: %v", err, c.fails)
			}
			if got, want := fmt.Sprint(*ends), fmt.Sprint(c.ends); got != want {
				t.Errorf("calls %v, want %v", got, want)
			}
			for _, r := range server.Requests() {
				if !bytes.Contains(r.Body, []byte(content)) || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
					t.Errorf("attempt %d has %d bytes and is signed: %v", r.Number, len(r.Body), r.Header.Get("Authorization") != "")
				}
			}
		})
	}
}

func TestLargeUploadIsNotBuffered(t *testing.T) {
	t.Parallel()
	body := &rig.Upload{Size: 64 << 20}
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut || r.Header.Get("Content-Encoding") != "aws-chunked" {
			t.Errorf("got %s %q", r.Method, r.Header.Get("Content-Encoding"))
		}
		if err := body.Take(r.Body); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	// The buffer remembers small bodies, and lets this one through.
	hc, ends := calls(t, server.Client().Transport, transport.Config{PerCall: []transport.Middleware{transport.Buffer(1 << 20)}})
	_, err := Client(Config(hc, server.URL)).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("bucket"), Key: aws.String("key"), Body: body, ContentLength: aws.Int64(body.Size),
	})
	if err != nil {
		t.Fatal(err)
	}
	if body.Taken() < body.Size || body.Ahead() > body.Size/4 {
		t.Errorf("the server took in %d bytes, and the body was %d ahead of it; want %d, and a quarter of that at most", body.Taken(), body.Ahead(), body.Size)
	}
	if got, want := fmt.Sprint(*ends), "[1 attempts, succeeded]"; got != want {
		t.Errorf("calls %v, want %v", got, want)
	}
	t.Logf("%d MiB ahead", body.Ahead()>>20)
}

// TestRedirects: the client follows what the SDK's own client does.
func TestRedirects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		redirect transporttest.Response
		attempts int
	}{
		{"moved for good", transporttest.Answer(301, "").Header("Location", "/bucket/elsewhere"), 1},
		{"moved for good, nobody knows where", transporttest.Answer(301, ""), 1},
		{"moved for now", transporttest.Answer(307, "").Header("Location", "/bucket/key"), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ours, err := HTTPClient(transport.Config{Policy: rig.Policy()})
			if err != nil {
				t.Fatal(err)
			}
			defer ours.CloseIdleConnections()
			theirs, _ := awshttp.NewBuildableClient().Freeze().(*http.Client)
			defer theirs.CloseIdleConnections()
			var said []string
			for _, hc := range []*http.Client{ours, theirs} {
				server := transporttest.NewServer(SDK().Handler)
				server.AnswerNext(c.redirect, 1)
				err := SDK().Call(t.Context(), hc, server.URL, false)
				if got := server.Total(); got != c.attempts || (err == nil) != (c.attempts == 2) {
					t.Errorf("%d attempts, error %v, want %d", got, err, c.attempts)
				}
				said = append(said, SDK().Explain(err))
				server.Close()
			}
			if said[0] != said[1] {
				t.Errorf("the SDK's own error is %q, without steadytrip %q", said[0], said[1])
			}
		})
	}
}
