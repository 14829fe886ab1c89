package policyfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/steadytrip/steadytrip/policy"
)

// Format is how a policy file is written. The zero value is YAML.
type Format uint8

const (
	// YAML: YAML 1.2 without anchors, aliases, merge keys and tags. Every file that is not JSON is read as YAML.
	YAML Format = iota
	// JSON: JSON (RFC 8259), without comments.
	JSON
)

// FormatOf returns the format of a file by its name: JSON for names that end in ".json", YAML for all others.
func FormatOf(name string) Format {
	if strings.EqualFold(filepath.Ext(name), ".json") {
		return JSON
	}
	return YAML
}

// String returns the format's name in lower case.
func (f Format) String() string {
	if f == JSON {
		return "json"
	}
	return "yaml"
}

// MaxSize is how many bytes a policy file may have: 1 MiB. Longer ones are refused unread.
const MaxSize = 1 << 20

// Load returns the set that the file at path describes: see [Parse]. An error of the file system comes wrapped, so that
// [errors.Is] finds [os.ErrNotExist] and the like. It is safe for concurrent use.
func Load(path string) (policy.Set, error) {
	data, err := readFile(path)
	if err != nil {
		return policy.Set{}, err
	}
	return Parse(path, data)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("policyfile: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("policyfile: %w", err)
	}
	return data, nil
}

// Parse returns the set that the text of a file describes. The name says which format it has, see [FormatOf], and where
// faults are. The set is valid: [policy.New] takes it.
//
// Nothing is guessed and nothing is left over: a field that does not exist, one given twice, a value of the wrong type and
// values that contradict each other are refused. The error joins a [*Fault] for each, in the order of their places,
// a line each. What merely follows from another fault is left out, and after a hundred it only counts. The set is the zero set then.
//
// It does not panic, whatever the text is, and takes time in proportion to it. It keeps no state: it is safe for concurrent use.
func Parse(name string, data []byte) (policy.Set, error) {
	r := newReader(name)
	root, fault := parseTree(name, data)
	if fault != nil {
		fault.File = name
		return policy.Set{}, errors.Join(fault)
	}
	doc := r.document(root)
	if err := r.faults.join(); err != nil {
		return policy.Set{}, err
	}
	return doc.Set, nil
}

// parseTree returns what the text says, whatever it means.
func parseTree(name string, data []byte) (*node, *Fault) {
	if len(data) > MaxSize {
		return nil, &Fault{Line: 1, Column: 1, Value: fmt.Sprintf("a file of more than %d bytes", MaxSize), Want: "a policy, which takes a few thousand"}
	}
	if at, bad := notUTF8(data); bad {
		return nil, &Fault{Line: at.line, Column: at.column, Value: "a byte that is no text", Want: "UTF-8"}
	}
	data = []byte(strings.TrimPrefix(string(data), "\ufeff"))
	parse := parseYAML
	if FormatOf(name) == JSON {
		parse = parseJSON
	}
	root, fault := parse(data)
	if fault == nil && (root == nil || root.form == blank) {
		fault = &Fault{Line: 1, Column: 1, Value: "an empty file", Want: "at least one field, such as extends: default"}
	}
	return root, fault
}

// document reads a whole file.
func (r *reader) document(root *node) document {
	var doc document
	base, known := baseOf(root)
	doc.Set = base.set()
	rootObject.read(r, root, place{}, reflect.ValueOf(&doc).Elem())
	if known {
		r.check(doc.Set)
	}
	return doc
}

// baseOf returns what a file starts from, or was probably meant to. It is not known if the file says something else altogether.
func baseOf(root *node) (b base, known bool) {
	for _, m := range root.members {
		if m.key.text == "extends" {
			word := m.value.text
			if suggestion := closest(word, baseName.words); suggestion != "" {
				word = suggestion
			}
			_, known = baseName.parse(&node{form: text, text: word}, reflect.ValueOf(&b).Elem())
			return b, known
		}
	}
	return fromDefault, true
}
