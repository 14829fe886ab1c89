package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestTrailOfARefusalDoesNotNameTheURL(t *testing.T) {
	client := &http.Client{Transport: newChain(t, answer(429, "rate_limit_exceeded", "Retry-After", "100"), transport.Config{Classifier: alter(t)})}
	resp, err := client.Get(backend + "/?token=secret")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	_, err = client.Get(backend + "/?token=secret")
	trail := transport.TrailOf(nil, err)
	if len(trail.Records) != 1 || !errors.Is(trail.Records[0].Err, transport.ErrOpen) {
		t.Fatalf("%v: trail %+v, want that of a refusal", err, trail)
	}
	if _, ok := trail.Records[0].Err.(*classify.PolicyRateLimitError); !ok {
		t.Errorf("the attempt ended with %T, want the typed error itself", trail.Records[0].Err)
	}
	if text := trail.Records[0].Err.Error(); strings.Contains(text, "secret") {
		t.Errorf("the URL is in %q", text)
	}
}

func TestTrailOfARefusalThatWasHeldSaysForHowLong(t *testing.T) {
	for name, hooks := range map[string]transport.Hooks{
		"unwatched": {},
		"watched":   {Call: func(context.Context, transport.CallInfo) {}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := steady()
				set.Breakers[0].Hold = 5 * time.Second
				base := transporttest.Play(answer(429, "rate_limit_exceeded", "Retry-After", "4"), transporttest.Hang())
				rt := newChain(t, base, transport.Config{Classifier: alter(t), Policy: set, Hooks: hooks})
				ctx, cancel := context.WithCancel(t.Context())
				send := func() (*http.Response, error) {
					return rt.RoundTrip(newRequest(t, "POST", backend, "").WithContext(ctx))
				}
				resp, err := send()
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				go func() { _, _ = send() }()
				synctest.Wait()
				_, err = send()
				if !errors.Is(err, transport.ErrOpen) {
					t.Fatalf("got %v, want a refusal", err)
				}
				if got := transport.TrailOf(nil, err).Records[0].Duration; got != 5*time.Second {
					t.Errorf("the attempt took %v, want the 5s that it was held", got)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

// A trail that an answer brings along from further in does not hide that of the call.
func TestTheCallsTrailIsTheOneThatIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := transport.NewShared(nil, transport.Keys{})
		base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if err := shared.ForceOpen("https://backend.example", time.Minute); err != nil {
				t.Error(err)
			}
			return answer(503, "").RoundTrip(req)
		})
		rt := transport.Chain(base, transport.Retry(nil, nil), transport.AnswerRefusals(), transport.Break(shared, nil), transport.Classify(nil))
		resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if trail := transport.TrailOf(resp, nil); trail.Attempts != 2 || trail.Records[0].Status != 503 {
			t.Errorf("trail %+v, want that of the whole call: a 503, and a refusal", trail)
		}
	})
}

// marked is a body that the garbage collector can be asked about.
type marked struct{ io.Reader }

func (*marked) Close() error { return nil }

func TestAKeptTrailKeepsNoAnswer(t *testing.T) {
	body := &marked{strings.NewReader("ok")}
	gone := weak.Make(body)
	final := transporttest.Func(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: body, Request: req}, nil
	})
	rt := newChain(t, transporttest.Play(answer(503, ""), final), transport.Config{Policy: fast()})
	resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	kept := transport.TrailOf(resp, nil)
	if kept.Attempts != 2 {
		t.Fatalf("%+v, want a retry", kept)
	}
	for range 100 {
		if runtime.GC(); gone.Value() == nil {
			break
		}
		time.Sleep(time.Millisecond) // for goroutines that are about to end
	}
	if gone.Value() != nil {
		t.Error("the answer's body lives as long as the trail")
	}
	runtime.KeepAlive(kept)
}

// A breaker alone makes no call: what it refuses has no trail, so that a Retry around it decides for itself.
func TestRefusalsHaveATrailOnlyFromACall(t *testing.T) {
	s := newShared(t, oneKey, nil)
	alone := transport.Chain(answer(429, "rate_limit_exceeded", "Retry-After", "100"), transport.Break(s, nil), transport.Classify(alter(t)))
	if _, err := exchange(alone, newRequest(t, "GET", backend, "")); err != nil {
		t.Fatal(err)
	}
	_, err := exchange(alone, newRequest(t, "GET", backend, ""))
	if !errors.Is(err, transport.ErrOpen) {
		t.Fatalf("%v, want a refusal", err)
	}
	if trail := transport.TrailOf(nil, err); trail.Attempts != 0 {
		t.Errorf("%+v, want no trail without a Retry", trail)
	}
	_, err = exchange(transport.Retry(s, nil)(alone), newRequest(t, "GET", backend, ""))
	if trail := transport.TrailOf(nil, err); trail.Attempts != 1 || trail.Reason != policy.Refused {
		t.Errorf("%+v, want the trail of the call", trail)
	}
}
