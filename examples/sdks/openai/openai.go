// Package openai plugs steadytrip into the OpenAI SDK, github.com/openai/openai-go:
//
//	hc, err := transport.Wrap(&http.Client{}, transport.Config{})
//	client := openai.NewClient(option.WithHTTPClient(hc), option.WithMaxRetries(0))
//
// WithMaxRetries(0) switches off the two retries that the SDK makes by itself. Left on, they multiply: it takes every error
// for a lost connection, so each of its three attempts is a call of its own to the chain, with the chain's retries in it.
//
// What the SDK posts has no Idempotency-Key. A chat completion is sent again after a 429 and after a refused connection, since
// nothing was done then, but not after a 503 or a lost connection: the model may have answered, and would be paid for twice.
// Who prefers that to an error says so, for the calls of a context:
//
//	client.Chat.Completions.New(transport.Idempotent(ctx), params)
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
	"net/http"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// New returns a client of the API at url that sends through hc and does not retry by itself.
func New(hc *http.Client, url string, more ...option.RequestOption) openai.Client {
	options := []option.RequestOption{
		option.WithBaseURL(url),
		option.WithAPIKey("sk-example"),
		option.WithHTTPClient(hc),
		option.WithMaxRetries(0),
	}
	return openai.NewClient(append(options, more...)...)
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
	defer stream.Close()
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			say(choice.Delta.Content)
		}
	}
	return stream.Err()
}
