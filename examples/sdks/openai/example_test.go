package openai_test

import (
	"context"
	"log"
	"net/http"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/steadytrip/steadytrip/transport"
)

// Example has the lines of docs/sdks.md, so that they compile.
func Example() { //nolint:testableexamples // it would ask the API itself
	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
	if err != nil {
		log.Fatal(err)
	}
	client := openai.NewClient(option.WithHTTPClient(hc), option.WithMaxRetries(0))

	// A completion that may be asked for, and paid for, twice.
	completion, err := client.Chat.Completions.New(transport.Idempotent(context.Background()), openai.ChatCompletionNewParams{})
	log.Println(completion, err)
}
