// Package vary makes many policies of one, by giving settings of its file other values.
package vary

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Axis is a setting and the values that it is to have.
type Axis struct {
	Path   string // as in policy files, such as profiles.timeout.retries; a breaker goes by its name
	Values []string
}

// maxValues bounds the values of a range.
const maxValues = 1000

// Parse reads an axis: a path, and values with commas or a range with how many values it has.
//
//	profiles.timeout.retries=1,2,3
//	breakers.outage.open=2s..10s:5
func Parse(text string) (Axis, error) {
	path, values, ok := strings.Cut(text, "=")
	path, values = strings.TrimSpace(path), strings.TrimSpace(values)
	if !ok || path == "" || values == "" {
		return Axis{}, fmt.Errorf("%q: want a setting and its values, such as profiles.timeout.retries=1,2,3", text)
	}
	a := Axis{Path: path}
	if strings.Contains(values, "..") {
		list, err := span(values)
		if err != nil {
			return Axis{}, fmt.Errorf("%s is %q: %w", path, values, err)
		}
		a.Values = list
		return a.distinct(values)
	}
	for value := range strings.SplitSeq(values, ",") {
		if value = strings.TrimSpace(value); value == "" {
			return Axis{}, fmt.Errorf("%s is %q: there is an empty value in it", path, values)
		}
		a.Values = append(a.Values, value)
	}
	return a.distinct(values)
}

// distinct returns the axis, unless a value is there twice; those of a range are when they are closer than they are written.
func (a Axis) distinct(text string) (Axis, error) {
	seen := make(map[string]bool)
	for _, value := range a.Values {
		if seen[value] {
			return Axis{}, fmt.Errorf("%s is %q: %s is in it twice", a.Path, text, value)
		}
		seen[value] = true
	}
	return a, nil
}

var errRange = errors.New("want a range such as 2s..10s:5 or 0.1..0.5:5, from the least to the greatest value, and how many")

// span returns the values of a range, evenly spaced.
func span(text string) ([]string, error) {
	ends, count, ok := strings.Cut(text, ":")
	from, to, _ := strings.Cut(ends, "..")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 2 || n > maxValues {
		return nil, errRange
	}
	x, errX := strconv.ParseFloat(from, 64)
	y, errY := strconv.ParseFloat(to, 64)
	write := func(v float64) string { return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64) }
	if errX != nil || errY != nil {
		low, errLow := time.ParseDuration(from)
		high, errHigh := time.ParseDuration(to)
		if errLow != nil || errHigh != nil {
			return nil, errRange
		}
		x, y = float64(low), float64(high)
		write = func(v float64) string { return rounded(time.Duration(v)).String() }
	}
	if !(x < y) || math.IsInf(y-x, 0) {
		return nil, errRange
	}
	values := make([]string, n)
	for i := range values {
		values[i] = write(x + (y-x)*float64(i)/float64(n-1))
	}
	return values, nil
}

// rounded returns a duration that is easy to read.
func rounded(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(time.Microsecond)
	}
	return d
}
