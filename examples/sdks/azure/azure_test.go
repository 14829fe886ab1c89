package azure

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 4, rig.Limited: 4, rig.Refused: 4},
		Doubled: map[rig.Fault]int{rig.Unavailable: 7, rig.Limited: 12, rig.Refused: 7, rig.Open: 1},
	})
}

// TestBody: the SDK lets net/http read a body again, and so a PUT is repeated, with the signature that it has.
func TestBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		answer  transporttest.Response
		atLeast time.Duration // between the attempts
	}{
		{"a busy server", transporttest.Answer(503, string(SDK().Unavailable)).Header("X-Ms-Error-Code", "ServerBusy"), 0},
		{"its patience in milliseconds", transporttest.Answer(429, string(SDK().Limited)).Header("X-Ms-Retry-After-Ms", "50"), 50 * time.Millisecond},
		{"a passing error of its own", transporttest.Answer(500, "").Header("X-Ms-Error-Code", "OperationTimedOut"), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := transporttest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(http.StatusNoContent)
			}))
			defer server.Close()
			server.AnswerNext(c.answer, 1)
			hc, err := transport.Wrap(server.Client(), transport.Config{Policy: rig.Policy()})
			if err != nil {
				t.Fatal(err)
			}
			client, err := Client(server.URL, Options(hc))
			if err != nil {
				t.Fatal(err)
			}
			entity := []byte(`{"PartitionKey":"de","RowKey":"1","Name":"Ada"}`)
			if _, err := client.UpsertEntity(t.Context(), entity, &aztables.UpsertEntityOptions{UpdateMode: aztables.UpdateModeReplace}); err != nil {
				t.Error(err)
			}
			requests := server.Requests()
			if len(requests) != 2 {
				t.Fatalf("%d attempts, want 2", len(requests))
			}
			first, second := requests[0], requests[1]
			if first.Method != http.MethodPut || !bytes.Contains(second.Body, []byte(`"Ada"`)) || first.Header.Get("Authorization") != second.Header.Get("Authorization") {
				t.Errorf("first %s %q, then %s %q", first.Method, first.Body, second.Method, second.Body)
			}
			if got := second.Time.Sub(first.Time); got < c.atLeast {
				t.Errorf("%v between the attempts, want %v at least", got, c.atLeast)
			}
		})
	}
}

// put sends a body through the SDK's pipeline, as its clients do.
func put(t *testing.T, hc *http.Client, url string, body io.ReadSeekCloser, perRetry ...policy.Policy) (*http.Response, error) {
	t.Helper()
	options := Options(hc)
	req, err := runtime.NewRequest(t.Context(), http.MethodPut, url+"/blob")
	if err != nil {
		t.Fatal(err)
	}
	if err := req.SetBody(body, "application/octet-stream"); err != nil {
		t.Fatal(err)
	}
	return runtime.NewPipeline("example", "v1.0.0", runtime.PipelineOptions{PerRetry: perRetry}, &options).Do(req)
}

// tokens is a credential whose tokens are numbered.
type tokens struct{ given int }

func (c *tokens) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.given++
	return azcore.AccessToken{Token: fmt.Sprint("token-", c.given), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// TestChallenge: the SDK answers a 401 that wants another token, around steadytrip, and sends the body again.
func TestChallenge(t *testing.T) {
	t.Parallel()
	const claims = `Bearer authorization_uri="https://login.example", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="`
	var asked []string
	server, hc := rig.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		asked = append(asked, fmt.Sprintf("%s %s %v", r.Header.Get("Authorization"), body, err))
		switch len(asked) {
		case 1:
			rig.JSON(503, string(SDK().Unavailable))(w, r)
		case 2:
			rig.JSON(401, `{}`, "WWW-Authenticate", claims)(w, r)
		}
	}), transport.Config{})
	bearer := runtime.NewBearerTokenPolicy(&tokens{}, []string{"scope"}, &policy.BearerTokenOptions{InsecureAllowCredentialWithHTTP: true})
	resp, err := put(t, hc, server.URL, streaming.NopCloser(bytes.NewReader([]byte("content"))), bearer)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("got %v, %v, want a 200", resp, err)
	}
	want := "[Bearer token-1 content <nil> Bearer token-1 content <nil> Bearer token-2 content <nil>]"
	if got := fmt.Sprint(asked); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// seekable is an upload whose length can be asked for. It is read once.
type seekable struct{ *rig.Upload }

func (s seekable) Seek(_ int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		return s.Size, nil
	}
	return 0, nil
}

func (s seekable) Close() error { return nil }

func TestLargeUploadIsNotBuffered(t *testing.T) {
	t.Parallel()
	body := &rig.Upload{Size: 64 << 20}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := body.Take(r.Body); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	hc, err := transport.Wrap(server.Client(), transport.Config{Policy: rig.Policy()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := put(t, hc, server.URL, seekable{body}); err != nil {
		t.Fatal(err)
	}
	if body.Taken() != body.Size || body.Ahead() > body.Size/4 {
		t.Errorf("the server took in %d bytes, and the body was %d ahead of it; want %d, and a quarter of that at most", body.Taken(), body.Ahead(), body.Size)
	}
}
