package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestTheCallersEndIsNeutralToTheBreaker(t *testing.T) {
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"a cancellation with a cause": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(ms(10), func() { cancel(io.ErrUnexpectedEOF) })
			return ctx, func() { cancel(nil) }
		},
		"a deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, ms(10))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker(t, func(s *policy.Set) {
					s.Breakers[0].Kinds, s.Breakers[0].Failures = []classify.Kind{classify.AlterSDK}, 1
				})
				b.base.set(transporttest.Hang())
				ctx, cancel := end(t.Context())
				defer cancel()
				if _, err := b.RoundTrip(newRequest(t, "GET", backend, "").WithContext(ctx)); err == nil {
					t.Error("an answer, want the caller's own end")
				}
				b.base.set(ok)
				if status, err := b.get(t, backend); status != 200 {
					t.Errorf("%d, %v; want 200", status, err)
				}
				b.base.set(transporttest.Fail(transporttest.ErrReset)) // the server's end is not neutral here
				b.get(t, backend)
				if _, err := b.get(t, backend); !errors.Is(err, transport.ErrOpen) {
					t.Errorf("%v: want a refusal", err)
				}
			})
		})
	}
}

func TestProbesAreDecidedAtTheirHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, nil)
		b.base.set(limited4s)
		b.get(t, backend)
		time.Sleep(4 * time.Second)
		b.base.set(transporttest.Answer(200, "").Stream(transporttest.Stall()))
		resp, err := b.RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			t.Fatal(err)
		}
		b.base.set(ok)
		if status, err := b.get(t, backend); status != 200 {
			t.Errorf("while the probe's body is open: %d, %v; want 200", status, err)
		}
		resp.Body.Close()
	})
}

func TestAFloodOfKeysClosesNoOpenBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := policy.New(*steady())
		if err != nil {
			t.Fatal(err)
		}
		hint := time.Minute
		limit := classify.ClassifierFunc(func(classify.Outcome) classify.Verdict {
			return classify.Verdict{Kind: classify.PolicyRateLimit, RetryAfter: hint}
		})
		base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 429, Body: http.NoBody, Request: req}, nil
		})
		rt := transport.Chain(base, transport.Break(transport.NewShared(p, transport.Keys{}), nil), transport.Classify(limit))
		req := newRequest(t, "GET", backend, "")
		send := func(host string) error {
			r := *req
			r.URL = &url.URL{Scheme: "https", Host: host}
			_, err := rt.RoundTrip(&r)
			return err
		}
		const opened = 500
		for i := range opened {
			send(fmt.Sprintf("open%d.example", i))
		}
		hint = 0
		for i := range 20_000 { // more than are remembered, all of them in trouble, none of them open
			if err := send(fmt.Sprintf("h%d.example", i)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range opened {
			if err := send(fmt.Sprintf("open%d.example", i)); !errors.Is(err, transport.ErrOpen) {
				t.Errorf("%d: %v, want a refusal still", i, err)
			}
		}
	})
}

func TestOneServersOutageSpendsNoOthersBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newChain(t, transporttest.Play(transporttest.Answer(503, "")).Repeat(), transport.Config{Policy: steady()})
		last := func(url string) policy.Reason {
			resp, err := rt.RoundTrip(newRequest(t, "GET", url, ""))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return transport.TrailOf(resp, nil).Reason
		}
		for range 10 {
			last("https://down.example")
		}
		if got, other := last("https://down.example"), last("https://other.example"); got != policy.BudgetSpent || other != policy.Exhausted {
			t.Errorf("%v and %v, want budget_spent for the one and a retry for the other", got, other)
		}
	})
}
