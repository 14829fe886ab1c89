// Command tracing shows what package otelwrap tells OpenTelemetry of a wrapped http.Client, against a backend of its own on loopback:
//
//	go run .                                      the spans of each story, as a tree
//	go run . -otlp http://localhost:4318          sends spans and metrics to a collector
//	go run . -prometheus localhost:9464           serves /metrics, and plays the stories over and over
//	go run . -json                                the spans as JSON, one a line
//
// Every story says how it should end and is held to it: if one ends otherwise, or if a collector does not take what it is sent,
// the exit code is 1. How a client is set up is in internal/program/client.go, the stories are beside it in stories.go.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/fatih/color"
	"go.opentelemetry.io/otel"
	"golang.org/x/term"

	"github.com/steadytrip/steadytrip/examples/tracing/internal/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { program.Complain(os.Stderr, err) }))
	code := program.Run(ctx, os.Args[1:], program.Console{Out: os.Stdout, Err: os.Stderr, Paint: !color.NoColor, Width: columns()})
	stop()
	os.Exit(code)
}

// columns is how wide the terminal is; 0 if standard output is none.
func columns() int {
	n, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return n
}
