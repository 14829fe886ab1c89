package policy

// Fault is one thing that is wrong with a [Set]. [Set.Validate] joins those it finds; [errors.As] gets at the first of them.
// The fields are for programs that show a fault in their own words, or at its place in a file; Error puts them into one line.
// The zero value says nothing. A Fault is not changed once it is returned, so it is safe for concurrent use.
type Fault struct { //nolint:errname // a fault is the error of a setting: FaultError would say it twice
	Field string // which field, such as "Profiles[timeout].Max" or "Breakers[0].Kinds[1]"
	Value string // what it is, such as "99ms"
	Want  string // what was wanted of it, such as "at least Initial, which is 100ms"

	subject string // what Value says something about, where that is not the field itself
}

// Error returns the fault in one line.
func (f *Fault) Error() string {
	field := f.Field
	if f.subject != "" {
		field += ": " + f.subject
	}
	return "policy: " + field + " is " + f.Value + ": want " + f.Want
}
