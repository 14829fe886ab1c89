package classify

import (
	"bytes"
	"iter"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A tolerant reader of JSON that may be cut short or broken: it looks at the members of one object at a time,
// in one pass, without recursion and without decoding what nobody asks for. A server's bytes cannot make it fail,
// only find less.

const (
	maxCode    = 128  // bytes of a code that are kept
	maxMessage = 1024 // bytes of any other text that are kept
	maxList    = 100  // elements of a list that are kept
)

// objectStart is body without the byte order mark and the white space before its first value.
func objectStart(body []byte) []byte {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	return body[skipSpace(body, 0):]
}

// isObject reports whether b looks like a JSON object.
func isObject(b []byte) bool { return len(b) > 0 && b[0] == '{' }

// isArray reports whether b looks like a JSON array.
func isArray(b []byte) bool { return len(b) > 0 && b[0] == '[' }

// members yields the members of a JSON object, keys unquoted, values raw. It ends at the first byte that makes no sense;
// a value that is cut short is not yielded, unless it is an object or an array, whose beginning may still tell something.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		if !isObject(object) {
			return
		}
		for i := skipSpace(object, 1); i < len(object) && object[i] == '"'; {
			end, ok := skipValue(object, i)
			if !ok {
				return
			}
			key := object[i+1 : end-1]
			if bytes.IndexByte(key, '\\') >= 0 {
				key = unescaped(key, maxCode)
			}
			i = skipSpace(object, end)
			if i >= len(object) || object[i] != ':' {
				return
			}
			i = skipSpace(object, i+1)
			end, ok = skipValue(object, i)
			value := object[i:end]
			if !ok && !isObject(value) && !isArray(value) {
				return
			}
			if !yield(key, value) || !ok {
				return
			}
			i = skipSpace(object, end)
			if i >= len(object) || object[i] != ',' {
				return
			}
			i = skipSpace(object, i+1)
		}
	}
}

// elements yields the raw elements of a JSON array.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !isArray(array) {
			return
		}
		for i := skipSpace(array, 1); i < len(array) && array[i] != ']'; {
			end, ok := skipValue(array, i)
			if !ok || end == i || !yield(array[i:end]) {
				return
			}
			i = skipSpace(array, end)
			if i >= len(array) || array[i] != ',' {
				return
			}
			i = skipSpace(array, i+1)
		}
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the end of the value that begins at i, and whether the value is whole.
func skipValue(b []byte, i int) (end int, whole bool) {
	depth := 0
	for start := i; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if i >= len(b) {
				return len(b), false
			}
			if depth == 0 {
				return i + 1, true
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i, i > start
			}
			if depth--; depth == 0 {
				return i + 1, true
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i, i > start
			}
		}
	}
	return len(b), false
}

// textBytes is a JSON string's value, cut to limit bytes of valid UTF-8, as a part of raw where that can be;
// empty for anything but a string.
func textBytes(raw []byte, limit int) []byte {
	if len(raw) < 2 || raw[0] != '"' {
		return nil
	}
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') >= 0 {
		raw = unescaped(raw, limit)
	}
	return clipBytes(raw, limit)
}

// unescaped decodes the escapes of a JSON string's inside, as far as limit and a character beyond.
func unescaped(inside []byte, limit int) []byte {
	out := make([]byte, 0, min(len(inside), limit+utf8.UTFMax))
	for i := 0; i < len(inside) && len(out) <= limit; {
		if inside[i] != '\\' {
			out = append(out, inside[i])
			i++
			continue
		}
		r, size := unescape(inside[i:])
		out = utf8.AppendRune(out, r)
		i += size
	}
	return out
}

// unescape decodes the escape that b begins with and returns its length. One that makes no sense reads as U+FFFD.
func unescape(b []byte) (r rune, size int) {
	if len(b) < 2 {
		return utf8.RuneError, len(b)
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	r, ok := utf16Unit(b)
	if !ok {
		return utf8.RuneError, 2
	}
	if utf16.IsSurrogate(r) {
		low, _ := utf16Unit(b[6:])
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			return r, 12
		}
	}
	return r, 6
}

// utf16Unit reads \uXXXX.
func utf16Unit(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}

// clip cuts b to limit bytes without splitting a character; what is not UTF-8 reads as U+FFFD.
func clip(b []byte, limit int) string { return string(clipBytes(b, limit)) }

// clipBytes is clip, as a part of b where that can be.
func clipBytes(b []byte, limit int) []byte {
	b = cut(b, limit)
	if utf8.Valid(b) {
		return b
	}
	return cut(bytes.ToValidUTF8(b, []byte("\uFFFD")), limit)
}

// cut shortens b to limit bytes, or a few less where that would split a character.
func cut(b []byte, limit int) []byte {
	if len(b) <= limit {
		return b
	}
	for n := limit; n > limit-utf8.UTFMax; n-- {
		if utf8.RuneStart(b[n]) {
			return b[:n]
		}
	}
	return b[:limit]
}
