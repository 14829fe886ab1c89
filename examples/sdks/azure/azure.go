// Package azure plugs steadytrip into the Azure SDK, here its client of table storage.
//
//	options := azcore.ClientOptions{Transport: hc, Retry: policy.RetryOptions{MaxRetries: -1}}
//
// where hc comes from transport.Wrap, and MaxRetries switches the SDK's own retries off; for one call policy.WithRetryOptions does.
// Left on, they do not repeat what steadytrip returns as an error, for its mark says that retrying has been done; an answer has no
// mark, and is repeated.
//
// Authentication and signing are the SDK's and stand outside of steadytrip: every attempt has the token or the signature of the
// first. A body that can seek can be read again; others the SDK does not take.
package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
)

// Options returns the options for every client of the SDK on hc, without retries of its own.
func Options(hc *http.Client) azcore.ClientOptions {
	return azcore.ClientOptions{Transport: hc, Retry: policy.RetryOptions{MaxRetries: -1}}
}

// Client returns a client of the table at url.
func Client(url string, options azcore.ClientOptions) (*aztables.Client, error) {
	key, err := aztables.NewSharedKeyCredential("account", "c2VjcmV0")
	if err != nil {
		return nil, err
	}
	return aztables.NewClientWithSharedKey(url+"/account/people", key, &aztables.ClientOptions{ClientOptions: options})
}

// SDK is the client of a table, asked for an entity.
func SDK() rig.SDK {
	return rig.SDK{
		Name: "azure",
		Plug: "azcore.ClientOptions{Transport: hc}",
		Off:  "Retry: policy.RetryOptions{MaxRetries: -1}",
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/account/people(PartitionKey='de',RowKey='1')" || !strings.HasPrefix(r.Header.Get("Authorization"), "SharedKeyLite account:") {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			w.Header().Set("Content-Type", "application/json;odata=minimalmetadata")
			fmt.Fprint(w, `{"PartitionKey":"de","RowKey":"1","Name":"Ada"}`)
		}),
		Call: func(ctx context.Context, hc *http.Client, url string, own bool) error {
			options := Options(hc)
			if own {
				options.Retry = policy.RetryOptions{RetryDelay: time.Millisecond} // by default, but for shorter pauses
			}
			client, err := Client(url, options)
			if err != nil {
				return err
			}
			entity, err := client.GetEntity(ctx, "de", "1", nil)
			if err == nil && !strings.Contains(string(entity.Value), "Ada") {
				err = fmt.Errorf("got %s", entity.Value)
			}
			return err
		},
		Unavailable: []byte(`{"odata.error":{"code":"ServerBusy","message":{"lang":"en-US","value":"The server is busy."}}}`),
		Limited:     []byte(`{"odata.error":{"code":"TooManyRequests","message":{"lang":"en-US","value":"Too many requests."}}}`),
		Explain: func(err error) string {
			var answer *azcore.ResponseError
			if !errors.As(err, &answer) {
				return ""
			}
			return fmt.Sprintf("ResponseError: %d %s", answer.StatusCode, answer.ErrorCode)
		},
	}
}
