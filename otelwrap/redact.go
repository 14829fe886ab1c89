package otelwrap

import (
	"net/url"
	"slices"
	"strings"
)

const redacted = "REDACTED"

// secretParameters are the query parameters whose values never show: first those that the convention for url.full lists,
// then those under which APIs and OAuth (RFC 6749, RFC 6750) pass secrets.
var secretParameters = []string{
	"AWSAccessKeyId", "Signature", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "sig", "X-Goog-Signature",

	"access_token", "refresh_token", "id_token", "client_secret", "client_assertion", "code", "code_verifier", "assertion",
	"token", "api_key", "apikey", "api-key", "apiKey", "key", "secret", "password", "passwd", "signature", "jwt", "session",
	"X-Goog-Credential",
}

// RedactedQuery returns the names of the query parameters whose values url.full never has, whatever the [Options]. The caller
// owns the slice.
func RedactedQuery() []string { return slices.Clone(secretParameters) }

// redactor knows what must not show in a URL.
type redactor struct{ names map[string]bool }

func newRedactor(o Options) redactor {
	names := map[string]bool{}
	if !o.ShowGrants {
		names["grant_id"], names["grantId"] = true, true
	}
	for _, name := range slices.Concat(secretParameters, o.RedactQuery) {
		if isParameter(name) {
			names[name] = true
		}
	}
	return redactor{names}
}

// url returns u as url.full has it: user info and the values of secret parameters replaced, a grant's id as well where it is a
// part by itself, and everything else byte for byte what u.String prints.
func (r redactor) url(u *url.URL, grant string) string {
	if u == nil {
		return ""
	}
	if u.User != nil {
		open := *u
		open.User = url.UserPassword(redacted, redacted)
		u = &open
	}
	text := u.String()
	if u.Opaque != "" {
		text = withoutUser(text)
	}
	switch {
	case u.Fragment != "" || u.Opaque != "":
		if i := strings.IndexAny(text, "?#"); i >= 0 {
			text = r.parameters(text, i, "&#")
		}
	case u.RawQuery != "":
		text = r.parameters(text, len(text)-len(u.RawQuery)-1, "&")
	}
	if grant != "" {
		text = withoutPart(text, grant)
	}
	return text
}

// withoutUser takes the user info out of a URL that net/url has not looked into.
func withoutUser(text string) string {
	begin := strings.Index(text, "//")
	if begin < 0 {
		return text
	}
	begin += len("//")
	end := len(text)
	if i := strings.IndexAny(text[begin:], "/?#"); i >= 0 {
		end = begin + i
	}
	if at := strings.LastIndexByte(text[begin:end], '@'); at >= 0 {
		return text[:begin] + redacted + ":" + redacted + text[begin+at:]
	}
	return text
}

// parameters replaces the values of secret parameters in the query and the fragment, which begin at text[at] and are parted
// by separators.
func (r redactor) parameters(text string, at int, separators string) string {
	var out strings.Builder
	done := 0 // text[:done] is in out
	for at < len(text) {
		at++ // the separator
		end := len(text)
		if i := strings.IndexAny(text[at:], separators); i >= 0 {
			end = at + i
		}
		if begin := r.value(text[at:end]); begin >= 0 {
			out.WriteString(text[done : at+begin])
			out.WriteString(redacted)
			done = end
		}
		at = end
	}
	if done == 0 {
		return text
	}
	out.WriteString(text[done:])
	return out.String()
}

// value is where, in a part between two separators, the first value begins that must not show; negative if there is none.
// What some servers take for a separator as well, the semicolon, ends a name but no value: rather too much is replaced.
func (r redactor) value(part string) int {
	begin := 0
	for {
		name, _, found := strings.Cut(part[begin:], "=")
		semicolon := strings.IndexByte(part[begin:], ';')
		switch {
		case found && (semicolon < 0 || semicolon > len(name)):
			if r.secret(name) {
				return begin + len(name) + 1
			}
			if semicolon < 0 {
				return -1
			}
		case semicolon < 0:
			return -1
		}
		begin += semicolon + 1
	}
}

// secret reports whether the name of a parameter, as it is spelt in a URL, is one whose value must not show.
func (r redactor) secret(name string) bool {
	if r.names[name] {
		return true
	}
	if strings.ContainsAny(name, "%+") {
		plain, err := url.QueryUnescape(name)
		return err == nil && r.names[plain]
	}
	return false
}

// withoutPart replaces an id behind the server's name, wherever it stands by itself.
func withoutPart(text, id string) string {
	begin := strings.Index(text, "//")
	if begin < 0 {
		begin = 0
	} else {
		begin += len("//")
	}
	i := strings.IndexAny(text[begin:], "/?#")
	if i < 0 {
		return text
	}
	head, tail := text[:begin+i], text[begin+i:]
	for _, spelling := range [...]string{id, url.PathEscape(id), url.QueryEscape(id)} {
		tail = withoutWord(tail, spelling)
	}
	return head + tail
}

// withoutWord replaces word where it is no part of a longer one.
func withoutWord(text, word string) string {
	var out strings.Builder
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 || word == "" {
			out.WriteString(text[from:])
			return out.String()
		}
		begin, end := from+i, from+i+len(word)
		if endsWord(text[:begin]) || end < len(text) && isWord(text[end]) {
			out.WriteString(text[from : begin+1])
			from = begin + 1
			continue
		}
		out.WriteString(text[from:begin])
		out.WriteString(redacted)
		from = end
	}
}

// endsWord reports whether text ends within a word. What is percent-encoded is taken for a separator.
func endsWord(text string) bool {
	n := len(text)
	return n > 0 && isWord(text[n-1]) && (n < 3 || text[n-3] != '%')
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
