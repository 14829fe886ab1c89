package classify

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxDepth is how many names lead to a code.
const maxDepth = 4

// ruleSet is a list of rules, ready to be tried.
type ruleSet struct {
	rules []preparedRule
	codes *place // the codes of all rules, by where they stand
}

type preparedRule struct {
	Rule
	basis  Basis
	fields []fieldTest
}

type fieldTest struct {
	name   string // in canonical form
	values []string
	shapes bool // values are shape ids
}

// place is a node of the tree of members in which codes may stand.
type place struct {
	below map[string]*place
	codes map[string]codeRules
	part  func([]byte) []byte // the part of a value that may be a code instead of the whole; nil for none
}

// codeParts are the members in which a part of the value may be the code.
var codeParts = map[string]func([]byte) []byte{"__type": shapeName[[]byte], "code": shapeName[[]byte], "documentation_url": fragment}

// codeRules is a code and the rules that ask for it at a place, by their index.
type codeRules struct {
	code  string
	rules []int
}

var builtinRules = newRuleSet(nil, rules)

// newRuleSet prepares rules that have no faults.
func newRuleSet(own, builtin []Rule) *ruleSet {
	s := &ruleSet{codes: &place{}}
	for _, r := range own {
		s.add(r, Given)
	}
	for _, r := range builtin {
		s.add(r, Documented)
	}
	return s
}

func (s *ruleSet) add(r Rule, basis Basis) {
	p := preparedRule{Rule: r, basis: basis}
	p.Reset = http.CanonicalHeaderKey(r.Reset)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		key := http.CanonicalHeaderKey(name)
		p.fields = append(p.fields, fieldTest{key, r.Header[name], key == "X-Amzn-Errortype"})
	}
	for _, m := range r.Members {
		at := s.codes
		for name := range strings.SplitSeq(m, ".") {
			if at.below[name] == nil {
				if at.below == nil {
					at.below = make(map[string]*place)
				}
				at.below[name] = &place{codes: make(map[string]codeRules)}
			}
			at = at.below[name]
		}
		at.part = codeParts[m]
		for _, c := range r.Codes {
			at.codes[c] = codeRules{c, append(at.codes[c].rules, len(s.rules))}
		}
	}
	s.rules = append(s.rules, p)
}

// match returns the first rule that fits, and the code that it was found by if it asks for one; nil if none fits.
func (s *ruleSet) match(status int, h http.Header, now time.Time, body []byte) (r *preparedRule, code string) {
	m := matching{rules: s.rules, status: status, header: h, now: now}
	look := false
	for ; m.first < len(s.rules); m.first++ {
		if !m.fits(m.first) {
			continue
		}
		if len(s.rules[m.first].Codes) == 0 {
			break
		}
		look = true
	}
	if look {
		if start := objectStart(body); isXML(start) {
			m.lookXML(start, s.codes)
		} else {
			m.look(start, s.codes, false)
		}
	}
	if m.first == len(s.rules) {
		return nil, ""
	}
	return &s.rules[m.first], m.code
}

// matching is the search for the first rule that fits an answer.
type matching struct {
	rules  []preparedRule
	status int
	header http.Header
	now    time.Time

	first int    // the first rule found to fit, or how many there are
	code  string // the code that it was found by
}

// fits reports whether the answer meets the conditions of rule i on the status and the header.
func (m *matching) fits(i int) bool {
	r := &m.rules[i]
	if len(r.Statuses) > 0 && !slices.Contains(r.Statuses, m.status) && !slices.Contains(r.Statuses, m.status/100) {
		return false
	}
	for _, f := range r.fields {
		value := fieldValue(m.header, f.name)
		if f.shapes {
			value = shapeName(value)
		}
		if value == "" || len(f.values) > 0 && !slices.Contains(f.values, value) {
			return false
		}
	}
	if r.Hinted {
		_, hinted := RetryAfter(m.header, m.now)
		return hinted
	}
	return true
}

// look follows value down the tree of places. Of an array it looks at the first elements, but not into arrays therein.
func (m *matching) look(value []byte, at *place, element bool) {
	switch {
	case isObject(value):
		for key, value := range members(value) {
			if next := at.below[string(key)]; next != nil {
				m.look(value, next, false)
			}
		}
	case isArray(value):
		if element {
			return
		}
		n := 0
		for e := range elements(value) {
			if n++; n > maxList {
				return
			}
			m.look(e, at, true)
		}
	default:
		m.considerJSON(value, at)
	}
}

// lookXML follows the elements of a document down the tree of places.
func (m *matching) lookXML(document []byte, root *place) {
	for path, text := range leaves(document) {
		at := root
		for i := 0; i < len(path) && at != nil; i++ {
			at = at.below[path[i]]
		}
		if at != nil {
			m.consider(text, at)
		}
	}
}

// considerJSON is consider for a value that is a string.
func (m *matching) considerJSON(value []byte, at *place) {
	if len(at.codes) == 0 || len(value) < 2 || value[0] != '"' {
		return
	}
	code := value[1 : len(value)-1]
	if bytes.IndexByte(code, '\\') >= 0 {
		code = unescaped(code, maxCode)
	}
	m.consider(code, at)
}

// consider takes the first rule that asks for code at this place, if no rule before it fits.
func (m *matching) consider(code []byte, at *place) {
	found, ok := at.codes[string(code)]
	if !ok && at.part != nil {
		found = at.codes[string(at.part(code))]
	}
	for _, i := range found.rules {
		if i < m.first && m.fits(i) {
			m.first, m.code = i, found.code
		}
	}
}

// apply changes v to what the rule says of an answer that it fits.
func (r *preparedRule) apply(v *Verdict, code string, h http.Header, now time.Time) {
	if r.Kind != Unclassified {
		v.Kind, v.Basis = r.Kind, r.basis
	}
	if code != "" {
		v.Code = code
	}
	if _, hinted := RetryAfter(h, now); hinted || v.RetryAfter > 0 {
		return
	}
	if v.RetryAfter = r.untilReset(h, now); v.RetryAfter == 0 {
		v.RetryAfter = r.Wait
	}
}

// shapeName is the name in a shape id such as "aws.service#Name:http://..." (Smithy: AWS restJson1 protocol).
func shapeName[T string | []byte](id T) T {
	end := 0
	for end < len(id) && id[end] != ':' {
		end++
	}
	start := end
	for start > 0 && id[start-1] != '#' {
		start--
	}
	return id[start:end]
}

// fragment is the part of a URL after its "#"; the whole if there is none.
func fragment(url []byte) []byte { return url[bytes.LastIndexByte(url, '#')+1:] }

// untilReset is how long it is until what the rule's Reset field says. A time is measured against the answer's own Date field
// or else against now. It is 0 if the reset is past, garbage or more than a hundred years ahead.
func (r *Rule) untilReset(h http.Header, now time.Time) time.Duration {
	value := fieldValue(h, r.Reset)
	if value == "" {
		return 0
	}
	at, ok := wholeNumber(value)
	if !ok {
		return durationWithUnits(value)
	}
	if at > maxUnix {
		return 0
	}
	if date, err := http.ParseTime(fieldValue(h, "Date")); err == nil {
		now = date
	}
	seconds := at - now.Unix()
	if now.IsZero() || seconds < 0 || seconds > int64(maxHint/time.Second) {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// durationWithUnits reads "6m0s", "1.5s" or "12ms"; 0 for anything else, and for more than a hundred years.
func durationWithUnits(s string) time.Duration {
	if len(s) > maxDuration || s[0] < '0' || s[0] > '9' {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d > maxHint {
		return 0
	}
	return d
}

// maxDuration is the length of the longest duration that is read. time.Duration writes 25 bytes at most.
const maxDuration = 32

// maxUnix is the end of the year 9999. What is larger is no time in seconds.
const maxUnix = 253402300799
