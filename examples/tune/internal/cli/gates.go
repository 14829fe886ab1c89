package cli

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

// gates has the flags of commands that hold results against demands.
type gates struct {
	texts []string
	file  string
}

func (g *gates) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&g.texts, "gate", nil, "`demand` on the result, such as 'success >= 99.9%'; may be repeated")
	cmd.Flags().StringVar(&g.file, "gates", "", "`file` of demands, one a line, # begins a comment")
}

// read returns all demands, or every one that cannot be read.
func (g *gates) read() ([]simulate.Gate, error) {
	var (
		all    []simulate.Gate
		faults []error
	)
	if g.file != "" {
		var err error
		all, err = readGates(g.file)
		if err != nil {
			faults = append(faults, named("--gates "+g.file, err))
		}
	}
	for _, text := range g.texts {
		gate, err := simulate.ParseGate(text)
		if err != nil {
			faults = append(faults, named("--gate", err))
			continue
		}
		all = append(all, gate)
	}
	return all, errors.Join(faults...)
}

// longestGates is how many bytes a file of demands may have.
const longestGates = 1 << 16

// readGates reads a file of demands. One without any would be met by everything.
func readGates(name string) ([]simulate.Gate, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, longestGates+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > longestGates:
		return nil, fmt.Errorf("want a file of %d bytes at most", longestGates)
	}
	all, err := simulate.ParseGates(string(data))
	if err == nil && len(all) == 0 {
		err = errors.New("there is no demand in it: want one such as success >= 99.9%")
	}
	return all, err
}

// named puts a name before each line of an error.
func named(name string, err error) error {
	var lines []error
	for line := range strings.SplitSeq(err.Error(), "\n") {
		lines = append(lines, fmt.Errorf("%s: %s", name, told(errors.New(line))))
	}
	return errors.Join(lines...)
}

// verdict is a gate and what came of it.
type verdict struct {
	Gate string `json:"gate"`
	Met  bool   `json:"met"`
	Got  string `json:"got"` // for people; why it could not be measured, if it could not
}

func judge(r simulate.Result, all []simulate.Gate) []verdict {
	verdicts := make([]verdict, 0, len(all))
	for _, g := range all {
		m, _ := metric(g.Metric)
		verdicts = append(verdicts, verdict{g.String(), r.Check([]simulate.Gate{g}) == nil, show(m, r)})
	}
	return verdicts
}

// missedLines returns a line for each gate that a result missed.
func missedLines(missed error) []string {
	if missed == nil {
		return nil
	}
	var lines []string
	for line := range strings.SplitSeq(missed.Error(), "\n") {
		lines = append(lines, told(errors.New(line)))
	}
	return lines
}

// complain tells the gates that were missed, and returns errMissed if there are any.
func (p Program) complain(name string, missed error) error {
	if missed == nil {
		return nil
	}
	for _, line := range missedLines(missed) {
		fmt.Fprintf(p.Stderr, "tune: gate missed by %s: %s\n", name, line)
	}
	return errMissed
}

func (p Program) printGates(verdicts []verdict) {
	if len(verdicts) == 0 {
		return
	}
	t := p.table("gate", "got", "")
	for _, v := range verdicts {
		mark := p.good("met")
		if !v.Met {
			mark = p.bad("missed")
		}
		t.AppendRow(table.Row{v.Gate, v.Got, mark})
	}
	fmt.Fprintf(p.Stdout, "\n%s\n", t.Render())
}

func metric(name string) (simulate.Metric, bool) {
	for _, m := range simulate.Metrics() {
		if m.Name == name {
			return m, true
		}
	}
	return simulate.Metric{}, false
}

// show returns a metric of a result, for people.
func show(m simulate.Metric, r simulate.Result) string {
	x, why := m.Of(r)
	if why != "" {
		return "- (" + why + ")"
	}
	return m.Format(x)
}

// measured returns all metrics that a result has, by their names: times in seconds, -1 for never.
func measured(r simulate.Result) map[string]float64 {
	all := make(map[string]float64)
	for _, m := range simulate.Metrics() {
		x, why := m.Of(r)
		switch {
		case why != "":
		case math.IsInf(x, 0):
			all[m.Name] = -1
		default:
			all[m.Name] = x
		}
	}
	return all
}
