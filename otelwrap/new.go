package otelwrap

import (
	"errors"
	"net/http"
	"slices"

	"github.com/steadytrip/steadytrip/transport"
)

// New is [transport.New] with telemetry: a span for each call, a span for each attempt that is sent, and metrics.
// The parts are added to copies of cfg's lists:
//
//	Calls -> cfg.PerCall -> Retry -> Break -> Attempts -> cfg.Watch -> Classify -> cfg.PerAttempt -> base
//
// [Calls] is the outermost, and [Attempts] the first of those that see an attempt, so that cfg.PerAttempt signs what the
// propagator writes. With BesideOtelhttp [Attempts] is the last of cfg.Watch instead, inside of otelhttp.
// [Hooks] join those of cfg.
//
// One such chain is enough: one within another gives the same attempt a span of its own in each.
//
// A nil base is [http.DefaultTransport]. The error lists every fault of cfg and opts. The chain is safe for concurrent use if
// base and the user's own parts are.
func New(base http.RoundTripper, cfg transport.Config, opts Options) (http.RoundTripper, error) {
	t := newTelemetry(opts)
	t.grant, t.led, t.counts = cfg.Grant, !opts.NoCallSpan, true
	if cfg.Shared != nil {
		t.grant = cfg.Shared.GrantOf
	}
	if len(cfg.PerCall) > 0 { // they may call Retry more than once, and only the last trail comes out
		cfg.PerCall = slices.Concat(cfg.PerCall, []transport.Middleware{tally})
	}
	cfg.PerCall = slices.Concat([]transport.Middleware{t.calls}, cfg.PerCall)
	if opts.BesideOtelhttp {
		cfg.Watch = slices.Concat(cfg.Watch, []transport.Middleware{t.attempts})
	} else {
		cfg.Watch = slices.Concat([]transport.Middleware{t.attempts}, cfg.Watch)
	}
	cfg.Hooks = transport.JoinHooks(t.events(), cfg.Hooks)
	rt, err := transport.New(base, cfg)
	if err := errors.Join(opts.Validate(), err); err != nil {
		return nil, err
	}
	return rt, nil
}

// Wrap returns a copy of client whose Transport is wrapped as [New] does. The client itself is not changed; a nil client
// stands for the zero http.Client. Each hop of a redirect is a call of its own, whose attempts go on counting where the hop
// before ended.
func Wrap(client *http.Client, cfg transport.Config, opts Options) (*http.Client, error) {
	if client == nil {
		client = &http.Client{}
	}
	rt, err := New(client.Transport, cfg, opts)
	if err != nil {
		return nil, err
	}
	wrapped := *client
	wrapped.Transport = rt
	return &wrapped, nil
}
