package policyfile

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// parseYAML returns the tree of a YAML document. A nil tree without a fault is an empty file.
func parseYAML(data []byte) (*node, *Fault) {
	if at, bad := unprintable(data); bad {
		return nil, &Fault{Line: at.line, Column: at.column, Value: "a control character", Want: "text"}
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, yamlFault(err)
	}
	var first, second yaml.Node
	if err := loader.Load(&first); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, yamlFault(err)
	}
	switch err := loader.Load(&second); {
	case err == nil:
		at := position{second.Line, second.Column}
		return nil, &Fault{Line: at.line, Column: at.column, Value: "a second document", Want: "one document in a file"}
	case !errors.Is(err, io.EOF):
		return nil, yamlFault(err)
	}
	if len(first.Content) == 0 {
		return nil, nil
	}
	return fromYAML(first.Content[0]), nil
}

// yamlFault returns a fault that says where the text is not YAML. Its text is that of the YAML library.
func yamlFault(err error) *Fault {
	f := &Fault{Line: 1, Column: 1, Value: err.Error(), Want: "YAML"}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		f.Value = load.Message
		if load.ContextMsg != "" {
			f.Value += " " + load.ContextMsg
		}
		if load.Mark.Line > 0 {
			f.Line, f.Column = load.Mark.Line, max(load.Mark.Column, 1)
		}
	}
	f.Value = strings.Join(strings.Fields(f.Value), " ")
	for hint, want := range map[string]string{
		"tab character":      "spaces to indent with",
		"mapping values are": "fields of one mapping indented alike, and quotes around a text with a colon",
	} {
		if strings.Contains(f.Value, hint) {
			f.Want = want
		}
	}
	return f
}

// quoted are the styles of scalars that are text whatever they look like.
const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

// fromYAML returns a node's tree. What a file could say in YAML but not in JSON, references and tags, it objects to.
func fromYAML(y *yaml.Node) *node {
	at := position{y.Line, y.Column}
	n := &node{at: at}
	switch y.Kind {
	case yaml.MappingNode:
		n.form = mapping
		for i := 0; i+1 < len(y.Content); i += 2 {
			n.members = append(n.members, member{fromYAML(y.Content[i]), fromYAML(y.Content[i+1])})
		}
	case yaml.SequenceNode:
		n.form = list
		for _, item := range y.Content {
			n.items = append(n.items, fromYAML(item))
		}
	case yaml.ScalarNode:
		n = plain(y.Value, at)
		if y.Style&quoted != 0 {
			n.form = text
		}
	default:
		n.objection = objection{"the alias *" + clip(y.Value), "the value itself: aliases are not followed"}
	}
	switch {
	case y.Anchor != "":
		n.objection = objection{"anchored as &" + clip(y.Anchor), "the value alone: aliases are not followed"}
	case y.Style&yaml.TaggedStyle != 0 || y.Tag == "!":
		n.objection = objection{"tagged " + clip(y.Tag), "the value alone: the field says what it is"}
	}
	return n
}

// unprintable returns where the first character is that YAML does not allow (YAML 1.2.2, section 5.1), or that ended a line
// in YAML 1.1: the library goes by that, editors do not, and a comment could end unseen.
func unprintable(data []byte) (position, bool) {
	for i, r := range string(data) {
		switch {
		case r == '\t', r == '\n', r == '\r':
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r == 0xfffe, r == 0xffff:
			return newCursor(data).position(i), true
		}
	}
	return position{}, false
}

// notUTF8 returns where the first byte is that is not part of a character.
func notUTF8(data []byte) (position, bool) {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return newCursor(data).position(i), true
		}
		i += size
	}
	return position{}, false
}
