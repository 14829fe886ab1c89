package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

func (p Program) limit() *cobra.Command {
	var (
		sets        policies
		scenario    scenarios
		demands     gates
		json        bool
		least, most float64
		steps       int
	)
	cmd := &cobra.Command{
		Use:   "limit POLICY SCENARIO --gate DEMAND",
		Short: "Find the load from which the gates are missed",
		Long: `limit multiplies the scenario's traffic, and looks for the greatest factor with which the gates are met. It halves the interval
as often as --steps says, and takes it that more traffic never helps.`,
		Example: "  tune limit default outage --gate 'recovery <= 1m'",
		Args:    exactly("POLICY", "SCENARIO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var in inputs
			in.policy(p, &sets, args[0])
			in.scenario(&scenario, args[1])
			in.gates(&demands)
			if len(in.Gates) == 0 && in.err() == nil {
				in.fault(errors.New("limit needs a demand: --gate 'success >= 99%', or --gates with a file of them"))
			}
			if !(least > 0 && most > least) {
				in.fault(fmt.Errorf("--from is %g and --to is %g: want 0 < from < to", least, most))
			}
			if steps < 1 || steps > 30 {
				in.fault(fmt.Errorf("--steps is %d: want 1 to 30", steps))
			}
			if err := in.err(); err != nil {
				return err
			}
			m := p.meter("looking for the limit", steps+2)
			defer m.stop()
			m.eachRun(p.Runner)
			factor, err := p.Runner.Limit(cmd.Context(), in.Scenario, in.Sets[0], in.Gates, least, most, steps)
			m.stop()
			if cmd.Context().Err() != nil {
				if factor == 0 {
					return fmt.Errorf("nothing is known of the limit; %s", m.state())
				}
				return fmt.Errorf("the limit is between %g and %g times the traffic; %s", factor, most, m.state())
			}
			if err != nil {
				return err
			}
			if json {
				err = p.printJSON(struct {
					Policy   string   `json:"policy"`
					Scenario string   `json:"scenario"`
					Gates    []string `json:"gates"`
					From     float64  `json:"from"`
					To       float64  `json:"to"`
					Factor   float64  `json:"factor"` // 0: the gates are missed with all of them
				}{args[0], in.Scenario.Name, texts(in.Gates), least, most, factor})
				if err != nil {
					return err
				}
			}
			return p.tellLimit(args[0], in, json, factor, least, most)
		},
	}
	sets.flags(cmd)
	scenario.flags(cmd)
	demands.flags(cmd)
	cmd.Flags().BoolVar(&json, "json", false, "print JSON and nothing else to standard output")
	cmd.Flags().Float64Var(&least, "from", 0.5, "the least `factor`")
	cmd.Flags().Float64Var(&most, "to", 4, "the greatest `factor`")
	cmd.Flags().IntVar(&steps, "steps", 6, "halve the interval `n` times")
	return cmd
}

func (p Program) tellLimit(name string, in inputs, quiet bool, factor, least, most float64) error {
	if factor == 0 {
		fmt.Fprintf(p.Stderr, "tune: %s misses the gates even with %g times the traffic of %s\n", name, least, in.Scenario.Name)
		return errMissed
	}
	if quiet {
		return nil
	}
	switch factor {
	case most:
		fmt.Fprintf(p.Stdout, "%s meets the gates in %s with %g times the traffic, and perhaps with more: --to is as far as was looked\n",
			name, in.Scenario.Name, most)
	default:
		fmt.Fprintf(p.Stdout, "%s meets the gates in %s with up to %.3g times the traffic%s\n",
			name, in.Scenario.Name, factor, rates(in.Scenario, factor))
	}
	return nil
}

// rates says what the factor means, for traffic that has rates.
func rates(s simulate.Scenario, factor float64) string {
	rate := 0.0
	for _, t := range s.Times(factor).Traffic {
		rate += t.Rate
	}
	if rate == 0 {
		return ""
	}
	return fmt.Sprintf(", %.4g calls a second", rate)
}

func texts(all []simulate.Gate) []string {
	list := make([]string, len(all))
	for i, g := range all {
		list[i] = g.String()
	}
	return list
}
