package transport_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
)

// http.Client sets both a deadline and Cancel for its Timeout, and either may come first.
func TestTheClientsTimeoutIsADeadlineWhicheverComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got classify.Verdict
		client := &http.Client{Timeout: time.Second}
		client.Transport = transport.Chain(roundTripFunc(func(req *http.Request) (*http.Response, error) {
			//lint:ignore SA1019 http.Client.Timeout sets it
			<-req.Cancel
			return nil, http.ErrServerClosed
		}), func(next http.RoundTripper) http.RoundTripper {
			return roundTripFunc(func(req *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(req)
				got = classify.Of(resp, err)
				return resp, err
			})
		}, transport.Classify(nil))
		resp, err := client.Get("https://api.example")
		if err == nil {
			resp.Body.Close()
		}
		if got.Kind != classify.Deadline {
			t.Errorf("kind %v, want %v", got.Kind, classify.Deadline)
		}
	})
}

func TestGrantOfAContext(t *testing.T) {
	if got := transport.GrantOf(t.Context()); got != "" {
		t.Errorf("%q, want nothing", got)
	}
	if got := transport.GrantOf(transport.ForGrant(t.Context(), "g")); got != "g" {
		t.Errorf("%q, want g", got)
	}
}
