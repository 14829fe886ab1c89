package stub

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// Set returns the default policy but for two things, so that the work is measured and not the rules: pauses last a nanosecond, and
// the budget, which is kept as ever, allows that half of all attempts are retries.
func Set() policy.Set {
	set := policy.Default()
	for kind, p := range set.Profiles {
		p.Initial, p.Max = 1, 1
		set.Profiles[kind] = p
	}
	set.Gate.Probe.Initial, set.Gate.Probe.Max = 1, 1
	set.Budget.Ratio, set.Budget.Min = 1, 1000
	return set
}

// Config returns the configuration of the default chain in front of the backend at [Host] and at the given hosts.
func Config(tb testing.TB, hosts ...string) transport.Config {
	tb.Helper()
	classifier, err := classify.ForAlter(append(hosts, Host)...)
	if err != nil {
		tb.Fatal(err)
	}
	set := Set()
	return transport.Config{Classifier: classifier, Policy: &set}
}

// Chain returns the default chain: it classifies, retries, breaks, gates and budgets.
func Chain(tb testing.TB, base http.RoundTripper, hosts ...string) http.RoundTripper {
	tb.Helper()
	return NewChain(tb, base, Config(tb, hosts...))
}

// NewChain is transport.New, but cannot fail.
func NewChain(tb testing.TB, base http.RoundTripper, cfg transport.Config) http.RoundTripper {
	tb.Helper()
	rt, err := transport.New(base, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return rt
}

// HostOf returns the host name of a URL.
func HostOf(tb testing.TB, raw string) string {
	tb.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return u.Hostname()
}
