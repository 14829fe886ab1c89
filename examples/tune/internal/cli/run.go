package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/guptarohit/asciigraph"
	"github.com/spf13/cobra"

	"github.com/steadytrip/steadytrip/examples/tune/internal/report"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

func (p Program) run() *cobra.Command {
	var (
		sets      policies
		scenario  scenarios
		demands   gates
		out       outputs
		noDrawing bool
	)
	cmd := &cobra.Command{
		Use:     "run POLICY SCENARIO",
		Short:   "Play a scenario with a policy",
		Example: "  tune run policy.yaml outage --gate 'success >= 95%' --gate 'recovery <= 50s'",
		Args:    exactly("POLICY", "SCENARIO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var in inputs
			in.policy(p, &sets, args[0])
			in.scenario(&scenario, args[1])
			in.gates(&demands)
			if err := in.err(); err != nil {
				return err
			}
			results, err := p.play(cmd.Context(), in.Scenario, in.Sets...)
			if err != nil {
				return err
			}
			result := results[0]
			missed := result.Check(in.Gates)
			if err := out.write(report.Report{
				Title: args[0] + " in " + in.Scenario.Name, Scenario: in.Scenario,
				Runs:  []report.Run{{Name: args[0], Set: in.Sets[0], Result: result}},
				Gates: in.Gates, Missed: missedLines(missed),
			}); err != nil {
				return err
			}
			if out.json {
				err = p.printJSON(struct {
					Policy string          `json:"policy"`
					Result simulate.Result `json:"result"`
					Gates  []verdict       `json:"gates"`
				}{args[0], result, judge(result, in.Gates)})
			} else {
				fmt.Fprintf(p.Stdout, "%s in %s", p.title(args[0]), result)
				if !noDrawing {
					p.draw(result)
				}
				p.printGates(judge(result, in.Gates))
			}
			if err != nil {
				return err
			}
			return p.complain(args[0], missed)
		},
	}
	sets.flags(cmd)
	scenario.flags(cmd)
	demands.flags(cmd)
	out.flags(cmd)
	cmd.Flags().BoolVar(&noDrawing, "no-drawing", false, "print no curves")
	return cmd
}

// play plays a scenario with each of the policies.
func (p Program) play(ctx context.Context, s simulate.Scenario, sets ...policy.Set) ([]simulate.Result, error) {
	m := p.meter("playing "+s.Name, len(sets))
	defer m.stop()
	var results []simulate.Result
	for _, set := range sets {
		r, err := p.Runner.Run(ctx, s, set)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s %s", s.Name, m.state())
		}
		if err != nil {
			return nil, err
		}
		results = append(results, r)
		m.next()
	}
	return results, nil
}

// draw draws the calls that succeed and the attempts, each second of the scenario, averaged over the times that it was played.
func (p Program) draw(r simulate.Result) {
	for _, curve := range []struct {
		caption string
		of      func(simulate.Second) int
	}{
		{"calls that succeed, each second", func(s simulate.Second) int { return s.Succeeded }},
		{"attempts that are sent, each second", func(s simulate.Second) int { return s.Sent }},
	} {
		seconds := r.Timeline[:min(len(r.Timeline), int(r.Duration/time.Second))] // later ones have no calls of their own
		points := make([]float64, len(seconds))
		for i, s := range seconds {
			points[i] = float64(curve.of(s)) / float64(max(r.Played, 1))
		}
		if len(points) < 2 {
			continue
		}
		options := []asciigraph.Option{
			asciigraph.Height(6), asciigraph.Width(72), asciigraph.LowerBound(0), asciigraph.Precision(0), asciigraph.Caption(curve.caption),
			asciigraph.XAxisRange(0, float64(len(points))), asciigraph.XAxisTickCount(6),
			asciigraph.XAxisValueFormatter(func(x float64) string { return (time.Duration(x) * time.Second).String() }),
		}
		if p.colourful(p.Stdout) {
			options = append(options, asciigraph.SeriesColors(asciigraph.Green))
		}
		fmt.Fprintf(p.Stdout, "\n%s\n", trimLines(asciigraph.Plot(points, options...)))
	}
}
