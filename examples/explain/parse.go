package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf16"
)

// answer is a response as it was found in the input.
type answer struct {
	proto  string // as the status line has it, such as "HTTP/2"
	status int
	header http.Header
	body   []byte
	before []int // the statuses of the responses before it

	asked *asked // the request, if the input shows it
	notes []string
}

func (a *answer) note(format string, args ...any) {
	a.notes = append(a.notes, fmt.Sprintf(format, args...))
}

const wanted = `want a status line such as "HTTP/1.1 429 Too Many Requests", then header and body, as from: curl -si URL`

// parse finds the last response in text. Line ends may be CRLF or LF, in any mix.
func parse(text []byte) (*answer, error) {
	text = inUTF8(text)
	start, form := firstStatusLine(text)
	var a *answer
	switch form {
	case nowhere:
		return nil, errors.New("no HTTP response in the input: " + noResponse(text))
	case traced:
		response, requests := untrace(text[start.line:])
		a = last(response)
		a.asked = lastAsked(append(requestsBefore(text[:start.line]), requests...))
	case plain:
		a = last(unindent(text[start.line:], start.text-start.line))
		if n := skippedLines(text[:start.line]); n > 0 {
			a.note("Skipped %s before the response.", count(n, "line", "lines"))
		}
	}
	a.decode()
	return a, nil
}

// inUTF8 drops a byte order mark and turns UTF-16, which a redirection in PowerShell writes, into UTF-8.
func inUTF8(text []byte) []byte {
	var high, low int
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe")):
		high, low = 1, 0
	case bytes.HasPrefix(text, []byte("\xfe\xff")):
		high, low = 0, 1
	default:
		return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	}
	units := make([]uint16, 0, len(text)/2)
	for i := 2; i+1 < len(text); i += 2 {
		units = append(units, uint16(text[i+high])<<8|uint16(text[i+low]))
	}
	return []byte(string(utf16.Decode(units)))
}

// form is how a response is written down.
type form int

const (
	nowhere form = iota
	plain        // as curl -i prints it
	traced       // as curl -v prints it, with "< " before each line
)

// place is where a line begins, and where its text does after the indentation.
type place struct{ line, text int }

func firstStatusLine(text []byte) (place, form) {
	at := 0
	for line := range bytes.Lines(text) {
		bare := bytes.TrimLeft(line, " \t")
		p := place{at, at + len(line) - len(bare)}
		if _, _, ok := statusLine(bare); ok {
			return p, plain
		}
		if rest, ok := bytes.CutPrefix(line, []byte("< ")); ok {
			if _, _, ok := statusLine(rest); ok {
				return p, traced
			}
		}
		at += len(line)
	}
	return place{}, nowhere
}

// statusLine reads "HTTP/1.1 429 Too Many Requests". The version may lack its minor part, and the reason may be missing.
func statusLine(line []byte) (proto string, status int, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("HTTP/"))
	if !ok {
		return "", 0, false
	}
	i := 0
	if i = skipDigits(rest, i); i == 0 || i > 2 {
		return "", 0, false
	}
	if i < len(rest) && rest[i] == '.' {
		begin := i + 1
		if i = skipDigits(rest, begin); i == begin || i > begin+2 {
			return "", 0, false
		}
	}
	proto = "HTTP/" + string(rest[:i])
	digits := bytes.TrimLeft(rest[i:], " ")
	if len(digits) == len(rest)-i || len(digits) < 3 || skipDigits(digits[:3], 0) != 3 || digits[0] == '0' {
		return "", 0, false
	}
	if len(digits) > 3 && strings.IndexByte(" \t\r\n", digits[3]) < 0 {
		return "", 0, false
	}
	return proto, int(digits[0]-'0')*100 + int(digits[1]-'0')*10 + int(digits[2]-'0'), true
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

// last reads one response after the other and returns the last one. The text begins with a status line.
func last(text []byte) *answer {
	var a *answer
	for {
		proto, status, ok := statusLine(text)
		if !ok {
			return a
		}
		next := &answer{proto: proto, status: status}
		if a != nil {
			next.before = append(a.before, a.status)
		}
		a = next
		_, rest := cutLine(text)
		a.header, rest = readHeader(rest)
		a.body, text = a.cutBody(rest)
	}
}

// maxField is where a field that goes on and on is cut.
const maxField = 16 << 10

// readHeader reads up to the empty line, or up to a line that can be no field: then the empty line got lost.
func readHeader(text []byte) (http.Header, []byte) {
	h := http.Header{}
	name := ""
	for len(text) > 0 {
		line, rest := cutLine(text)
		if len(line) == 0 {
			return h, rest
		}
		if line[0] == ' ' || line[0] == '\t' { // a field may go on in the next line
			if values := h[name]; len(values) > 0 && len(values[len(values)-1]) < maxField {
				values[len(values)-1] += " " + string(bytes.TrimSpace(line))
			}
			text = rest
			continue
		}
		key, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !isToken(key) {
			return h, text
		}
		name = http.CanonicalHeaderKey(string(key))
		h[name] = append(h[name], string(bytes.TrimSpace(value)))
		text = rest
	}
	return h, nil
}

// cutLine splits off the first line, without its end.
func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// isToken reports whether b is a field name (RFC 9110, section 5.6.2).
func isToken(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return len(b) > 0
}

// cutBody splits text, which follows the header, into the body and the next response.
func (a *answer) cutBody(text []byte) (body, next []byte) {
	if next := nextAnswer(text); next != nil {
		return nil, next // interim answers, tunnels, redirects: curl prints no body
	}
	if n, ok := a.contentLength(); ok && n <= len(text) {
		if next := nextAnswer(text[n:]); next != nil {
			return text[:n], next
		}
	}
	for at := 0; ; {
		i := bytes.Index(text[at:], []byte("HTTP/"))
		if i < 0 {
			return text, nil
		}
		at += i
		// A body without a final line end is followed by the next status line on the same line.
		if at > 0 && strings.IndexByte("\n}>", text[at-1]) >= 0 {
			if _, fields := beginsAnswer(text[at:]); fields {
				return text[:at], text[at:]
			}
		}
		at += len("HTTP/")
	}
}

// nextAnswer returns text from the status line that it begins with, empty lines left out, or nil.
func nextAnswer(text []byte) []byte {
	text = bytes.TrimLeft(text, "\r\n")
	if alone, fields := beginsAnswer(text); !alone && !fields {
		return nil
	}
	return text
}

// beginsAnswer reports whether text begins with a status line and nothing more, or with a status line and a field.
func beginsAnswer(text []byte) (alone, fields bool) {
	if _, _, ok := statusLine(text); !ok {
		return false, false
	}
	_, rest := cutLine(text)
	line, _ := cutLine(rest)
	key, _, ok := bytes.Cut(line, []byte(":"))
	return len(line) == 0, ok && isToken(key)
}

// skippedLines counts the lines that hold something.
func skippedLines(text []byte) int {
	n := 0
	for line := range bytes.Lines(text) {
		if len(bytes.TrimSpace(line)) > 0 {
			n++
		}
	}
	return n
}

// unindent takes up to n bytes of indentation off each line.
func unindent(text []byte, n int) []byte {
	if n == 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	for line := range bytes.Lines(text) {
		bare := bytes.TrimLeft(line, " \t")
		out = append(out, line[min(n, len(line)-len(bare)):]...)
	}
	return out
}

// noResponse says what the input may be instead.
func noResponse(text []byte) string {
	trimmed := bytes.TrimSpace(text)
	first, _ := cutLine(trimmed)
	switch {
	case len(trimmed) == 0:
		return "it is empty; " + wanted
	case bytes.Contains(text, []byte("curl: (")):
		return "it holds an error of curl, which got no answer; " + wanted
	case bytes.Contains(first, []byte(" HTTP/")):
		return "it holds a request; " + wanted
	case first[0] == '{', first[0] == '[', first[0] == '<':
		return "it looks like a body alone; " + wanted
	}
	return wanted
}

// count returns "1 line" or "3 lines".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
