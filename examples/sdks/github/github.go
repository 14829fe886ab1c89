// Package github plugs steadytrip into google/go-github.
//
//	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
//	client, err := github.NewClient(github.WithHTTPClient(hc), github.WithAuthToken(token))
//
// go-github does not retry, so there is nothing to switch off. It remembers a rate limit that an answer has told it, and then
// refuses calls by itself until the limit's end: steadytrip is not asked, and its waiting for a short limit is not disturbed.
// WithTransport(hc.Transport) serves as well; WithAuthToken wraps what is given there from outside, and so every attempt has the token.
package github

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/google/go-github/v91/github"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
)

// Client returns a client of the API at url on hc, which transport.Wrap has made.
func Client(hc *http.Client, url, token string) (*github.Client, error) {
	url += "/"
	return github.NewClient(github.WithHTTPClient(hc), github.WithAuthToken(token), github.WithURLs(&url, &url))
}

// SDK is go-github, asked for a repository.
func SDK() rig.SDK {
	return rig.SDK{
		Name: "github",
		Plug: "github.NewClient(github.WithHTTPClient(hc))",
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/repos/steadytrip/steadytrip" || r.Header.Get("Authorization") != "Bearer secret" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_ = json.NewEncoder(w).Encode(map[string]any{"id": 1, "full_name": "steadytrip/steadytrip"})
		}),
		Call: func(ctx context.Context, hc *http.Client, url string, _ bool) error {
			client, err := Client(hc, url, "secret")
			if err != nil {
				return err
			}
			_, _, err = client.Repositories.Get(ctx, "steadytrip", "steadytrip")
			return err
		},
		Unavailable: []byte(`{"message":"No server is currently available to service your request."}`),
		Limited: []byte(`{"message":"You have exceeded a secondary rate limit.",` +
			`"documentation_url":"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`),
		Header: http.Header{"X-Github-Request-Id": {"8E2A:1F6B"}},
		Explain: func(err error) string {
			var answer *github.ErrorResponse
			var limit *github.AbuseRateLimitError
			switch {
			case errors.As(err, &answer):
				return "ErrorResponse: " + answer.Message
			case errors.As(err, &limit):
				return "AbuseRateLimitError: " + limit.Message
			}
			return ""
		},
	}
}
