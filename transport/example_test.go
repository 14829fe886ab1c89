package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// Around any http.Client: a refused connection is tried again, and the caller sees the answer.
func ExampleWrap() {
	api := transporttest.Play(
		transporttest.Fail(transporttest.ErrRefused),
		transporttest.Answer(200, "hello"),
	)
	client, err := transport.Wrap(&http.Client{Transport: api}, transport.Config{})
	if err != nil {
		panic(err)
	}
	resp, err := client.Get("https://api.example.com/greeting")
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode, "after", api.Count(), "attempts")
	// Output: 200 after 2 attempts
}

// An answer stays an answer. Its verdict rides on it, and the typed error is there for the asking.
func ExampleNew() {
	classifier, err := classify.ForAlter("backend.example.com")
	if err != nil {
		panic(err)
	}
	backend := transporttest.Play(transporttest.Canned("grant_revoked"))
	rt, err := transport.New(backend, transport.Config{Classifier: classifier})
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: rt}
	resp, err := client.Get("https://backend.example.com/v1/grants/g1/calendar")
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	var revoked *classify.GrantRevokedError
	if errors.As(classify.CheckResponse(resp), &revoked) {
		fmt.Println(revoked.Verdict().Action(), "-", revoked.Verdict().Action().Todo())
	}
	// Output: reauthorize - Take the user through the authorization again.
}

// The middlewares serve alone, in a chain of one's own: here a breaker without retries.
func ExampleBreak() {
	api := transporttest.Play(transporttest.Answer(429, `{"error":"rate_limit_exceeded"}`).Header("Retry-After", "30"))
	rt := transport.Chain(api,
		transport.Break(nil, nil),
		transport.Classify(&classify.Alter{}),
	)
	client := &http.Client{Transport: rt}
	for range 2 {
		resp, err := client.Get("https://backend.example.com/")
		if errors.Is(err, transport.ErrOpen) {
			fmt.Println("refused, come back in", classify.Of(nil, err).RetryAfter.Round(time.Second))
			continue
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
	}
	// Output:
	// 429 Too Many Requests
	// refused, come back in 30s
}

// Hooks tell what happens, attempt by attempt.
func ExampleHooks() {
	api := transporttest.Play(
		transporttest.Fail(transporttest.ErrRefused),
		transporttest.Answer(200, ""),
	)
	client, err := transport.Wrap(api.Client(), transport.Config{Hooks: transport.Hooks{
		Attempt: func(_ context.Context, i transport.AttemptInfo) {
			fmt.Println("attempt", i.Attempt, i.Verdict.Kind, i.Decision.Reason)
		},
		Call: func(_ context.Context, i transport.CallInfo) {
			fmt.Println("call ended:", i.Status, i.Reason)
		},
	}})
	if err != nil {
		panic(err)
	}
	resp, err := client.Get("https://api.example.com/")
	if err != nil {
		panic(err)
	}
	resp.Body.Close()
	// Output:
	// attempt 1 connection_refused retrying
	// attempt 2 unclassified succeeded
	// call ended: 200 succeeded
}
