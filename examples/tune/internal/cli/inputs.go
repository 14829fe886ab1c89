package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/policy/policyfile"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

var presets = []struct {
	name string
	set  func() policy.Set
}{
	{"default", policy.Default},
	{"interactive", policy.Interactive},
	{"batch", policy.Batch},
	{"agent", policy.Agent},
}

func presetNames() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.name
	}
	return names
}

func scenarioNames() []string {
	var names []string
	for _, s := range simulate.Ready() {
		names = append(names, s.Name)
	}
	return names
}

// policies has the flag of commands that read policies.
type policies struct{ prefix string }

func (p *policies) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.prefix, "env", "", "apply the environment variables that begin with `PREFIX` and _ to the policy")
}

// read returns the policy of a file or a preset.
func (p *policies) read(name string, environ []string) (policy.Set, error) {
	set, err := readPolicy(name)
	if err != nil || p.prefix == "" {
		return set, err
	}
	return policyfile.Env(set, p.prefix, environ)
}

func readPolicy(name string) (policy.Set, error) {
	for _, p := range presets {
		if p.name == name {
			return p.set(), nil
		}
	}
	set, err := policyfile.Load(name)
	if errors.Is(err, os.ErrNotExist) {
		return set, unknown("policy", name, presetNames())
	}
	return set, err
}

// scenarios has the flags of commands that play one.
type scenarios struct {
	seed   uint64
	repeat int
	cmd    *cobra.Command
}

func (s *scenarios) flags(cmd *cobra.Command) {
	s.cmd = cmd
	cmd.Flags().Uint64Var(&s.seed, "seed", 0, "play with this `seed` instead of the scenario's")
	cmd.Flags().IntVar(&s.repeat, "repeat", 0, "play `n` times instead of as often as the scenario says")
}

// read returns the scenario of a file, or one that comes along, with what the flags say.
func (s *scenarios) read(name string) (simulate.Scenario, error) {
	scenario, err := readScenario(name)
	if err != nil {
		return scenario, err
	}
	if s.cmd.Flags().Changed("seed") {
		scenario.Seed = s.seed
	}
	if s.cmd.Flags().Changed("repeat") {
		if s.repeat < 1 {
			return scenario, fmt.Errorf("--repeat is %d: want 1 or more", s.repeat)
		}
		scenario.Repeat = s.repeat
	}
	return scenario, scenario.Validate()
}

func readScenario(name string) (simulate.Scenario, error) {
	if slices.Contains(scenarioNames(), name) {
		return simulate.Find(name)
	}
	scenario, err := simulate.Load(name)
	if errors.Is(err, os.ErrNotExist) {
		return scenario, unknown("scenario", name, scenarioNames())
	}
	return scenario, err
}

// unknown says that a name is neither a file nor one of those that are known, and which one was probably meant.
func unknown(what, name string, known []string) error {
	text := fmt.Sprintf("there is no %s %q: want a file, or one of %s", what, name, strings.Join(known, ", "))
	if near := nearest(name, known); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return errors.New(text)
}

// nearest returns the name that is most like what was given, and nothing if none is.
func nearest(name string, known []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, k := range known {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), k); d < least {
			best, least = k, d
		}
	}
	return best
}

// inputs is what a command reads before it begins, with all that is wrong with it.
type inputs struct {
	Sets     []policy.Set
	Scenario simulate.Scenario
	Gates    []simulate.Gate

	faults []error
}

func (in *inputs) fault(err error) {
	if err != nil && !slices.ContainsFunc(in.faults, func(other error) bool { return other.Error() == err.Error() }) {
		in.faults = append(in.faults, err)
	}
}

func (in *inputs) err() error { return errors.Join(in.faults...) }

func (in *inputs) policy(p Program, from *policies, name string) {
	set, err := from.read(name, p.Environ)
	in.Sets = append(in.Sets, set)
	in.fault(err)
}

func (in *inputs) scenario(from *scenarios, name string) {
	var err error
	in.Scenario, err = from.read(name)
	if in.Scenario.Name == "" {
		in.Scenario.Name = name
	}
	in.fault(err)
}

func (in *inputs) gates(from *gates) {
	var err error
	in.Gates, err = from.read()
	in.fault(err)
}
