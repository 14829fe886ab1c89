// Command explain reads an HTTP response, as curl -i prints it, and says what steadytrip makes of it: whose answer it is,
// what it means, what to do about it, and whether it is retried and why.
//
//	curl -si https://api.example.com/v1/things | go run ./examples/explain
//	go run ./examples/explain -alter-backend -method POST response.txt
//
// It takes the output of curl -i, -iL and -v, and of other tools that print a status line, the header and the body.
// Of several responses it judges the last. What the server said beyond codes and numbers may name people:
// it is printed with -details only.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// maxInput is how much of the input is read.
const maxInput = 1 << 20

// run is the whole program. It returns the exit code: 0, or 2 if there is nothing to explain.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	opts, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		err = explainInput(opts, stdin, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "explain:", err)
		return 2
	}
	return 0
}

func explainInput(opts options, stdin io.Reader, stdout, stderr io.Writer) error {
	text, cut, err := readInput(opts.file, stdin, stderr)
	if err != nil {
		return err
	}
	a, err := parse(text)
	if err != nil {
		return err
	}
	if cut {
		a.note("Only the first %d bytes of the input were read.", maxInput)
	}
	e, err := explain(a, opts.question)
	if err != nil {
		return err
	}
	if opts.json {
		return e.writeJSON(stdout)
	}
	return e.writeText(stdout)
}

// readInput reads the file, or standard input if there is none, up to the limit.
func readInput(file string, stdin io.Reader, stderr io.Writer) (text []byte, cut bool, err error) {
	in := stdin
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, false, err
		}
		defer f.Close() //nolint:errcheck // it was only read
		in = f
	} else if isTerminal(stdin) {
		fmt.Fprintln(stderr, "explain: paste a response, then press Ctrl-D")
	}
	text, err = io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return nil, false, fmt.Errorf("read the input: %w", err)
	}
	if len(text) > maxInput {
		return text[:maxInput], true, nil
	}
	return text, false, nil
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// options are the command line.
type options struct {
	question
	json bool
	file string
}

const usage = `Usage: go run ./examples/explain [flags] [file]

Reads an HTTP response from the file or from standard input, for example
	curl -si URL | go run ./examples/explain
and says what it means, what to do, and whether it is retried.

`

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var (
		opts   options
		alter  list
		policy string
	)
	f := flag.NewFlagSet("explain", flag.ContinueOnError)
	f.SetOutput(io.Discard) // errors are printed once, by run
	f.StringVar(&opts.host, "host", "", "the `host` that answered, or the URL that was asked")
	f.Var(&alter, "alter", "a `host` of the Alter backend; repeat it or separate hosts by commas")
	f.BoolVar(&opts.alterBackend, "alter-backend", false, "judge it as an answer of the Alter backend, whatever the host")
	f.StringVar(&opts.method, "method", "", "the request's `method` (default GET)")
	f.StringVar(&opts.path, "path", "", "the request's URL `path`")
	f.BoolVar(&opts.idempotent, "idempotent", false, "the request carried an Idempotency-Key")
	f.StringVar(&policy, "policy", "default", "the `policy` that decides about retries; there is only the default")
	f.BoolVar(&opts.details, "details", false, "print what the server said, which may name people: message, grant, accounts, scopes")
	f.BoolVar(&opts.json, "json", false, "print JSON")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, usage)
			f.SetOutput(stderr)
			f.PrintDefaults()
			return opts, err
		}
		return opts, fmt.Errorf("%w (see -h)", err)
	}
	if f.NArg() > 1 {
		return opts, fmt.Errorf("%d files: want one, or none to read standard input (flags come before the file)", f.NArg())
	}
	if policy != "default" {
		return opts, fmt.Errorf("-policy %q: want default", policy)
	}
	opts.file, opts.alter = f.Arg(0), alter
	opts.method = strings.ToUpper(opts.method)
	return opts, opts.locate()
}

// locate takes host and path from a -host that is a URL.
func (q *question) locate() error {
	if strings.Contains(q.host, "://") {
		u, err := url.Parse(q.host)
		if err != nil || u.Host == "" {
			return errors.New("-host: want a host such as api.example.com, or the URL that was asked")
		}
		q.host = u.Host
		if q.path == "" {
			q.path = u.Path
		}
	}
	if strings.ContainsAny(q.host, "/@?# \t") {
		return errors.New("-host: want a host such as api.example.com, or the URL that was asked")
	}
	return nil
}

// list is a flag that may be repeated and may hold several values.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(value string) error {
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*l = append(*l, item)
		}
	}
	return nil
}
