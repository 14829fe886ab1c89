package policyfile

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/steadytrip/steadytrip/policy"
)

// check notes what [policy.Set.Validate] has against the set, in the words of files and at the places that are to be changed.
// What follows from a fault that has been noted is left out.
func (r *reader) check(s policy.Set) {
	faults := faultsOf(s.Validate())
	for _, f := range faults {
		if !r.follows(f, faults) {
			at, where := r.locate(f)
			r.faults.add(&Fault{File: r.file, Line: where.line, Column: where.column, Field: at, Value: f.Value, Want: inFile(f.Want)})
		}
	}
}

// faultsOf returns the faults that Validate joined.
func faultsOf(err error) []*policy.Fault {
	joined, _ := err.(interface{ Unwrap() []error })
	if joined == nil {
		return nil
	}
	var faults []*policy.Fault
	for _, err := range joined.Unwrap() {
		var f *policy.Fault
		if errors.As(err, &f) {
			faults = append(faults, f)
		}
	}
	return faults
}

// follows reports whether a fault comes of another: of a value that could not be read, in the field itself, around it,
// or in one that it is compared with; or of the same in the profile that this one started from.
func (r *reader) follows(f *policy.Fault, all []*policy.Fault) bool {
	for field := f.Field; field != ""; field = owner(field) {
		if r.broken[field] {
			return true
		}
	}
	for _, field := range related(f) {
		if r.broken[field] {
			return true
		}
	}
	ancestor := r.heir[owner(f.Field)]
	if _, here := r.seen[f.Field]; here || ancestor == "" {
		return false
	}
	_, field, _ := strings.Cut(f.Field, "].")
	return slices.ContainsFunc(all, func(other *policy.Fault) bool {
		return other.Field == ancestor+"."+field && other.Value == f.Value && other.Want == f.Want
	})
}

// locate returns the path of a fault's field in the file, and the place to be changed: that of the field,
// of one that it is compared with, or of the nearest around it.
func (r *reader) locate(f *policy.Fault) (string, position) {
	path := filePath(f.Field)
	for _, field := range append([]string{f.Field}, related(f)...) {
		if where, ok := r.seen[field]; ok {
			return path, where
		}
	}
	for field := owner(f.Field); field != ""; field = owner(field) {
		if where := r.seen[field]; where != (position{}) {
			return path, where
		}
	}
	return path, position{1, 1}
}

// owner returns the field around a field, as Validate names them: of "Breakers[0].Kinds[1]" that is "Breakers[0].Kinds".
func owner(field string) string {
	return field[:max(strings.LastIndexAny(field, ".["), 0)]
}

// related returns the fields that a fault names besides its own: those of the same profile, breaker, budget or gate.
func related(f *policy.Fault) (fields []string) {
	prefix := owner(f.Field)
	if prefix != "" {
		prefix += "."
	}
	for _, word := range goWord.FindAllString(f.Want, -1) {
		if _, ok := goNames[word]; ok {
			fields = append(fields, prefix+word)
		}
	}
	return fields
}

// goWord is what looks like the name of a field in Go.
var goWord = regexp.MustCompile(`\b[A-Z][A-Za-z]*\b`)

// goNamed are the names that messages of package policy contain and files do not know.
var goNamed = strings.NewReplacer(
	"policy.Default() is a set to start from", "extends: default is a set to start from",
	"classify.Kinds", "the kinds of failure",
	"policy.", "",
)

// goValue are the names of values in Go, which files write in lower case.
var goValue = strings.NewReplacer("FullJitter", "full", "Unlimited", "unlimited", "Stop", "stop", "Clamp", "clamp", "Honour", "honour")

// inFile returns a message of package policy in the words of files.
func inFile(want string) string {
	want = goValue.Replace(goNamed.Replace(want))
	return goWord.ReplaceAllStringFunc(want, func(word string) string {
		if name, ok := goNames[word]; ok {
			return name
		}
		return word
	})
}

// filePath returns the path in a file of a field as Validate names it: of "Profiles[timeout].Max" that is "profiles.timeout.max".
func filePath(field string) string {
	if rest, ok := strings.CutPrefix(field, "Profiles["); ok {
		field = "Profiles." + strings.Replace(rest, "]", "", 1)
	}
	return inFile(field)
}
