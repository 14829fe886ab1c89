package simulate

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// reader reads a document into a struct. Fields go by their Go paths, such as "Traffic[0].Rate", as Validate names them.
type reader struct {
	places map[string]place // where each field that is there begins
	bad    []string         // fields whose value could not be read
	flaws  []placed
}

// place is where something begins, from 1.
type place struct{ line, column int }

// placed is a flaw and where it is.
type placed struct {
	place
	flaw
}

func (r *reader) flaw(n *yaml.Node, field, value, want string) {
	r.bad = append(r.bad, field)
	r.flaws = append(r.flaws, placed{place{n.Line, n.Column}, flaw{field, value, want}})
}

// broken reports whether a field or one around it could not be read, so that what Validate says of it means nothing.
func (r *reader) broken(field string) bool {
	return slices.ContainsFunc(r.bad, func(bad string) bool {
		rest, inside := strings.CutPrefix(field, bad)
		return inside && (rest == "" || bad == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// find returns where a field is, or the nearest around it.
func (r *reader) find(field string) place {
	for field != "" {
		if at, ok := r.places[field]; ok {
			return at
		}
		field = field[:max(0, strings.LastIndexAny(field, ".["))]
	}
	return place{1, 1}
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	delayType    = reflect.TypeFor[Delay]()
)

// read reads a node into a value.
func (r *reader) read(n *yaml.Node, v reflect.Value, field string) {
	r.places[field] = place{n.Line, n.Column}
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		r.flaw(n, field, "an anchor or an alias", "the value itself")
		return
	case n.Style&yaml.TaggedStyle != 0 || n.Tag == "!":
		r.flaw(n, field, "tagged", "the value alone")
		return
	}
	switch {
	case v.Type() == delayType && n.Kind == yaml.ScalarNode:
		r.read(n, v.FieldByName("Median"), field)
	case v.Kind() == reflect.Struct:
		r.mapping(n, v, field)
	case v.Kind() == reflect.Slice:
		r.list(n, v, field)
	default:
		r.scalar(n, v, field)
	}
}

func (r *reader) mapping(n *yaml.Node, v reflect.Value, field string) {
	if n.Kind != yaml.MappingNode {
		r.flaw(n, field, describe(n), "a mapping of "+strings.Join(names(v.Type()), ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		index := slices.Index(names(v.Type()), key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || index < 0:
			r.flaw(key, join(field, "?"), fmt.Sprintf("%s, which does not exist", describe(key)), "one of "+strings.Join(names(v.Type()), ", "))
		case seen[key.Value]:
			r.flaw(key, join(field, v.Type().Field(index).Name), "there twice", "it once")
		default:
			seen[key.Value] = true
			r.read(value, v.Field(index), join(field, v.Type().Field(index).Name))
		}
	}
}

func (r *reader) list(n *yaml.Node, v reflect.Value, field string) {
	if n.Kind != yaml.SequenceNode {
		r.flaw(n, field, describe(n), "a list")
		return
	}
	all := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		r.read(item, all.Index(i), fmt.Sprintf("%s[%d]", field, i))
	}
	v.Set(all)
}

func (r *reader) scalar(n *yaml.Node, v reflect.Value, field string) {
	if n.Kind != yaml.ScalarNode {
		r.flaw(n, field, describe(n), wanted(v))
		return
	}
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	text, plain := n.Value, n.Style&quoted == 0
	var err error
	switch {
	case v.Type() == durationType:
		var d time.Duration
		if d, err = time.ParseDuration(text); err == nil {
			v.SetInt(int64(d))
		}
	case v.Kind() == reflect.String:
		if plain && (text == "" || text == "null" || text == "~") {
			err = strconv.ErrSyntax
		}
		v.SetString(text)
	case !plain:
		err = strconv.ErrSyntax
	case v.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			err = strconv.ErrSyntax
		}
		v.SetBool(text == "true")
	case v.Kind() == reflect.Int:
		var i int
		i, err = strconv.Atoi(text)
		v.SetInt(int64(i))
	case v.Kind() == reflect.Uint64:
		var u uint64
		u, err = strconv.ParseUint(text, 10, 64)
		v.SetUint(u)
	default:
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		v.SetFloat(f)
	}
	if err != nil {
		v.SetZero()
		r.flaw(n, field, describe(n), wanted(v))
	}
}

// wanted says what a value has to be.
func wanted(v reflect.Value) string {
	switch {
	case v.Type() == durationType:
		return `a duration with its unit, such as "250ms"`
	case v.Kind() == reflect.String:
		return "a text"
	case v.Kind() == reflect.Bool:
		return "true or false"
	case v.Kind() == reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

// describe shows a node in a line.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.Value == "" {
			return "empty"
		}
		text := []rune(n.Value)
		if len(text) > 40 {
			text = append(text[:40], '…')
		}
		return strconv.Quote(string(text))
	default:
		return "no value"
	}
}

func join(owner, name string) string {
	if owner == "" {
		return name
	}
	return owner + "." + name
}

// names are the fields of a struct, as files call them.
func names(t reflect.Type) []string {
	all := make([]string, t.NumField())
	for i := range all {
		all[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return all
}

// fileName returns what files call the field that Go calls by this path.
func fileName(field string) string {
	var out []string
	t := reflect.TypeFor[Scenario]()
	for part := range strings.SplitSeq(field, ".") {
		name, index, indexed := strings.Cut(part, "[")
		for t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() == reflect.Struct {
			if f, ok := t.FieldByName(name); ok {
				t = f.Type
				name, _, _ = strings.Cut(f.Tag.Get("json"), ",")
			}
		}
		if indexed {
			name += "[" + index
		}
		out = append(out, name)
	}
	return strings.Join(out, ".")
}
