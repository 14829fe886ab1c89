package classify

import (
	"bytes"
	"encoding/xml"
	"iter"
	"slices"
)

// What some APIs write instead of JSON, AWS above all: <Error><Code>SlowDown</Code>...</Error>. encoding/xml takes it apart,
// which expands no entities of a document's own; a body that is cut or broken tells what stands before that.

// maxElements is how many elements of a document are looked at, and so how deep they can be.
const maxElements = 1000

// pageElements are what a web page may begin with instead of <html>.
var pageElements = []string{"html", "head", "body", "title", "meta", "link", "style", "script", "center", "div", "h1", "h2", "h3", "p", "pre", "br"}

// isXML reports whether b may be the beginning of an XML document and not of a web page. A document that does not come to
// its first element within a few KiB, or that has a type declaration, does not count as one.
func isXML(b []byte) bool {
	if len(b) == 0 || b[0] != '<' {
		return false
	}
	more := len(b) < usual // then what is not there yet may still come
	for b = b[:min(len(b), usual)]; ; {
		var end string
		switch b = b[skipSpace(b, 0):]; {
		case bytes.HasPrefix(b, []byte("<?")):
			end = "?>"
		case bytes.HasPrefix(b, []byte("<!--")):
			end = "-->"
		case len(b) < len("<!--") && bytes.HasPrefix([]byte("<!--"), b):
			return more
		case b[0] != '<':
			return false
		default:
			name := b[1:]
			n := bytes.IndexAny(name, " \t\r\n/>:")
			if n < 0 {
				return more && name[0] != '!'
			}
			return n > 0 && name[0] != '!' && !slices.ContainsFunc(pageElements, func(page string) bool { return bytes.EqualFold(name[:n], []byte(page)) })
		}
		_, rest, ended := bytes.Cut(b, []byte(end))
		if !ended {
			return more
		}
		b = rest
	}
}

// leaves yields the elements that hold nothing but text: the names that lead to them from the root, without their prefixes,
// and the beginning of the text. Both are valid until the next one. It leaves out what is deeper than maxDepth.
func leaves(document []byte) iter.Seq2[[]string, []byte] {
	return func(yield func(path []string, text []byte) bool) {
		d := xml.NewDecoder(bytes.NewReader(document[:min(len(document), MaxBody)]))
		var path []string
		var text []byte
		leaf := false
		for n := 0; n < maxElements; {
			token, err := d.RawToken()
			if err != nil {
				return // cut or broken
			}
			switch token := token.(type) {
			case xml.StartElement:
				n++
				path, text, leaf = append(path, token.Name.Local), text[:0], true
			case xml.CharData:
				if len(text) == 0 {
					token = bytes.TrimLeft(token, " \t\r\n")
				}
				if leaf && len(text) < maxMessage {
					text = append(text, token[:min(len(token), 2*maxMessage)]...)
				}
			case xml.EndElement:
				last := len(path) - 1
				if last < 0 || path[last] != token.Name.Local {
					return
				}
				if len(text) < maxMessage { // else more may have followed the white space at its end
					text = bytes.TrimRight(text, " \t\r\n")
				}
				if leaf && len(path) <= maxDepth && !yield(path, text) {
					return
				}
				if path, leaf = path[:last], false; last == 0 {
					return
				}
			case xml.Directive:
				return // a type declaration, which no API's error has
			}
		}
	}
}

// readXML looks for the code and the message of an element <Error>, as AWS, Azure Storage and Google Cloud Storage write them.
func (r *reading) readXML(document []byte) {
	for path, text := range leaves(document) {
		n := len(path)
		if n < 2 || path[n-2] != "Error" {
			continue
		}
		switch path[n-1] {
		case "Code":
			keep(&r.code, clip(text, maxCode))
		case "Message":
			keep(&r.detail.Message, clip(text, maxMessage))
		}
	}
}
