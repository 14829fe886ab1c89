package classify

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// MaxBody is how many bytes of an error body are looked at, before and after decompression.
const MaxBody = 64 << 10

// reading is what a body said.
type reading struct {
	json       bool   // the body is an object with at least one member of an error answer
	flat       bool   // its code is a string "error" at the top level
	code       string // the first code that the table knows, else the first code; see Verdict.Code
	row        Code   // the table's row for code
	known      bool   // whether the table knows code
	validation bool   // "detail" is a list of invalid fields

	status        string // of an approval
	scopeMismatch bool   // the pre-flight flag

	detail *Detail         // what is said of the rest; never nil
	texts  strings.Builder // all that was kept of them: one allocation for most bodies
	size   int             // of the body
}

// read looks into an error body: the root object, then at most two levels of "detail" or "error" when that value
// is an object. At each level it looks for a code in "code", "error_code", "error" (a string) and "type".
// The first code that index knows wins; else the first code at all is kept. Texts are never searched.
func (r *reading) read(body []byte, index codeIndex) {
	r.size = len(body)
	r.level(objectStart(body), index, 0)
	r.detail.body = body
}

func (r *reading) level(object []byte, index codeIndex, depth int) {
	var found [4][]byte // code, error_code, error, type
	var below [2][]byte // detail, error
	for key, value := range members(object) {
		switch string(key) {
		case "code":
			r.candidate(&found[0], value)
		case "error_code":
			r.candidate(&found[1], value)
		case "error":
			if isObject(value) {
				below[1] = value
			} else {
				r.candidate(&found[2], value)
			}
		case "type":
			r.candidate(&found[3], value)
		case "message":
			r.json = true
			keep(&r.detail.Message, r.text(value, maxMessage))
		case "detail":
			r.json = true
			switch {
			case isObject(value):
				below[0] = value
			case isArray(value):
				r.validation = true
			default:
				keep(&r.detail.Message, r.text(value, maxMessage))
			}
		case "details":
			r.json = true
			if isObject(value) {
				if r.detail.details == nil {
					r.detail.details = value
				}
				for key, value := range members(value) {
					r.attribute(key, value)
				}
			}
		case "status":
			if depth == 0 {
				keep(&r.status, r.text(value, maxCode))
			}
		default:
			r.attribute(key, value)
		}
	}
	r.flat = r.flat || depth == 0 && found[2] != nil && found[0] == nil && found[1] == nil
	if string(found[3]) == "error" && below[1] != nil {
		found[3] = nil // it says that this is an error answer; the code is in the object beside it
	}
	for _, code := range found {
		r.consider(code, index)
	}
	if depth == 2 {
		return
	}
	for _, object := range below {
		if object != nil {
			r.level(object, index, depth+1)
		}
	}
}

// candidate notes value if it is a code.
func (r *reading) candidate(to *[]byte, value []byte) {
	if code := textBytes(value, maxCode); len(code) > 0 {
		r.json = true
		if *to == nil {
			*to = code
		}
	}
}

// consider takes code as the answer's, if the table knows it or if there is none yet.
func (r *reading) consider(code []byte, index codeIndex) {
	if len(code) == 0 || r.known {
		return
	}
	if row, ok := index.find(code); ok {
		r.code, r.row, r.known = row.Code, row, true
	} else if r.code == "" {
		r.code = r.kept(code)
	}
}

// attribute reads one of the attributes that the error page documents. Unknown members and wrong types are passed over.
func (r *reading) attribute(key, value []byte) {
	d := r.detail
	switch string(key) {
	case "grant_id":
		keep(&d.GrantID, r.scalar(value))
	case "provider_id":
		keep(&d.ProviderID, r.scalar(value))
	case "account_identifiers":
		keepList(&d.AccountIdentifiers, r.list(value))
	case "account_was_provided":
		d.AccountWasProvided = d.AccountWasProvided || isTrue(value)
	case "app_user_ids":
		keepList(&d.AppUserIDs, r.list(value))
	case "policy_error":
		r.json = true
		keep(&d.PolicyError, r.text(value, maxCode))
	case "required":
		keepList(&d.Required, r.list(value))
	case "granted":
		keepList(&d.Granted, r.list(value))
	case "missing", "missing_scopes":
		keepList(&d.Missing, r.list(value))
	case "scope_version":
		keep(&d.ScopeVersion, r.scalar(value))
	case "current_scope_version":
		keep(&d.CurrentScopeVersion, r.scalar(value))
	case "scope_version_mismatch":
		d.ScopeVersionMismatch = d.ScopeVersionMismatch || isTrue(value)
	case "documentation_url":
		keep(&d.DocumentationURL, r.text(value, maxMessage))
	case "scope_mismatch":
		r.scopeMismatch = r.scopeMismatch || isTrue(value)
	case "approval_id":
		keep(&d.ApprovalID, r.scalar(value))
	case "approval_url":
		keep(&d.ApprovalURL, r.text(value, maxMessage))
	case "decision_reason":
		keep(&d.DecisionReason, r.text(value, maxMessage))
	case "expires_at":
		if at, err := time.Parse(time.RFC3339, r.text(value, maxCode)); err == nil && d.ExpiresAt.IsZero() {
			d.ExpiresAt = at
		}
	}
}

// kept is b as a string. It shares its memory with the other texts of the reading.
func (r *reading) kept(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if r.texts.Cap() == 0 {
		r.texts.Grow(min(r.size, maxMessage))
	}
	start := r.texts.Len()
	r.texts.Write(b)
	return r.texts.String()[start:]
}

// text is a JSON string's value, cut to limit bytes of valid UTF-8; empty for anything but a string.
func (r *reading) text(raw []byte, limit int) string { return r.kept(textBytes(raw, limit)) }

// scalar is a string's value, or the text of a number.
func (r *reading) scalar(raw []byte) string {
	if len(raw) > 0 && (raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9') {
		return r.kept(clipBytes(raw, maxCode))
	}
	return r.text(raw, maxMessage)
}

// list is an array of strings, or a single string as a list of one; nil for anything else.
func (r *reading) list(raw []byte) []string {
	if s := r.text(raw, maxMessage); s != "" {
		return []string{s}
	}
	var all []string
	for e := range elements(raw) {
		if s := r.text(e, maxMessage); s != "" {
			all = append(all, s)
		}
		if len(all) == maxList {
			break
		}
	}
	return all
}

func isTrue(value []byte) bool { return string(value) == "true" }

// keep sets to once: the outermost and first mention of an attribute wins.
func keep(to *string, s string) {
	if *to == "" {
		*to = s
	}
}

func keepList(to *[]string, s []string) {
	if *to == nil {
		*to = s
	}
}

var gzipReaders sync.Pool

// coding is how a body is encoded, as far as this package can tell.
type coding int

const (
	plain coding = iota
	gzipped
	unreadable
)

func codingOf(h http.Header) coding {
	switch strings.ToLower(fieldValue(h, "Content-Encoding")) {
	case "", "identity":
		return plain
	case "gzip", "x-gzip":
		return gzipped
	}
	return unreadable
}

// decoded is the body as text: decompressed if the answer is still gzip, which it is when the caller asked for gzip itself.
// Of a broken or cut stream it returns what could be decoded; of other encodings nothing.
func decoded(body []byte, h http.Header) []byte {
	switch codingOf(h) {
	case plain:
		return body
	case unreadable:
		return nil
	case gzipped:
		if !bytes.HasPrefix(body, []byte("\x1f\x8b")) {
			return body // decompressed on the way, the header left as it was
		}
	}
	z, _ := gzipReaders.Get().(*gzip.Reader)
	if z == nil {
		z = new(gzip.Reader)
	}
	defer gzipReaders.Put(z)
	if z.Reset(bytes.NewReader(body)) != nil {
		return nil
	}
	var out bytes.Buffer
	// A broken or cut stream still decoded something; its error says nothing about the exchange.
	_, _ = io.Copy(&out, io.LimitReader(z, MaxBody))
	return out.Bytes()
}
