package vary

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/policy/policyfile"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// Candidate is a policy and the values that make it, one of each axis.
type Candidate struct {
	simulate.Candidate
	Values []string
}

// Combinations returns how many combinations there are; more than an int holds are as many as it does.
func Combinations(axes []Axis) int {
	n := 1
	for _, a := range axes {
		if n > 1<<40 {
			break
		}
		n *= len(a.Values)
	}
	return n
}

// Grid returns a policy for every combination of the axes' values, the last axis fastest. Combinations that contradict themselves,
// such as a pause that is longer than the longest, are left out, and counted. A value with which no policy is valid is a mistake,
// and so is a setting that does not exist.
func Grid(base policy.Set, axes []Axis) (all []Candidate, contradictions int, err error) {
	if err := distinct(axes); err != nil {
		return nil, 0, err
	}
	used := make(map[[2]int]bool) // axis and value that are in a valid policy
	why := make(map[[2]int]error) // the first fault of others
	for n := range Combinations(axes) {
		pick := pick(axes, n)
		values := make([]string, len(axes))
		for i, a := range axes {
			values[i] = a.Values[pick[i]]
		}
		set, err := apply(base, axes, values)
		for i := range axes {
			at := [2]int{i, pick[i]}
			if err == nil {
				used[at] = true
			} else if why[at] == nil {
				why[at] = err
			}
		}
		if err != nil {
			contradictions++
			continue
		}
		all = append(all, Candidate{simulate.Candidate{Name: name(axes, values), Set: set}, values})
	}
	var faults []string
	for i, a := range axes {
		for j := range a.Values {
			if at := [2]int{i, j}; !used[at] {
				faults = append(faults, strings.Split(explain(why[at], base, axes).Error(), "\n")...)
			}
		}
	}
	slices.Sort(faults)
	return all, contradictions, joined(slices.Compact(faults))
}

func joined(lines []string) error {
	var all []error
	for _, line := range lines {
		all = append(all, errors.New(line))
	}
	return errors.Join(all...)
}

// distinct refuses a setting that is varied twice.
func distinct(axes []Axis) error {
	seen := make(map[string]bool)
	for _, a := range axes {
		if seen[variable(a.Path)] {
			return fmt.Errorf("%s is varied twice", a.Path)
		}
		seen[variable(a.Path)] = true
	}
	return nil
}

// pick returns the number of the value of each axis in combination n.
func pick(axes []Axis, n int) []int {
	p := make([]int, len(axes))
	for i := len(axes) - 1; i >= 0; i-- {
		p[i] = n % len(axes[i].Values)
		n /= len(axes[i].Values)
	}
	return p
}

func name(axes []Axis, values []string) string {
	parts := make([]string, len(axes))
	for i, a := range axes {
		parts[i] = a.Path + "=" + values[i]
	}
	return strings.Join(parts, " ")
}

// prefix is that of the variables by which package policyfile is told the values: nobody else sees them.
const prefix = "VARY"

// variable returns the name of the variable that stands for a path.
func variable(path string) string {
	return prefix + "_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, path)
}

func apply(base policy.Set, axes []Axis, values []string) (policy.Set, error) {
	environ := make([]string, len(axes))
	for i, a := range axes {
		environ[i] = variable(a.Path) + "=" + values[i]
	}
	return policyfile.Env(base, prefix, environ)
}

// explain tells the faults in terms of paths instead of variables.
func explain(err error, base policy.Set, axes []Axis) error {
	faults := []error{err}
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		faults = list.Unwrap()
	}
	var all []error
	for _, err := range faults {
		var f *policyfile.Fault
		if !errors.As(err, &f) {
			all = append(all, err)
			continue
		}
		path := f.File
		for _, a := range axes {
			if variable(a.Path) == f.File {
				path = a.Path
			}
		}
		text := path + " is " + f.Value + ": want " + f.Want
		switch {
		case f.Value == "no setting" && strings.HasPrefix(path, "breakers."):
			text = path + " is no setting: want one of a breaker of the policy: " + breakers(base)
		case f.Value == "no setting":
			text = path + " is no setting: want one such as max_elapsed or profiles.timeout.retries"
		case f.Field != "" && f.Field != path:
			text = f.Field + ", by " + text
		}
		if f.Suggestion != "" {
			text += fmt.Sprintf("; did you mean %q?", dotted(f.Suggestion, base))
		}
		all = append(all, errors.New(text))
	}
	return errors.Join(all...)
}

func breakers(s policy.Set) string {
	if len(s.Breakers) == 0 {
		return "it has none"
	}
	names := make([]string, len(s.Breakers))
	for i, b := range s.Breakers {
		names[i] = b.Name
	}
	return strings.Join(names, ", ")
}

// dotted returns the path for which a variable stands. What is not of a variable stays as it is.
func dotted(text string, base policy.Set) string {
	if !strings.HasPrefix(text, prefix+"_") {
		return text
	}
	var sections []string
	for k := range classify.Kinds() {
		sections = append(sections, "profiles."+k.String())
	}
	for _, b := range base.Breakers {
		sections = append(sections, "breakers."+b.Name)
	}
	sections = append(sections, "budget", "gate.probe", "gate")
	best := ""
	for _, s := range sections {
		if strings.HasPrefix(text, variable(s)+"_") && len(s) > len(best) {
			best = s
		}
	}
	if best == "" {
		return strings.ToLower(strings.TrimPrefix(text, prefix+"_"))
	}
	return best + "." + strings.ToLower(strings.TrimPrefix(text, variable(best)+"_"))
}
