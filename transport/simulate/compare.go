package simulate

import (
	"math"
	"strings"
)

// Comparison is two results side by side.
type Comparison struct {
	Names [2]string `json:"names"` // what the results are of
	Rows  []Row     `json:"rows"`
}

// Row is a metric of two results.
type Row struct {
	Metric string     `json:"metric"`
	Unit   Unit       `json:"unit"`
	Values [2]float64 `json:"values"`        // times are in seconds; -1 is never
	Why    [2]string  `json:"why,omitempty"` // why there is no value; empty if there is one

	// Change is what became of the first value: 1 it got better, -1 worse, 0 neither, or less than a thousandth.
	Change int `json:"change"`
}

// Compare puts two results side by side, by the metrics that at least one of them has: for example those of one scenario
// with two policies, which meet the same calls at the same times.
func Compare(a, b Result, nameA, nameB string) Comparison {
	c := Comparison{Names: [2]string{nameA, nameB}}
	for _, m := range metrics {
		x, whyX := m.Of(a)
		y, whyY := m.Of(b)
		if whyX != "" && whyY != "" || whyX == "" && whyY == "" && x == 0 && y == 0 {
			continue
		}
		row := Row{Metric: m.Name, Unit: m.Unit, Values: [2]float64{finite(x), finite(y)}, Why: [2]string{whyX, whyY}}
		if whyX == "" && whyY == "" && x != y && !(math.Abs(x-y) < 1e-3*max(x, y)) {
			row.Change = m.Better
			if y < x {
				row.Change = -m.Better
			}
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}

// finite makes a number of one that JSON does not have.
func finite(x float64) float64 {
	if math.IsInf(x, 0) {
		return -1
	}
	return x
}

// String returns the comparison as a table. It is for people: the format may change.
func (c Comparison) String() string {
	var b strings.Builder
	rows := [][]string{{"", c.Names[0], c.Names[1]}}
	for _, row := range c.Rows {
		m, _ := metricOf(row.Metric)
		cells := [2]string{"-", "-"}
		for i, x := range row.Values {
			switch {
			case row.Why[i] != "":
			case x < 0:
				cells[i] = "never"
			default:
				cells[i] = m.Format(x)
			}
		}
		rows = append(rows, []string{row.Metric, cells[0], cells[1], [...]string{"worse", "", "better"}[row.Change+1]})
	}
	table(&b, rows)
	return trimLines(b.String())
}

// trimLines takes off the space at the ends of lines.
func trimLines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}
