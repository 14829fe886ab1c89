// Command quickstart shows a wrapped http.Client at work, against a backend of its own on loopback:
//
//	go run ./examples/quickstart
//
// It plays six short stories: a token refresh, a crowd that meets one, a refused connection, a policy's rate limit, a revoked grant and missing
// scopes. What it prints of each is what the client's hooks were told. Every story says how it should end and is held to it:
// if one ends otherwise, the exit code is 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// newClient returns an http.Client for the Alter backend at host and for any other API. This is all it takes;
// hooks may be left out.
func newClient(host string, hooks transport.Hooks) (*http.Client, error) {
	classifier, err := classify.ForAlter(host)
	if err != nil {
		return nil, err
	}
	return transport.Wrap(&http.Client{}, transport.Config{Classifier: classifier, Hooks: hooks})
}

func main() {
	os.Exit(run(os.Args[1:], stories, os.Stdout, os.Stderr))
}

// run is the whole program. It returns the exit code: 0, 1 if a story did not end as told, or 2 for a wrong command line.
func run(args []string, stories []story, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	name := flags.String("story", "", "play the story of this `name` only")
	list := flags.Bool("list", false, "list the stories")
	asJSON := flags.Bool("json", false, "print JSON, once all is over")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if *list {
		for _, s := range stories {
			fmt.Fprintf(stdout, "%-8s %s\n", s.name, s.title)
		}
		return 0
	}
	chosen, err := choose(stories, *name)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(stderr, "quickstart:", err)
		return 2
	}

	live := stdout
	if *asJSON {
		live = io.Discard
	}
	begin := time.Now()
	var reports []*report
	var failed []string
	for _, s := range chosen {
		r := play(s, live)
		reports = append(reports, r)
		if !r.OK {
			failed = append(failed, s.name)
		}
	}
	if *asJSON {
		if err := writeJSON(stdout, reports); err != nil {
			fmt.Fprintln(stderr, "quickstart:", err)
			return 1
		}
	}
	if len(failed) > 0 {
		fmt.Fprintf(stderr, "quickstart: %d of %d stories did not end as told: %s\n", len(failed), len(chosen), strings.Join(failed, ", "))
		return 1
	}
	fmt.Fprintf(live, "Ended as told: %d of %d, in %s.\n", len(chosen), len(chosen), short(time.Since(begin)))
	return 0
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

// patience is how long a story may take.
const patience = 20 * time.Second

// play plays a story with a backend and a client of its own, and tells it to live as it goes.
func play(s story, live io.Writer) *report {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	backend := transporttest.NewBackend()

	r := &report{Story: s.name, Title: s.title, OK: true}
	st := &stage{ctx: ctx, backend: backend, report: r, out: live}
	fmt.Fprintf(live, "%s: %s\n", s.name, s.title)
	client, err := newClient(backend.Host(), hooks())
	if err != nil {
		st.check("a client is made", false, err)
	} else {
		st.client = client
		s.play(st)
		client.CloseIdleConnections()
	}
	if err := backend.Close(); err != nil {
		st.check("the backend ends well", false, err)
	}
	fmt.Fprintln(live)
	return r
}
