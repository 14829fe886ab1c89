// Command tune shows what a retry policy does before production does: it plays scenarios, compares policies, looks for better ones,
// draws schedules, and learns from logs what a scenario should look like. README.md has examples.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/steadytrip/steadytrip/examples/tune/internal/cli"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

func main() {
	simulate.Main(func(r *simulate.Runner) int {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
		return cli.Program{
			Runner: r, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(),
		}.Run(ctx, os.Args[1:])
	})
}
