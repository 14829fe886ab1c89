package alter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/altersdk/internal/alter"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// A POST that never left is made again, also if only the connection trace can tell.
func TestACallThatNeverLeftIsMadeAgain(t *testing.T) {
	b := newBackend(t)
	var dials atomic.Int64
	base := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials.Add(1) == 1 {
			return nil, errors.New("a dialer's own error")
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	c := newClient(t, b, func(cfg *alter.Config) { cfg.Base = base })
	if _, err := c.Proxy(t.Context(), write); err != nil {
		t.Fatal(err)
	}
	if got := b.Inner.Acted(grant); got != 1 {
		t.Errorf("carried out %d times, want once", got)
	}
}

// A call that names its grant need not ask what other calls on it have found out.
func TestRequestsSayWhichGrantTheyAreAbout(t *testing.T) {
	var grants []string
	base := transporttest.Func(func(req *http.Request) (*http.Response, error) {
		grants = append(grants, transport.GrantOf(req.Context()))
		return transporttest.Answer(200, `{"access_token":"t","status_code":200}`).HTTP(req), nil
	})
	c, err := alter.New(alter.Config{URL: "http://backend.test/", Providers: map[string]string{"calendar": "http://calendar.test/"}, Key: testKey, Base: base})
	if err != nil {
		t.Fatal(err)
	}
	call := read
	call.Grant = grant
	for _, send := range []func(context.Context, alter.Call) (*alter.Answer, error){c.Proxy, c.Retrieve} {
		if _, err := send(t.Context(), call); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Proxy(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	if len(grants) != 4 || grants[0] != grant || grants[1] != grant || grants[2] != grant || grants[3] != "" {
		t.Errorf("got %q, want the grant three times, and none where the call names none", grants)
	}
}

func TestAnswersThatAreNoneAreTypedErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer transporttest.Response
		call   func(c *alter.Client) error
		want   classify.Kind
	}{
		{"an endless answer", transporttest.Answer(200, "").Stream(transporttest.Endless("0123456789abcdef0123456789abcdef")), proxy, classify.Protocol},
		{"no envelope", transporttest.Answer(200, "{}"), proxy, classify.Backend},
		{"no token", transporttest.Answer(200, "{}"), retrieve, classify.Backend},
		{"no session", transporttest.Answer(200, "{}"), connect, classify.Backend},
		{"a session without an id", transporttest.Answer(200, `{"connect_url":"u"}`), connect, classify.Backend},
		{"a session without a page", transporttest.Answer(200, `{"session_id":"s"}`), connect, classify.Backend},
		{"a session without JSON", transporttest.Answer(200, "ok"), finish, classify.Backend},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := transporttest.Play(test.answer)
			c, err := alter.New(alter.Config{URL: "http://backend.test", Providers: map[string]string{"calendar": "http://calendar.test"}, Key: testKey, Base: script})
			if err != nil {
				t.Fatal(err)
			}
			err = test.call(c)
			var failure *classify.AlterSDKError
			if got := classify.Of(nil, err).Kind; got != test.want || !errors.As(err, &failure) {
				t.Errorf("got %v (%v), want %v", got, err, test.want)
			}
			if err := script.Check(); err != nil { // every body is closed
				t.Error(err)
			}
		})
	}
}

func proxy(c *alter.Client) error { _, err := c.Proxy(context.Background(), write); return err }

func retrieve(c *alter.Client) error { _, err := c.Retrieve(context.Background(), write); return err }

func connect(c *alter.Client) error {
	_, err := c.Connect(context.Background(), alter.Request{Provider: "calendar"})
	return err
}

func finish(c *alter.Client) error {
	return c.Finish(context.Background(), &alter.Session{ID: "s", URL: "http://backend.test/connect/s"})
}

// A refresh that goes on for longer than the chain waits: the call was not carried out, so it may be made again.
func TestACallThatWasRefusedMayBeMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, script := scripted(t, transporttest.Canned("token_refresh_in_progress"))
		script.Repeat()
		var told string
		loop := alter.Loop{Client: c, User: &user{t: t}, Tell: func(text string) { told = text }}
		_, err := loop.Do(t.Context(), c.Proxy, write)
		if want := classify.Retry.Todo(); classify.Of(nil, err).Kind != classify.TokenRefreshInProgress || told != want {
			t.Errorf("got %v and told %q, want %q", err, told, want)
		}
	})
}

// What a call says is what the backend, the provider and a session's page are told, and the URLs may end in a slash.
func TestRequestsSayWhatTheCallSays(t *testing.T) {
	call := alter.Call{Provider: "calendar", Grant: "g", Account: "a", User: "u", Method: "PUT", Path: "/p?q=1", Body: []byte(`{"x":1}`)}
	for _, test := range []struct {
		name string
		send func(c *alter.Client) error
		want []string // method, URL, content type and body of each request
	}{
		{"by proxy", func(c *alter.Client) error { _, err := c.Proxy(t.Context(), call); return err }, []string{
			`POST http://backend.test/v1/proxy application/json {"provider":"calendar","grant_id":"g","account":"a","app_user_id":"u",` +
				`"method":"PUT","path":"/p?q=1","headers":{"Content-Type":"application/json"},"body_b64":"eyJ4IjoxfQ=="}`,
		}},
		{"by proxy, without a body", func(c *alter.Client) error { _, err := c.Proxy(t.Context(), read); return err }, []string{
			`POST http://backend.test/v1/proxy application/json {"provider":"calendar","path":"/events"}`,
		}},
		{"with a token", func(c *alter.Client) error { _, err := c.Retrieve(t.Context(), call); return err }, []string{
			`POST http://backend.test/v1/tokens application/json {"provider":"calendar","grant_id":"g","account":"a","app_user_id":"u"}`,
			`PUT http://calendar.test/api/p?q=1 application/json {"x":1}`,
		}},
		{"with a token, without a body", func(c *alter.Client) error { _, err := c.Retrieve(t.Context(), read); return err }, []string{
			`POST http://backend.test/v1/tokens application/json {"provider":"calendar"}`,
			`GET http://calendar.test/api/events  `,
		}},
		{"a session", func(c *alter.Client) error {
			_, err := c.Connect(t.Context(), alter.Request{Provider: "calendar", Grant: "g", Scopes: []string{"a", "b"}, Delegate: true})
			return err
		}, []string{
			`POST http://backend.test/v1/connect/sessions application/json {"provider_id":"calendar","grant_id":"g","scopes":["a","b"],"delegate":true}`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			base := transporttest.Func(func(req *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(req.Body)
				got = append(got, fmt.Sprintf("%s %s %s %s", req.Method, req.URL, req.Header.Get("Content-Type"), body))
				return transporttest.Answer(200, `{"access_token":"t","status_code":200,"session_id":"s","connect_url":"u"}`).HTTP(req), err
			})
			c, err := alter.New(alter.Config{URL: "http://backend.test/", Providers: map[string]string{"calendar": "http://calendar.test/api/"}, Key: testKey, Base: base})
			if err != nil {
				t.Fatal(err)
			}
			if err := test.send(c); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n%q\nwant\n%q", got, test.want)
			}
		})
	}
}

// The policy and the hooks are those of the configuration.
func TestTheChainIsConfigured(t *testing.T) {
	set := policy.Set{MaxAttempts: 1}
	attempts := 0
	script := transporttest.Play(transporttest.ProviderUnavailable(0)).Repeat()
	c, err := alter.New(alter.Config{URL: "http://backend.test", Key: testKey, Base: script, Policy: &set, Hooks: transport.Hooks{
		Attempt: func(context.Context, transport.AttemptInfo) { attempts++ },
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := connect(c); classify.Of(nil, err).Kind != classify.BackendUnavailable || script.Count() != 1 || attempts != 1 {
		t.Errorf("got %v after %d attempts, of which a hook saw %d, want one", err, script.Count(), attempts)
	}
}

// The codes of the signature, each with what is to be done about it.
func TestRefusedSignaturesSayWhatToDo(t *testing.T) {
	for code, want := range map[string]classify.Action{
		"signature_invalid":      classify.Of(nil, classify.Verdict{Kind: classify.InvalidKey}.Err(nil)).Action(),
		"timestamp_out_of_range": classify.Fix,
		"request_replayed":       classify.Retry,
	} {
		script := transporttest.Play(transporttest.AlterError(401, code, "")).Repeat()
		c, err := alter.New(alter.Config{URL: "http://backend.test", Key: testKey, Base: script})
		if err != nil {
			t.Fatal(err)
		}
		err = proxy(c)
		if v := classify.Of(nil, err); v.Code != code || v.Action() != want || script.Count() != 1 {
			t.Errorf("%s: got %v (%v) after %d attempts, want %v after one", code, v.Action(), err, script.Count(), want)
		}
	}
}

// A body that breaks off is a typed error, of the caller's context if that has ended.
func TestABodyThatBreaksOffSaysWhy(t *testing.T) {
	for _, test := range []struct {
		name string
		body transporttest.Piece
		want error
		kind classify.Kind
	}{
		{"a reset", transporttest.Break(transporttest.ErrReset), transporttest.ErrReset, classify.ConnectionLost},
		{"the caller's deadline", transporttest.Stall(), context.DeadlineExceeded, classify.Deadline},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, script := scripted(t, transporttest.Answer(200, "").Stream(transporttest.Chunk("{"), test.body))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := c.Proxy(ctx, write)
				if got := classify.Of(nil, err); got.Kind != test.kind || !errors.Is(err, test.want) {
					t.Errorf("got %v (%v, %v), want %v with %v inside", got.Kind, err, got.Action(), test.kind, test.want)
				}
				if err := script.Check(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
