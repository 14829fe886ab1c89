// Package oauth2 plugs steadytrip into golang.org/x/oauth2.
//
//	ctx = context.WithValue(ctx, oauth2.HTTPClient, hc)
//	client := config.Client(ctx, token)
//
// where hc comes from transport.Wrap. Calls of the API and of the token endpoint both pass through it, inside of oauth2.Transport:
// every attempt of a call has the token that the call began with.
//
// That no token is granted is an error that oauth2 makes of an answer. [Judge] knows what it means; without it, it looks like a broken
// connection, and steadytrip around oauth2.Transport asks once more.
//
// oauth2 does not retry, but it asks twice for a token as long as it does not know how the client is to authenticate: any failure
// makes it try the other way. Endpoint.AuthStyle, or AuthStyle of clientcredentials.Config, ends that.
//
// Asking for a token is a POST. One that got a 503 is not repeated, for the server may have used up a refresh token that is good for
// one use. Client credentials are not used up: mark them with transport.Idempotent.
//
// What re-authorizes after a 401 must stand outside of oauth2.Transport, which keeps a token until it expires.
package oauth2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
)

// Source returns a source of tokens for the client's own account, which asks the token endpoint of the server at url by hc.
func Source(ctx context.Context, hc *http.Client, url string, style oauth2.AuthStyle) oauth2.TokenSource {
	config := clientcredentials.Config{ClientID: "id", ClientSecret: "secret", TokenURL: url + "/token", AuthStyle: style}
	ctx = transport.Idempotent(ctx)
	return config.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, hc))
}

// Client returns a client for the API, whose calls and whose token requests go by hc.
func Client(hc *http.Client, source oauth2.TokenSource) *http.Client {
	return &http.Client{Transport: &oauth2.Transport{Source: source, Base: hc.Transport}}
}

// Judge is a classifier of oauth2's errors: a token that is not granted is the answer of the token endpoint. Let it stand before others:
//
//	transport.Config{Classifier: classify.First(classify.ClassifierFunc(Judge), classify.Default())}
func Judge(o classify.Outcome) classify.Verdict {
	var e *oauth2.RetrieveError
	if !errors.As(o.Err, &e) || e.Response == nil {
		return classify.Verdict{}
	}
	v := classify.Provider{}.Classify(classify.Outcome{Status: e.Response.StatusCode, Header: e.Response.Header, Body: e.Body, Time: o.Time})
	switch {
	case e.ErrorCode == "invalid_grant": // RFC 6749, section 5.2: the refresh token is invalid, expired or revoked
		v.Kind = classify.ProviderUnauthorized
	case v.Kind == classify.Unclassified: // an error with the status of a success
		v.Kind = classify.ProviderAPI
	}
	return v
}

// SDK is oauth2, asked for a token.
func SDK() rig.SDK {
	return rig.SDK{
		Name:    "oauth2",
		Plug:    "context.WithValue(ctx, oauth2.HTTPClient, hc); oauth2.Transport{Base: hc.Transport}",
		Off:     "AuthStyle: oauth2.AuthStyleInHeader (or InParams)",
		Handler: http.HandlerFunc(serve),
		Call: func(ctx context.Context, hc *http.Client, url string, own bool) error {
			style := oauth2.AuthStyleInHeader
			if own {
				style = oauth2.AuthStyleAutoDetect
			}
			token, err := Source(ctx, hc, url, style).Token()
			if err != nil {
				return err
			}
			if token.AccessToken != "granted" {
				return fmt.Errorf("got the token %q", token.AccessToken)
			}
			return nil
		},
		Unavailable: []byte(`{"error":"temporarily_unavailable","error_description":"try again later"}`),
		Limited:     []byte(`{"error":"slow_down","error_description":"too many token requests"}`),
		Explain: func(err error) string {
			var retrieve *oauth2.RetrieveError
			if !errors.As(err, &retrieve) {
				return ""
			}
			return "RetrieveError: " + retrieve.ErrorCode + ": " + retrieve.ErrorDescription
		},
	}
}

// serve answers /token, and /resource to those who have one.
func serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	id, secret, _ := r.BasicAuth()
	switch {
	case r.URL.Path == "/token" && id == "id" && secret == "secret":
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "granted", "token_type": "Bearer", "expires_in": 3600})
	case r.URL.Path == "/resource" && r.Header.Get("Authorization") == "Bearer granted":
		fmt.Fprintln(w, `{"ok":true}`)
	default:
		w.WriteHeader(http.StatusUnauthorized)
	}
}
