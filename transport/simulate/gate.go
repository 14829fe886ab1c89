package simulate

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

var infinite = math.Inf(1)

// Gate is a demand on a result, such as "success >= 99.9%". [ParseGate] reads one, and [Result.Check] holds a result against it.
type Gate struct {
	Metric string  // the name of one of the [Metrics]
	Op     string  // ">=", "<=", ">" or "<"
	Value  float64 // in the metric's unit; times are in seconds
}

// ops are the comparisons, longer ones first.
var ops = []string{">=", "<=", ">", "<"}

// ParseGate reads a demand: the name of a metric, a comparison, and a number in the metric's unit.
//
//	success >= 99.9%
//	amplification <= 1.2
//	p99 <= 700ms
//	refused <= 25
//	recovery <= 50s
func ParseGate(text string) (Gate, error) {
	for _, op := range ops {
		name, value, ok := strings.Cut(text, op)
		if !ok {
			continue
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		m, ok := metricOf(name)
		if !ok {
			return Gate{}, fmt.Errorf("simulate: gate %q: %q is no metric: want one of %s", text, name, metricNames())
		}
		x, err := m.Unit.parseValue(value)
		if err != nil {
			return Gate{}, fmt.Errorf("simulate: gate %q: %q is no value of %s: %w", text, value, name, err)
		}
		return Gate{name, op, x}, nil
	}
	return Gate{}, fmt.Errorf("simulate: gate %q has no comparison: want one such as \"success >= 99.9%%\"", text)
}

// ParseGates reads one demand from each line. Empty lines, and what follows a '#', are left out. The error has a line
// for each that cannot be read.
func ParseGates(text string) ([]Gate, error) {
	var (
		gates  []Gate
		faults []error
	)
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		g, err := ParseGate(line)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		gates = append(gates, g)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return gates, nil
}

func metricNames() string {
	names := make([]string, len(metrics))
	for i, m := range metrics {
		names[i] = m.Name
	}
	return strings.Join(names, ", ")
}

// String returns the gate as [ParseGate] reads it.
func (g Gate) String() string {
	value := strconv.FormatFloat(g.Value, 'g', -1, 64)
	switch m, _ := metricOf(g.Metric); m.Unit {
	case Share:
		value = strconv.FormatFloat(math.Round(g.Value*1e10)/1e8, 'f', -1, 64) + "%"
	case Time:
		value = time.Duration(math.Round(g.Value * float64(time.Second))).String()
	case Ratio, Count:
	}
	return g.Metric + " " + g.Op + " " + value
}

// holds reports whether a number meets the demand.
func (g Gate) holds(x float64) bool {
	switch g.Op {
	case ">=":
		return x >= g.Value
	case "<=":
		return x <= g.Value
	case ">":
		return x > g.Value
	case "<":
		return x < g.Value
	}
	return false
}

// Check returns an error with a line for every demand that the result does not meet, and what it comes to; nil if it meets them all.
// A demand on what could not be measured is not met, nor is one whose metric or comparison does not exist.
func (r Result) Check(gates []Gate) error {
	var missed []error
	for _, g := range gates {
		m, ok := metricOf(g.Metric)
		if !ok {
			missed = append(missed, fmt.Errorf("simulate: want %s, but there is no such metric", g))
			continue
		}
		switch x, why := m.Of(r); {
		case why != "":
			missed = append(missed, fmt.Errorf("simulate: want %s, but %s", g, why))
		case !g.holds(x):
			missed = append(missed, fmt.Errorf("simulate: want %s, got %s", g, m.Format(x)))
		}
	}
	return errors.Join(missed...)
}
