package cli

import (
	"fmt"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

func (p Program) scenarios() *cobra.Command {
	return &cobra.Command{
		Use:     "scenarios [NAME]",
		Short:   "List the scenarios that come along, or print one to start from",
		Example: "  tune scenarios outage >ours.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				t := p.table("scenario", "what it shows")
				for _, s := range simulate.Ready() {
					t.AppendRow(table.Row{s.Name, s.About})
				}
				fmt.Fprintln(p.Stdout, t.Render())
				return nil
			}
			if known := scenarioNames(); !slices.Contains(known, args[0]) {
				return unknown("scenario", args[0], known)
			}
			source, err := simulate.Source(args[0])
			if err != nil {
				return err
			}
			_, err = p.Stdout.Write(source)
			return err
		},
	}
}

func (p Program) metrics() *cobra.Command {
	return &cobra.Command{
		Use:   "metrics",
		Short: "List what gates and axes can be about",
		Args:  cobra.NoArgs,
		RunE: func(_ *cobra.Command, _ []string) error {
			t := p.table("metric", "is a", "better", "what it is")
			for _, m := range simulate.Metrics() {
				t.AppendRow(table.Row{m.Name, m.Unit, [...]string{"less", "", "more"}[m.Better+1], m.About})
			}
			fmt.Fprintln(p.Stdout, t.Render())
			return nil
		},
	}
}
