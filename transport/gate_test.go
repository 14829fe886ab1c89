package transport_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// office is a backend that refreshes the token of a grant, and the calls on the grant, each with a name.
// It answers without delay, and notes which call was sent when and how it ended.
type office struct {
	http.RoundTripper
	shared *transport.Shared
	start  time.Time
	until  time.Duration                // when the refresh is over
	refuse http.RoundTripper            // what answers until then
	then   http.RoundTripper            // what answers after it
	steps  map[string]http.RoundTripper // what answers a single attempt instead: "b2" is the second one of the call b

	mu    sync.Mutex
	tries map[string]int
	sent  []event
	ends  []event
	came  map[string]ending
	calls sync.WaitGroup
}

// event is what happened when.
type event struct {
	at   time.Duration
	what string
}

// ending is what a call came to.
type ending struct {
	resp  *http.Response
	body  string
	err   error
	trail transport.Trail
}

// gating is the default policy without randomness, and with a probe that asks every 100 ms.
func gating() *policy.Set {
	s := steady()
	s.Gate.Probe.Initial, s.Gate.Probe.Max, s.Gate.Probe.Multiplier, s.Gate.Probe.Jitter = ms(100), ms(100), 1, 0
	return s
}

// newOffice returns an office whose refresh ends after that time. Without a policy it has that of gating.
func newOffice(t testing.TB, until time.Duration, cfg transport.Config) *office {
	t.Helper()
	if cfg.Policy == nil {
		cfg.Policy = gating()
	}
	p, err := policy.New(*cfg.Policy)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{
		start: time.Now(), until: until, refuse: refreshing, then: ok,
		tries: map[string]int{}, came: map[string]ending{},
		shared: transport.NewShared(p, transport.Keys{Grant: cfg.Grant}),
	}
	o.RoundTripper = newChain(t, roundTripFunc(o.serve), transport.Config{Classifier: alter(t), Shared: o.shared, Hooks: cfg.Hooks})
	return o
}

// answerOn is an answer with a code, about a grant.
func answerOn(grant string, status int, code string) http.RoundTripper {
	return transporttest.Func(func(req *http.Request) (*http.Response, error) {
		body := fmt.Sprintf(`{"error":%q,"details":{"grant_id":%q}}`, code, grant)
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}, nil
	})
}

var (
	refreshing = answerOn("g", 409, "token_refresh_in_progress")
	exiting    = transporttest.Func(func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil })
)

// lingering is a step that takes that long whatever its context says.
func lingering(d time.Duration, then http.RoundTripper) http.RoundTripper {
	return transporttest.Func(func(req *http.Request) (*http.Response, error) {
		time.Sleep(d)
		return then.RoundTrip(req)
	})
}

func (o *office) serve(req *http.Request) (*http.Response, error) {
	name, at := path.Base(req.URL.Path), time.Since(o.start)
	o.mu.Lock()
	o.tries[name]++
	o.sent = append(o.sent, event{at, name})
	step := o.steps[fmt.Sprint(name, o.tries[name])]
	o.mu.Unlock()
	switch {
	case step != nil:
	case at < o.until:
		step = o.refuse
	default:
		step = o.then
	}
	return transporttest.Play(step).RoundTrip(req)
}

type change = func(*http.Request) *http.Request

// call makes a POST at that time after the start.
func (o *office) call(t testing.TB, name string, at time.Duration, changes ...change) {
	req := newRequest(t, "POST", backend+"/"+name, "")
	for _, f := range changes {
		if f != nil {
			req = f(req)
		}
	}
	o.calls.Go(func() {
		time.Sleep(time.Until(o.start.Add(at)))
		var came ending
		what := "exit"
		defer func() {
			if v := recover(); v != nil {
				what = fmt.Sprint(v)
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			o.ends = append(o.ends, event{time.Since(o.start), name + ":" + what})
			o.came[name] = came
		}()
		resp, err := o.RoundTrip(req)
		came = ending{resp: resp, err: err, trail: transport.TrailOf(resp, err)}
		what = classify.Of(nil, err).Kind.String()
		if err == nil {
			body, err := io.ReadAll(resp.Body)
			came.body, came.err = string(body), err
			what = fmt.Sprint(resp.StatusCode)
			resp.Body.Close()
		}
	})
}

// check waits for all calls and says what is not as it should be: who was sent when, how the calls ended,
// and whether anything is left.
func (o *office) check(t testing.TB, sent, ends string) {
	t.Helper()
	o.calls.Wait()
	if got := told(o.sent); got != sent {
		t.Errorf("sent  %s\nwant  %s", got, sent)
	}
	o.checkEnds(t, ends)
}

func (o *office) checkEnds(t testing.TB, ends string) {
	t.Helper()
	o.calls.Wait()
	if got := told(o.ends); got != ends {
		t.Errorf("ended %s\nwant  %s", got, ends)
	}
	o.checkEmpty(t)
}

func (o *office) checkEmpty(t testing.TB) {
	t.Helper()
	if gates := o.shared.Snapshot().Gates; len(gates) != 0 {
		t.Errorf("gates left behind: %+v", gates)
	}
}

// told is a list of events as text, "a@0s b@1ms". Those of the same time are in the order of their names.
func told(events []event) string {
	slices.SortFunc(events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.what, b.what))
	})
	texts := make([]string, len(events))
	for i, e := range events {
		texts[i] = fmt.Sprintf("%s@%v", e.what, e.at)
	}
	return strings.Join(texts, " ")
}

// onGrant names the grant before the call is sent.
func onGrant(req *http.Request) *http.Request {
	return req.WithContext(transport.ForGrant(req.Context(), "g"))
}

// cancelledAt ends a call's context at that time from now.
func cancelledAt(d time.Duration) change {
	return func(req *http.Request) *http.Request {
		ctx, cancel := context.WithCancel(req.Context())
		time.AfterFunc(d, cancel)
		return req.WithContext(ctx)
	}
}

// dueIn gives a call a deadline, that time from now.
func dueIn(t testing.TB, d time.Duration) change {
	return func(req *http.Request) *http.Request {
		ctx, cancel := context.WithTimeout(req.Context(), d)
		t.Cleanup(cancel)
		return req.WithContext(ctx)
	}
}

// stoppedAt closes a call's Cancel channel at that time from now.
func stoppedAt(d time.Duration) change {
	return func(req *http.Request) *http.Request {
		stop := make(chan struct{})
		time.AfterFunc(d, func() { close(stop) })
		//lint:ignore SA1019 http.Client.Timeout sets it
		req.Cancel = stop
		return req
	}
}

// uploading gives a call a body, whose copies are made by again.
func uploading(again func() (io.ReadCloser, error)) change {
	return func(req *http.Request) *http.Request {
		req.Body, req.GetBody = io.NopCloser(strings.NewReader("x")), again
		return req
	}
}

// waitingOf is a hook for the waits of one call.
func waitingOf(name string, do func()) transport.Hooks {
	return transport.Hooks{Wait: func(_ context.Context, i transport.WaitInfo) {
		if path.Base(i.Request.URL.Path) == name {
			do()
		}
	}}
}

func TestGateOneCallAsksAndTheOthersWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(250), transport.Config{})
		o.call(t, "a", 0)
		o.call(t, "b", ms(1))
		o.call(t, "c", ms(2), onGrant)
		o.check(t, "a@0s b@1ms a@100ms a@200ms a@300ms b@300ms c@300ms", "a:200@300ms b:200@300ms c:200@300ms")
	})
}

// At 0 ms a call on the grant g of the backend is refused.
func TestGateHoldsUpNothingElse(t *testing.T) {
	for name, change := range map[string]change{
		"another grant": func(req *http.Request) *http.Request {
			return req.WithContext(transport.ForGrant(req.Context(), "h"))
		},
		"the grant of that name on another host": func(req *http.Request) *http.Request {
			req.URL.Host = "other.example"
			return onGrant(req)
		},
		"the grant of that name on another port": func(req *http.Request) *http.Request {
			req.URL.Host += ":8443"
			return onGrant(req)
		},
		"a request whose grant nobody knows": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, ms(150), transport.Config{})
				o.steps = map[string]http.RoundTripper{"b1": ok}
				o.call(t, "a", 0)
				o.call(t, "b", ms(50), change)
				o.check(t, "a@0s b@50ms a@100ms a@200ms", "b:200@50ms a:200@200ms")
			})
		})
	}
}

func TestGatesOfTwoGrantsAreTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(150), transport.Config{})
		h := answerOn("h", 409, "token_refresh_in_progress")
		o.steps = map[string]http.RoundTripper{"x1": h, "x2": ok, "y1": h, "y2": ok}
		o.call(t, "a", 0)
		o.call(t, "b", ms(1))
		o.call(t, "x", ms(2))
		o.call(t, "y", ms(3))
		o.check(t, "a@0s b@1ms x@2ms y@3ms a@100ms x@102ms y@102ms a@200ms b@200ms",
			"x:200@102ms y:200@102ms a:200@200ms b:200@200ms")
	})
}

func TestGateIsSharedByChainsOnOneState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, ms(150), transport.Config{})
		first, second := o.RoundTripper, newChain(t, roundTripFunc(o.serve), transport.Config{Classifier: alter(t), Shared: o.shared})
		o.RoundTripper = roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if path.Base(req.URL.Path) == "a" {
				return first.RoundTrip(req)
			}
			return second.RoundTrip(req)
		})
		o.call(t, "a", 0)
		o.call(t, "b", ms(1))
		o.call(t, "c", ms(2), onGrant)
		o.check(t, "a@0s b@1ms a@100ms a@200ms b@200ms c@200ms", "a:200@200ms b:200@200ms c:200@200ms")
	})
}
