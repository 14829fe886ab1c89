// Package program is the example's program, in a package so that a test beside it can run it as well.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// Console is where the program prints.
type Console struct {
	Out, Err io.Writer
	Paint    bool // whether Out shows colours
	Width    int  // of Out, in columns; 0 if nobody knows
}

// Complain prints an error that the SDK tells nobody else. What was not delivered to a collector is told already.
func Complain(w io.Writer, err error) {
	var known *undelivered
	if !errors.As(err, &known) {
		fmt.Fprintln(w, "tracing:", printable(err.Error()))
	}
}

// Run is the whole program. It returns the exit code: 0; 1 if a story did not end as told, or telemetry did not get to where it
// should; or 2 for a wrong command line.
func Run(ctx context.Context, args []string, to Console) int { return run(ctx, args, stories, to) }

func run(ctx context.Context, args []string, stories []story, to Console) int {
	o, err := parse(args, stories, to.Err)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errSaid):
		return 2
	case err != nil:
		fmt.Fprintln(to.Err, "tracing:", err)
		return 2
	}
	if o.list {
		for _, s := range stories {
			fmt.Fprintf(to.Out, "%-8s %s\n", s.name, s.title)
		}
		return 0
	}
	code, err := perform(ctx, o, to)
	if err != nil {
		fmt.Fprintln(to.Err, "tracing:", err)
		return 1
	}
	return code
}

// perform plays the stories, once or over and over, and delivers what is told of them.
func perform(ctx context.Context, o options, to Console) (code int, err error) {
	t, err := newTelemetry(ctx, o, to.Err)
	if err != nil {
		return 0, err
	}
	th, err := open(o, t, to.Err)
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
func once(ctx context.Context, o options, th *theatre, show func(*report), to Console) int {
	begin := time.Now()
	failed := th.round(ctx, o.stories, show, to.Err)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(to.Err, "tracing: interrupted")
		return 1
	case len(failed) > 0:
		fmt.Fprintf(to.Err, "tracing: %d of %d stories did not end as told: %s\n", len(failed), len(o.stories), strings.Join(failed, ", "))
		return 1
	}
	fmt.Fprintf(o.remarks(to), "Ended as told: %d of %d, in %s.\n", len(o.stories), len(o.stories), short(time.Since(begin)))
	return 0
}
