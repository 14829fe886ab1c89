package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/tune/internal/report"
	"github.com/steadytrip/steadytrip/policy"
)

func (p Program) schedule() *cobra.Command {
	var (
		sets     policies
		out      outputs
		kind     string
		deadline time.Duration
		n        int
	)
	cmd := &cobra.Command{
		Use:     "schedule POLICY",
		Short:   "Draw when each profile of a policy retries",
		Example: "  tune schedule policy.yaml --kind timeout --deadline 5s",
		Args:    exactly("POLICY"),
		RunE: func(_ *cobra.Command, args []string) error {
			var in inputs
			in.policy(p, &sets, args[0])
			only, err := kindOf(kind)
			in.fault(err)
			if deadline < 0 {
				in.fault(fmt.Errorf("--deadline is %s: want 0s for none, or more", deadline))
			}
			if n < 1 || n > 1000 {
				in.fault(fmt.Errorf("--retries is %d: want 1 to 1000", n))
			}
			if err := in.err(); err != nil {
				return err
			}
			drawings := drawingsOf(in.Sets[0], only)
			if len(drawings) == 0 {
				return fmt.Errorf("%s has no profile for %s: it is not retried", args[0], kind)
			}
			if err := out.write(report.Report{
				Title: "Schedules of " + args[0], Runs: []report.Run{{Name: args[0], Set: in.Sets[0]}},
			}); err != nil {
				return err
			}
			for i, d := range drawings {
				if i > 0 {
					fmt.Fprintln(p.Stdout)
				}
				fmt.Fprintf(p.Stdout, "%s\n%s", p.title(d.Name), trimLines(d.Timeline(n, deadline)))
			}
			return nil
		},
	}
	sets.flags(cmd)
	out.page(cmd)
	cmd.Flags().StringVar(&kind, "kind", "", "draw the profile that this `kind` of failure uses, and no other")
	cmd.Flags().DurationVar(&deadline, "deadline", 0, "the caller's deadline, a `duration`")
	cmd.Flags().IntVarP(&n, "retries", "n", 8, "draw `n` retries at most")
	return cmd
}

// kindOf returns the kind of failure of that name; Unclassified if it is empty.
func kindOf(name string) (classify.Kind, error) {
	if name == "" {
		return classify.Unclassified, nil
	}
	var names []string
	for k := range classify.Kinds() {
		if k.String() == name {
			return k, nil
		}
		names = append(names, k.String())
	}
	text := fmt.Sprintf("--kind is %q: want a kind of failure, such as timeout", name)
	if near := nearest(name, names); near != "" {
		text = fmt.Sprintf("--kind is %q, which does not exist; did you mean %q?", name, near)
	}
	return classify.Unclassified, fmt.Errorf("%s", text)
}

// drawingsOf returns all profiles of a set, or the one that a kind uses.
func drawingsOf(set policy.Set, only classify.Kind) []report.Profile {
	if only == classify.Unclassified {
		return report.Profiles(set)
	}
	profile, from, ok := set.Profile(only)
	if !ok {
		return nil
	}
	name := only.String()
	if from != only {
		name += ", by the profile of " + from.String()
	}
	return []report.Profile{{Name: name, Profile: profile}}
}

// trimLines takes off the space at the ends of lines.
func trimLines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.TrimRight(line, " \n"))
		b.WriteByte('\n')
	}
	return b.String()
}
