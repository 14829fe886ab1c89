package simulate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/internal/dice"
)

// call is a call of the chain, and what came of it.
type call struct {
	world   *world
	traffic *Traffic
	source  int // which traffic
	number  int // of the call, in its traffic
	process int
	key     int
	slot    time.Duration
	wire    stream // its luck on the way and at the backend
	own     stream // the chain's, such as jitter
	cause   cause  // of the attempt under way
	alarm   alarm

	begin, end time.Duration
	tries      []try
	good       bool
	status     int
	reason     policy.Reason
	kind       classify.Kind
	local      local
	waited     time.Duration
}

// local says who refused a call in the process itself.
type local uint8

const (
	nobody local = iota
	breaker
	gate
)

// try is an attempt that was sent.
type try struct {
	begin, end time.Duration
	cause      cause
}

// newCall returns the n-th call of a source.
func (w *world) newCall(source, n int) *call {
	t := &w.scenario.Traffic[source]
	c := &call{
		world: w, traffic: t, source: source, number: n, slot: w.slot(source, n),
		wire: newStream(w.scenario.Seed, w.number, source, n, 1),
		own:  newStream(w.scenario.Seed, w.number, source, n, 2),
	}
	c.process = c.wire.intn(w.scenario.processes())
	c.key = t.Keys.pick(&c.wire)
	return c
}

// pick returns the number of the grant and policy of a call.
func (k Keys) pick(random *stream) int {
	n, x := max(k.Count, 1), random.Float64()
	switch {
	case n == 1:
		return k.First
	case k.Hot == 0:
		return k.First + int(x*float64(n))
	case x < k.Hot:
		return k.First
	}
	return k.First + 1 + int((x-k.Hot)/(1-k.Hot)*float64(n-1))
}

type callKey struct{}

// callOf returns the call that a context belongs to.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// policyName is the policy that the caller names; empty if it names none.
func policyName(req *http.Request) string {
	if c := callOf(req.Context()); c != nil && c.traffic.NamesPolicy {
		return policyOf(c.key)
	}
	return ""
}

func policyOf(key int) string { return "policy-" + strconv.Itoa(key) }
func grantOf(key int) string  { return "grant-" + strconv.Itoa(key) }

// request is what the caller asks for.
func (c *call) request() (*http.Request, context.CancelFunc) {
	ctx, cancel := c.world.ctx, context.CancelFunc(func() {})
	if c.traffic.Deadline > 0 {
		// It began before anything that the chain measures, so it goes before a bound of the same length.
		ctx, cancel = context.WithDeadline(ctx, c.world.epoch.Add(c.begin+c.traffic.Deadline-1))
	}
	ctx = dice.With(context.WithValue(ctx, callKey{}, c), &c.own)
	if c.traffic.NamesGrant {
		ctx = transport.ForGrant(ctx, grantOf(c.key))
	}
	req := &http.Request{
		Method: c.traffic.Method,
		URL:    &url.URL{Scheme: "https", Host: host, Path: "/" + strconv.Itoa(c.key)},
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{},
		Host:   host,
	}
	if req.Method == "" {
		req.Method = http.MethodGet
	}
	return req.WithContext(ctx), cancel
}

// run makes the call.
func (c *call) run() {
	w := c.world
	c.begin = w.now()
	req, cancel := c.request()
	defer cancel()
	resp, err := w.processes[c.process].chain.RoundTrip(req)
	c.end = w.now()
	if resp != nil {
		c.status = resp.StatusCode
		defer func() { _ = resp.Body.Close() }()
	}
	c.good = err == nil && c.status < http.StatusBadRequest
	trail := transport.TrailOf(resp, err)
	c.waited = trail.Waited
	if !c.good {
		c.kind, c.reason = classify.Of(resp, err).Kind, trail.Reason
	}
	switch { // a middleware may have made an answer of the error
	case errors.Is(err, transport.ErrOpen), trail.Reason == policy.Refused:
		c.local = breaker
	case errors.Is(err, transport.ErrGated), trail.Reason == policy.Gated:
		c.local = gate
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, c)
	if len(w.calls) > w.most { // a client that waits for nothing, such as one that a breaker refuses, calls a lot
		w.abort(fmt.Errorf("simulate: there are more than %d calls: want less time, or clients that think", mostCalls))
	}
	if len(w.calls)%1024 == 0 && w.ended != nil { // a second may have so many calls that nobody can wait for its sample
		if err := w.ended(); err != nil {
			w.abort(err)
		}
	}
	if c.good {
		w.good++
	}
}

// until lets the call's time pass, to its moment nearest to t. It reports whether the context lasted as long.
func (c *call) until(ctx context.Context, t time.Duration) bool {
	now := c.world.now()
	return c.alarm.wait(ctx, nearest(t, now, c.slot)-now)
}

// apart lets a call that may have gone on in the same moment as others go on in one of its own.
func apart(ctx context.Context) {
	if c := callOf(ctx); c != nil && c.world.now()%turn != c.slot {
		c.until(ctx, 0)
	}
}

// wire notes what is sent, and what comes of it.
func wire(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		c := callOf(req.Context())
		apart(req.Context())
		c.tries = append(c.tries, try{begin: c.world.now()})
		resp, err := next.RoundTrip(req)
		t := &c.tries[len(c.tries)-1]
		t.end, t.cause = c.world.now(), c.cause
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
