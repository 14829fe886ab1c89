package anthropic_test

import (
	"context"
	"log"
	"net/http"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/steadytrip/steadytrip/transport"
)

// Example has the lines of docs/sdks.md, so that they compile.
func Example() { //nolint:testableexamples // it would ask the API itself
	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
	if err != nil {
		log.Fatal(err)
	}
	client := anthropic.NewClient(option.WithHTTPClient(hc), option.WithMaxRetries(0))

	// A message that may be asked for, and paid for, twice.
	message, err := client.Messages.New(transport.Idempotent(context.Background()), anthropic.MessageNewParams{})
	log.Println(message, err)
}
