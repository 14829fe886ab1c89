package simulate

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Bounds that keep a simulation within what a machine can do.
const (
	longestRun  = 31 * 24 * time.Hour
	mostCalls   = 10_000_000 // that begin, all together
	mostPlays   = 10_000
	mostWorkers = 1_000_000
)

// Validate returns every fault of the scenario at once, joined by [errors.Join], or nil. Each names the field, its value
// and what was wanted.
func (s Scenario) Validate() error {
	var faults []error
	for _, f := range s.check() {
		faults = append(faults, fmt.Errorf("simulate: %s is %s: want %s", f.field, f.value, f.want))
	}
	return errors.Join(faults...)
}

// flaw is what is wrong with a field.
type flaw struct{ field, value, want string }

// checker collects flaws.
type checker struct{ flaws []flaw }

func (s Scenario) check() []flaw {
	var c checker
	c.line("Name", s.Name)
	c.line("About", s.About)
	c.within("Duration", s.Duration, time.Nanosecond, longestRun)
	c.number("Repeat", s.Repeat, 0, mostPlays)
	c.number("Processes", s.Processes, 0, mostPlays)
	if len(s.Traffic) == 0 {
		c.flaw("Traffic", "empty", "somebody who calls")
	}
	calls := 0.0
	for i := range s.Traffic {
		c.traffic(fmt.Sprintf("Traffic[%d]", i), &s.Traffic[i])
		calls += s.Traffic[i].count(s)
	}
	if calls *= float64(s.repeat()); calls > mostCalls {
		c.flaw("Duration", s.Duration.String(), fmt.Sprintf("at most %d calls all together, not some %.0f: less time, traffic or repetition", mostCalls, calls))
	}
	c.backend(s.Backend)
	for i := range s.Faults {
		c.fault(fmt.Sprintf("Faults[%d]", i), &s.Faults[i], s.Backend.Plain)
	}
	return c.flaws
}

func (c *checker) flaw(field, value, want string) {
	c.flaws = append(c.flaws, flaw{field, value, want})
}

func (c *checker) within(field string, d, least, most time.Duration) {
	switch {
	case d >= least && d <= most:
	case least == 0:
		c.flaw(field, d.String(), fmt.Sprintf("0s to %s", most))
	case least == time.Nanosecond:
		c.flaw(field, d.String(), fmt.Sprintf("more than 0s, at most %s", most))
	default:
		c.flaw(field, d.String(), fmt.Sprintf("%s to %s", least, most))
	}
}

func (c *checker) time(field string, d time.Duration) { c.within(field, d, 0, longestRun) }

func (c *checker) number(field string, n, least, most int) {
	if n < least || n > most {
		c.flaw(field, fmt.Sprint(n), fmt.Sprintf("%d to %d", least, most))
	}
}

func (c *checker) rate(field string, x float64) {
	if !(x >= 0 && x <= 1e6) { // NaN too
		c.flaw(field, fmt.Sprint(x), "0 to 1000000 in a second")
	}
}

func (c *checker) share(field string, x float64) {
	if !(x >= 0 && x <= 1) {
		c.flaw(field, fmt.Sprint(x), "a number from 0 to 1")
	}
}

// line checks a text that goes to terminals and reports as it is.
func (c *checker) line(field, text string) {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		c.flaw(field, fmt.Sprintf("%.60q", text), "text in one line, without control characters")
	}
}

func (c *checker) delay(field string, d Delay) {
	c.time(field+".Median", d.Median)
	if d.P99 != 0 && d.P99 < d.Median {
		c.flaw(field+".P99", d.P99.String(), fmt.Sprintf("at least the median, which is %s, or 0s for no other", d.Median))
	}
	if d.P99 > 0 && d.Median == 0 {
		c.flaw(field+".Median", d.Median.String(), "more than 0s beside a 99th percentile")
	}
	c.time(field+".P99", max(d.P99, 0))
}

// word checks that a field has one of the words, and reports whether it does.
func word[W ~string](c *checker, field string, w W, words ...W) bool {
	if slices.Contains(words, w) {
		return true
	}
	var all []string
	for _, known := range words {
		if known != "" {
			all = append(all, string(known))
		}
	}
	value := strconv.Quote(string(w))
	if w == "" {
		value = "empty"
	}
	c.flaw(field, value, "one of "+strings.Join(all, ", "))
	return false
}

// uses checks that no field is set but those that all kinds have, and those of this kind.
func (c *checker) uses(owner string, of any, kind string, fields ...string) {
	v := reflect.ValueOf(of).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if !unset(v.Field(i)) && !slices.Contains(fields, name) {
			c.flaw(owner+"."+name, show(v.Field(i)), "nothing: it means nothing to "+kind)
		}
	}
}

// unset reports whether a field says nothing.
func unset(v reflect.Value) bool {
	return v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
}

// show prints a value in a line.
func show(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Slice:
		return fmt.Sprintf("a list of %d", v.Len())
	case reflect.Struct:
		return "set"
	case reflect.String:
		return strconv.Quote(v.String())
	default:
		return fmt.Sprint(v.Interface())
	}
}

// trafficFields are the fields that each kind of traffic has of its own, beside those that all have.
var (
	everyTraffic  = []string{"Name", "Kind", "From", "To", "Method", "Deadline", "Keys", "NamesGrant", "NamesPolicy"}
	trafficFields = map[TrafficKind][]string{
		Open:     {"Rate", "Steps", "Even"},
		Burst:    {"Calls", "Within", "Every"},
		Closed:   {"Clients", "Think"},
		Recorded: {"Arrivals"},
	}
)

func (c *checker) traffic(owner string, t *Traffic) {
	c.line(owner+".Name", t.Name)
	c.time(owner+".From", t.From)
	c.time(owner+".To", t.To)
	if t.To > 0 && t.To <= t.From {
		c.flaw(owner+".To", t.To.String(), fmt.Sprintf("later than From, which is %s, or 0s for the end", t.From))
	}
	c.time(owner+".Deadline", t.Deadline)
	if t.Method != "" && strings.Trim(t.Method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || t.Method == http.MethodConnect {
		c.flaw(owner+".Method", fmt.Sprintf("%q", t.Method), "a method in upper case, such as GET")
	}
	c.number(owner+".Keys.Count", t.Keys.Count, 0, mostWorkers)
	c.number(owner+".Keys.First", t.Keys.First, 0, mostWorkers)
	c.share(owner+".Keys.Hot", t.Keys.Hot)
	if t.Keys.Hot > 0 && t.Keys.Count < 2 {
		c.flaw(owner+".Keys.Hot", fmt.Sprint(t.Keys.Hot), "0 unless there are two keys or more")
	}
	if !word(c, owner+".Kind", t.Kind, Open, Burst, Closed, Recorded) {
		return
	}
	c.uses(owner, t, string(t.Kind), slices.Concat(everyTraffic, trafficFields[t.Kind])...)
	switch t.Kind {
	case Open:
		c.rate(owner+".Rate", t.Rate)
		c.steps(owner, t)
	case Burst:
		c.number(owner+".Calls", t.Calls, 1, mostCalls)
		c.time(owner+".Within", t.Within)
		c.time(owner+".Every", t.Every)
		if t.Every > 0 && t.Every < t.Within {
			c.flaw(owner+".Every", t.Every.String(), fmt.Sprintf("at least Within, which is %s, or 0s for a single burst", t.Within))
		}
	case Closed:
		c.number(owner+".Clients", t.Clients, 1, mostWorkers)
		c.delay(owner+".Think", t.Think)
	case Recorded:
		if len(t.Arrivals) == 0 {
			c.flaw(owner+".Arrivals", "empty", "when the calls began")
		}
		for i, at := range t.Arrivals {
			field := fmt.Sprintf("%s.Arrivals[%d]", owner, i)
			c.time(field, at)
			if i > 0 && at < t.Arrivals[i-1] {
				c.flaw(field, at.String(), fmt.Sprintf("the order of time; the one before is %s", t.Arrivals[i-1]))
			}
		}
	}
}

func (c *checker) steps(owner string, t *Traffic) {
	if t.Rate == 0 && len(t.Steps) == 0 {
		c.flaw(owner+".Rate", "0", "more than 0 calls a second")
	}
	for i, s := range t.Steps {
		field := fmt.Sprintf("%s.Steps[%d]", owner, i)
		c.time(field+".At", s.At)
		c.rate(field+".Rate", s.Rate)
		if i > 0 && s.At < t.Steps[i-1].At {
			c.flaw(field+".At", s.At.String(), fmt.Sprintf("the order of time; the step before is at %s", t.Steps[i-1].At))
		}
	}
}

// count returns about how many calls begin.
func (t *Traffic) count(s Scenario) float64 {
	length := max(0, t.end(s)-t.From).Seconds()
	switch t.Kind {
	case Burst:
		times := 1.0
		if t.Every > 0 {
			times = math.Ceil(length / t.Every.Seconds())
		}
		return times * float64(t.Calls)
	case Closed:
		gap := max(t.Think.Median+s.Backend.RTT, time.Millisecond)
		return length / gap.Seconds() * float64(t.Clients)
	case Recorded:
		return float64(len(t.Arrivals))
	case Open:
	}
	total, at, rate := 0.0, t.From.Seconds(), t.Rate
	for _, step := range t.Steps {
		change := min(max(step.At.Seconds(), at), t.From.Seconds()+length)
		total, at, rate = total+rate*(change-at), change, step.Rate
	}
	return total + rate*(t.From.Seconds()+length-at)
}
