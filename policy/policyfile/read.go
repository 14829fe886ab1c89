package policyfile

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// reader turns the tree of a file into a set, and collects what is wrong with it.
type reader struct {
	file   string
	faults faults

	// By the name that Set.Validate gives a field: where the file has it, whether something is wrong with it,
	// and for a profile the one that it started from.
	seen   map[string]position
	broken map[string]bool
	heir   map[string]string
}

func newReader(file string) *reader {
	return &reader{file: file, seen: make(map[string]position), broken: make(map[string]bool), heir: make(map[string]string)}
}

// place is a field: its name in Go, as Set.Validate says it, and its path in the file.
type place struct{ goPath, path string }

func (p place) field(f *field) place {
	if p.path == "" {
		return place{f.goName, f.name}
	}
	return place{p.goPath + "." + f.goName, p.path + "." + f.name}
}

func (p place) item(i int) place {
	return place{fmt.Sprintf("%s[%d]", p.goPath, i), fmt.Sprintf("%s[%d]", p.path, i)}
}

// unknown is a member of p that is no field.
func (p place) unknown(name string) place {
	name = label(name)
	if p.path == "" {
		return place{name, name}
	}
	return place{p.goPath + "." + name, p.path + "." + name}
}

// fault notes that the value at a place is not what is wanted.
func (r *reader) fault(at place, where position, value, want, suggestion string) {
	r.broken[at.goPath] = true
	r.faults.add(&Fault{
		File: r.file, Line: where.line, Column: where.column, Field: at.path, Value: value, Want: want, Suggestion: suggestion,
	})
}

// closest is what was probably meant, as long as there is a fault to say it.
func (r *reader) closest(s string, words []string) string {
	if r.faults.full() {
		return ""
	}
	return closest(s, words)
}

// accept reports whether n has a value to be read. want is what it should be.
func (r *reader) accept(n *node, at place, want string) bool {
	if n.objection.what != "" {
		r.fault(at, n.at, n.objection.what, n.objection.want, "")
	}
	if n.form == blank {
		r.fault(at, n.at, n.show(), want, "")
		return false
	}
	return n.form != nothing
}

// keys calls visit for each member whose key is a plain name that did not occur before, and notes the others as faults.
func (r *reader) keys(n *node, at place, visit func(key, value *node)) {
	first := make(map[string]position, len(n.members))
	for _, m := range n.members {
		switch line, again := first[m.key.text]; {
		case m.key.objection.what != "":
			r.fault(at.unknown(m.key.text), m.key.at, m.key.objection.what, m.key.objection.want, "")
		case m.key.form != text:
			r.fault(at.unknown(m.key.text), m.key.at, m.key.show(), "the name of a field", "")
		case m.key.text == "<<":
			r.fault(at.unknown(m.key.text), m.key.at, "a merge key", "the fields themselves; extends says what a file starts from", "")
		case again:
			r.fault(at.unknown(m.key.text), m.key.at, "given twice", fmt.Sprintf("it once; it is in line %d too", line.line), "")
		default:
			first[m.key.text] = m.key.at
			visit(m.key, m.value)
		}
	}
}

func (o *object) read(r *reader, n *node, at place, v reflect.Value) {
	want := "the fields of " + o.title
	if o != rootObject {
		want += ", or null for none"
	}
	switch {
	case !r.accept(n, at, want):
	case n.form == null && o != rootObject:
		v.SetZero()
	case n.form != mapping:
		r.fault(at, n.at, n.show(), want, "")
	default:
		r.keys(n, at, func(key, value *node) {
			f := o.field(key.text)
			if f == nil {
				r.noField(o, key, at)
				return
			}
			under := at.field(f)
			r.seen[under.goPath] = value.at
			if value.form == mapping || value.form == list {
				r.seen[under.goPath] = key.at
			}
			f.shape.read(r, value, under, v.FieldByName(f.goName))
		})
	}
}

// noField notes that an object has no such field. If it is clear which one was meant, what follows from its absence is no fault.
func (r *reader) noField(o *object, key *node, at place) {
	suggestion := r.closest(key.text, o.names())
	if suggestion != "" {
		r.broken[at.field(o.field(suggestion)).goPath] = true
	} else {
		suggestion = elsewhere(key.text)
	}
	r.fault(at.unknown(key.text), key.at, "no field of "+o.title, enumerate(o.names()), suggestion)
}

func (s *scalar) read(r *reader, n *node, at place, v reflect.Value) {
	if !r.accept(n, at, s.want) {
		return
	}
	want, ok := s.parse(n, v)
	if !ok {
		suggestion := ""
		if n.form == text {
			suggestion = r.closest(n.text, s.words)
		}
		r.fault(at, n.at, n.show(), cmp.Or(want, s.want), suggestion)
	}
}

// longestList is how many items a list may have: a request has to pass all breakers.
const longestList = 1000

// list reports whether n is a list that is not too long.
func (r *reader) list(n *node, at place, want string) bool {
	switch {
	case n.form != list:
		r.fault(at, n.at, n.show(), want, "")
	case len(n.items) > longestList:
		r.fault(at, n.at, fmt.Sprintf("a list of %d", len(n.items)), fmt.Sprintf("at most %d", longestList), "")
	default:
		return true
	}
	return false
}

// profileMap is the shape of Set.Profiles.
type profileMap struct{}

func (profileMap) read(r *reader, n *node, at place, v reflect.Value) {
	const want = "kinds of failure with their profiles, or null for none"
	switch {
	case !r.accept(n, at, want):
		return
	case n.form == null:
		v.SetZero()
		return
	case n.form != mapping:
		r.fault(at, n.at, n.show(), want, "")
		return
	}
	type entry struct {
		kind  classify.Kind
		at    place
		value *node
	}
	var entries []entry
	r.keys(n, at, func(key, value *node) {
		i := slices.Index(kindName.words, key.text)
		if i < 0 {
			unknown := at.unknown(key.text)
			r.fault(unknown, key.at, "no kind of failure", kindName.want, closest(key.text, kindName.words))
			profileObject.read(r, value, unknown, reflect.ValueOf(&policy.Profile{}).Elem())
			return
		}
		e := entry{kinds[i], place{fmt.Sprintf("%s[%s]", at.goPath, key.text), at.path + "." + key.text}, value}
		r.seen[e.at.goPath] = key.at
		entries = append(entries, e)
	})
	// Parents come first, since a profile starts from the one that its kind would use without it.
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.kind, b.kind) })
	profiles, _ := reflect.TypeAssert[map[classify.Kind]policy.Profile](v)
	if profiles == nil {
		profiles = make(map[classify.Kind]policy.Profile, len(entries))
	}
	for _, e := range entries {
		if e.value.form == null {
			delete(profiles, e.kind)
			continue
		}
		profile, from, ok := policy.Set{Profiles: profiles}.Profile(e.kind)
		if ok && from != e.kind {
			r.heir[e.at.goPath] = fmt.Sprintf("%s[%s]", at.goPath, from)
		}
		profileObject.read(r, e.value, e.at, reflect.ValueOf(&profile).Elem())
		profiles[e.kind] = profile
	}
	v.Set(reflect.ValueOf(profiles))
}

// breakerList is the shape of Set.Breakers.
type breakerList struct{}

func (breakerList) read(r *reader, n *node, at place, v reflect.Value) {
	const want = "a list of breakers, or null for none"
	switch {
	case !r.accept(n, at, want):
		return
	case n.form == null:
		v.SetZero()
		return
	case !r.list(n, at, want):
		return
	}
	inherited, _ := reflect.TypeAssert[[]policy.Breaker](v)
	var breakers []policy.Breaker
	for i, item := range n.items {
		under := at.item(i)
		r.seen[under.goPath] = item.at
		if item.form == null {
			r.fault(under, item.at, item.show(), "the fields of "+breakerObject.title, "")
		}
		var b policy.Breaker
		for _, m := range item.members {
			base := slices.IndexFunc(inherited, func(b policy.Breaker) bool { return b.Name == m.value.text })
			if m.key.text == "name" && m.value.form == text && base >= 0 {
				b = inherited[base]
			}
		}
		breakerObject.read(r, item, under, reflect.ValueOf(&b).Elem())
		if r.broken[under.goPath+".Name"] {
			r.broken[under.goPath] = true // whatever it lacks, the breaker that was meant may have
		}
		breakers = append(breakers, b)
	}
	v.Set(reflect.ValueOf(breakers))
}

// kindList is the shape of Breaker.Kinds.
type kindList struct{}

func (kindList) read(r *reader, n *node, at place, v reflect.Value) {
	const want = "a list of kinds of failure, such as [timeout, policy_rate_limit]"
	switch {
	case !r.accept(n, at, want):
		return
	case !r.list(n, at, want):
		return
	}
	all := make([]classify.Kind, len(n.items))
	for i, item := range n.items {
		under := at.item(i)
		r.seen[under.goPath] = item.at
		kindName.read(r, item, under, reflect.ValueOf(&all[i]).Elem())
	}
	v.Set(reflect.ValueOf(all))
}

// enumerate returns "a, b or c".
func enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
