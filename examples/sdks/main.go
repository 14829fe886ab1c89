// Sdks has other people's SDKs with steadytrip plugged in. Each is in a folder of its own, whose documentation shows the line
// that plugs it in. This program runs them against loopback servers that misbehave, and counts what arrives there:
//
//	go run . github    what one SDK does, fault by fault
//	go run .           the table of all
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/steadytrip/steadytrip/examples/sdks/anthropic"
	"github.com/steadytrip/steadytrip/examples/sdks/aws"
	"github.com/steadytrip/steadytrip/examples/sdks/azure"
	"github.com/steadytrip/steadytrip/examples/sdks/elastic"
	"github.com/steadytrip/steadytrip/examples/sdks/github"
	"github.com/steadytrip/steadytrip/examples/sdks/google"
	"github.com/steadytrip/steadytrip/examples/sdks/hmac"
	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/examples/sdks/kubernetes"
	"github.com/steadytrip/steadytrip/examples/sdks/nethttp"
	"github.com/steadytrip/steadytrip/examples/sdks/oauth2"
	"github.com/steadytrip/steadytrip/examples/sdks/openai"
	"github.com/steadytrip/steadytrip/examples/sdks/stripe"
)

// sdks are all SDKs, in the order of the table.
func sdks() []rig.SDK {
	return []rig.SDK{
		anthropic.SDK(),
		aws.SDK(),
		azure.SDK(),
		elastic.SDK(),
		github.SDK(),
		google.SDK(),
		hmac.SDK(),
		kubernetes.SDK(),
		nethttp.SDK(),
		oauth2.SDK(),
		openai.SDK(),
		stripe.SDK(),
	}
}

func main() {
	if err := run(context.Background(), os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run shows the SDK that args name, or the table of all.
func run(ctx context.Context, out io.Writer, args []string) error {
	if len(args) > 0 {
		for _, s := range sdks() {
			if s.Name == args[0] {
				return show(ctx, out, s)
			}
		}
		fmt.Fprintln(out, "the SDKs:")
		for _, s := range sdks() {
			fmt.Fprintln(out, " ", s.Name)
		}
		return fmt.Errorf("no SDK %q", args[0])
	}
	type measured struct {
		row rig.Row
		err error
	}
	var pending []chan measured
	for _, s := range sdks() {
		c := make(chan measured, 1)
		pending = append(pending, c)
		go func() {
			row, err := rig.MeasureAll(ctx, s)
			c <- measured{row, err}
		}()
	}
	var rows []rig.Row
	for _, c := range pending {
		m := <-c
		if m.err != nil {
			return m.err
		}
		rows = append(rows, m.row)
	}
	return rig.Print(out, rows)
}

// show plays the faults for one SDK.
func show(ctx context.Context, out io.Writer, s rig.SDK) error {
	off := s.Off
	if off == "" {
		off = "it has none"
	}
	fmt.Fprintf(out, "%s\n  plug in:          %s\n  its own retries:  %s\n", s.Name, s.Plug, off)
	for _, f := range []rig.Fault{rig.None, rig.Once, rig.Unavailable, rig.Limited, rig.Refused, rig.Open, rig.Cancel, rig.Silent} {
		c, err := rig.Measure(ctx, s, f, rig.Ours)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %d attempts in %v\n", f, c.Attempts, c.Took.Round(rig.Resolution))
		own := ""
		if s.Explain != nil {
			own = s.Explain(c.Err)
		}
		switch {
		case c.Err == nil:
			fmt.Fprintln(out, "  it succeeded")
		case own != "":
			fmt.Fprintln(out, "  the SDK's own error:", own)
		default:
			fmt.Fprintln(out, "  error:", c.Err)
		}
	}
	return nil
}
