package oauth2

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/oauth2"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 2, rig.Limited: 2, rig.Refused: 2},
		Doubled: map[rig.Fault]int{rig.Unavailable: 4, rig.Limited: 6, rig.Refused: 8, rig.Open: 2},
	})
}

// steady returns a client around base; a nil judge is the default.
func steady(t *testing.T, base http.RoundTripper, judge classify.Classifier) *http.Client {
	t.Helper()
	hc, err := transport.Wrap(&http.Client{Transport: base}, transport.Config{Policy: rig.Policy(), Classifier: judge})
	if err != nil {
		t.Fatal(err)
	}
	return hc
}

func get(t *testing.T, client *http.Client, url string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/resource", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if resp != nil {
		t.Cleanup(func() { resp.Body.Close() })
	}
	return resp, err
}

// TestOrder counts what arrives, with steadytrip inside of oauth2.Transport and outside.
func TestOrder(t *testing.T) {
	t.Parallel()
	unavailable := transporttest.ProviderUnavailable(0)
	revoked := transporttest.Answer(400, `{"error":"invalid_grant"}`)
	wrong := transporttest.Answer(400, `{"error":"invalid_client"}`)
	for _, c := range []struct {
		name             string
		token, resource  []transporttest.Response // in place of the first answers
		outside          bool
		judge            bool
		tokens, requests int             // that arrive
		status           int             // 0: an error
		action           classify.Action // that the error calls for
	}{
		{"inside: nothing fails", nil, nil, false, false, 1, 1, 200, classify.None},
		{"inside: the resource fails once", nil, []transporttest.Response{unavailable}, false, false, 1, 2, 200, classify.None},
		{"inside: asking for a token fails once", []transporttest.Response{unavailable}, nil, false, false, 2, 1, 200, classify.None},
		{"inside: the grant is revoked", []transporttest.Response{revoked, revoked}, nil, false, false, 1, 0, 0, classify.Retry},
		{"outside: the resource fails once", nil, []transporttest.Response{unavailable}, true, false, 1, 2, 200, classify.None},
		{"outside: asking for a token fails once", []transporttest.Response{unavailable}, nil, true, false, 2, 1, 200, classify.None},
		{"outside: the grant is revoked", []transporttest.Response{revoked, revoked}, nil, true, false, 2, 0, 0, classify.Retry},
		{"outside, judged: asking for a token fails once", []transporttest.Response{unavailable}, nil, true, true, 2, 1, 200, classify.None},
		{"outside, judged: the grant is revoked", []transporttest.Response{revoked, revoked}, nil, true, true, 1, 0, 0, classify.Reauthorize},
		{"outside, judged: the secret is wrong", []transporttest.Response{wrong, wrong}, nil, true, true, 1, 0, 0, classify.Fix},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tokens, resources := c.token, c.resource
			server := transporttest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answers := &resources
				if r.URL.Path == "/token" {
					answers = &tokens
				}
				if len(*answers) > 0 {
					a := (*answers)[0]
					*answers = (*answers)[1:]
					a.ServeHTTP(w, r)
					return
				}
				serve(w, r)
			}))
			defer server.Close()
			var client *http.Client
			if plain := server.Client(); !c.outside {
				hc := steady(t, plain.Transport, nil)
				client = Client(hc, Source(t.Context(), hc, server.URL, oauth2.AuthStyleInHeader))
			} else {
				client = Client(plain, Source(t.Context(), plain, server.URL, oauth2.AuthStyleInHeader))
				var judge classify.Classifier
				if c.judge {
					judge = classify.First(classify.ClassifierFunc(Judge), classify.Default())
				}
				client = steady(t, client.Transport, judge)
			}
			resp, err := get(t, client, server.URL)
			status := 0
			if err == nil {
				status = resp.StatusCode
			}
			if status != c.status {
				t.Errorf("status %d, error %v, want %d", status, err, c.status)
			}
			if got, want := [2]int{server.Count("POST", "/token"), server.Count("GET", "/resource")}, [2]int{c.tokens, c.requests}; got != want {
				t.Errorf("%v requests for a token and for the resource, want %v", got, want)
			}
			if got := classify.Of(nil, err).Action(); got != c.action {
				t.Errorf("the action is %v, want %v", got, c.action)
			}
			var retrieve *oauth2.RetrieveError
			if err != nil && !errors.As(err, &retrieve) {
				t.Errorf("no RetrieveError in %v", err)
			}
		})
	}
}

// TestTokenRequestIsNotRepeatedUnasked: a refresh token may be good for one use.
func TestTokenRequestIsNotRepeatedUnasked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		answer   transporttest.Response
		attempts int
	}{
		{"a 503 may come after the token was used up", transporttest.ProviderUnavailable(0), 1},
		{"a 429 is sent before anything is done", transporttest.ProviderRateLimit(0), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := transporttest.NewServer(http.HandlerFunc(serve))
			defer server.Close()
			server.AnswerNext(c.answer, 1)
			ctx := context.WithValue(t.Context(), oauth2.HTTPClient, steady(t, server.Client().Transport, nil))
			config := oauth2.Config{ClientID: "id", ClientSecret: "secret", Endpoint: oauth2.Endpoint{TokenURL: server.URL + "/token", AuthStyle: oauth2.AuthStyleInHeader}}
			_, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: "once"}).Token()
			if got := server.Total(); got != c.attempts || (err == nil) != (c.attempts == 2) {
				t.Errorf("%d attempts, error %v, want %d", got, err, c.attempts)
			}
		})
	}
}

// TestRefusedTokenIsKept is why what re-authorizes stands outside: inside, it would be given the same token again.
func TestRefusedTokenIsKept(t *testing.T) {
	t.Parallel()
	server := transporttest.NewServer(http.HandlerFunc(serve))
	defer server.Close()
	server.AnswerNext(transporttest.Answer(200, `{"access_token":"revoked","token_type":"Bearer","expires_in":3600}`), 1)
	hc := steady(t, server.Client().Transport, nil)
	client := Client(hc, Source(t.Context(), hc, server.URL, oauth2.AuthStyleInHeader))
	for range 2 {
		resp, err := get(t, client, server.URL)
		if err != nil {
			t.Fatal(err)
		}
		if got := classify.Of(resp, nil).Action(); got != classify.Reauthorize {
			t.Errorf("the action is %v, want %v", got, classify.Reauthorize)
		}
	}
	if got := server.Count("POST", "/token"); got != 1 {
		t.Errorf("%d requests for a token, want 1", got)
	}
	client = Client(hc, Source(t.Context(), hc, server.URL, oauth2.AuthStyleInHeader)) // what re-authorizing comes to
	if resp, err := get(t, client, server.URL); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%v, %v after another source, want 200", resp, err)
	}
}
