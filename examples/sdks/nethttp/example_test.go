package nethttp_test

import (
	"log"
	"net/http"

	"github.com/steadytrip/steadytrip/transport"
)

// Example has the lines of docs/sdks.md, so that they compile.
func Example() { //nolint:testableexamples // it would ask the API itself
	client, err := transport.Wrap(&http.Client{}, transport.Config{})
	log.Println(client, err)
}
