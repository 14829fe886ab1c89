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
	return plain(text)
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
	for begin := 0; ; {
		i := strings.IndexAny(part[begin:], "=;")
		if i < 0 {
			return -1
		}
		end := begin + i
		if part[end] == '=' {
			if r.secret(part[begin:end]) {
				return end + 1
			}
			semicolon := strings.IndexByte(part[end:], ';')
			if semicolon < 0 {
				return -1
			}
			end += semicolon
		}
		begin = end + 1
	}
}

// secret reports whether the name of a parameter, as it is spelt in a URL, is one whose value must not show.
func (r redactor) secret(name string) bool {
	name = name[strings.LastIndexByte(name, '?')+1:] // of a page's own route in the fragment: #/login?token=
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
	return text[:begin+i] + withoutWord(text[begin+i:], id)
}

// spelled returns how long an id is where text begins with it, in whatever encoding; 0 if it does not.
func spelled(text, id string) (n int) {
	for i := range len(id) {
		switch {
		case n < len(text) && (text[n] == id[i] || text[n] == '+' && id[i] == ' '):
			n++
		case n+2 < len(text) && text[n] == '%' && unhex(text[n+1])<<4|unhex(text[n+2]) == int(id[i]):
			n += 3
		default:
			return 0
		}
	}
	return n
}

// unhex is the value of a hexadecimal digit; more than a byte holds if it is none.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return 1 << 8
}

// withoutWord replaces word, in whatever encoding, where it is no part of a longer one.
func withoutWord(text, word string) string {
	if word == "" {
		return text
	}
	var out strings.Builder
	done := 0 // text[:done] is in out
	for at := 0; at < len(text); at++ {
		n := spelled(text[at:], word)
		if n == 0 || endsWord(text[:at]) || at+n < len(text) && isWord(text[at+n]) {
			continue
		}
		out.WriteString(text[done:at])
		out.WriteString(redacted)
		done = at + n
		at = done - 1
	}
	if done == 0 {
		return text
	}
	out.WriteString(text[done:])
	return out.String()
}

// endsWord reports whether text ends within a word. What is percent-encoded is taken for a separator.
func endsWord(text string) bool {
	n := len(text)
	return n > 0 && isWord(text[n-1]) && (n < 3 || text[n-3] != '%')
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
