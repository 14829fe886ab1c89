package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// Config says how [New] builds the chain. The zero value is the default: any HTTP API, [policy.Default],
// one breaker for each host, no hooks.
type Config struct {
	// Classifier judges every answer and error. Default: [classify.Default], which knows no Alter;
	// see [classify.ForAlter].
	Classifier classify.Classifier

	// Policy says what is retried, how, and what opens a breaker. New takes a copy. Default: [policy.Default].
	Policy *policy.Set

	// Key names what a breaker and a retry budget belong to, from the request, such as a tenant or an API family.
	// It must be safe for concurrent use; a request without URL is not shown to it. Default: scheme, host and port of the URL.
	Key func(req *http.Request) string

	// Hooks are told what happens. Default: nobody is.
	Hooks Hooks

	// Logger gets what [LogHooks] writes. Default: nothing is logged.
	Logger *slog.Logger

	// PerCall middlewares wrap the whole call, retries included; the first is the outermost.
	PerCall []Middleware

	// PerAttempt middlewares wrap each attempt, next to the base; the first is the outermost. What must be made anew
	// for each attempt, such as a signature with a nonce, belongs here.
	PerAttempt []Middleware
}

// New wraps base in the default chain:
//
//	PerCall -> Retry -> Break -> Classify -> PerAttempt -> base
//
// A nil base is [http.DefaultTransport]. The error lists every fault of cfg.
// The chain is safe for concurrent use if base and the user's own parts are.
func New(base http.RoundTripper, cfg Config) (http.RoundTripper, error) {
	p, err := cfg.compile()
	if err != nil {
		return nil, err
	}
	if cfg.Logger != nil {
		cfg.Hooks = JoinHooks(cfg.Hooks, LogHooks(cfg.Logger))
	}
	var chain []Middleware
	chain = append(chain, cfg.PerCall...)
	chain = append(chain, Retry(p, cfg.Key, &cfg.Hooks), Break(p, cfg.Key, &cfg.Hooks), Classify(cfg.Classifier))
	chain = append(chain, cfg.PerAttempt...)
	return Chain(base, chain...), nil
}

// Wrap returns a copy of client whose Transport is wrapped as [New] does. The client itself is not changed;
// a nil client stands for the zero http.Client. Redirects, cookies and Client.Timeout stay the client's:
// each hop of a redirect is a call of its own to the chain.
//
// Prefer a context with a deadline to Client.Timeout: of an error that arrives after Client.Timeout has fired
// http.Client keeps the text only, and the verdict is lost.
func Wrap(client *http.Client, cfg Config) (*http.Client, error) {
	if client == nil {
		client = &http.Client{}
	}
	rt, err := New(client.Transport, cfg)
	if err != nil {
		return nil, err
	}
	wrapped := *client
	wrapped.Transport = rt
	return &wrapped, nil
}

// compile checks cfg and returns its policy.
func (cfg Config) compile() (*policy.Policy, error) {
	var faults []error
	for i, m := range cfg.PerCall {
		if m == nil {
			faults = append(faults, fmt.Errorf("transport: Config.PerCall[%d] is nil: want a Middleware", i))
		}
	}
	for i, m := range cfg.PerAttempt {
		if m == nil {
			faults = append(faults, fmt.Errorf("transport: Config.PerAttempt[%d] is nil: want a Middleware", i))
		}
	}
	set := cfg.Policy
	if set == nil {
		standard := policy.Default()
		set = &standard
	}
	p, err := policy.New(*set)
	if err != nil {
		faults = append(faults, fmt.Errorf("transport: Config.Policy: %w", err))
	}
	return p, errors.Join(faults...)
}
