package aws

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
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

// TestLoadDefaultConfig: the line of docs/sdks.md takes the client and leaves the retries to it. With a bundle of certificates in the
// environment it wants a client that it can change.
func TestLoadDefaultConfig(t *testing.T) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // which puts it back at the end
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-central-1",
	} {
		t.Setenv(name, value)
	}
	server, hc := rig.Serve(t, rig.Answers(SDK().Handler, rig.JSON(503, `{}`)), transport.Config{})
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	ours := []func(*config.LoadOptions) error{
		config.WithHTTPClient(hc), config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), ours...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Client(cfg).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")})
	if err != nil {
		t.Fatal(err)
	}
	out.Body.Close()
	if server.Total() != 2 {
		t.Errorf("%d attempts, want 2", server.Total())
	}

	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	if _, err := config.LoadDefaultConfig(t.Context()); err != nil {
		t.Errorf("the SDK's own client beside a bundle: %v", err)
	}
	if _, err := config.LoadDefaultConfig(t.Context(), ours...); err == nil {
		t.Error("a plain client was taken beside a bundle")
	}
}

// TestErrorWithinASuccess: a copy can fail after its 200 was sent. To steadytrip that is a success, so it is for the SDK to repeat.
func TestErrorWithinASuccess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		mark     func(context.Context) context.Context
		options  func(*s3.Options)
		attempts int
		fails    bool
	}{
		{"steadytrip alone", transport.Idempotent, func(*s3.Options) {}, 1, true},
		{"the SDK", transport.NoRetry, func(o *s3.Options) { o.Retryer = retry.NewStandard() }, 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, hc := rig.Serve(t, rig.Answers(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, `<CopyObjectResult><ETag>"1"</ETag></CopyObjectResult>`)
			}), func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(SDK().Unavailable) }), transport.Config{})
			_, err := Client(Config(hc, server.URL)).CopyObject(c.mark(t.Context()), &s3.CopyObjectInput{
				Bucket: aws.String("bucket"), Key: aws.String("key"), CopySource: aws.String("bucket/other"),
			}, c.options)
			var api smithy.APIError
			if failed := errors.As(err, &api) && api.ErrorCode() == "ServiceUnavailable"; failed != c.fails || err != nil && !failed {
				t.Errorf("error %v, want one: %v", err, c.fails)
			}
			if server.Total() != c.attempts {
				t.Errorf("%d attempts, want %d", server.Total(), c.attempts)
			}
		})
	}
}

// TestDownloadIsResumed: the rest is asked for when the connection is lost midway, and the SDK checks the whole against S3's checksum.
func TestDownloadIsResumed(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("content "), 128<<10)
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(content))
	for _, c := range []struct {
		name string
		rest []byte
		ok   bool
	}{
		{"the rest", content[len(content)/2:], true},
		{"something else", bytes.Repeat([]byte("Content "), 64<<10), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, hc := rig.Serve(t, rig.Answers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if want := fmt.Sprintf("bytes=%d-", len(content)/2); r.Header.Get("Range") != want || r.Header.Get("If-Range") != `"1"` {
					t.Errorf("the request has Range %q and If-Range %q, want %q and the ETag", r.Header.Get("Range"), r.Header.Get("If-Range"), want)
				}
				w.Header().Set("Etag", `"1"`)
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", len(content)/2, len(content)-1, len(content)))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(c.rest)
			}), func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Etag", `"1"`)
				w.Header().Set("X-Amz-Checksum-Crc32", base64.StdEncoding.EncodeToString(sum))
				w.Header().Set("Content-Length", strconv.Itoa(len(content)))
				_, _ = w.Write(content[:len(content)/2])
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}), transport.Config{PerCall: []transport.Middleware{transport.Resume(1)}})
			out, err := Client(Config(hc, server.URL)).GetObject(t.Context(), &s3.GetObjectInput{
				Bucket: aws.String("bucket"), Key: aws.String("key"), ChecksumMode: types.ChecksumModeEnabled,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer out.Body.Close()
			got, err := io.ReadAll(out.Body)
			if (err == nil && bytes.Equal(got, content)) != c.ok || server.Total() != 2 {
				t.Errorf("got %d bytes after %d requests, error %v; want the content: %v", len(got), server.Total(), err, c.ok)
			}
		})
	}
}
