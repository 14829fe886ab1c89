package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// options are what the command line says.
type options struct {
	stories    []story
	list       bool
	json       bool
	log        bool
	otlp       *url.URL // nil leaves it to the environment
	prometheus string   // empty: not served
	lasts      time.Duration
}

// errSaid is an error that the flag package has printed.
var errSaid = errors.New("tracing: wrong command line")

func parse(args []string, stories []story, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("tracing", flag.ContinueOnError)
	flags.SetOutput(stderr)
	name := flags.String("story", "", "play the story of this `name` only")
	flags.BoolVar(&o.list, "list", false, "list the stories")
	flags.BoolVar(&o.json, "json", false, "print the spans as JSON, one a line")
	flags.BoolVar(&o.log, "log", false, "log to standard error what the client does, with the ids of traces")
	otlp := flags.String("otlp", "", "send spans and metrics to the collector at this `URL`, by OTLP over HTTP;\n"+
		"without it to the one that OTEL_EXPORTER_OTLP_ENDPOINT names, if it does")
	addr := flags.String("prometheus", "", "serve /metrics at this `address`, and play the stories over and over until interrupted;\n"+
		"without a host it is 127.0.0.1")
	flags.DurationVar(&o.lasts, "for", 0, "with -prometheus, end after this `time`")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, errSaid
	}
	var err error
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.stories, err = choose(stories, *name); err != nil {
		return o, err
	}
	if *otlp != "" {
		if o.otlp, err = collector(*otlp); err != nil {
			return o, fmt.Errorf("-otlp: %w", err)
		}
	}
	if *addr != "" {
		if o.prometheus, err = address(*addr); err != nil {
			return o, fmt.Errorf("-prometheus: %w", err)
		}
	}
	switch given := isSet(flags, "for"); {
	case given && o.prometheus == "":
		return o, errors.New("-for: want -prometheus with it")
	case given && o.lasts <= 0:
		return o, fmt.Errorf("-for: %s is no time to play for", o.lasts)
	}
	return o, nil
}

func isSet(flags *flag.FlagSet, name string) bool {
	found := false
	flags.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// choose returns the story of that name, or all of them if there is no name.
func choose(stories []story, name string) ([]story, error) {
	if name == "" {
		return stories, nil
	}
	names := make([]string, len(stories))
	for i, s := range stories {
		if s.name == name {
			return stories[i : i+1], nil
		}
		names[i] = s.name
	}
	return nil, fmt.Errorf("no story %q: want one of %s", name, strings.Join(names, ", "))
}

// collector reads the URL of a collector. What is wrong with it is told without repeating it, since it may hold a password.
func collector(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("not a URL: want one such as http://localhost:4318")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("not the URL of a server: want one such as http://localhost:4318")
	case u.User != nil:
		return nil, errors.New("a URL must not have a password: put what the collector asks for into OTEL_EXPORTER_OTLP_HEADERS")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("a query or fragment means nothing here: want a URL such as http://localhost:4318")
	}
	return u, nil
}

// address reads what to listen on. Without a host it is loopback.
func address(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", fmt.Errorf("%q is no address: want one such as localhost:9464, or :9464", text)
	}
	if _, err := net.LookupPort("tcp", port); err != nil { //nolint:noctx // looks into a table
		return "", fmt.Errorf("%q has no port: want an address such as localhost:9464", text)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// sends says which signals are to be sent to a collector: all if the command line names one, or those for which the
// environment does.
func (o options) sends(signal string) bool {
	return o.otlp != nil || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

// remarks is where to say what is no span: beside the JSON, not within it.
func (o options) remarks(to Console) io.Writer {
	if o.json {
		return to.Err
	}
	return to.Out
}
