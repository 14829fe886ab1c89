package stripe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/stripe/stripe-go/v85"
	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		// Errors of the API's own are final for the SDK.
		Bare:    map[rig.Fault]int{rig.Unavailable: 1, rig.Limited: 1, rig.Refused: 3},
		Doubled: map[rig.Fault]int{rig.Unavailable: 2, rig.Limited: 3, rig.Refused: 9, rig.Open: 3},
	})
}

// TestAttemptsOfCalls counts what arrives of a POST: alone with the SDK's own retries, with both, and with steadytrip's.
func TestAttemptsOfCalls(t *testing.T) {
	for _, c := range []struct {
		name                string
		answer              http.HandlerFunc
		bare, doubled, ours int
	}{
		{"unavailable", rig.JSON(503, unavailable), 1, 2, 2},
		{"unavailable, says a proxy", rig.JSON(503, `<html>`), 3, 6, 2},
		{"an error of Stripe's", rig.JSON(500, unavailable), 1, 1, 1},
		{"which it says is worth a retry", rig.JSON(500, unavailable, "Stripe-Should-Retry", "true"), 1, 2, 2},
		{"unavailable, and not worth a retry", rig.JSON(503, unavailable, "Stripe-Should-Retry", "false"), 1, 1, 1},
		{"a lock", rig.JSON(429, locked), 3, 9, 3},
		{"a lock that it says is worth a retry", rig.JSON(429, locked, "Stripe-Should-Retry", "true"), 3, 9, 3},
		{"a limit", rig.JSON(429, limited), 1, 3, 3},
		{"the key in use by another request", rig.JSON(409, inUse, "Stripe-Should-Retry", "true"), 1, 2, 2},
		{"the key in use by another request, and no word about a retry", rig.JSON(409, inUse), 1, 2, 2},
		{"a lost connection", rig.Lose, 3, 6, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, m := range []struct {
				name      string
				own, wrap bool
				want      int
			}{{"bare", true, false, c.bare}, {"doubled", true, true, c.doubled}, {"ours", false, true, c.ours}} {
				server, hc := rig.Serve(t, c.answer, transport.Config{})
				if !m.wrap {
					hc = server.Client()
				}
				if _, err := Create(t.Context(), Client(hc, server.URL, m.own)); err == nil {
					t.Errorf("%s: the call succeeded", m.name)
				}
				if got := server.Total(); got != m.want {
					t.Errorf("%s: %d attempts, want %d", m.name, got, m.want)
				}
			}
		})
	}
}

// TestLostAnswerIsAskedForAgain: the customer was made, the answer got lost, and the chain asks again with the SDK's key.
func TestLostAnswerIsAskedForAgain(t *testing.T) {
	api := &Server{}
	server, hc := rig.Serve(t, rig.Answers(api, func(w http.ResponseWriter, r *http.Request) {
		api.customer(r.Header.Get("Idempotency-Key"))
		rig.Lose(w, r)
	}), transport.Config{})
	id, err := Create(t.Context(), Client(hc, server.URL, false))
	if err != nil || id != "cus_1" || api.Made() != 1 {
		t.Errorf("got %q, %v, %d customers, want cus_1, the only one", id, err, api.Made())
	}
	requests := server.Requests()
	if len(requests) != 2 || requests[0].Header.Get("Idempotency-Key") == "" ||
		requests[0].Header.Get("Idempotency-Key") != requests[1].Header.Get("Idempotency-Key") {
		t.Errorf("%d requests, want two of the same key", len(requests))
	}
}

// TestOtherCalls: the JSON of the second API and the form of a file are sent again as the first API's forms are, whole and with the same key.
func TestOtherCalls(t *testing.T) {
	content := bytes.Repeat([]byte("a line\n"), 1<<20)
	for _, c := range []struct {
		name string
		call func(context.Context, *stripe.Client) error
		path string
		sent []byte // is in the body
	}{
		{"version 2 of the API", func(ctx context.Context, client *stripe.Client) error {
			_, err := client.V2CoreAccounts.Create(ctx, &stripe.V2CoreAccountCreateParams{DisplayName: stripe.String("Ada")})
			return err
		}, "/v2/core/accounts", []byte(`"display_name":"Ada"`)},
		{"a file", func(ctx context.Context, client *stripe.Client) error {
			_, err := client.V1Files.Create(ctx, &stripe.FileCreateParams{
				Purpose: stripe.String("dispute_evidence"), Filename: stripe.String("evidence.txt"),
				FileReader: io.MultiReader(bytes.NewReader(content)), // a reader that cannot seek
			})
			return err
		}, "/v1/files", content},
	} {
		for _, fault := range []struct {
			name   string
			answer http.HandlerFunc
		}{{"a 503", rig.JSON(503, unavailable)}, {"a 429", rig.JSON(429, limited)}, {"a lost connection", rig.Lose}} {
			t.Run(c.name+", after "+fault.name, func(t *testing.T) {
				t.Parallel()
				var keys []string
				server, hc := rig.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					if err != nil || r.URL.Path != c.path || !bytes.Contains(body, c.sent) {
						t.Errorf("got %d bytes for %s, %v, want all for %s", len(body), r.URL, err, c.path)
					}
					if keys = append(keys, r.Header.Get("Idempotency-Key")); len(keys) == 1 {
						fault.answer(w, r)
						return
					}
					rig.JSON(200, `{"id":"id_1"}`)(w, r)
				}), transport.Config{})
				if err := c.call(t.Context(), Client(hc, server.URL, false)); err != nil {
					t.Error(err)
				}
				if len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] {
					t.Errorf("the attempts had the keys %q, want one twice", keys)
				}
			})
		}
	}
}

func TestFind(t *testing.T) {
	server, hc := rig.Serve(t, rig.Answers(&Server{}, rig.JSON(503, unavailable)), transport.Config{})
	name, err := Find(t.Context(), Client(hc, server.URL, false), "cus_7")
	if err != nil || name != "Ada" || server.Total() != 2 {
		t.Errorf("got %q, %v, %d attempts, want Ada after two", name, err, server.Total())
	}
}

func TestErrors(t *testing.T) {
	t.Run("of an answer", func(t *testing.T) {
		server, hc := rig.Serve(t, rig.JSON(503, unavailable, "Request-Id", "req_1"), transport.Config{})
		_, err := Create(t.Context(), Client(hc, server.URL, false))
		var e *stripe.Error
		if !errors.As(err, &e) || e.HTTPStatusCode != 503 || e.Type != stripe.ErrorTypeAPI || e.RequestID != "req_1" {
			t.Errorf("got %v, want the SDK's error", err)
		}
		if v := Verdict(err); v.Kind != classify.ProviderUnavailable || v.Action() != classify.Retry {
			t.Errorf("got verdict %v, %v", v.Kind, v.Action())
		}
	})
	t.Run("of the network", func(t *testing.T) {
		server, hc := rig.Serve(t, http.HandlerFunc(rig.Lose), transport.Config{})
		_, err := Create(t.Context(), Client(hc, server.URL, false))
		var call *transport.CallError
		if v := Verdict(err); v.Kind != classify.ConnectionLost || !errors.As(err, &call) || call.Trail.Attempts != 2 {
			t.Errorf("got verdict %v of %v, want a lost connection, twice", v.Kind, err)
		}
	})
}
