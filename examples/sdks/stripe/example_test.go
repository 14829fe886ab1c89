package stripe_test

import (
	"log"
	"net/http"

	"github.com/stripe/stripe-go/v85"

	"github.com/steadytrip/steadytrip/transport"
)

// Example has the lines of docs/sdks.md, so that they compile.
func Example() { //nolint:testableexamples // it would ask the API itself
	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
	if err != nil {
		log.Fatal(err)
	}
	backends := stripe.NewBackendsWithConfig(&stripe.BackendConfig{HTTPClient: hc, MaxNetworkRetries: stripe.Int64(0)})
	log.Println(stripe.NewClient("sk_test_example", stripe.WithBackends(backends)))
}
