package policyfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// scalar is how a single value is read, written and described.
type scalar struct {
	want  string   // what is wanted, for messages
	words []string // the texts that it may be

	// parse sets v to what the node says. If it cannot, it returns what was wanted in particular, or nothing for want.
	parse func(n *node, v reflect.Value) (want string, ok bool)

	// format returns the node that says what v is, or nil if a file cannot say it.
	format func(v reflect.Value) *node

	// schema returns what JSON Schema knows of the value; bounds are those of the field.
	schema func(bounds map[string]any) map[string]any
}

// ofType is the schema of a scalar that is of one type.
func ofType(keywords map[string]any) func(map[string]any) map[string]any {
	return func(bounds map[string]any) map[string]any {
		schema := maps.Clone(keywords)
		maps.Copy(schema, bounds)
		return schema
	}
}

var (
	whole = &scalar{
		want:   "a whole number, such as 3",
		parse:  parseWhole,
		format: func(v reflect.Value) *node { return &node{form: number, text: strconv.FormatInt(v.Int(), 10)} },
		schema: ofType(map[string]any{"type": "integer"}),
	}
	fraction = &scalar{
		want:   "a number, such as 0.5",
		parse:  parseFraction,
		format: formatFraction,
		schema: ofType(map[string]any{"type": "number"}),
	}
	truth = &scalar{
		want:   "true or false",
		words:  []string{"true", "false"},
		parse:  parseTruth,
		format: func(v reflect.Value) *node { return &node{form: boolean, text: strconv.FormatBool(v.Bool())} },
		schema: ofType(map[string]any{"type": "boolean"}),
	}
	duration = &scalar{
		want:   `a duration with its unit, such as "250ms", "5s" or "1m30s"`,
		parse:  parseDuration,
		format: formatDuration,
		schema: ofType(map[string]any{"type": "string", "pattern": durationPattern}),
	}
	freeName = &scalar{
		want:   "a name",
		parse:  parseName,
		format: formatName,
		schema: ofType(map[string]any{"type": "string"}),
	}
	retries  = orWord(whole, "unlimited", func(v reflect.Value) { v.SetInt(policy.Unlimited) })
	jitter   = orWord(fraction, "full", func(v reflect.Value) { v.SetFloat(float64(policy.FullJitter)) })
	longHint = oneOf("stop, clamp or honour",
		[]policy.LongHint{policy.Stop, policy.Clamp, policy.Honour}, policy.LongHint.String)
	kindName = oneOf("a kind of failure, such as timeout or policy_rate_limit", kinds, classify.Kind.String)
	baseName = oneOf("default, interactive, batch, agent or none", bases, base.String)
)

var kinds = slices.Collect(classify.Kinds())

// durationPattern is what durations look like: those of Go, without a sign and never without a unit.
const durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|μs|ms|s|m|h))+$`

var durations = regexp.MustCompile(durationPattern)

func parseDuration(n *node, v reflect.Value) (string, bool) {
	switch {
	case n.form == number && durations.MatchString(n.text+"s"):
		short := clip(n.text)
		return fmt.Sprintf("a duration with its unit, such as %q or %q", short+"ms", short+"s"), false
	case n.form != text || !durations.MatchString(n.text):
		return "", false
	}
	d, err := time.ParseDuration(n.text)
	if err != nil {
		return fmt.Sprintf("at most %s", time.Duration(math.MaxInt64)), false
	}
	if d == 0 && strings.ContainsAny(n.text, "123456789") {
		return "0s or at least 1ns", false // 0s often means that there is no bound
	}
	v.SetInt(int64(d))
	return "", true
}

func formatDuration(v reflect.Value) *node {
	if v.Int() < 0 {
		return nil
	}
	s := strings.Replace(time.Duration(v.Int()).String(), "µ", "u", 1)
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return &node{form: text, text: s}
}

// parseWhole reads a number without a fraction, which JSON may write as 1e3 or 3.0.
func parseWhole(n *node, v reflect.Value) (string, bool) {
	if n.form != number {
		return numeral(n, "whole number")
	}
	i, err := strconv.ParseInt(n.text, 10, strconv.IntSize)
	if err != nil {
		const exact = 1 << 53 // from there on a float is not every whole number
		f, err := strconv.ParseFloat(n.text, 64)
		switch {
		case err != nil || math.Abs(f) >= min(exact, math.MaxInt):
			return "a whole number that is not as large", false
		case f != math.Trunc(f):
			return "", false
		}
		i = int64(f)
	}
	v.SetInt(i)
	return "", true
}

func parseFraction(n *node, v reflect.Value) (string, bool) {
	if n.form != number {
		return numeral(n, "number")
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil {
		return "a number that is not as large", false
	}
	v.SetFloat(f)
	return "", true
}

// numeral returns what is wanted of a node that should be a number.
func numeral(n *node, what string) (string, bool) {
	if n.form == text && decimal.MatchString(n.text) {
		return "a " + what + ", without quotes", false
	}
	return "", false
}

func formatFraction(v reflect.Value) *node {
	digits, err := json.Marshal(v.Float())
	if err != nil { // infinite, or not a number
		return nil
	}
	return &node{form: number, text: string(digits)}
}

func parseTruth(n *node, v reflect.Value) (string, bool) {
	if n.form != boolean {
		return "", false
	}
	v.SetBool(n.text == "true")
	return "", true
}

func parseName(n *node, v reflect.Value) (string, bool) {
	switch n.form {
	case text:
		v.SetString(n.text)
		return "", true
	case boolean, number:
		return fmt.Sprintf("a name; in quotes %q is one", clip(n.text)), false
	default:
		return "", false
	}
}

func formatName(v reflect.Value) *node {
	if !utf8.ValidString(v.String()) {
		return nil
	}
	return &node{form: text, text: v.String()}
}

// orWord is a scalar that may also be a word, which stands for the value that set sets.
func orWord(s *scalar, word string, set func(reflect.Value)) *scalar {
	isWord := func(v reflect.Value) bool {
		of := reflect.New(v.Type()).Elem()
		set(of)
		return v.Equal(of)
	}
	return &scalar{
		want:  s.want + ", or " + word,
		words: []string{word},
		parse: func(n *node, v reflect.Value) (string, bool) {
			if n.form == text && n.text == word {
				set(v)
				return "", true
			}
			return s.parse(n, v)
		},
		format: func(v reflect.Value) *node {
			if isWord(v) {
				return &node{form: text, text: word}
			}
			return s.format(v)
		},
		schema: func(bounds map[string]any) map[string]any {
			return map[string]any{"anyOf": []any{s.schema(bounds), map[string]any{"const": word}}}
		},
	}
}

// oneOf is a scalar that is one of a few values, each with a name.
func oneOf[T comparable](want string, values []T, nameOf func(T) string) *scalar {
	s := &scalar{want: want}
	for _, value := range values {
		s.words = append(s.words, nameOf(value))
	}
	s.parse = func(n *node, v reflect.Value) (string, bool) {
		i := slices.Index(s.words, n.text)
		if n.form != text || i < 0 {
			return "", false
		}
		v.Set(reflect.ValueOf(values[i]))
		return "", true
	}
	s.format = func(v reflect.Value) *node {
		value, _ := reflect.TypeAssert[T](v)
		if i := slices.Index(values, value); i >= 0 {
			return &node{form: text, text: s.words[i]}
		}
		return nil
	}
	s.schema = ofType(map[string]any{"enum": s.words})
	return s
}
