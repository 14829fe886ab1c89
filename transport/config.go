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

	// Policy says what is retried, how, what opens a breaker and how calls wait together. New takes a copy.
	// Default: [policy.Default].
	Policy *policy.Set

	// Key names what a breaker and a retry budget belong to, and Grant the grant that a request is about, see [Keys].
	// Default: the server that the URL names, and the grant that [ForGrant] or the answer names.
	Key, Grant func(req *http.Request) string

	// Shared lets several chains know together what is in trouble. It brings its own policy and keys: Policy, Key and Grant
	// must be unset then. Default: each chain for itself.
	Shared *Shared

	// Hooks are told what happens. Default: nobody is.
	Hooks Hooks

	// Logger gets what [LogHooks] writes. Default: nothing is logged.
	Logger *slog.Logger

	// Watch middlewares wrap each attempt outside of [Classify], so that they see its verdict, see [classify.Of]; the first is
	// the outermost. Attempts that a breaker refuses do not reach them. Tracing belongs here.
	Watch []Middleware

	// PerCall middlewares wrap the whole call, retries included; the first is the outermost.
	PerCall []Middleware

	// PerAttempt middlewares wrap each attempt, next to the base; the first is the outermost. What must be made anew
	// for each attempt, such as a signature with a nonce, belongs here.
	PerAttempt []Middleware
}

// New wraps base in the default chain:
//
//	PerCall -> Retry -> Break -> Watch -> Classify -> PerAttempt -> base
//
// A nil base is [http.DefaultTransport]. The error lists every fault of cfg.
// The chain is safe for concurrent use if base and the user's own parts are.
func New(base http.RoundTripper, cfg Config) (http.RoundTripper, error) {
	shared, err := cfg.compile()
	if err != nil {
		return nil, err
	}
	if cfg.Logger != nil {
		cfg.Hooks = JoinHooks(cfg.Hooks, LogHooks(cfg.Logger))
	}
	var chain []Middleware
	var faults []error
	add := func(name string, list []Middleware) {
		for i, wrap := range list {
			chain = append(chain, func(next http.RoundTripper) http.RoundTripper {
				rt := wrap(next)
				if rt == nil {
					faults = append(faults, fmt.Errorf("transport: Config.%s[%d] returned nil: want a RoundTripper", name, i))
					return next
				}
				return rt
			})
		}
	}
	add("PerCall", cfg.PerCall)
	chain = append(chain, Retry(shared, &cfg.Hooks), Break(shared, &cfg.Hooks))
	add("Watch", cfg.Watch)
	chain = append(chain, Classify(cfg.Classifier))
	add("PerAttempt", cfg.PerAttempt)
	rt := Chain(base, chain...)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return rt, nil
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

// compile checks cfg and returns the state of its calls.
func (cfg Config) compile() (*Shared, error) {
	var faults []error
	for _, list := range []struct {
		name string
		all  []Middleware
	}{{"PerCall", cfg.PerCall}, {"Watch", cfg.Watch}, {"PerAttempt", cfg.PerAttempt}} {
		for i, m := range list.all {
			if m == nil {
				faults = append(faults, fmt.Errorf("transport: Config.%s[%d] is nil: want a Middleware", list.name, i))
			}
		}
	}
	if cfg.Shared != nil {
		if cfg.Policy != nil {
			faults = append(faults, errors.New("transport: Config.Policy is set beside Config.Shared: want it given to NewShared"))
		}
		if cfg.Key != nil {
			faults = append(faults, errors.New("transport: Config.Key is set beside Config.Shared: want it given to NewShared"))
		}
		if cfg.Grant != nil {
			faults = append(faults, errors.New("transport: Config.Grant is set beside Config.Shared: want it given to NewShared"))
		}
		return cfg.Shared, errors.Join(faults...)
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
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return NewShared(p, Keys{cfg.Key, cfg.Grant}), nil
}
