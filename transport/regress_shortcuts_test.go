package transport_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// A user's classifier may find a failure in an answer below 400.
func TestAFailureBelow400IsRetriedAndOpensABreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		maintenance := classify.ClassifierFunc(func(o classify.Outcome) classify.Verdict {
			if o.Status == http.StatusAccepted {
				return classify.Verdict{Kind: classify.ProviderUnavailable, Unprocessed: true}
			}
			return classify.Verdict{}
		})
		set := steady()
		outage := policy.OutageBreaker()
		outage.Failures, outage.Jitter = 2, 0
		set.Breakers = []policy.Breaker{outage}
		base := transporttest.Play(answer(202, ""), answer(202, ""))
		rt := newChain(t, base, transport.Config{Classifier: maintenance, Policy: set})
		resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got, want := classify.Of(resp, nil).Kind, classify.ProviderUnavailable; got != want || base.Count() != 2 {
			t.Errorf("got %v after %d attempts, want %v after 2", got, base.Count(), want)
		}
		if _, err = rt.RoundTrip(newRequest(t, "GET", backend, "")); !errors.Is(err, transport.ErrOpen) {
			t.Errorf("got %v, want a refusal", err)
		}
	})
}

func TestTheCancelChannelAloneEndsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newChain(t, answer(429, "", "Retry-After", "3"), transport.Config{Policy: steady()})
		req, canceled := newRequest(t, "GET", backend, "").WithContext(context.Background()), make(chan struct{})
		//lint:ignore SA1019 it is what the test is about
		req.Cancel = canceled
		time.AfterFunc(time.Second, func() { close(canceled) })
		begin := time.Now()
		_, err := rt.RoundTrip(req)
		if kind, took := classify.Of(nil, err).Kind, time.Since(begin); kind != classify.Canceled || took != time.Second {
			t.Errorf("got %v after %v, want canceled after 1s", err, took)
		}
	})
}
