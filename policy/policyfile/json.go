package policyfile

import (
	"bytes"
	"encoding/json"
	"errors"
)

// parseJSON returns the tree of a JSON text.
func parseJSON(data []byte) (*node, *Fault) {
	var valid json.RawMessage
	if err := json.Unmarshal(data, &valid); err != nil {
		offset := 0
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			offset = int(syntax.Offset) - 1 // of the last byte that was read
		}
		at := newCursor(data).position(offset)
		return nil, &Fault{Line: at.line, Column: at.column, Value: err.Error(), Want: "JSON, which has no comments and no comma after the last value"}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return (&jsonReader{d, newCursor(data)}).value(), nil
}

// jsonReader reads a text that is known to be JSON.
type jsonReader struct {
	decoder *json.Decoder
	cursor  *cursor
}

// next returns the next token and where it begins: the decoder tells only where the one before it ended.
func (r *jsonReader) next() (json.Token, position) {
	begin := int(r.decoder.InputOffset())
	begin += len(r.cursor.data[begin:]) - len(bytes.TrimLeft(r.cursor.data[begin:], " \t\r\n,:"))
	token, _ := r.decoder.Token() // it is known to be there
	return token, r.cursor.position(begin)
}

func (r *jsonReader) value() *node {
	token, at := r.next()
	n := &node{at: at}
	switch t := token.(type) {
	case json.Delim:
		n.form = list
		if t == '{' {
			n.form = mapping
		}
		for r.decoder.More() {
			if n.form == list {
				n.items = append(n.items, r.value())
				continue
			}
			key := r.value()
			n.members = append(n.members, member{key, r.value()})
		}
		r.next() // the closing one
	case json.Number:
		n.form, n.text = number, t.String()
	case string:
		n.form, n.text = text, t
	case bool:
		n.form, n.text = boolean, "false"
		if t {
			n.text = "true"
		}
	default:
		n.form = null
	}
	return n
}
