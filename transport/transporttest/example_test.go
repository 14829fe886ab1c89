package transporttest_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// A client that is to be tested: it sends a request once more if the connection was lost.
type tenacious struct{ next http.RoundTripper }

func (t tenacious) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if classify.Of(nil, err).Kind == classify.ConnectionLost {
		return t.next.RoundTrip(req)
	}
	return resp, err
}

func ExamplePlay() {
	script := transporttest.Play(
		transporttest.Fail(transporttest.ErrReset),
		transporttest.Canned("token_refresh_in_progress"),
	)
	client := &http.Client{Transport: tenacious{script}}

	resp, err := client.Get("https://api.example.com/v1/calendar")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	for _, a := range script.Attempts() {
		fmt.Println(a.Number, a.Method, a.URL.Path, a.Status, a.Err)
	}
	// Output:
	// 409 Conflict
	// 1 GET /v1/calendar 0 read tcp 192.0.2.1:443: read: connection reset by peer
	// 2 GET /v1/calendar 409 <nil>
}

func ExampleScript_Check() {
	script := transporttest.Play(transporttest.Answer(200, "hello"), transporttest.Answer(200, "again"))
	_, err := script.Client().Get("https://api.example.com/") // and the body is not closed
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(script.Check())
	// Output:
	// transporttest: 1 of 2 steps were not played
	// transporttest: attempt 1: the response's body is not closed
}

func ExampleNewBackend() {
	backend := transporttest.NewBackend()
	defer backend.Close()
	backend.SetGrant("grant-1", transporttest.Active)
	backend.LimitPolicy("per-minute", 1, time.Minute)

	for range 3 {
		if err := pay(backend); err != nil {
			var limited *classify.PolicyViolationError
			fmt.Println(errors.As(err, &limited), err)
			backend.LiftPolicy("per-minute")
			backend.SetGrant("grant-1", transporttest.Revoked)
			continue
		}
		fmt.Println("paid")
	}
	fmt.Println("carried out:", backend.Acted("grant-1"))
	// Output:
	// paid
	// true classify: policy_rate_limit (HTTP 429): Wait until the policy or rate limit allows the call, then send it again.
	// false classify: grant_revoked (HTTP 410): Take the user through the authorization again.
	// carried out: 1
}

func pay(backend *transporttest.Backend) error {
	resp, err := backend.Client().Post(backend.URL+"/v1/grants/grant-1/payments", "text/plain", strings.NewReader("10"))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	classify.Response(resp, backend.Classifier())
	return classify.CheckResponse(resp)
}
