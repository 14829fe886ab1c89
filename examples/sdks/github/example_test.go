package github_test

import (
	"log"
	"net/http"

	"github.com/google/go-github/v91/github"

	"github.com/steadytrip/steadytrip/transport"
)

// Example has the lines of docs/sdks.md, so that they compile.
func Example() { //nolint:testableexamples // it would ask the API itself
	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
	if err != nil {
		log.Fatal(err)
	}
	client, err := github.NewClient(github.WithHTTPClient(hc))
	log.Println(client, err)
}
