// Package migrating has what programs that used another retry library look like with steadytrip: the code of docs/migrating.md.
package migrating

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// FromRetryable is a client that retries failing answers and lost connections as often as one of go-retryablehttp did.
// Connections that are refused have the default's own profile.
func FromRetryable(client *http.Client) (*http.Client, error) {
	often := policy.Profile{
		Retries: 4, Initial: 100 * time.Millisecond, Max: 5 * time.Second, Multiplier: 2, Jitter: policy.FullJitter,
		MaxRetryAfter: 30 * time.Second, Cost: 0.5,
	}
	set := policy.Default()
	set.Profiles[classify.ProviderUnavailable] = often
	set.Profiles[classify.ProviderInternal] = often // 500, of which the default says to look into it
	set.Profiles[classify.ProviderRateLimit] = often
	set.Profiles[classify.Network] = often
	return transport.Wrap(client, transport.Config{Policy: &set})
}

// FromCheckRetry is a client that repeats a 409 whose body says that the resource is busy: what a CheckRetry did.
func FromCheckRetry(client *http.Client) (*http.Client, error) {
	provider, err := classify.NewProvider(classify.ProviderConfig{Rules: []classify.Rule{{
		Name: "busy", Statuses: []int{409}, Members: []string{"error.code"}, Codes: []string{"busy"},
		Kind: classify.ProviderUnavailable,
	}}})
	if err != nil {
		return nil, err
	}
	return transport.Wrap(client, transport.Config{Classifier: classify.First(classify.NetErrors{}, provider)})
}

// FromPrepareRetry is a client whose attempts are signed one by one, and whose failing answers are errors.
func FromPrepareRetry(client *http.Client, sign func(*http.Request) error) (*http.Client, error) {
	signed := func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			req = req.Clone(req.Context())
			if err := sign(req); err != nil {
				if req.Body != nil {
					_ = req.Body.Close()
				}
				return nil, err
			}
			return next.RoundTrip(req)
		})
	}
	return transport.Wrap(client, transport.Config{
		PerAttempt: []transport.Middleware{signed},
		PerCall:    []transport.Middleware{transport.ReturnErrors(nil)},
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// FromFailsafe is a client with retries, a breaker and a timeout for each attempt.
func FromFailsafe(client *http.Client) (*http.Client, error) {
	set := policy.Default()
	set.Profiles[classify.ProviderUnavailable] = policy.Profile{
		Retries: 3, Initial: 100 * time.Millisecond, Max: 2 * time.Second, Multiplier: 2, Jitter: 0.25,
		MaxRetryAfter: 2 * time.Second, Cost: 0.5,
	}
	outage := policy.OutageBreaker()
	outage.Failures, outage.Open = 5, 5*time.Second
	set.Breakers = append(set.Breakers, outage)
	return transport.Wrap(client, transport.Config{
		Policy:     &set,
		PerAttempt: []transport.Middleware{transport.AttemptTimeout(2 * time.Second)},
	})
}

// Bulkhead lets n attempts be under way at once, until their header is there; the others wait. It belongs into Config.PerAttempt.
func Bulkhead(n int) transport.Middleware {
	slots := make(chan struct{}, n)
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
				return next.RoundTrip(req)
			case <-req.Context().Done():
				if req.Body != nil {
					_ = req.Body.Close()
				}
				return nil, req.Context().Err()
			}
		})
	}
}

// Fallback fetches a page by client, or returns the old one while a breaker is open.
func Fallback(ctx context.Context, client *http.Client, url string, old []byte) ([]byte, error) {
	page, err := Get(ctx, client, url)
	if errors.Is(err, transport.ErrOpen) {
		return old, nil
	}
	return page, err
}

// FromHeimdall is a client with three retries, and a timeout for each attempt.
func FromHeimdall(client *http.Client) (*http.Client, error) {
	often := policy.Profile{
		Retries: 3, Initial: 10 * time.Millisecond, Max: 200 * time.Millisecond, Multiplier: 2, Jitter: 0.2,
		MaxRetryAfter: 10 * time.Second, Cost: 0.5,
	}
	set := policy.Default()
	set.Profiles[classify.ProviderUnavailable] = often
	set.Profiles[classify.Network] = often
	return transport.Wrap(client, transport.Config{
		Policy:     &set,
		PerAttempt: []transport.Middleware{transport.AttemptTimeout(time.Second)},
	})
}

// FromRehttp is a transport that repeats temporary errors and 503s.
func FromRehttp(base http.RoundTripper) (http.RoundTripper, error) {
	often := policy.Profile{
		Retries: 3, Initial: 50 * time.Millisecond, Max: time.Second, Multiplier: 2, Jitter: policy.FullJitter,
		MaxRetryAfter: 10 * time.Second, Cost: 0.5,
	}
	set := policy.Default()
	set.Profiles[classify.ProviderUnavailable] = often
	set.Profiles[classify.Network] = often
	return transport.New(base, transport.Config{
		Policy:     &set,
		PerAttempt: []transport.Middleware{transport.AttemptTimeout(5 * time.Second)},
	})
}

// Get fetches a page: what a loop of one's own was written for.
func Get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := classify.CheckResponse(resp); err != nil {
		return nil, fmt.Errorf("%d attempts: %w", max(1, transport.TrailOf(resp, nil).Attempts), err)
	}
	return io.ReadAll(resp.Body)
}
