// Package cli is the commands of tune, apart from the process that they run in.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

// The exit codes of the program.
const (
	codeDone        = 0
	codeMissed      = 1   // a gate is missed, or the log tells too little
	codeBad         = 2   // usage or a file is wrong
	codeInterrupted = 130 // as shells have it
)

// Program is what a run of tune has from its process.
type Program struct {
	Runner         *simulate.Runner
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string // as os.Environ has it
}

// errMissed says that what is wrong has been told: a gate is missed.
var errMissed = errors.New("missed")

// Run runs the command that the arguments name, and returns the exit code. It ends early, with what is known by then, if ctx ends.
func (p Program) Run(ctx context.Context, args []string) int {
	out := &output{Writer: p.Stdout}
	p.Stdout = out
	root := p.command()
	root.SetArgs(args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	if out.err != nil && (err == nil || errors.Is(err, errMissed)) { // nobody has seen the result
		err = out.err
	}
	switch {
	case err == nil:
		return codeDone
	case errors.Is(err, errMissed): // even if ctx has ended since
		return codeMissed
	case ctx.Err() != nil:
		fmt.Fprintln(p.Stderr, "tune: interrupted:", printable(told(err)))
		return codeInterrupted
	}
	for line := range strings.SplitSeq(strings.TrimSpace(err.Error()), "\n") {
		if !placed.MatchString(line) { // others go as they are, for editors and CI to find the place
			line = "tune: " + told(errors.New(line))
		}
		fmt.Fprintln(p.Stderr, printable(line))
	}
	return codeBad
}

// printable returns a text without what a terminal obeys: names of files and of breakers are whatever somebody wrote.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// placed matches a message that begins with a place in a file, as compilers write it.
var placed = regexp.MustCompile(`^.*\S:\d+:\d+: `)

// told returns an error's text without the name of the package that it comes from.
func told(err error) string {
	text := err.Error()
	for _, prefix := range []string{"simulate: ", "policyfile: ", "policy: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}

func (p Program) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "tune",
		Short: "See what a retry policy does before production does",
		Long: `tune plays scenarios through the retry chain itself, in virtual time: what succeeds, what it costs the backend,
how late callers are, and when all is well again.

A policy is a file (see package policyfile) or a preset: ` + strings.Join(presetNames(), ", ") + `.
A scenario is a file (see package simulate) or one that comes along: "tune scenarios" lists them.
A gate is a demand on a result, such as 'success >= 99.9%': "tune metrics" lists what can be demanded.

Exit codes: 0 all is well, 1 a gate is missed, 2 the usage or a file is wrong, 130 interrupted.`,
		Args:              known,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,

		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.AddCommand(p.run(), p.compare(), p.search(), p.limit(), p.schedule(), p.learn(), p.scenarios(), p.metrics())
	return root
}

// known refuses a command that does not exist.
func known(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q: see tune --help", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", near[0])
	}
	return errors.New(text)
}

// exactly wants the arguments that a command names.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return fmt.Errorf("%s: got %d arguments, want %d: %s", cmd.CommandPath(), len(args), len(names), strings.Join(names, ", "))
		}
		return nil
	}
}
