package otelwrap_test

import (
	"net/http"

	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

// The hooks describe each call on the span that is active in the request's context.
func ExampleHooks() {
	_, err := transport.Wrap(&http.Client{}, transport.Config{Hooks: otelwrap.Hooks()})
	if err != nil {
		panic(err)
	}
	// Output:
}
