// Package google plugs steadytrip into google.golang.org/api, here its client of Cloud Storage.
//
//	service, err := storage.NewService(ctx, option.WithHTTPClient(hc))
//
// where hc comes from transport.Wrap. The option overrides every other one about credentials, so authentication is put into hc:
// [Authenticated] has oauth2.Transport outside of steadytrip, which is where it belongs.
//
// The clients do not retry, but for the chunks of an upload, each for half a minute and without heeding the marks of steadytrip's
// errors. [Upload] switches that off and leaves the retries to steadytrip.
package google

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
)

// Authenticated returns a client that sends the tokens of source by hc, which transport.Wrap has made.
func Authenticated(hc *http.Client, source oauth2.TokenSource) *http.Client {
	return &http.Client{Transport: &oauth2.Transport{Source: source, Base: hc.Transport}}
}

// Client returns a client of storage at url on hc.
func Client(ctx context.Context, hc *http.Client, url string) (*storage.Service, error) {
	return storage.NewService(ctx, option.WithHTTPClient(hc), option.WithEndpoint(url+"/storage/v1/"))
}

// Upload sends media as a new object; that it must not exist makes repeating harmless. What is sent in chunks, or is shorter than one,
// is in memory and can be repeated. googleapi.ChunkSize(0) streams the media instead, and it is sent once.
func Upload(ctx context.Context, s *storage.Service, bucket, name string, media io.Reader, options ...googleapi.MediaOption) (*storage.Object, error) {
	return s.Objects.Insert(bucket, &storage.Object{Name: name}).IfGenerationMatch(0).Media(media, options...).
		WithRetry(nil, func(error) bool { return false }).Context(transport.Idempotent(ctx)).Do()
}

// SDK is the client of storage, asked about an object.
func SDK() rig.SDK {
	return rig.SDK{
		Name: "google",
		Plug: "storage.NewService(ctx, option.WithHTTPClient(hc))",
		Off:  "only uploads have some: insert.WithRetry(nil, func(error) bool { return false })",
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
