// Package anthropic plugs steadytrip into the Anthropic SDK, github.com/anthropics/anthropic-sdk-go:
//
//	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
//	client := anthropic.NewClient(option.WithHTTPClient(hc), option.WithMaxRetries(0))
//
// WithMaxRetries(0) switches off the two retries that the SDK makes by itself. Left on, they multiply: it takes every error
// for a lost connection, so each of its three attempts is a call of its own to the chain, with the chain's retries in it. A 429
// arrives nine times then instead of three, and a 503 six times instead of two.
//
// What the SDK posts has no Idempotency-Key. A message is sent again after a 429 and after a refused connection, since nothing
// was done then, but not after a 503, a 529 (overloaded) or a lost connection: the model may have answered, and would be paid
// for twice. Who prefers that to an error says so, for the calls of a context:
//
//	client.Messages.New(transport.Idempotent(ctx), params)
//
// The SDK gives each of its attempts a timeout, of ten minutes or more for a message that is not streamed. It bounds all attempts
// of the chain and the pauses between them. For each of them there is [transport.AttemptTimeout], which leaves streams alone.
//
// The error of an answer is *anthropic.Error, as without the chain. Its Response carries the verdict and the trail:
// [classify.Of] and [transport.TrailOf] read them.
package anthropic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
)

// SDK is the SDK, which posts a message that may be posted twice.
func SDK() rig.SDK {
	return rig.SDK{
		Name:        "anthropic",
		Plug:        "option.WithHTTPClient(hc)",
		Off:         "option.WithMaxRetries(0)",
		Handler:     Handler(),
		Unavailable: []byte(unavailable),
		Limited:     []byte(limited),
		Header:      http.Header{"Request-Id": {"req_1"}},
		Explain:     explain,
		Call: func(ctx context.Context, hc *http.Client, url string, own bool) error {
			_, err := Ask(transport.Idempotent(ctx), Client(hc, url, own))
			return err
		},
	}
}

// explain returns what the SDK's error says of an answer.
func explain(err error) string {
	var e *anthropic.Error
	if !errors.As(err, &e) {
		return ""
	}
	return fmt.Sprintf("%d %s %s, request %s", e.StatusCode, e.Type(), e.RawJSON(), e.RequestID)
}

// Client returns a client of the API at url that sends through hc. If own is true the SDK retries by itself, as it does by default.
func Client(hc *http.Client, url string, own bool) anthropic.Client {
	options := []option.RequestOption{
		option.WithoutEnvironmentDefaults(),
		option.WithBaseURL(url),
		option.WithAPIKey("sk-ant-example"),
		option.WithHTTPClient(hc),
	}
	if own {
		return anthropic.NewClient(options...)
	}
	return anthropic.NewClient(append(options, option.WithMaxRetries(0))...)
}

// question is what the examples ask.
var question = anthropic.MessageNewParams{
	Model:     "claude-example",
	MaxTokens: 64,
	Messages:  []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("Is anybody there?"))},
}

// Ask posts a message and returns what the model says.
func Ask(ctx context.Context, client anthropic.Client) (string, error) {
	message, err := client.Messages.New(ctx, question)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, block := range message.Content {
		text.WriteString(block.Text)
	}
	return text.String(), nil
}

// Stream posts a message and tells each piece of the answer to say when it arrives.
func Stream(ctx context.Context, client anthropic.Client, say func(string)) error {
	stream := client.Messages.NewStreaming(ctx, question)
	defer func() { _ = stream.Close() }()
	for stream.Next() {
		if event := stream.Current(); event.Type == "content_block_delta" {
			say(event.Delta.Text)
		}
	}
	return stream.Err()
}
