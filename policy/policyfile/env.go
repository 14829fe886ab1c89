package policyfile

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/steadytrip/steadytrip/policy"
)

// Env returns a copy of set with single values replaced by environment variables, each named after the path of its field:
// prefix, then the path in upper case, with "_" between its parts. environ has the form of [os.Environ]:
//
//	STEADYTRIP_MAX_ELAPSED=20s
//	STEADYTRIP_PROFILES_TIMEOUT_RETRIES=2
//	STEADYTRIP_BUDGET_RATIO=0.2
//	STEADYTRIP_BREAKERS_RATE_LIMIT_HOLD=3s
//	STEADYTRIP_BREAKERS_RATE_LIMIT_KINDS=policy_rate_limit,provider_rate_limit
//	STEADYTRIP_GATE_WINDOW=16
//
// Values are written as in files, without quotes, and a list with commas. A profile that the set does not have starts from
// the one that its kind uses, as in files. Breakers go by their names, in upper case, with "_" for what is no letter or digit;
// there is no variable for a name, to add a breaker or to remove one.
//
// Every variable that begins with the prefix and "_" has to be one of these: keep the prefix for the policy alone. The others
// are not looked at. Of a variable that is there twice the first counts, as for [os.Getenv].
//
// The set that comes out is valid, or the error joins a [*Fault] for each variable that is unknown or wrong, in the order
// of their names; the set is the zero set then. At most 40 characters of a value are repeated. A set that is not valid
// to begin with is refused with the error of its Validate. Env does not change its arguments and is safe for concurrent use.
func Env(set policy.Set, prefix string, environ []string) (policy.Set, error) {
	if prefix = strings.TrimSuffix(prefix, "_"); prefix == "" {
		return policy.Set{}, errors.New("policyfile: the prefix of environment variables is empty: want one such as STEADYTRIP")
	}
	checked, err := policy.New(set)
	if err != nil {
		return policy.Set{}, err
	}
	doc := document{Set: checked.Set()}
	e := &environment{r: newReader("")}
	e.read(&doc, prefix, environ)
	e.r.check(doc.Set)
	e.rename()
	if err := e.r.faults.join(); err != nil {
		return policy.Set{}, err
	}
	return doc.Set, nil
}

// environment makes a tree of the variables, as if they were a file: the line of a node is the number of its variable.
type environment struct {
	r     *reader
	names []string // of the variables, in order
	paths []string // of the fields that they stand for
}

func (e *environment) read(doc *document, prefix string, environ []string) {
	values := make(map[string]string)
	for _, entry := range environ {
		variable, value, _ := strings.Cut(entry, "=")
		if _, twice := values[variable]; !twice && strings.HasPrefix(variable, prefix+"_") {
			values[variable] = value
		}
	}
	known := variablesOf(doc.Set, prefix)
	root := &node{form: mapping}
	for i, name := range slices.Sorted(maps.Keys(values)) {
		e.names, e.paths = append(e.names, name), append(e.paths, "")
		at := position{i + 1, 1}
		switch fields := known[name]; len(fields) {
		case 0:
			e.r.fault(place{}, at, "no setting", "a name such as "+prefix+"_MAX_ELAPSED", closest(name, slices.Sorted(maps.Keys(known))))
		case 1:
			e.paths[i] = fields[0].path
			if fields[0].moot(doc.Set) {
				e.r.fault(place{}, at, "without effect", "none, since the profile's BackOff function makes its pauses", "")
			}
			fields[0].plant(root, doc.Breakers, values[name], at)
		default:
			e.r.fault(place{}, at, "ambiguous", "breakers whose names differ in letters or digits", "")
		}
	}
	rootObject.read(e.r, root, place{}, reflect.ValueOf(doc).Elem())
}

// rename gives the faults the variables' names for places.
func (e *environment) rename() {
	for _, f := range e.r.faults.list {
		i := f.Line - 1
		f.File, f.Line, f.Column = e.names[i], 0, 0
		if f.Field == e.paths[i] {
			f.Field = ""
		}
	}
}

// variable is a field that an environment variable stands for.
type variable struct {
	path  string // as faults name it
	kind  string // of a profile
	index int    // of a breaker
	field string // its name
	shape shape
}

// variablesOf returns the fields of a set by the names of their variables. A name has two fields if two breakers
// have names that are too much alike.
func variablesOf(s policy.Set, prefix string) map[string][]variable {
	all := make(map[string][]variable)
	add := func(o *object, under string, v variable) {
		for _, f := range o.fields {
			if !single(f.shape) {
				continue
			}
			v := v
			v.path, v.field, v.shape = v.path+f.name, f.name, f.shape
			full := prefix + "_" + strings.ToUpper(under+f.name)
			all[full] = append(all[full], v)
		}
	}
	add(rootObject, "", variable{})
	for _, k := range kindName.words {
		add(profileObject, "profiles_"+k+"_", variable{path: "profiles." + k + ".", kind: k})
	}
	add(budgetObject, "budget_", variable{path: "budget."})
	for i, b := range s.Breakers {
		add(breakerObject, "breakers_"+strings.Map(wordRune, b.Name)+"_", variable{path: fmt.Sprintf("breakers[%d].", i), index: i})
	}
	add(gateObject, "gate_", variable{path: "gate."})
	add(profileObject, "gate_probe_", variable{path: "gate.probe."})
	return all
}

// single reports whether a variable can stand for a field of that shape.
func single(s shape) bool {
	switch s := s.(type) {
	case *scalar:
		return s != freeName && s != baseName
	case kindList:
		return true
	}
	return false
}

// wordRune returns r, and "_" for what is no letter or digit of ASCII.
func wordRune(r rune) rune {
	if r < utf8.RuneSelf && letters(string(r)) != "" {
		return r
	}
	return '_'
}

// moot reports whether the field means nothing, because a function makes the pauses of its profile.
func (v variable) moot(s policy.Set) bool {
	var p policy.Profile
	if v.kind != "" {
		p, _, _ = s.Profile(kinds[slices.Index(kindName.words, v.kind)])
	} else if strings.HasPrefix(v.path, "gate.probe.") {
		p = s.Gate.Probe
	}
	return p.BackOff != nil && slices.Contains([]string{"initial", "max", "multiplier"}, v.field)
}

// plant puts the value at its place in a tree. A list says which breakers there are, so all of them come with the first.
func (v variable) plant(root *node, breakers []policy.Breaker, value string, at position) {
	n := root
	parts := strings.Split(strings.TrimSuffix(v.path, v.field), ".")
	for _, part := range parts[:len(parts)-1] {
		name, _, indexed := strings.Cut(part, "[")
		if !indexed {
			n = n.child(name, mapping, at)
			continue
		}
		all := n.child(name, list, at)
		for _, b := range breakers[len(all.items):] {
			all.item("name", b.Name, at)
		}
		n = all.items[v.index]
	}
	leaf := plain(value, at)
	if v.shape == (kindList{}) {
		leaf = &node{form: list, at: at}
		for kind := range strings.SplitSeq(value, ",") {
			leaf.items = append(leaf.items, plain(strings.TrimSpace(kind), at))
		}
	}
	n.members = append(n.members, member{&node{form: text, text: v.field, at: at}, leaf})
}

// child returns the member of that name, and makes it if there is none.
func (n *node) child(name string, f form, at position) *node {
	for _, m := range n.members {
		if m.key.text == name {
			return m.value
		}
	}
	value := &node{form: f, at: at}
	n.members = append(n.members, member{&node{form: text, text: name, at: at}, value})
	return value
}

// item appends a mapping with one text to a list.
func (n *node) item(name, value string, at position) {
	item := &node{form: mapping, at: at}
	item.add(name, &node{form: text, text: value, at: at})
	n.items = append(n.items, item)
}
