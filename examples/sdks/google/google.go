// Package google plugs steadytrip into google.golang.org/api, here its client of Cloud Storage.
//
//	service, err := storage.NewService(ctx, option.WithHTTPClient(hc))
//
// where hc comes from transport.Wrap. The option overrides every other one about credentials, so authentication is put into hc:
// [Authenticated] has oauth2.Transport outside of steadytrip, which is where it belongs.
//
// The clients do not retry, but for uploads of media. WithRetry of the call with a function that says no switches that off.
// Left on, it heeds no mark of steadytrip's errors.
package google

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
)

// Authenticated returns a client that sends the tokens of source by hc, which transport.Wrap has made.
func Authenticated(hc *http.Client, source oauth2.TokenSource) *http.Client {
	return &http.Client{Transport: &oauth2.Transport{Source: source, Base: hc.Transport}}
}

// Client returns a client of storage at url on hc.
func Client(ctx context.Context, hc *http.Client, url string) (*storage.Service, error) {
	return storage.NewService(ctx, option.WithHTTPClient(hc), option.WithEndpoint(url+"/storage/v1/"))
}

// Never is for WithRetry of a call: it switches the retries of the client's own off.
func Never(error) bool { return false }

// SDK is the client of storage, asked about an object.
func SDK() rig.SDK {
	return rig.SDK{
		Name: "google",
		Plug: "storage.NewService(ctx, option.WithHTTPClient(hc))",
		Off:  "uploads: call.WithRetry(nil, func(error) bool { return false }); others have none",
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json; charset=UTF-8")
			if r.URL.Path != "/storage/v1/b/bucket/o/object" || r.Header.Get("Authorization") != "Bearer secret" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			_ = json.NewEncoder(w).Encode(storage.Object{Bucket: "bucket", Name: "object", Size: 7})
		}),
		Call: func(ctx context.Context, hc *http.Client, url string, _ bool) error {
			hc = Authenticated(hc, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "secret"}))
			service, err := Client(ctx, hc, url)
			if err != nil {
				return err
			}
			object, err := service.Objects.Get("bucket", "object").Context(ctx).Do()
			if err == nil && object.Name != "object" {
				err = fmt.Errorf("got %q", object.Name)
			}
			return err
		},
		Unavailable: []byte(`{"error":{"code":503,"message":"We encountered an internal error. Please try again.","status":"UNAVAILABLE",` +
			`"errors":[{"message":"We encountered an internal error. Please try again.","domain":"global","reason":"backendError"}]}}`),
		Limited: []byte(`{"error":{"code":429,"message":"The rate limit for object operations was exceeded.",` +
			`"errors":[{"message":"The rate limit for object operations was exceeded.","domain":"usageLimits","reason":"rateLimitExceeded"}]}}`),
		Explain: func(err error) string {
			var answer *googleapi.Error
			if !errors.As(err, &answer) || len(answer.Errors) == 0 {
				return ""
			}
			return fmt.Sprintf("googleapi.Error: %d %s: %s", answer.Code, answer.Errors[0].Reason, answer.Message)
		},
	}
}
