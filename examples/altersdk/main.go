// Command altersdk is a client in the manner of Alter's SDKs, at work against a backend of its own on loopback:
//
//	go run .                       plays all stories, and asks at the terminal what the people in them do
//	go run . -story scopes         plays one story; -list names them
//	go run . -yes                  everybody agrees to everything
//	go run . -script answers.txt   takes the answers from a file
//
// Each story is a call that runs into one of Alter's failures. What time can heal is healed by the chain of package transport.
// For the rest the loop in internal/alter/loop.go does what the failure asks for, then calls again.
//
// At a terminal an option is picked with the arrow keys; if the variable ACCESSIBLE is set, options are numbered lines instead.
// There, in a script, and where standard input is no terminal, an answer is a line with the number or the first word of an option;
// empty lines and those that begin with # do not count.
//
// Exit codes: 0 all stories were played; 1 a story in which everybody agreed did not end as told; 2 a wrong command line
// or a script that is wrong; 3 the answers ended before the questions did; 130 interrupted.
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

	"github.com/fatih/color"
	"golang.org/x/term"

	"github.com/steadytrip/steadytrip/examples/altersdk/internal/loopback"
)

// The exit codes.
const (
	exitPlayed      = 0
	exitFailed      = 1
	exitWrong       = 2
	exitUnanswered  = 3
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, os.Args[1:], console{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, paint: !color.NoColor,
		terminal: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())) &&
			os.Getenv("TERM") != "dumb" && os.Getenv("ACCESSIBLE") == "",
	})
	stop()
	os.Exit(code)
}

// console is what the program reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
	paint    bool                    // in colours
	terminal bool                    // both in and out, and one that can draw
	look     func(*loopback.Backend) // at the backend of a story that is over; may be nil
}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, c console) int {
	flags := flag.NewFlagSet("altersdk", flag.ContinueOnError)
	flags.SetOutput(c.err)
	name := flags.String("story", "", "play the story of this `name` only")
	list := flags.Bool("list", false, "list the stories")
	yes := flags.Bool("yes", false, "agree to everything")
	script := flags.String("script", "", "take the answers from this `file`")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitPlayed
		}
		return exitWrong
	}
	if *list {
		for _, s := range stories {
			fmt.Fprintf(c.out, "%-9s %s\n", s.name, s.title)
		}
		return exitPlayed
	}
	chosen, err := choose(*name)
	switch {
	case err != nil:
	case flags.NArg() > 0:
		err = errors.New("there are no arguments but flags")
	case *yes && *script != "":
		err = errors.New("-yes and -script exclude each other")
	default:
		flags.Visit(func(f *flag.Flag) {
			if f.Name == "script" && *script == "" {
				err = errors.New("-script wants the name of a file")
			}
		})
	}
	if err != nil {
		fmt.Fprintln(c.err, "altersdk:", err)
		return exitWrong
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	switch {
	case *yes:
		return playAll(ctx, chosen, agree{c.out}, c)
	case *script != "":
		return playScript(ctx, chosen, *script, c)
	case c.terminal:
		return playAll(ctx, chosen, form{c.in, c.out}, c)
	}
	return playAll(ctx, chosen, readLines(ctx, c.in, c.out, "", 3), c)
}

// playScript plays stories with the answers of a file, which must be as many as there are questions.
func playScript(ctx context.Context, chosen []story, name string, c console) int {
	file, err := os.Open(name)
	if err != nil {
		fmt.Fprintln(c.err, "altersdk:", err)
		return exitWrong
	}
	defer func() { _ = file.Close() }() // it was only read
	answers := readLines(ctx, file, c.out, name, 1)
	code := playAll(ctx, chosen, answers, c)
	if code != exitPlayed {
		return code
	}
	select {
	case extra, left := <-answers.next:
		switch {
		case extra.err != nil:
			fmt.Fprintf(c.err, "altersdk: %v: %v\n", errUnreadable, extra.err)
			return exitWrong
		case left:
			fmt.Fprintf(c.err, "altersdk: %s:%d: the script has more answers than there were questions\n", name, extra.line)
			return exitWrong
		}
	case <-ctx.Done(): // somebody still writes the script
		fmt.Fprintln(c.out, "\nInterrupted.")
		return exitInterrupted
	}
	return code
}

// playAll plays stories until one cannot go on.
func playAll(ctx context.Context, chosen []story, ask asker, c console) int {
	p := newPrinter(c.out, c.paint)
	var failed []string
	for _, s := range chosen {
		ended, err := play(ctx, s, ask, p, c.look)
		switch {
		case ctx.Err() != nil || errors.Is(err, errInterrupted):
			p.line("\nInterrupted.")
			return exitInterrupted
		case errors.Is(err, errUnanswered):
			p.line("\nThere are no more answers. Good-bye.")
			if err != errUnanswered { //nolint:errorlint // what wraps it has more to say
				fmt.Fprintln(c.err, "altersdk:", err)
			}
			return exitUnanswered
		case errors.Is(err, errWrongAnswer), errors.Is(err, errUnreadable):
			fmt.Fprintln(c.err, "altersdk:", err)
			return exitWrong
		}
		if !ended {
			failed = append(failed, s.name)
		}
	}
	if len(failed) > 0 {
		fmt.Fprintf(c.err, "altersdk: %d of %d stories did not end as told: %s\n", len(failed), len(chosen), strings.Join(failed, ", "))
		return exitFailed
	}
	p.line(fmt.Sprintf("Played %d of %d.", len(chosen), len(chosen)))
	return exitPlayed
}

// choose returns the story of that name, or all of them if there is no name.
func choose(name string) ([]story, error) {
	if name == "" {
		return stories, nil
	}
	for i, s := range stories {
		if s.name == name {
			return stories[i : i+1], nil
		}
	}
	return nil, errors.New("there is no such story: -list names them")
}
