package simulate

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"testing"
)

// Main runs f with a runner, in a program that is not a test, and ends the program with the code that f returns. It is
// to be the last thing that func main does:
//
//	func main() {
//		simulate.Main(func(r *simulate.Runner) int {
//			s, err := simulate.Find("outage")
//			...
//		})
//	}
//
// Virtual time is to be had from package testing alone, so f is run as a test. Nothing of that shows: the flags and the arguments
// are the program's own, and package testing writes nothing. If f panics, the program ends with the code 2 and the panic on standard error,
// as if there were no Main.
func Main(f func(r *Runner) int) {
	args, flags := os.Args, flag.CommandLine
	os.Args, flag.CommandLine = []string{args[0]}, flag.NewFlagSet(args[0], flag.ContinueOnError)
	testing.Main(everything, []testing.InternalTest{{Name: "simulate", F: func(t *testing.T) {
		os.Args, flag.CommandLine = args, flags
		code := 2
		defer func() { os.Exit(code) }() // also if f ends its goroutine
		code = guarded(f, On(t))
	}}}, nil, nil)
}

func everything(_, _ string) (bool, error) { return true, nil }

// guarded runs f, and tells if it panics.
func guarded(f func(r *Runner) int, r *Runner) (code int) {
	defer func() {
		if p := recover(); p != nil {
			_, _ = fmt.Fprintf(os.Stderr, "panic: %v\n\n%s", p, debug.Stack()) // nobody is left to tell
			code = 2
		}
	}()
	return f(r)
}
