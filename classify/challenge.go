package classify

import (
	"iter"
	"net/http"
	"strings"
)

// missingScopes looks for the insufficient_scope challenge of RFC 6750, section 3.1, in WWW-Authenticate
// and returns the scopes it names. The slice is empty, not nil, if it names none.
func missingScopes(h http.Header) (scopes []string, challenged bool) {
	for _, value := range h["Www-Authenticate"] {
		scope, err := "", ""
		// Challenges and their parameters are separated by commas alike; a part that starts with
		// "scheme key=value" begins a new challenge.
		for part := range splitOutsideQuotes(value, ',') {
			key, val, _ := strings.Cut(strings.TrimSpace(part), "=")
			key = strings.TrimSpace(key)
			if i := strings.LastIndexAny(key, " \t"); i >= 0 {
				if err == "insufficient_scope" {
					return splitScopes(scope), true
				}
				scope, err = "", ""
				key = key[i+1:]
			}
			switch strings.ToLower(key) {
			case "error":
				err = unquote(val)
			case "scope":
				scope = unquote(val)
			}
		}
		if err == "insufficient_scope" {
			return splitScopes(scope), true
		}
	}
	return nil, false
}

func splitScopes(s string) []string {
	scopes := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
	scopes = scopes[:min(len(scopes), maxList)]
	for i, scope := range scopes {
		scopes[i] = clip([]byte(scope), maxMessage)
	}
	return scopes
}

// splitOutsideQuotes yields the parts of s between separators that stand outside quoted strings.
func splitOutsideQuotes(s string, sep byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		quoted, start := false, 0
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case c == '\\' && quoted:
				i++
			case c == '"':
				quoted = !quoted
			case c == sep && !quoted:
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(s[start:])
	}
}

// unquote reads a token or a quoted string (RFC 9110, section 5.6.4).
func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
