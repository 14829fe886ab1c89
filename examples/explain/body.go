package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http/httputil"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decode undoes what may still be done to the body: chunks, unless curl has put them together already, and gzip,
// unless curl has decoded it. It notes what does not fit.
func (a *answer) decode() {
	a.checkLength()
	if a.header.Get("Transfer-Encoding") != "" {
		if whole, ok := joined(a.body); ok {
			a.body = whole
		}
	}
	switch coding := strings.ToLower(a.header.Get("Content-Encoding")); {
	case len(a.body) == 0 || coding == "" || coding == "identity":
	case bytes.HasPrefix(a.body, []byte("\x1f\x8b")):
		whole, err := unzipped(a.body)
		if err != nil {
			a.note("The compressed body is cut or damaged: to be sure, add --compressed to curl.")
		}
		a.body = whole
		a.header.Del("Content-Encoding")
	case isText(a.body): // curl has decoded it
		a.header.Del("Content-Encoding")
	default:
		a.note("The body is compressed and cannot be read here: add --compressed to curl.")
	}
}

// contentLength is what the header says of the body's length, unless the body is encoded and the length says nothing.
func (a *answer) contentLength() (int, bool) {
	if a.header.Get("Content-Encoding") != "" || a.header.Get("Transfer-Encoding") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(a.header.Get("Content-Length"))
	return n, err == nil && n >= 0
}

func (a *answer) checkLength() {
	want, ok := a.contentLength()
	if !ok || a.status < 200 || a.status == 204 || a.status == 304 {
		return
	}
	got := len(a.body)
	lines := bytes.Count(a.body, []byte("\n")) // each may have lost a CR on its way here
	switch {
	case got == 0 && want > 0:
		a.note("There is no body, though Content-Length says %d: an answer to HEAD (curl -I), or cut.", want)
	case got+lines < want:
		a.note("The body is cut: %d bytes, and Content-Length says %d.", got, want)
	case len(bytes.TrimRight(a.body, "\r\n \t")) > want:
		a.note("The body is longer than it says: %d bytes, and Content-Length says %d.", got, want)
	}
}

// joined puts chunks together, and reports whether body is made of chunks at all. The last ones may be missing.
func joined(body []byte) ([]byte, bool) {
	size, rest := cutLine(body)
	digits, _, _ := strings.Cut(string(size), ";")
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 32)
	if err != nil {
		return nil, false
	}
	whole, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body)))
	switch {
	case err == nil:
		return whole, true
	case uint64(len(whole)) >= n: // one chunk at least is whole: a body that only looks like chunks does not get here
		return whole, len(whole) > 0
	case errors.Is(err, io.ErrUnexpectedEOF):
		return rest, bytes.HasPrefix(rest, []byte("{")) || bytes.HasPrefix(rest, []byte("\x1f\x8b"))
	}
	return nil, false
}

// unzipped returns what could be decompressed, up to the limit of the input.
func unzipped(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, maxInput))
}

// isText reports whether a body is text, by its beginning.
func isText(body []byte) bool {
	beginning := body[:min(len(body), 512)]
	for len(beginning) > 0 {
		r, n := utf8.DecodeRune(beginning)
		if r < ' ' && r != '\t' && r != '\r' && r != '\n' || r == utf8.RuneError && n == 1 && len(beginning) >= utf8.UTFMax {
			return false
		}
		beginning = beginning[n:]
	}
	return true
}
