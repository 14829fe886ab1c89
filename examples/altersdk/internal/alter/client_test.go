package alter_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/altersdk/internal/alter"
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
