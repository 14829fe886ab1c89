package classify

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// maxHint is the longest pause a hint can ask for: larger numbers mean "very long", and stay far from overflow.
const maxHint = 100 * 365 * 24 * time.Hour

// RetryAfter returns how long the answer's header asks callers to stay away, and whether it asks at all.
// It reads, in this order, the milliseconds of retry-after-ms and x-ms-retry-after-ms, a fraction rounded up, and Retry-After
// in seconds or as a date (RFC 9110, section 10.2.3). A date is measured against the answer's own Date field,
// so a skewed clock on this side does not matter; without a Date field it is measured against now, the time at which
// the answer arrived. A zero now means unknown: such a date is no hint.
//
// Only a field's first value counts. Negative numbers, exponents, fractions of seconds, past dates and garbage are no hint;
// a number too large to be a pause reads as a hundred years, so that it stops a retry rather than hurry it.
func RetryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	for _, name := range [...]string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if value := fieldValue(h, name); value != "" {
			if d, ok := pause(roundedUp(value), time.Millisecond); ok {
				return d, true
			}
		}
	}
	value := fieldValue(h, "Retry-After")
	if value == "" {
		return 0, false
	}
	if d, ok := pause(value, time.Second); ok {
		return d, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(fieldValue(h, "Date")); err == nil {
		now = date
	}
	if now.IsZero() || !at.After(now) {
		return 0, false
	}
	return min(at.Sub(now), maxHint), true
}

// fieldValue is the first value of a field, trimmed; name is in canonical form.
func fieldValue(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return textproto.TrimString(values[0])
	}
	return ""
}

// pause reads a non-negative whole number of units.
func pause(digits string, unit time.Duration) (time.Duration, bool) {
	n, ok := wholeNumber(digits)
	if !ok {
		return 0, false
	}
	if n > int64(maxHint/unit) {
		return maxHint, true
	}
	return time.Duration(n) * unit, true
}

// roundedUp is a decimal number without its fraction, one more if that is not zero: "1201" for "1200.5".
// What is no such number comes back as it is.
func roundedUp(number string) string {
	whole, fraction, found := strings.Cut(number, ".")
	if !found {
		return number
	}
	n, ok := wholeNumber(whole)
	if _, digits := wholeNumber(fraction); !ok || !digits {
		return number
	}
	if n == 1<<63-1 || strings.Trim(fraction, "0") == "" {
		return whole
	}
	return strconv.FormatInt(n+1, 10)
}

// wholeNumber reads decimal digits and nothing else. Up to 20 digits, what does not fit reads as the largest number;
// more digits than any clock has ever needed are garbage.
func wholeNumber(digits string) (int64, bool) {
	if digits == "" || len(digits) > 20 {
		return 0, false
	}
	for i := 0; i < len(digits); i++ {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		n = 1<<63 - 1
	}
	return n, true
}

// rateLimit reads the RateLimit and RateLimit-Policy fields, as the current draft writes them
// (`RateLimit: "name";r=0;t=7`) and as its earlier versions did (`RateLimit: limit=10, remaining=0, reset=7`
// and one field for each number). It returns nil if there are none.
func rateLimit(h http.Header) *RateLimit {
	if len(h["Ratelimit"]) == 0 && len(h["Ratelimit-Remaining"]) == 0 {
		return nil
	}
	var found *RateLimit
	for _, value := range h["Ratelimit"] {
		for item := range splitOutsideQuotes(value, ',') {
			name, params := namedItem(item)
			l := RateLimit{Policy: name}
			if !params.number("r", &l.Remaining) {
				continue
			}
			params.seconds("t", &l.Reset)
			if found == nil || l.Remaining < found.Remaining || l.Remaining == found.Remaining && l.Reset > found.Reset {
				found = &l
			}
		}
	}
	if found == nil {
		found = oldRateLimit(h)
	}
	if found == nil {
		return nil
	}
	for _, value := range h["Ratelimit-Policy"] {
		for item := range splitOutsideQuotes(value, ',') {
			name, params := namedItem(item)
			// The earlier versions name a policy by its limit.
			if name == found.Policy || found.Policy == "" && name == strconv.FormatInt(found.Limit, 10) {
				params.number("q", &found.Limit)
				params.seconds("w", &found.Window)
			}
		}
	}
	return found
}

// oldRateLimit reads the forms of the draft's earlier versions.
func oldRateLimit(h http.Header) *RateLimit {
	var l RateLimit
	params := parameters(strings.ReplaceAll(fieldValue(h, "Ratelimit"), ",", ";"))
	if params.number("remaining", &l.Remaining) {
		params.number("limit", &l.Limit)
		params.seconds("reset", &l.Reset)
		return &l
	}
	n, ok := wholeNumber(fieldValue(h, "Ratelimit-Remaining"))
	if !ok {
		return nil
	}
	l.Remaining = n
	if n, ok := wholeNumber(fieldValue(h, "Ratelimit-Limit")); ok {
		l.Limit = n
	}
	if d, ok := pause(fieldValue(h, "Ratelimit-Reset"), time.Second); ok {
		l.Reset = d
	}
	return &l
}

// parameters are the `;`-separated key=value pairs of a structured field's item (RFC 8941, section 3.1.2).
type parameters string

func (p parameters) get(key string) string {
	for pair := range splitOutsideQuotes(string(p), ';') {
		k, v, ok := strings.Cut(pair, "=")
		if ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func (p parameters) number(key string, to *int64) bool {
	n, ok := wholeNumber(p.get(key))
	if ok {
		*to = n
	}
	return ok
}

func (p parameters) seconds(key string, to *time.Duration) {
	if d, ok := pause(p.get(key), time.Second); ok {
		*to = d
	}
}

// namedItem splits `"name";r=0;t=7` into the name and its parameters.
func namedItem(item string) (string, parameters) {
	name := ""
	for part := range splitOutsideQuotes(item, ';') {
		name = strings.TrimSpace(part)
		item = strings.TrimPrefix(item[len(part):], ";")
		break
	}
	return clip([]byte(unquote(name)), maxCode), parameters(item)
}
