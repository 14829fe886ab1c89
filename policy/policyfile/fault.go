package policyfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with a file or with an environment variable. [Parse], [Load] and [Env] join all they find;
// [errors.As] gets at the first of them. The fields are for programs, such as editors; Error puts them into one line:
//
//	policy.yaml:4:14: profiles.timeout.initial is 200: want a duration with its unit, such as "200ms" or "200s"
//
// A Fault is not changed once it is returned, so it is safe for concurrent use.
type Fault struct { //nolint:errname // a fault is the error of a setting: FaultError would say it twice
	// File is the file's name as it was given, or the name of the environment variable.
	File string

	// Line and Column say where in the file, counted from 1, columns in characters. They are 0 if there is no place.
	Line, Column int

	// Field is the path of the field, such as "profiles.timeout.max" or "breakers[0].kinds[1]". It is empty if the fault
	// is not about a field: if the file is not YAML, or if the variable says it all.
	Field string

	Value      string // what it is, as the message shows it, of long ones the first 40 characters
	Want       string // what was wanted
	Suggestion string // what was probably meant; empty if there is no good guess
}

// Error returns the fault in one line, the place first.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	switch {
	case f.Field != "":
		b.WriteString(": " + f.Field + " is " + f.Value)
	case f.Line > 0:
		b.WriteString(": " + f.Value)
	default:
		b.WriteString(" is " + f.Value)
	}
	if f.Suggestion != "" {
		b.WriteString(": did you mean " + f.Suggestion + "?")
	} else {
		b.WriteString(": want " + f.Want)
	}
	return b.String()
}

const (
	shown = 100  // faults that an error names: who has made more has probably made one, many times
	kept  = 1000 // faults that are kept to pick those from, which bounds the memory that a file can take
)

// faults collects them.
type faults struct {
	list []*Fault
	more int // that were not kept
}

func (fs *faults) add(f *Fault) {
	if fs.full() {
		fs.more++
		return
	}
	fs.list = append(fs.list, f)
}

// full reports whether another one would only be counted.
func (fs *faults) full() bool { return len(fs.list) == kept }

// join returns them in the order of their places as one error, or nil.
func (fs *faults) join() error {
	slices.SortStableFunc(fs.list, func(a, b *Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.File, b.File))
	})
	var errs []error
	for _, f := range fs.list[:min(len(fs.list), shown)] {
		errs = append(errs, f)
	}
	if more := len(fs.list) - len(errs) + fs.more; more > 0 {
		errs = append(errs, fmt.Errorf("policyfile: and %d more faults", more))
	}
	return errors.Join(errs...)
}
