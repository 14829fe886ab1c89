package main

import (
	"bytes"
	"strings"
)

// asked is a request as curl -v prints it.
type asked struct {
	method, host, path string
	idempotent         bool // it carries an idempotency key
}

// untrace turns the output of curl -v, from the first status line on, into that of curl -i.
// It also returns the lines of the requests.
func untrace(text []byte) (response []byte, requests [][]byte) {
	var rest []byte // what is not marked: the body, and with curl -iv the header once more
	header := false
	for line := range bytes.Lines(text) {
		if bare, ok := bytes.CutPrefix(line, []byte("<")); ok {
			bare, spaced := bytes.CutPrefix(bare, []byte(" "))
			blank := len(bytes.TrimSpace(bare)) == 0
			_, _, status := statusLine(bare)
			if header && (spaced || blank) || spaced && status {
				header = !blank
				response = append(response, bare...)
				continue
			}
		}
		switch {
		case bytes.HasPrefix(line, []byte("> ")):
			requests = append(requests, line[2:])
		case !isRemark(line):
			line = withoutRemark(line)
			rest = append(rest, line...)
			if !header {
				response = append(response, line...)
			}
		}
	}
	if start, form := firstStatusLine(rest); form == plain {
		return rest[start.line:], requests
	}
	return response, requests
}

// isRemark reports whether a line is curl's own: a remark, a count of bytes or the progress meter.
func isRemark(line []byte) bool {
	if line[0] == '\r' && len(line) > len("\r\n") {
		return true
	}
	for _, prefix := range [...]string{"* ", "{ [", "} [", "  % Total"} {
		if bytes.HasPrefix(line, []byte(prefix)) {
			return true
		}
	}
	fields := strings.Fields(string(line[:min(len(line), 400)]))
	if len(fields) < 10 {
		return false
	}
	for _, field := range fields {
		if strings.Trim(field, "0123456789:.-kMGTP") != "" && field != "Dload" && field != "Upload" &&
			field != "Total" && field != "Spent" && field != "Left" && field != "Speed" {
			return false
		}
	}
	return true
}

// withoutRemark takes off the remark that curl prints right behind a body without a final line end.
func withoutRemark(line []byte) []byte {
	for _, remark := range [...]string{"* Connection #", "* Closing connection", "* Issue another request", "* Ignoring the response-body"} {
		if body, _, found := bytes.Cut(line, []byte(remark)); found {
			return body
		}
	}
	return line
}

// requestsBefore returns the lines of the requests in text.
func requestsBefore(text []byte) (requests [][]byte) {
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("> ")); ok {
			requests = append(requests, rest)
		}
	}
	return requests
}

// lastAsked reads the last request of these lines; nil if there is none.
func lastAsked(lines [][]byte) *asked {
	var a *asked
	for _, line := range lines {
		fields := strings.Fields(string(line))
		if len(fields) == 3 && isToken([]byte(fields[0])) && strings.HasPrefix(fields[2], "HTTP/") {
			path, _, _ := strings.Cut(fields[1], "?")
			a = &asked{method: fields[0], path: path}
			continue
		}
		name, value, ok := strings.Cut(string(line), ":")
		if a == nil || !ok {
			continue
		}
		switch strings.ToLower(name) {
		case "host":
			a.host = clean(strings.TrimSpace(value))
		case "idempotency-key", "x-idempotency-key":
			a.idempotent = true
		}
	}
	return a
}
