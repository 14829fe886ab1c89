package policyfile

import (
	"regexp"
	"strconv"
	"unicode/utf8"
)

// node is a value as a file has it, before anybody has asked what it means. YAML and JSON become the same nodes.
type node struct {
	form    form
	text    string // of a number, a boolean or a text
	at      position
	items   []*node
	members []member

	objection objection // what keeps the node from being taken as it is
}

// member is a name and its value in a mapping. A name may occur twice.
type member struct{ key, value *node }

// position is where something begins, in characters, from 1. The zero value is nowhere.
type position struct{ line, column int }

// objection is what is wrong with a node whatever it was meant for. The zero value is none.
type objection struct{ what, want string }

type form uint8

const (
	nothing form = iota // there is no value to be read, only an objection
	blank               // YAML: a name with nothing behind it
	null
	boolean
	number
	text
	list
	mapping
)

// decimal is a number as JSON has it.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// plain returns the node of a scalar that is not in quotes.
func plain(s string, at position) *node {
	n := &node{form: text, text: s, at: at}
	switch {
	case s == "":
		n.form = blank
	case s == "null" || s == "~":
		n.form = null
	case s == "true" || s == "false":
		n.form = boolean
	case decimal.MatchString(s):
		n.form = number
	}
	return n
}

// show returns the node as a message shows it: short, in one line.
func (n *node) show() string {
	switch n.form {
	case blank:
		return "empty"
	case null:
		return "null"
	case boolean, number:
		return clip(n.text)
	case text:
		return strconv.Quote(clip(n.text))
	case list:
		return "a list"
	case mapping:
		return "a mapping"
	default:
		return n.objection.what
	}
}

// echoed is how many characters of a value a message repeats: enough to find it, too few for a key that went astray.
const echoed = 40

// label returns a name as a message shows it: as it is, if that is readable.
func label(s string) string {
	if s = clip(s); simple.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

var simple = regexp.MustCompile(`^[\w$.…-]+$`)

func clip(s string) string {
	count := 0
	for i := range s {
		if count++; count > echoed {
			return s[:i] + "…"
		}
	}
	return s
}

// cursor finds the line and column of offsets in a text, which have to come in ascending order.
type cursor struct {
	data   []byte
	offset int
	at     position
}

func newCursor(data []byte) *cursor { return &cursor{data: data, at: position{1, 1}} }

func (c *cursor) position(offset int) position {
	for c.offset < min(offset, len(c.data)) {
		r, size := utf8.DecodeRune(c.data[c.offset:])
		c.offset += size
		c.at.column++
		if r == '\n' {
			c.at = position{c.at.line + 1, 1}
		}
	}
	return c.at
}
