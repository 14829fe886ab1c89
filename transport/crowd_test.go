package transport_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// crowd are callers of one chain without retries, on a state that can be looked into. It lives in a bubble of synctest.
type crowd struct {
	http.RoundTripper
	shared *transport.Shared
	start  time.Time

	mu   sync.Mutex
	step http.RoundTripper // what the base answers
	came []arrival         // at the base
	told []saying          // by the hooks
}

type arrival struct {
	at   time.Duration // since the crowd's start
	path string
}

type saying struct {
	at   time.Duration // since the crowd's start
	text string
}

func newCrowd(t testing.TB, keys transport.Keys, change func(*policy.Set)) *crowd {
	t.Helper()
	c := &crowd{step: ok, start: time.Now(), shared: newShared(t, keys, change)}
	c.RoundTripper = c.chain(t, transport.Config{Hooks: c.hooks()})
	return c
}

// chain returns another chain on the same state and the same base.
func (c *crowd) chain(t testing.TB, cfg transport.Config) http.RoundTripper {
	t.Helper()
	cfg.Classifier, cfg.Shared = alter(t), c.shared
	return newChain(t, roundTripFunc(c.answer), cfg)
}

// newShared is the state of a steady policy without retries.
func newShared(t testing.TB, keys transport.Keys, change func(*policy.Set)) *transport.Shared {
	t.Helper()
	s := steady()
	s.Profiles = nil
	if change != nil {
		change(s)
	}
	p, err := policy.New(*s)
	if err != nil {
		t.Fatal(err)
	}
	return transport.NewShared(p, keys)
}

// oneKey makes everything belong to one key.
var oneKey = transport.Keys{Key: func(*http.Request) string { return "all" }}

func (c *crowd) answer(req *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.came = append(c.came, arrival{time.Since(c.start), strings.TrimPrefix(req.URL.Path, "/")})
	step := c.step
	c.mu.Unlock()
	return transporttest.Play(step).RoundTrip(req)
}

// set makes the base answer with this step.
func (c *crowd) set(step http.RoundTripper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.step = step
}

func (c *crowd) hooks() transport.Hooks {
	tell := func(format string, args ...any) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.told = append(c.told, saying{time.Since(c.start), fmt.Sprintf(format, args...)})
	}
	return transport.Hooks{
		Breaker: func(_ context.Context, i transport.BreakerInfo) { tell("%s %v>%v", i.Name, i.From, i.To) },
		Refuse:  func(_ context.Context, i transport.RefuseInfo) { tell("refused for %v", i.RetryAfter) },
		Wait:    func(_ context.Context, i transport.WaitInfo) { tell("held %v sent %v", i.Duration, i.Sent) },
	}
}

// open opens the breaker of a URL with an answer of the backend's.
func (c *crowd) open(t testing.TB, url string, fields ...string) {
	t.Helper()
	c.set(answer(429, "rate_limit_exceeded", fields...))
	if status, err := exchange(c, newRequest(t, "GET", url, "")); status != 429 {
		t.Fatalf("%d, %v; want the 429", status, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.step, c.came, c.told = ok, nil, nil
}

// arrivals returns what reached the base, as "when path", in order; at the same moment, in the order of the paths.
func (c *crowd) arrivals() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.came, func(a, b arrival) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.path, b.path)) })
	var all []string
	for _, a := range c.came {
		all = append(all, fmt.Sprintf("%v %s", a.at, a.path))
	}
	return strings.Join(all, ", ")
}

// hears returns what the hooks said, in order; at the same moment, in that of the alphabet.
func (c *crowd) hears() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.told, func(a, b saying) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.text, b.text)) })
	var all []string
	for _, s := range c.told {
		all = append(all, s.text)
	}
	return strings.Join(all, ", ")
}

// caller is a call under way.
type caller struct {
	status int
	err    error
	ended  time.Duration // since the crowd's start
	body   *closeCounter // of the request
	done   chan struct{}
}

// send begins a call and returns when it waits for something.
func (c *crowd) send(ctx context.Context, url string) *caller {
	body := &closeCounter{Reader: strings.NewReader("x")}
	req, err := http.NewRequestWithContext(ctx, "POST", url, body)
	if err != nil {
		panic(err)
	}
	return c.sendAs(c, req, body)
}

// sendAs begins a call through another chain on the same state, and returns when it waits for something.
func (c *crowd) sendAs(rt http.RoundTripper, req *http.Request, body *closeCounter) *caller {
	call := c.begin(rt, req, body)
	synctest.Wait()
	return call
}

func (c *crowd) begin(rt http.RoundTripper, req *http.Request, body *closeCounter) *caller {
	call := &caller{body: body, done: make(chan struct{})}
	go func() {
		defer close(call.done)
		defer func() {
			if v := recover(); v != nil {
				call.err = fmt.Errorf("panic: %v", v)
			}
			call.ended = time.Since(c.start)
		}()
		call.err = errors.New("the goroutine was ended")
		call.status, call.err = exchange(rt, req)
	}()
	return call
}

// sendAll begins a call to each path of the host, in order.
func (c *crowd) sendAll(ctx context.Context, paths ...string) (calls []*caller) {
	for _, path := range paths {
		calls = append(calls, c.send(ctx, "https://backend.example/"+path))
	}
	return calls
}

// end waits for the call to end and says how: "200 at 2s", "refused at 1s", or the error.
func (call *caller) end() string {
	<-call.done
	outcome := fmt.Sprint(call.status)
	switch {
	case errors.Is(call.err, transport.ErrOpen):
		outcome = "refused"
	case call.err != nil:
		outcome = call.err.Error()
	}
	if call.body != nil && call.body.closed.Load() == 0 {
		outcome += " with an open body"
	}
	return fmt.Sprintf("%s at %v", outcome, call.ended)
}

func ends(calls ...*caller) string {
	var all []string
	for _, call := range calls {
		all = append(all, call.end())
	}
	return strings.Join(all, ", ")
}

// status returns what is known about the only breaker in trouble.
func (c *crowd) status(t testing.TB) transport.BreakerStatus {
	t.Helper()
	all := c.shared.Snapshot().Breakers
	if len(all) != 1 {
		t.Fatalf("%d breakers are in trouble, want one: %+v", len(all), all)
	}
	return all[0]
}

// names lists "breaker key state" of the breakers in trouble.
func names(s *transport.Shared) string {
	var all []string
	for _, b := range s.Snapshot().Breakers {
		all = append(all, fmt.Sprintf("%s %v %v", b.Name, b.Key, b.State))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func check(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s\nwant: %s", what, got, want)
	}
}
