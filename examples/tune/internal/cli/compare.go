package cli

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/steadytrip/steadytrip/examples/tune/internal/report"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

func (p Program) compare() *cobra.Command {
	var (
		sets     policies
		scenario scenarios
		demands  gates
		out      outputs
	)
	cmd := &cobra.Command{
		Use:   "compare A B SCENARIO",
		Short: "Play a scenario with two policies, side by side",
		Long: `compare plays a scenario with two policies. Both meet the same calls at the same times, with the same luck on the way.
Gates and their exit code are about the second one, B.`,
		Example: "  tune compare default policy.yaml outage --html report.html",
		Args:    exactly("A", "B", "SCENARIO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var in inputs
			in.policy(p, &sets, args[0])
			in.policy(p, &sets, args[1])
			in.scenario(&scenario, args[2])
			in.gates(&demands)
			if err := in.err(); err != nil {
				return err
			}
			results, err := p.play(cmd.Context(), in.Scenario, in.Sets...)
			if err != nil {
				return err
			}
			comparison := simulate.Compare(results[0], results[1], args[0], args[1])
			missed := results[1].Check(in.Gates)
			if err := out.write(report.Report{
				Title: args[0] + " and " + args[1] + " in " + in.Scenario.Name, Scenario: in.Scenario,
				Runs: []report.Run{
					{Name: args[0], Set: in.Sets[0], Result: results[0]}, {Name: args[1], Set: in.Sets[1], Result: results[1]},
				},
				Comparison: &comparison, Gates: in.Gates, Missed: missedLines(missed),
			}); err != nil {
				return err
			}
			if out.json {
				err = p.printJSON(struct {
					Comparison simulate.Comparison `json:"comparison"`
					Results    []simulate.Result   `json:"results"`
					Gates      []verdict           `json:"gates"`
				}{comparison, results, judge(results[1], in.Gates)})
			} else {
				p.printComparison(in.Scenario, comparison)
				p.printGates(judge(results[1], in.Gates))
			}
			if err != nil {
				return err
			}
			return p.complain(args[1], missed)
		},
	}
	sets.flags(cmd)
	scenario.flags(cmd)
	demands.flags(cmd)
	out.flags(cmd)
	return cmd
}

func (p Program) printComparison(s simulate.Scenario, c simulate.Comparison) {
	fmt.Fprintf(p.Stdout, "%s: %s\n\n", p.title(s.Name), s.About)
	t := p.table("metric", c.Names[0], c.Names[1], "")
	for _, row := range c.Rows {
		m, _ := metric(row.Metric)
		var cells [2]string
		for i, x := range row.Values {
			switch {
			case row.Why[i] != "":
				cells[i] = "-"
			case x < 0:
				cells[i] = "never"
			default:
				cells[i] = m.Format(x)
			}
		}
		change := ""
		switch row.Change {
		case 1:
			change = p.good("better")
		case -1:
			change = p.bad("worse")
		}
		t.AppendRow(table.Row{row.Metric, cells[0], cells[1], change})
	}
	fmt.Fprintln(p.Stdout, t.Render())
}
