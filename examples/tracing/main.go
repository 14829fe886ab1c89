// Command tracing shows what package otelwrap tells OpenTelemetry of a wrapped http.Client, against a backend of its own on loopback:
//
//	go run .                                      the spans of each story, as a tree
//	go run . -otlp http://localhost:4318          sends spans and metrics to a collector
//	go run . -prometheus localhost:9464           serves /metrics, and plays the stories over and over
//	go run . -json                                the spans as JSON, one a line
//
// Every story says how it should end and is held to it: if one ends otherwise, or if a collector does not take what it is sent,
// the exit code is 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/fatih/color"
	"go.opentelemetry.io/otel"
	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { complain(os.Stderr, err) }))
	code := run(ctx, os.Args[1:], stories, console{os.Stdout, os.Stderr, !color.NoColor, columns()})
	stop()
	os.Exit(code)
}

// console is where the program prints.
type console struct {
	out, err io.Writer
	paint    bool // whether out shows colours
	width    int  // of out, in columns; 0 if nobody knows
}

// columns is how wide the terminal is; 0 if standard output is none.
func columns() int {
	n, _, err := term.GetSize(int(os.Stdout.Fd())) //nolint:gosec // a file descriptor fits into an int
	if err != nil {
		return 0
	}
	return n
}

// complain prints an error that the SDK tells nobody else.
func complain(w io.Writer, err error) {
	var known *undelivered
	if !errors.As(err, &known) {
		fmt.Fprintln(w, "tracing:", printable(err.Error()))
	}
}

// run is the whole program. It returns the exit code: 0; 1 if a story did not end as told, or telemetry did not get to where it
// should; or 2 for a wrong command line.
func run(ctx context.Context, args []string, stories []story, to console) int {
	o, err := parse(args, stories, to.err)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errSaid):
		return 2
	case err != nil:
		fmt.Fprintln(to.err, "tracing:", err)
		return 2
	}
	if o.list {
		for _, s := range stories {
			fmt.Fprintf(to.out, "%-8s %s\n", s.name, s.title)
		}
		return 0
	}
	code, err := perform(ctx, o, to)
	if err != nil {
		fmt.Fprintln(to.err, "tracing:", err)
		return 1
	}
	return code
}

// perform plays the stories, once or over and over, and delivers what is told of them.
func perform(ctx context.Context, o options, to console) (code int, err error) {
	t, err := newTelemetry(ctx, o, to.err)
	if err != nil {
		return 0, err
	}
	th, err := open(o, t, to.err)
	if err != nil {
		t.close()
		return 0, err
	}
	show := shower(o, to)
	if t.metrics != nil {
		code, err = serve(ctx, o, th, t.metrics, show, to)
	} else {
		code = once(ctx, o, th, show, to)
	}
	if t.close() { // while the metrics of what calls know together are still there
		t.tell(o.remarks(to))
	} else {
		code = 1
	}
	return code, errors.Join(err, th.close())
}

// once plays each story once.
func once(ctx context.Context, o options, th *theatre, show func(*report), to console) int {
	begin := time.Now()
	failed := th.round(ctx, o.stories, show, to.err)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(to.err, "tracing: interrupted")
		return 1
	case len(failed) > 0:
		fmt.Fprintf(to.err, "tracing: %d of %d stories did not end as told: %s\n", len(failed), len(o.stories), strings.Join(failed, ", "))
		return 1
	}
	fmt.Fprintf(o.remarks(to), "Ended as told: %d of %d, in %s.\n", len(o.stories), len(o.stories), short(time.Since(begin)))
	return 0
}
