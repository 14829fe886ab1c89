package policyfile

import (
	"reflect"
	"strings"
	"unicode"

	"github.com/steadytrip/steadytrip/policy"
)

// document is what a file says: what it starts from, and the set that comes out.
type document struct {
	Schema  string
	Extends base
	policy.Set
}

// shape is how one kind of value is read, written and described in JSON Schema.
type shape interface {
	read(r *reader, n *node, at place, v reflect.Value)
	write(v reflect.Value, path string) (*node, error)
	describe(bounds map[string]any) map[string]any
}

var (
	_ shape = (*scalar)(nil)
	_ shape = (*object)(nil)
	_ shape = profileMap{}
	_ shape = breakerList{}
	_ shape = kindList{}
)

// object is a mapping of known fields, which stands for a struct.
type object struct {
	title  string // for messages: "a profile"
	id     string // for the schema
	doc    string
	fields []*field
}

// field is a field of a file: this table is all that parser, writer, schema and environment know.
type field struct {
	goName string // of the struct, as Set.Validate names it
	name   string // in files; empty is the Go name in snake case
	shape  shape
	doc    string
	bounds map[string]any // of a number, for the schema; Set.Validate holds them

	about bool // it is about the file and no part of the set: written only if it says something
}

func bounds(least, most float64) map[string]any {
	return map[string]any{"minimum": least, "maximum": most}
}

func atLeast(least float64) map[string]any { return map[string]any{"minimum": least} }

var profileObject = &object{
	title: "a profile",
	id:    "profile",
	doc:   "How often and how soon a request is sent again after one kind of failure.",
	fields: []*field{
		{goName: "Retries", shape: retries, bounds: atLeast(0), doc: "Retries at most, the first attempt not counted. 0: never retry. unlimited: no count ends them, max_elapsed does."},
		{goName: "Immediate", shape: truth, doc: "Whether the first retry goes out without a pause."},
		{goName: "Initial", shape: duration, doc: "The first pause, before jitter."},
		{goName: "Max", shape: duration, doc: "The longest pause, before jitter."},
		{goName: "Multiplier", shape: fraction, bounds: atLeast(0), doc: "Growth from one pause to the next, at least 1."},
		{goName: "Jitter", shape: jitter, bounds: bounds(0, 1), doc: "How far a pause strays at random. 0.2: by a fifth, down or up. full: anything from none to the whole pause."},
		{goName: "MaxElapsed", shape: duration, doc: "From the first failure of this kind to the end of a pause, at most. 0s: not bounded by time."},
		{goName: "MaxRetryAfter", shape: duration, doc: "The longest hint of a server, such as Retry-After, that is waited for. 0s: none is."},
		{goName: "LongHint", shape: longHint, doc: "What to do about a longer hint. stop: end the call. clamp: wait for max_retry_after. honour: wait for as long as the server asks."},
		{goName: "Cost", shape: fraction, bounds: atLeast(0), doc: "Tokens of the budget that each retry spends. 0: it is free."},
	},
}

var budgetObject = &object{
	title: "a budget",
	id:    "budget",
	doc:   "What share of the traffic retries may be, for each host. null: no limit.",
	fields: []*field{
		{goName: "Ratio", shape: fraction, bounds: bounds(0, 1), doc: "Tokens that a success earns, and the share of the traffic that may be in hand. 0: no budget."},
		{goName: "Min", shape: fraction, doc: "Tokens in hand at the start, and what may be in hand with little traffic. At least 1."},
		{goName: "Window", shape: duration, doc: "How far back traffic counts."},
	},
}

var breakerObject = &object{
	title: "a breaker",
	id:    "breaker",
	doc:   "When requests are refused without being sent, to leave a server alone that keeps saying no.",
	fields: []*field{
		{goName: "Name", shape: freeName, doc: "A name of its own. If the set that the file starts from has a breaker of that name, what is not said here is as there."},
		{goName: "Kinds", shape: kindList{}, doc: "The kinds of failure that count, each with those below it in the tree."},
		{goName: "Failures", shape: whole, bounds: atLeast(1), doc: "Failures in a row, none of them with a hint, that open it. A hint opens it at once."},
		{goName: "Open", shape: duration, doc: "How long it stays open without a hint."},
		{goName: "Jitter", shape: jitter, bounds: bounds(0, 1), doc: "Spreads open upward at random: with 0.2 by up to a fifth, with full up to double."},
		{goName: "MaxOpen", shape: duration, doc: "The longest hint that is honoured."},
		{goName: "Probes", shape: whole, bounds: bounds(1, 1000), doc: "Requests let through at once to find out whether the rest may; as many successes close it."},
		{goName: "Window", shape: whole, bounds: bounds(0, 10000), doc: "Requests in flight at most while it closes. 0: no bound."},
		{goName: "Hold", shape: duration, doc: "How long a request may be kept waiting for its turn instead of being refused. 0s: it is refused at once."},
	},
}

var gateObject = &object{
	title: "a gate",
	id:    "gate",
	doc:   "How the calls on one grant wait together while its token is refreshed. null: each asks for itself.",
	fields: []*field{
		{goName: "Window", shape: whole, bounds: bounds(0, 10000), doc: "Requests in flight at most when those that waited are sent."},
		{goName: "Probe", shape: profileObject, doc: "The pauses of the one call that asks. null, or no retries: no gate."},
	},
}

var rootObject = &object{
	title: "a policy file",
	doc:   "How package transport of steadytrip retries, waits and refuses.",
	fields: []*field{
		{goName: "Schema", name: "$schema", shape: freeName, about: true, doc: "For editors: where the JSON Schema of policy files is. It means nothing else."},
		{goName: "Extends", shape: baseName, doc: "What the file starts from: default, if nothing is said, interactive, batch, agent, or none."},
		{goName: "MaxAttempts", shape: whole, bounds: atLeast(1), doc: "Attempts of a call over all profiles, the first one included."},
		{goName: "MaxElapsed", shape: duration, doc: "From the start of a call to the end of its last pause, at most. 0s: only the caller's context bounds it."},
		{goName: "Profiles", shape: profileMap{}, doc: "Pauses for kinds of failure. A kind without a profile uses that of the nearest kind above it, if time can heal it."},
		{goName: "Budget", shape: budgetObject, doc: "What share of the traffic retries may be. null: no limit."},
		{goName: "Breakers", shape: breakerList{}, doc: "When requests are refused without being sent. The list says which breakers there are; null: none."},
		{goName: "Gate", shape: gateObject, doc: "How calls wait together while a token is refreshed. null: each asks for itself."},
	},
}

// objects are all of them, the outermost first, with the path that leads there.
var objects = []struct {
	*object
	path string
}{
	{rootObject, ""}, {profileObject, "profiles.<kind>."}, {budgetObject, "budget."}, {breakerObject, "breakers[]."}, {gateObject, "gate."},
}

// goNames are the fields' names in files by their names in Go, and the words that messages of package policy have besides.
var goNames = map[string]string{"Unlimited": "unlimited"}

func init() {
	for _, o := range objects {
		for _, f := range o.fields {
			if f.name == "" {
				f.name = snake(f.goName)
			}
			goNames[f.goName] = f.name
		}
	}
}

// snake returns a Go name in snake case.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// field returns the field of that name in files, or nil.
func (o *object) field(name string) *field {
	for _, f := range o.fields {
		if f.name == name {
			return f
		}
	}
	return nil
}

func (o *object) names() []string {
	names := make([]string, len(o.fields))
	for i, f := range o.fields {
		names[i] = f.name
	}
	return names
}
