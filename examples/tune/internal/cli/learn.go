package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/steadytrip/steadytrip/examples/tune/internal/learn"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

func (p Program) learn() *cobra.Command {
	var json bool
	cmd := &cobra.Command{
		Use:   "learn LOG",
		Short: "Learn from a log what a scenario should look like",
		Long: `learn reads what transport.LogHooks wrote through a slog.JSONHandler, a JSON object in each line, at level Debug, or lines with a
transport.Trail in them. It fits how long grants are locked while their token is refreshed, and how long attempts take, and prints
the part of a scenario file that says so; tables go to standard error. LOG may be - for standard input.`,
		Example: "  tune learn service.log >fragment.yaml",
		Args:    exactly("LOG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			log, err := p.readLog(cmd.Context(), args[0])
			if log == nil || err != nil && cmd.Context().Err() == nil {
				return err
			}
			if err != nil {
				err = fmt.Errorf("%d lines of %s were read", log.Lines, args[0])
			}
			learned := lessonsOf(log)
			p.tellLog(args[0], log, learned)
			write := p.printFragment
			if json {
				write = func(name string, log *learn.Log, l lessons) error { return p.printJSON(l.summary(name, log)) }
			}
			if err := write(args[0], log, learned); err != nil {
				return err
			}
			if err == nil && learned.hold.err != nil && learned.latency.err != nil {
				fmt.Fprintf(p.Stderr, "tune: %s tells too little: %s\n", args[0], advice(log))
				return errMissed
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&json, "json", false, "print JSON and nothing else to standard output")
	return cmd
}

// readLog reads a file, or standard input, with a bar on a terminal.
func (p Program) readLog(ctx context.Context, name string) (*learn.Log, error) {
	if name == "-" {
		return learn.Read(ctx, interruptible(ctx, p.Stdin))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a directory: want a log", name)
	}
	var in io.Reader = f
	if terminal(p.Stderr) > 0 && info.Size() > 0 {
		bar := progressbar.NewOptions64(info.Size(), progressbar.OptionSetWriter(p.Stderr), progressbar.OptionSetDescription("reading"),
			progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(30), progressbar.OptionThrottle(200*time.Millisecond),
			progressbar.OptionClearOnFinish())
		reader := progressbar.NewReader(f, bar)
		in = &reader
		defer func() { _ = bar.Clear() }() // nobody is left to tell
	}
	log, err := learn.Read(ctx, in)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return log, err
}

// interruptible returns a reader of in that ends with ctx, even while nothing comes in. A read that is under way then goes on in the
// background until something does; the program ends before.
func interruptible(ctx context.Context, in io.Reader) io.Reader {
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = w.CloseWithError(context.Cause(ctx)) }) // it never fails
	go func() {
		defer stop()
		_, err := io.Copy(w, in)
		_ = w.CloseWithError(err) // as above
	}()
	return r
}

// lesson is the fit of a series, or why there is none.
type lesson struct {
	what   string
	series *learn.Series
	fit    learn.Fit
	err    error
}

type lessons struct{ hold, latency lesson }

func lessonsOf(log *learn.Log) lessons {
	of := func(what string, s *learn.Series) lesson {
		fit, err := s.Fit()
		return lesson{what, s, fit, err}
	}
	return lessons{of("token refresh", &log.Holds), of("attempt served after a retry", &log.Latency)}
}

// tellLog tells people what a log has told.
func (p Program) tellLog(name string, log *learn.Log, learned lessons) {
	fmt.Fprintf(p.Stderr, "%s: %d lines, %d of ours, %d trails", name, log.Lines, log.Ours, log.Trails)
	for _, skipped := range []struct {
		n    int
		what string
	}{
		{log.Foreign, "of others"},
		{log.NotJSON, "no JSON"},
		{log.TooLong, fmt.Sprintf("longer than %d KiB", learn.MaxLine>>10)},
	} {
		if skipped.n > 0 {
			fmt.Fprintf(p.Stderr, ", %d %s", skipped.n, skipped.what)
		}
	}
	fmt.Fprint(p.Stderr, "\n\n")
	t := p.tableOn(p.Stderr, "", "count", "50%", "99%", "fit: median", "99%", "distance", "")
	row := func(what string, s *learn.Series, rest ...any) {
		if s.Count() > 0 {
			t.AppendRow(append(table.Row{what, s.Count(), short(s.Quantile(0.5)), short(s.Quantile(0.99))}, rest...))
		}
	}
	for _, l := range []lesson{learned.hold, learned.latency} {
		if l.err != nil {
			row(l.what, l.series, "-", "-", "-", "too few")
			continue
		}
		row(l.what, l.series, short(l.fit.Median), short(l.fit.P99), fmt.Sprintf("%.3f", l.fit.Distance), l.fit.Grade())
	}
	row("wait at a gate", &log.Waits)
	for _, kind := range slices.Sorted(maps.Keys(log.Failed)) {
		row("attempt failed: "+kind, log.Failed[kind])
	}
	if t.Length() > 0 {
		fmt.Fprintf(p.Stderr, "%s\n\n", t.Render())
	}
	for _, remark := range []struct {
		n    int
		text string
	}{
		{log.Joined, "calls came later into a refresh that counts already, or into another at the same time: left out"},
		{log.Longer, "refreshes outlasted the call that met them: holds are longer than the fit says"},
		{log.Lost, "lines have no call that they fit to: left out"},
	} {
		if remark.n > 0 {
			fmt.Fprintf(p.Stderr, "%d %s\n", remark.n, remark.text)
		}
	}
}

// advice says what is missing in a log.
func advice(log *learn.Log) string {
	want := fmt.Sprintf("want %d refreshes, or as many attempts that were served after a retry", learn.Least)
	switch {
	case log.Ours+log.Trails == 0:
		return want + "; no line is of transport.LogHooks through a slog.JSONHandler"
	case log.Retries+log.Trails == 0:
		return want + "; the level Debug, which tells of attempts, is missing"
	}
	return want
}

// printFragment prints the part of a scenario that a log is about.
func (p Program) printFragment(name string, log *learn.Log, l lessons) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Learned from %q: %d lines, %d of steadytrip, %d trails. Part of a scenario, to be put into one.\n",
		name, log.Lines, log.Ours, log.Trails)
	if l.latency.err != nil {
		fmt.Fprintf(&b, "\n# No latency: of attempts that were served after a retry, %v.\n", l.latency.err)
	} else {
		b.WriteString("\n# Round trips and queues included. It is of calls that had been tried before, so that troubled times count more.\n")
		fmt.Fprintf(&b, "backend:\n  latency: %s # %s\n", delay(l.latency.fit), l.latency.basis("attempts"))
	}
	if l.hold.err != nil {
		fmt.Fprintf(&b, "\n# No hold: of refreshes, %v.\n", l.hold.err)
	} else {
		b.WriteString("\n# From the first refusal on. A lock is older than that, by the time to the first call on the grant.\n")
		fmt.Fprintf(&b, "faults:\n  - kind: lock\n    at: 10s # as you like\n    hold: %s # %s\n", delay(l.hold.fit), l.hold.basis("refreshes"))
	}
	_, err := io.WriteString(p.Stdout, b.String())
	return err
}

// delay writes a fit as a simulate.Delay.
func delay(f learn.Fit) string {
	d := simulate.Delay{Median: short(f.Median), P99: max(short(f.P99), short(f.Median))}
	return fmt.Sprintf("{median: %s, p99: %s}", d.Median, d.P99)
}

// basis says what a fit stands on.
func (l lesson) basis(what string) string {
	text := fmt.Sprintf("%d %s, a %s fit", l.series.Count(), what, l.fit.Grade())
	if l.series.Count() < 100 {
		text += "; p99 is where the fit goes, fewer than 100 cannot show it"
	}
	return text
}

// short rounds a duration to three digits.
func short(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

// lessonSummary is a lesson for machines.
type lessonSummary struct {
	Count    int           `json:"count"`
	Median   time.Duration `json:"median_ns"` // of the fit; 0 without one
	P99      time.Duration `json:"p99_ns"`
	Distance float64       `json:"distance"`
	Critical float64       `json:"critical"`      // a smaller distance says nothing against the fit
	Why      string        `json:"why,omitempty"` // there is no fit
}

func (l lesson) summary() lessonSummary {
	s := lessonSummary{Count: l.series.Count(), Median: l.fit.Median, P99: l.fit.P99, Distance: l.fit.Distance, Critical: l.fit.Critical}
	if l.err != nil {
		s.Why = l.err.Error()
	}
	return s
}

func (l lessons) summary(name string, log *learn.Log) any {
	return struct {
		Log     string        `json:"log"`
		Lines   int           `json:"lines"`
		Ours    int           `json:"ours"`
		Trails  int           `json:"trails"`
		Foreign int           `json:"foreign"`
		NotJSON int           `json:"not_json"`
		TooLong int           `json:"too_long"`
		Lost    int           `json:"lost"`
		Joined  int           `json:"joined"`
		Longer  int           `json:"longer"`
		Hold    lessonSummary `json:"hold"`
		Latency lessonSummary `json:"latency"`
	}{
		name, log.Lines, log.Ours, log.Trails, log.Foreign, log.NotJSON, log.TooLong, log.Lost, log.Joined, log.Longer,
		l.hold.summary(), l.latency.summary(),
	}
}
