// Command basics shows the two ways to use steadytrip in a few lines each: around any http.Client,
// and around a client of the Alter backend. It runs against a server of its own on loopback.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	backend := transporttest.NewBackend()
	defer func() { _ = backend.Close() }()
	backend.SetGrant("g1", transporttest.Active)
	backend.SetGrant("g2", transporttest.Revoked)

	client, err := anyClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if err := get(context.Background(), client, out, backend.URL+"/v1/grants/g1/calendar"); err != nil {
		return err
	}

	client, err = alterClient(backend.Host())
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if err := get(context.Background(), client, out, backend.URL+"/v1/grants/g2/calendar"); err != nil {
		return err
	}
	return getForGrant(context.Background(), client, out, backend.URL+"/v1/grants/g1/calendar")
}

// getForGrant fetches url, and says what grant it is about, so that it need not ask while another call waits for the grant's token.
func getForGrant(ctx context.Context, client *http.Client, out io.Writer, url string) error {
	ctx = transport.ForGrant(ctx, "g1") // or Config.Grant, a function of the request
	return get(ctx, client, out, url)
}

// anyClient is a client for any HTTP API, with the defaults.
func anyClient() (*http.Client, error) {
	client, err := transport.Wrap(&http.Client{}, transport.Config{})
	if err != nil {
		return nil, err
	}
	return client, nil
}

// alterClient is a client for the Alter backend at host, and for any API elsewhere, with a profile of its own for timeouts.
func alterClient(host string) (*http.Client, error) {
	classifier, err := classify.ForAlter(host)
	if err != nil {
		return nil, err
	}
	set := policy.Default()
	set.Profiles[classify.Timeout] = policy.Profile{
		Retries: 2, Initial: 500 * time.Millisecond, Max: 5 * time.Second, Multiplier: 2, Jitter: policy.FullJitter,
	}
	return transport.Wrap(&http.Client{}, transport.Config{Classifier: classifier, Policy: &set})
}

// get fetches url and says what to do about a failure.
func get(ctx context.Context, client *http.Client, out io.Writer, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err == nil {
		defer resp.Body.Close()
		err = classify.CheckResponse(resp)
	}
	var reauth *classify.ReAuthRequiredError
	switch {
	case err == nil:
		fmt.Fprintln(out, "ok:", resp.Status)
	case errors.As(err, &reauth):
		fmt.Fprintln(out, "send the user through Connect again for", reauth.GrantID)
	default:
		fmt.Fprintln(out, classify.Of(resp, err).Action().Todo())
		return err
	}
	return nil
}
