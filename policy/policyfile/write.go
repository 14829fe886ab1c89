package policyfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// Marshal returns the text of a file that describes the set. [Parse] makes an equal set of it, in which empty maps and lists are nil.
//
// The file says everything: it extends none and leaves no field out, so that it means the same whatever the defaults become.
// The order is that of the documentation, profiles in the order of the failure tree, and a value has one way to be written:
// two files differ where the sets do. YAML comes with a comment for each part.
//
// A set that is not valid is refused with the error of its Validate, and so is what a file cannot hold: a [policy.Profile] with a
// BackOff function, a number that is none, a negative duration where nothing uses it, more than [MaxSize]. Safe for concurrent use.
func Marshal(set policy.Set, format Format) ([]byte, error) {
	if err := set.Validate(); err != nil {
		return nil, err
	}
	root, err := rootObject.write(reflect.ValueOf(document{Extends: fromNone, Set: set}), "")
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	if format == JSON {
		writeJSON(&b, root, "\n")
		b.WriteByte('\n')
	} else {
		b.WriteString("# A policy of steadytrip. Durations have a unit: ns, us, ms, s, m or h.\n")
		for _, m := range root.members {
			fmt.Fprintf(&b, "\n# %s\n", rootObject.field(m.key.text).doc)
			writeYAML(&b, &node{form: mapping, members: []member{m}}, "\n")
			b.WriteByte('\n')
		}
	}
	if b.Len() > MaxSize {
		return nil, fmt.Errorf("policyfile: the text of the set has %d bytes, which a file cannot hold: want at most %d", b.Len(), MaxSize)
	}
	return []byte(b.String()), nil
}

// Write writes the text that [Marshal] returns to the file at path, in the format that its name stands for, see [FormatOf].
// The file is replaced in one step, so that nobody, such as [Watch], sees half of it; the directory has to allow that.
// A symbolic link at path is replaced, not followed, and the file's mode is 0644: it has no secrets. Errors of the file system
// come wrapped. Two writers to one path do not mix, and one of them wins.
func Write(path string, set policy.Set) error {
	data, err := Marshal(set, FormatOf(path))
	if err != nil {
		return err
	}
	return replaceFile(path, data)
}

func replaceFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("policyfile: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("policyfile: %w", err)
	}
	return nil
}

func (o *object) write(v reflect.Value, path string) (*node, error) {
	if source := v.FieldByName("BackOff"); source.IsValid() && !source.IsNil() {
		return nil, fmt.Errorf("policyfile: %s has a BackOff function, which a file cannot hold: want Initial, Max and Multiplier", path)
	}
	n := &node{form: mapping}
	for _, f := range o.fields {
		value := v.FieldByName(f.goName)
		if f.about && value.IsZero() {
			continue
		}
		under := strings.TrimPrefix(path+"."+f.name, ".")
		child := &node{form: null}
		if _, part := f.shape.(*object); !part || !value.IsZero() {
			var err error
			if child, err = f.shape.write(value, under); err != nil {
				return nil, err
			}
		}
		n.add(f.name, child)
	}
	return n, nil
}

func (n *node) add(name string, value *node) {
	n.members = append(n.members, member{&node{form: text, text: name}, value})
}

func (s *scalar) write(v reflect.Value, path string) (*node, error) {
	if n := s.format(v); n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("policyfile: %s is %v, which a file cannot hold: want %s", path, v, s.want)
}

func (profileMap) write(v reflect.Value, path string) (*node, error) {
	profiles, _ := reflect.TypeAssert[map[classify.Kind]policy.Profile](v)
	if len(profiles) == 0 {
		return &node{form: null}, nil
	}
	n := &node{form: mapping}
	for _, k := range kinds {
		if p, ok := profiles[k]; ok {
			child, err := profileObject.write(reflect.ValueOf(p), path+"."+k.String())
			if err != nil {
				return nil, err
			}
			n.add(k.String(), child)
		}
	}
	return n, nil
}

func (breakerList) write(v reflect.Value, path string) (*node, error) {
	if v.Len() == 0 {
		return &node{form: null}, nil
	}
	return writeList(breakerObject, v, path)
}

func (kindList) write(v reflect.Value, path string) (*node, error) {
	return writeList(kindName, v, path)
}

func writeList(of shape, v reflect.Value, path string) (*node, error) {
	if v.Len() > longestList {
		return nil, fmt.Errorf("policyfile: %s is a list of %d, which a file cannot hold: want at most %d", path, v.Len(), longestList)
	}
	n := &node{form: list}
	for i := range v.Len() {
		item, err := of.write(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	return n, nil
}

// writeYAML writes n in block style. Its lines begin with indent, a line break and blanks, the first one excepted.
func writeYAML(b *strings.Builder, n *node, indent string) {
	switch n.form {
	case mapping:
		for i, m := range n.members {
			if i > 0 {
				b.WriteString(indent)
			}
			b.WriteString(m.key.text + ":")
			switch m.value.form {
			case mapping, list:
				b.WriteString(indent + "  ")
				writeYAML(b, m.value, indent+"  ")
			default:
				b.WriteByte(' ')
				writeYAML(b, m.value, indent)
			}
		}
	case list:
		for i, item := range n.items {
			if i > 0 {
				b.WriteString(indent)
			}
			b.WriteString("- ")
			writeYAML(b, item, indent+"  ")
		}
	case text:
		if !durations.MatchString(n.text) && !bare.MatchString(n.text) || slices.Contains(reserved, n.text) {
			b.WriteString(strconv.QuoteToASCII(n.text)) // whose escapes YAML knows too
			return
		}
		b.WriteString(n.text)
	case null:
		b.WriteString("null")
	default:
		b.WriteString(n.text)
	}
}

// bare is a text that needs no quotes in YAML, unless it is reserved, in whichever version.
var (
	bare     = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
	reserved = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
)

// writeJSON writes n. Its lines begin with indent, a line break and blanks, the first one excepted.
func writeJSON(b *strings.Builder, n *node, indent string) {
	switch n.form {
	case mapping:
		b.WriteByte('{')
		for i, m := range n.members {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(indent + "  " + strconv.Quote(m.key.text) + ": ")
			writeJSON(b, m.value, indent+"  ")
		}
		b.WriteString(indent + "}")
	case list:
		b.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(indent + "  ")
			writeJSON(b, item, indent+"  ")
		}
		b.WriteString(indent + "]")
	case text:
		quoted, _ := json.Marshal(n.text) // a string can always be written
		b.Write(quoted)
	case null:
		b.WriteString("null")
	default:
		b.WriteString(n.text)
	}
}
