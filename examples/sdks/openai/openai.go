// Package openai plugs steadytrip into the OpenAI SDK, github.com/openai/openai-go:
//
//	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
//	client := openai.NewClient(option.WithHTTPClient(hc), option.WithMaxRetries(0))
//
// WithMaxRetries(0) switches off the two retries that the SDK makes by itself. Left on, they multiply: it takes every error
// for a lost connection, so each of its three attempts is a call of its own to the chain, with the chain's retries in it. A 429
// arrives nine times then instead of three, and a 503 six times instead of two.
//
// What the SDK posts has no Idempotency-Key. A chat completion is sent again after a 429 and after a refused connection, since
// nothing was done then, but not after a 503 or a lost connection: the model may have answered, and would be paid for twice.
// Who prefers that to an error says so, for the calls of a context:
//
//	client.Chat.Completions.New(transport.Idempotent(ctx), params)
//
// The few calls that take an IdempotencyKey send it, and are retried as a GET is.
//
// WithRequestTimeout bounds an attempt of the SDK, which is all attempts of the chain and the pauses between them.
// For each of them there is [transport.AttemptTimeout], which leaves streams alone. The SDK's own client waits at most
// ten minutes for an answer's header; one that is given to WithHTTPClient brings its own limits.
//
// The error of an answer is *openai.Error, as without the chain. Its Response carries the verdict and the trail:
// [classify.Of] and [transport.TrailOf] read them.
package openai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
)

// SDK is the SDK, which posts a completion that may be posted twice.
func SDK() rig.SDK {
	return rig.SDK{
		Name:        "openai",
		Plug:        "option.WithHTTPClient(hc)",
		Off:         "option.WithMaxRetries(0)",
		Handler:     Handler(),
		Unavailable: []byte(unavailable),
		Limited:     []byte(limited),
		Header:      http.Header{"X-Request-Id": {"req_1"}},
		Explain:     explain,
		Call: func(ctx context.Context, hc *http.Client, url string, own bool) error {
			_, err := Ask(transport.Idempotent(ctx), Client(hc, url, own))
			return err
		},
	}
}

// explain returns what the SDK's error says of an answer.
func explain(err error) string {
	var e *openai.Error
	if !errors.As(err, &e) {
		return ""
	}
	explained := fmt.Sprintf("%d %s: %s", e.StatusCode, e.Type, e.Message)
	if id := e.Response.Header.Get("X-Request-Id"); id != "" {
		explained += ", request " + id
	}
	return explained
}

// Client returns a client of the API at url that sends through hc. If own is true the SDK retries by itself, as
// often as it does by default but without pauses worth the name.
func Client(hc *http.Client, url string, own bool) openai.Client {
	options := []option.RequestOption{
		option.WithBaseURL(url),
		option.WithAPIKey("sk-example"),
		option.WithHTTPClient(hc),
	}
	if own {
		return openai.NewClient(append(options, option.WithMaxRetryDelay(time.Millisecond))...)
	}
	return openai.NewClient(append(options, option.WithMaxRetries(0))...)
}

// question is what the examples ask.
var question = openai.ChatCompletionNewParams{
	Model:    "gpt-example",
	Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Is anybody there?")},
}

// Ask posts a chat completion and returns what the model says.
func Ask(ctx context.Context, client openai.Client) (string, error) {
	answer, err := client.Chat.Completions.New(ctx, question)
	if err != nil {
		return "", err
	}
	if len(answer.Choices) == 0 {
		return "", errors.New("openai: an answer without a choice")
	}
	return answer.Choices[0].Message.Content, nil
}

// Stream posts a chat completion and tells each piece of the answer to say when it arrives.
func Stream(ctx context.Context, client openai.Client, say func(string)) error {
	stream := client.Chat.Completions.NewStreaming(ctx, question)
	defer func() { _ = stream.Close() }()
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			say(choice.Delta.Content)
		}
	}
	return stream.Err()
}
