package otelwrap_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

// One line around an existing client. Where telemetry goes is up to the global providers.
func ExampleWrap() {
	client, err := otelwrap.Wrap(&http.Client{}, transport.Config{}, otelwrap.Options{})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	resp, err := client.Get(server.URL)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output: 404
}

// Calls that share what they know, with metrics of that as well, and log records that name their trace.
func ExampleNew() {
	shared := transport.NewShared(nil, transport.Keys{})
	stop, err := otelwrap.Observe(shared, otelwrap.Options{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = stop() }()
	rt, err := otelwrap.New(http.DefaultTransport, transport.Config{
		Shared: shared,
		Logger: slog.New(otelwrap.LogHandler(slog.NewJSONHandler(os.Stderr, nil))),
	}, otelwrap.Options{RedactQuery: []string{"ticket"}})
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: rt}
	defer client.CloseIdleConnections()
	// Output:
}

// The spans of these requests are named "GET /v1/things/{id}".
func ExampleWithTemplate() {
	ctx := otelwrap.WithTemplate(context.Background(), "/v1/things/{id}")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.example.com/v1/things/42", nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(req.Method, req.URL.Path)
	// Output: GET /v1/things/42
}

// A chain made by hand: the parts stand where they see what they tell of.
func ExampleAttempts() {
	opts := otelwrap.Options{}
	hooks := otelwrap.Hooks(opts)
	rt := transport.Chain(http.DefaultTransport,
		otelwrap.Calls(opts),
		transport.Retry(nil, &hooks),
		otelwrap.Attempts(opts),
		transport.Classify(nil),
	)
	_ = rt
	// Output:
}
