package program

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// newClient returns an http.Client for the Alter backend at host and for any other API, whose calls are traced and measured.
// This is all it takes. What calls know together is kept apart, in shared, so that it can be observed as well.
func newClient(host string, shared *transport.Shared, logger *slog.Logger, opts otelwrap.Options) (*http.Client, error) {
	classifier, err := classify.ForAlter(host)
	if err != nil {
		return nil, err
	}
	cfg := transport.Config{Classifier: classifier, Shared: shared, Logger: logger}
	return otelwrap.Wrap(&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: crowd}}, cfg, opts)
}

// patient is the policy of the stories: the default one, but a rate limit is waited for only if it is over within a second.
func patient() (*policy.Policy, error) {
	set := policy.Default()
	limited := set.Profiles[classify.PolicyRateLimit]
	limited.MaxRetryAfter = time.Second
	set.Profiles[classify.PolicyRateLimit] = limited
	return policy.New(set)
}
