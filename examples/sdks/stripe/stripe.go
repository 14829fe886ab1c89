// Package stripe plugs steadytrip into the Stripe SDK, github.com/stripe/stripe-go:
//
//	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
//	backends := stripe.NewBackendsWithConfig(&stripe.BackendConfig{HTTPClient: hc, MaxNetworkRetries: stripe.Int64(0)})
//	client := stripe.NewClient(key, stripe.WithBackends(backends))
//
// MaxNetworkRetries of zero switches off the two retries that the SDK makes by itself. Left on, they multiply where it retries:
// after every error, refusals of an open breaker included, and after answers that are not JSON, such as a proxy's 503, which
// arrives six times instead of two. An answer with an error of the API's own is not retried by it, unless that is a lock timeout
// (429, lock_timeout). Its pauses do not end with the context.
//
// The SDK gives every POST an Idempotency-Key of its own, the same on each of the chain's attempts. So the chain retries
// a POST as it does a GET: Stripe answers the repetition of a request that it has carried out with the first answer.
// A Stripe-Should-Retry field in the answer has the last word.
//
// The error of an answer is *stripe.Error, as without the chain. It holds the status, the header and the body, but not the
// *http.Response on which the verdict rides: [Verdict] judges it anew. Of an error without an answer [classify.Of] and
// [transport.TrailOf] read what the chain found.
package stripe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stripe/stripe-go/v85"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
)

// SDK is the SDK, which posts a customer.
func SDK() rig.SDK {
	return rig.SDK{
		Name:        "stripe",
		Plug:        "stripe.BackendConfig{HTTPClient: hc}",
		Off:         "MaxNetworkRetries: stripe.Int64(0)",
		Handler:     &Server{},
		Unavailable: []byte(unavailable),
		Limited:     []byte(limited),
		Explain:     explain,
		Call: func(ctx context.Context, hc *http.Client, url string, own bool) error {
			_, err := Create(ctx, Client(hc, url, own))
			return err
		},
	}
}

// explain returns what the SDK's error says of an answer.
func explain(err error) string {
	var e *stripe.Error
	if !errors.As(err, &e) {
		return ""
	}
	return fmt.Sprintf("%d %s %s: %s", e.HTTPStatusCode, e.Type, e.Code, e.Msg)
}

// Verdict returns what an error of the SDK's means. [classify.Of] alone would take its error of an answer for one of the network.
func Verdict(err error) classify.Verdict {
	var e *stripe.Error
	if !errors.As(err, &e) || e.LastResponse == nil {
		return classify.Of(nil, err)
	}
	answer := e.LastResponse
	return classify.Default().Classify(classify.Outcome{
		Status: answer.StatusCode, Header: answer.Header, Body: answer.RawJSON, Time: time.Now(),
	})
}

// Client returns a client of the API at url that sends through hc. If own is true the SDK retries by itself, as often as it does
// by default but without pauses.
func Client(hc *http.Client, url string, own bool) *stripe.Client {
	config := &stripe.BackendConfig{
		HTTPClient:    hc,
		URL:           stripe.String(url),
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	}
	if !own {
		config.MaxNetworkRetries = stripe.Int64(0)
	}
	backends := stripe.NewBackendsWithConfig(config)
	if api, ok := backends.API.(*stripe.BackendImplementation); ok {
		api.SetNetworkRetriesSleep(false)
	}
	return stripe.NewClient("sk_test_example", stripe.WithBackends(backends))
}

// Create posts a customer and returns its id.
func Create(ctx context.Context, client *stripe.Client) (string, error) {
	customer, err := client.V1Customers.Create(ctx, &stripe.CustomerCreateParams{Name: stripe.String("Ada")})
	if err != nil {
		return "", err
	}
	return customer.ID, nil
}

// Find gets a customer and returns its name.
func Find(ctx context.Context, client *stripe.Client, id string) (string, error) {
	customer, err := client.V1Customers.Retrieve(ctx, id, nil)
	if err != nil {
		return "", err
	}
	return customer.Name, nil
}
