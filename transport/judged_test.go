package transport_test

import (
	"context"
	"errors"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// Whatever layer an answer leaves the chain by, and whatever is between two layers, the verdict is on it.
func TestEveryLayerHandsItsVerdictOn(t *testing.T) {
	var (
		classified = transport.Classify(alter(t))
		broken     = transport.Break(nil, nil)
		retried    = transport.Retry(nil, nil)
		returned   = transport.ReturnErrors(func(classify.Verdict) bool { return false })
		opaque     = func(next http.RoundTripper) http.RoundTripper { return roundTripFunc(next.RoundTrip) }
	)
	for name, c := range map[string]struct {
		layers []transport.Middleware
		want   classify.Kind
	}{
		"Classify":                            {[]transport.Middleware{classified}, classify.GrantRevoked},
		"Break, Classify":                     {[]transport.Middleware{broken, classified}, classify.GrantRevoked},
		"Retry, Break, Classify":              {[]transport.Middleware{retried, broken, classified}, classify.GrantRevoked},
		"Retry, another, Break, Classify":     {[]transport.Middleware{retried, opaque, broken, classified}, classify.GrantRevoked},
		"Retry, Break, another, Classify":     {[]transport.Middleware{retried, broken, opaque, classified}, classify.GrantRevoked},
		"another, Retry, Break, Classify":     {[]transport.Middleware{opaque, retried, broken, classified}, classify.GrantRevoked},
		"Retry, Buffer, Classify":             {[]transport.Middleware{retried, transport.Buffer(10), classified}, classify.GrantRevoked},
		"ReturnErrors, Retry, Classify":       {[]transport.Middleware{returned, retried, classified}, classify.GrantRevoked},
		"Break alone, which takes Default":    {[]transport.Middleware{broken}, classify.ProviderAPI},
		"Retry alone, which takes Default":    {[]transport.Middleware{retried}, classify.ProviderAPI},
		"ReturnErrors alone, which does, too": {[]transport.Middleware{returned}, classify.ProviderAPI},
	} {
		t.Run(name, func(t *testing.T) {
			rt := transport.Chain(answer(403, "grant_revoked"), c.layers...)
			resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if v := classify.Of(resp, nil); v.Kind != c.want {
				t.Errorf("the answer carries %v, want %v", v.Kind, c.want)
			}
		})
	}
}

// An answer whose verdict has been seen on it keeps the request that it has.
func TestAVerdictIsAttachedOnce(t *testing.T) {
	fine := classify.ClassifierFunc(func(classify.Outcome) classify.Verdict { return classify.Verdict{Kind: classify.Success} })
	var seen *http.Request
	watch := func(next http.RoundTripper) http.RoundTripper {
		return roundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(req)
			seen = resp.Request
			return resp, err
		})
	}
	rt := newChain(t, answer(404, ""), transport.Config{Classifier: fine, Watch: []transport.Middleware{watch}})
	resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Request != seen || classify.Of(resp, nil).Kind != classify.Success {
		t.Errorf("the answer has another request than within the chain, or lost its verdict: %v", classify.Of(resp, nil))
	}
}

// A chain within a chain may know better what a 200 is.
func TestVerdictsOfAChainFurtherInCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := classify.ClassifierFunc(func(o classify.Outcome) classify.Verdict {
			return classify.Verdict{Kind: classify.PolicyRateLimit, RetryAfter: time.Minute}
		})
		inside := transport.Chain(answer(200, ""), transport.Classify(limit))
		rt := newChain(t, inside, transport.Config{})
		req := newRequest(t, "POST", backend, "a thing")
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := transport.TrailOf(resp, nil); len(got.Records) != 1 || got.Records[0].Verdict.Kind != classify.PolicyRateLimit {
			t.Errorf("the trail is %+v, want one attempt with the verdict from further in", got)
		}
		if _, err := rt.RoundTrip(newRequest(t, "GET", backend, "")); !errors.Is(err, transport.ErrOpen) {
			t.Errorf("the next call came to %v, want the breaker open", err)
		}
	})
}

// Who gives up while a breaker holds the request is told as one who gave up, by every hook.
func TestGivingUpWhileHeldIsCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := steady()
		set.Breakers[0].Hold = 10 * time.Second
		var attempt transport.AttemptInfo
		var call transport.CallInfo
		rt := newChain(t, answer(429, "rate_limit_exceeded", "Retry-After", "5"), transport.Config{
			Classifier: alter(t), Policy: set,
			Hooks: transport.Hooks{
				Attempt: func(_ context.Context, i transport.AttemptInfo) { attempt = i },
				Call:    func(_ context.Context, i transport.CallInfo) { call = i },
			},
		})
		resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = rt.RoundTrip(newRequest(t, "GET", backend, "").WithContext(ctx))
		if !errors.Is(err, context.Canceled) || attempt.Verdict.Kind != classify.Canceled || call.Verdict.Kind != classify.Canceled ||
			attempt.Decision.Reason != policy.Canceled || call.Reason != policy.Canceled {
			t.Errorf("got %v; the attempt was told as %v, %v, and the call as %v, %v; want all canceled", err,
				attempt.Verdict.Kind, attempt.Decision.Reason, call.Verdict.Kind, call.Reason)
		}
	})
}

// What comes beside an error is no answer: it gets no verdict, and the time that a breaker has opened for is no hint of its.
func TestAnAnswerBesideAnErrorIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var beside *http.Response
		base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			beside = &http.Response{StatusCode: 502, Header: http.Header{}, Body: http.NoBody, Request: req}
			return beside, syscall.ECONNRESET
		})
		s := newShared(t, transport.Keys{}, func(s *policy.Set) {
			outage := policy.OutageBreaker()
			outage.Failures = 1
			s.Breakers = []policy.Breaker{outage}
		})
		var attempt transport.AttemptInfo
		hooks := &transport.Hooks{Attempt: func(_ context.Context, i transport.AttemptInfo) { attempt = i }}
		req := newRequest(t, "GET", backend, "")
		_, err := transport.Chain(base, transport.Retry(s, hooks), transport.Break(s, nil)).RoundTrip(req)
		if v := attempt.Verdict; !errors.Is(err, syscall.ECONNRESET) || v.Kind != classify.ConnectionLost || v.RetryAfter != 0 {
			t.Errorf("got %v, told as %v with a hint of %v; want the error without a hint", err, v.Kind, v.RetryAfter)
		}

		_, err = transport.Chain(base, transport.Break(nil, nil)).RoundTrip(req)
		if v := classify.Of(beside, nil); !errors.Is(err, syscall.ECONNRESET) || v.Kind != classify.Unclassified || beside.Request != req {
			t.Errorf("got %v and beside it an answer with the verdict %v, want it untouched", err, v.Kind)
		}
	})
}

// A middleware may return a copy of an answer, and the trail gives it another request: the verdict is on it all the same.
func TestACopyOfAnAnswerKeepsItsVerdict(t *testing.T) {
	copies := func(next http.RoundTripper) http.RoundTripper {
		return roundTripFunc(func(req *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(req)
			if err != nil {
				return nil, err
			}
			c := *resp
			return &c, nil
		})
	}
	// Two chains that say the same of an answer.
	revoked := classify.ClassifierFunc(func(classify.Outcome) classify.Verdict { return classify.Verdict{Kind: classify.GrantRevoked} })
	for name, cfg := range map[string]transport.Config{
		"PerCall":                              {Classifier: alter(t), PerCall: []transport.Middleware{copies}},
		"Watch":                                {Classifier: alter(t), Watch: []transport.Middleware{copies}},
		"PerAttempt, of a Classify further in": {Classifier: revoked, PerAttempt: []transport.Middleware{copies, transport.Classify(revoked)}},
	} {
		t.Run(name, func(t *testing.T) {
			rt := newChain(t, answer(403, "grant_revoked"), cfg)
			resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if v := classify.Of(resp, nil); v.Kind != classify.GrantRevoked {
				t.Errorf("the answer carries %v, want %v", v.Kind, classify.GrantRevoked)
			}
		})
	}
}
