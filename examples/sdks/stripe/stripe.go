// Package stripe plugs steadytrip into the Stripe SDK, github.com/stripe/stripe-go:
//
//	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
//	backends := stripe.NewBackendsWithConfig(&stripe.BackendConfig{HTTPClient: hc, MaxNetworkRetries: stripe.Int64(0)})
//	client := stripe.NewClient(key, stripe.WithBackends(backends))
//
// MaxNetworkRetries of zero switches off the two retries that the SDK makes by itself. Left on, they multiply where it retries:
// after every error, refusals of an open breaker included, and after answers that are not JSON. An answer with an error of
// the API's own is not retried by it, unless that is a lock timeout (429, lock_timeout). Its pauses do not end with the context.
//
// The SDK gives every POST an Idempotency-Key of its own, the same on each of the chain's attempts. So the chain retries
// a POST as it does a GET: Stripe answers the repetition of a request that it has carried out with the first answer.
// A Stripe-Should-Retry field in the answer has the last word.
//
// The error of an answer is *stripe.Error, as without the chain. It holds the status and the header, but not the *http.Response:
// the verdict and the trail are told to the chain's hooks only. Of an error without an answer [classify.Of] and
// [transport.TrailOf] read them.
package stripe

import (
	"context"
	"net/http"

	"github.com/stripe/stripe-go/v85"
)

// New returns a client of the API at url that sends through hc and retries that often by itself.
func New(hc *http.Client, url string, retries int64) *stripe.Client {
	backends := stripe.NewBackendsWithConfig(&stripe.BackendConfig{
		HTTPClient:        hc,
		MaxNetworkRetries: stripe.Int64(retries),
		URL:               stripe.String(url),
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull},
	})
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
