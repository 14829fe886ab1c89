package alter_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/altersdk/internal/alter"
	"github.com/steadytrip/steadytrip/examples/altersdk/internal/loopback"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testKey = alter.Key{Name: "test", ID: "ak_test", Secret: "sk_test"}

const grant = "grant-1"

var (
	read  = alter.Call{Provider: "calendar", Path: "/events"}
	write = alter.Call{Provider: "calendar", Method: http.MethodPost, Path: "/events", Body: []byte(`{"title":"lunch"}`)}
)

// newBackend starts a backend that accepts the test's key and has a grant for the calendar.
func newBackend(t *testing.T) *loopback.Backend {
	t.Helper()
	b := loopback.New()
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	b.Accept(testKey)
	b.Link("calendar", "ada@example.com", grant)
	return b
}

// newClient returns a client of the backend; change may change its configuration.
func newClient(t *testing.T, b *loopback.Backend, change func(*alter.Config)) *alter.Client {
	t.Helper()
	cfg := alter.Config{
		URL: b.URL, Providers: map[string]string{"calendar": b.Provider.URL}, Key: testKey, Base: &http.Transport{}, Every: 10 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := alter.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// The vector was computed with openssl dgst -sha256 -hmac.
func TestSignatureIsTheHMACOfTheRequest(t *testing.T) {
	got := alter.Signature("s3cr3t", "GET", "/v1/x?a=b", "1700000000", "NONCE", sha256.Sum256([]byte(`{"a":1}`)))
	if want := "f093ed1706251ada5f5dbdd9d797f3a6864730fc5f2dd7feb853765efbfb32d4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// An answer is lost, the chain sends the request again, and the backend, which refuses a signature that it has seen, takes it.
func TestEachAttemptIsSignedAnew(t *testing.T) {
	b := newBackend(t)
	c := newClient(t, b, nil)
	b.LoseNext(transporttest.Reset, 1)
	if _, err := c.Retrieve(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	requests := b.Requests()
	if len(requests) != 2 {
		t.Fatalf("got %d requests, want 2", len(requests))
	}
	for _, field := range []string{alter.FieldNonce, alter.FieldSignature} {
		if first, second := requests[0].Header.Get(field), requests[1].Header.Get(field); first == "" || first == second {
			t.Errorf("%s: got %q and %q, want two that differ", field, first, second)
		}
	}
}

// What happens to those who sign outside of the retries.
func TestASignatureMadeOnceACallIsRefusedTheSecondTime(t *testing.T) {
	b := newBackend(t)
	classifier, err := alter.ClassifierFor(b.Host())
	if err != nil {
		t.Fatal(err)
	}
	client, err := transport.Wrap(&http.Client{Transport: &http.Transport{}}, transport.Config{
		Classifier: classifier, PerCall: []transport.Middleware{alter.Sign(testKey, b.Host(), nil)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	b.LoseNext(transporttest.Reset, 1)
	resp, err := client.Get(b.URL + "/v1/grants/grant-1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	refused := classify.CheckResponse(resp)
	if v := classify.Of(nil, refused); v.Code != "request_replayed" || v.Kind != classify.ConnectionLost || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d, %+v, want a 401 request_replayed in place of what was lost", resp.StatusCode, v)
	}
	if got := b.Inner.Acted(grant); got != 1 || len(b.Requests()) != 2 {
		t.Errorf("carried out %d times in %d requests, want once in 2", got, len(b.Requests()))
	}
}

func TestTheBackendRefusesWhatIsNotFreshlySigned(t *testing.T) {
	b := newBackend(t)
	c := newClient(t, b, nil)
	if _, err := c.Proxy(t.Context(), write); err != nil {
		t.Fatal(err)
	}
	genuine := b.Requests()[0]
	old := strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10)
	for _, test := range []struct {
		name   string
		change func(h http.Header) (body []byte)
		want   string
	}{
		{"the same bytes once more", func(http.Header) []byte { return genuine.Body }, "request_replayed"},
		{"another nonce under the old signature", func(h http.Header) []byte { h.Set(alter.FieldNonce, "another"); return genuine.Body }, "signature_invalid"},
		{"another body", func(http.Header) []byte { return []byte(`{"provider":"calendar","path":"/all","method":"DELETE"}`) }, "signature_invalid"},
		{"an unknown key", func(h http.Header) []byte { h.Set(alter.FieldKey, "ak_other"); return genuine.Body }, "invalid_key"},
		{"no signature", func(h http.Header) []byte { h.Del(alter.FieldSignature); return genuine.Body }, "signature_invalid"},
		{"no nonce", func(h http.Header) []byte {
			h.Del(alter.FieldNonce)
			h.Set(alter.FieldSignature, alter.Signature(testKey.Secret, "POST", "/v1/proxy", h.Get(alter.FieldTimestamp), "", sha256.Sum256(genuine.Body)))
			return genuine.Body
		}, "request_replayed"},
		{"an old timestamp", func(h http.Header) []byte {
			h.Set(alter.FieldTimestamp, old)
			h.Set(alter.FieldSignature, alter.Signature(testKey.Secret, "POST", "/v1/proxy", old, h.Get(alter.FieldNonce), sha256.Sum256(genuine.Body)))
			return genuine.Body
		}, "timestamp_out_of_range"},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := genuine.Header.Clone()
			body := test.change(header)
			req, err := http.NewRequestWithContext(t.Context(), genuine.Method, b.URL+genuine.URL.String(), strings.NewReader(string(body)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header = header
			resp, err := b.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(string(text), `"`+test.want+`"`) {
				t.Errorf("got %d %s, want a 401 %s", resp.StatusCode, text, test.want)
			}
		})
	}
	if got := b.Inner.Acted(grant); got != 1 {
		t.Errorf("carried out %d times, want once", got)
	}
}

// The provider gets the token and nothing of the key.
func TestTheKeyGoesToTheBackendAlone(t *testing.T) {
	b := newBackend(t)
	c := newClient(t, b, nil)
	if _, err := c.Retrieve(t.Context(), write); err != nil {
		t.Fatal(err)
	}
	got := b.Provider.Requests()
	if len(got) != 1 || got[0].Header.Get("Authorization") != "Bearer "+b.Tokens()[0] || string(got[0].Body) != string(write.Body) {
		t.Fatalf("the provider got %d requests, want one with the token and the body", len(got))
	}
	for _, field := range []string{alter.FieldKey, alter.FieldNonce, alter.FieldTimestamp, alter.FieldSignature} {
		if got[0].Header.Get(field) != "" {
			t.Errorf("the provider got %s", field)
		}
	}
}

func TestSigningKeepsTheContractOfRoundTripper(t *testing.T) {
	t.Run("the caller's request stays as it is", func(t *testing.T) {
		script := transporttest.Play(transporttest.Answer(200, ""))
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://backend.test/v1/x?y=z", strings.NewReader("body"))
		req.Header.Set("X-Own", "1")
		resp, err := alter.Sign(testKey, "backend.test", nil)(script).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if len(req.Header) != 1 {
			t.Errorf("the request's header became %v", req.Header)
		}
		sent := script.Attempts()[0]
		want := alter.Signature(testKey.Secret, "PUT", "/v1/x?y=z", sent.Header.Get(alter.FieldTimestamp), sent.Header.Get(alter.FieldNonce), sha256.Sum256([]byte("body")))
		if string(sent.Body) != "body" || sent.Header.Get("X-Own") != "1" || sent.Header.Get(alter.FieldSignature) != want {
			t.Errorf("sent %q with %v, want the body and its signature", sent.Body, sent.Header)
		}
		if err := script.Check(); err != nil {
			t.Error(err)
		}
	})
	t.Run("a body that cannot be read twice is refused and closed", func(t *testing.T) {
		script := transporttest.Play()
		body := transporttest.NewBody(transporttest.Chunk("body"))
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://backend.test/", body)
		resp, err := alter.Sign(testKey, "backend.test", nil)(script).RoundTrip(req)
		if resp != nil || classify.Of(nil, err).Kind != classify.InvalidRequest {
			t.Errorf("got %v, %v, want an error of kind %v", resp, err, classify.InvalidRequest)
		}
		if !body.Closed() || body.Reads() != 0 || script.Count() != 0 {
			t.Errorf("closed %v, read %d times, sent %d times", body.Closed(), body.Reads(), script.Count())
		}
	})
	t.Run("a GetBody that fails", func(t *testing.T) {
		script := transporttest.Play()
		body, broken := transporttest.NewBody(), errors.New("gone")
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://backend.test/", body)
		req.GetBody = func() (io.ReadCloser, error) { return nil, broken }
		if _, err := alter.Sign(testKey, "backend.test", nil)(script).RoundTrip(req); !errors.Is(err, broken) || !body.Closed() {
			t.Errorf("got %v, closed %v, want %v and a closed body", err, body.Closed(), broken)
		}
	})
	t.Run("a copy of the body that breaks off", func(t *testing.T) {
		script := transporttest.Play()
		broken := errors.New("gone")
		body, second := transporttest.NewBody(), transporttest.NewBody(transporttest.Chunk("bo"), transporttest.Break(broken))
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://backend.test/", body)
		req.GetBody = func() (io.ReadCloser, error) { return second, nil }
		_, err := alter.Sign(testKey, "backend.test", nil)(script).RoundTrip(req)
		if !errors.Is(err, broken) || !body.Closed() || !second.Closed() || script.Count() != 0 {
			t.Errorf("got %v, closed %v and %v, want %v and two closed bodies", err, body.Closed(), second.Closed(), broken)
		}
	})
	t.Run("an error in place of an answer", func(t *testing.T) {
		script := transporttest.Play(transporttest.Fail(transporttest.ErrReset))
		told := func(context.Context, string) { t.Error("told of a deprecated key") }
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://backend.test/", nil)
		if resp, err := alter.Sign(testKey, "backend.test", told)(script).RoundTrip(req); resp != nil || !errors.Is(err, transporttest.ErrReset) {
			t.Errorf("got %v, %v, want %v", resp, err, transporttest.ErrReset)
		}
	})
	t.Run("idle connections are closed", func(t *testing.T) {
		script := transporttest.Play()
		(&http.Client{Transport: alter.Sign(testKey, "backend.test", nil)(script)}).CloseIdleConnections()
		if script.IdleClosed() != 1 {
			t.Errorf("got %d, want 1", script.IdleClosed())
		}
	})
	t.Run("a request without URL is the base's to refuse", func(t *testing.T) {
		script := transporttest.Play()
		if _, err := alter.Sign(testKey, "backend.test", nil)(script).RoundTrip(&http.Request{}); err == nil {
			t.Error("got no error")
		}
	})
}

// Many calls at once with a deprecated key: one event. Another key: one more.
func TestADeprecatedKeyIsToldOnce(t *testing.T) {
	b := newBackend(t)
	second := alter.Key{Name: "second", ID: "ak_second", Secret: "sk_second"}
	b.Deprecate(testKey)
	b.Accept(second)
	var mu sync.Mutex
	var told []string
	c := newClient(t, b, func(cfg *alter.Config) {
		cfg.Deprecated = func(_ context.Context, name string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, name)
		}
	})
	crowd := func() {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := c.Proxy(t.Context(), read); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	crowd()
	c.UseKey(second)
	crowd() // a key that is not deprecated
	b.Deprecate(second)
	crowd()
	c.UseKey(testKey)
	crowd() // told before
	if !slices.Equal(told, []string{"test", "second"}) {
		t.Errorf("told %q, want each key once", told)
	}
}

// The field is read as Alter documents it, however its case, and whatever else is in it is no event.
func TestDeprecationIsReadFromTheField(t *testing.T) {
	for _, test := range []struct {
		values []string
		want   bool
	}{
		{nil, false}, {[]string{""}, false}, {[]string{"false"}, false}, {[]string{"soon"}, false}, {[]string{"true\x1b[2J"}, false}, {[]string{"0"}, false},
		{[]string{"true"}, true}, {[]string{"True"}, true}, {[]string{"TRUE"}, true}, {[]string{"true", "true"}, true},
	} {
		answer := transporttest.Answer(200, "")
		for _, value := range test.values {
			answer = answer.Header(alter.FieldDeprecated, value)
		}
		told := 0
		client := &http.Client{Transport: alter.Sign(testKey, "backend.test", func(context.Context, string) { told++ })(transporttest.Play(answer).Repeat())}
		for range 2 {
			resp, err := client.Get("http://backend.test/")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		if want := map[bool]int{true: 1}[test.want]; told != want {
			t.Errorf("%q: told %d times, want %d", test.values, told, want)
		}
	}
}

// Whoever logs a client does not log its key. (fmt asks no String of what is behind an unexported field.)
func TestAClientPrintsNoSecret(t *testing.T) {
	c, err := alter.New(alter.Config{URL: "http://backend.test", Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%+v", alter.Loop{Client: c})} {
		if strings.Contains(got, testKey.ID) || strings.Contains(got, testKey.Secret) {
			t.Errorf("got %s, with the key in it", got)
		}
	}
}

func TestAKeyPrintsItsNameAlone(t *testing.T) {
	text, err := json.Marshal(testKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{
		fmt.Sprint(testKey), fmt.Sprintf("%+v", testKey), fmt.Sprintf("%#v", &testKey), fmt.Sprintf("%+v", alter.Config{Key: testKey}),
		fmt.Sprintf("%#v", alter.Config{Key: testKey}), string(text),
	} {
		if strings.Contains(got, testKey.ID) || strings.Contains(got, testKey.Secret) || !strings.Contains(got, testKey.Name) {
			t.Errorf("got %s, want the name and nothing else", got)
		}
	}
}
