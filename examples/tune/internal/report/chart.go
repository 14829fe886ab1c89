package report

import (
	"math"
	"strings"
	"time"
	"unicode"
)

// chart is a plot as charts.js reads it.
type chart struct {
	ID     string   `json:"id"`
	Title  string   `json:"title"`
	Note   string   `json:"-"` // below the title
	Group  string   `json:"group,omitempty"`
	Height int      `json:"height,omitempty"` // in pixels; 0: as most
	Item   bool     `json:"item,omitempty"`   // a pointer shows the texts of one point, not the values of all series there
	X      axis     `json:"x"`
	Y      axis     `json:"y"`
	Series []series `json:"series"`
	Bands  []band   `json:"bands,omitempty"`
	Marks  []mark   `json:"marks,omitempty"`
}

// unit says how charts.js writes the numbers of an axis.
type unit string

const (
	clock    unit = "clock"    // seconds since the start
	duration unit = "duration" // seconds
	share    unit = "share"    // 1 is 100%
	number   unit = "number"
)

type axis struct {
	Name       string   `json:"name,omitempty"`
	Unit       unit     `json:"unit,omitempty"`
	Log        bool     `json:"log,omitempty"`
	Fit        bool     `json:"fit,omitempty"` // the axis need not begin at 0
	Whole      bool     `json:"whole,omitempty"`
	Step       float64  `json:"step,omitempty"` // between two labels
	Min        *float64 `json:"min,omitempty"`
	Max        *float64 `json:"max,omitempty"`
	Categories []string `json:"categories,omitempty"`
}

type series struct {
	Name   string  `json:"name"`
	Color  string  `json:"color"`            // the name of one of the page's colors
	Dash   string  `json:"dash,omitempty"`   // dashed, dotted; empty: solid
	Kind   string  `json:"kind,omitempty"`   // points, path (points joined by a line), range; empty: a line
	Symbol string  `json:"symbol,omitempty"` // of points
	Size   int     `json:"size,omitempty"`   // of points
	Steps  bool    `json:"steps,omitempty"`  // a value holds until the next one
	Wide   bool    `json:"wide,omitempty"`   // to be seen below another line
	Fill   bool    `json:"fill,omitempty"`   // what is below the line
	Hollow bool    `json:"hollow,omitempty"`
	Points []point `json:"points"`
}

// point has no Y where a line has a gap.
type point struct {
	X    float64  `json:"x"`
	Y    *float64 `json:"y"`
	Text []string `json:"t,omitempty"`
}

func at(x, y float64, text ...string) point { return point{x, &y, text} }

// band is a stretch of time that is shaded.
type band struct {
	Name string  `json:"name"`
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// mark is a line across the chart, at an x or at a y.
type mark struct {
	Name  string  `json:"name"`
	At    float64 `json:"at"`
	Y     bool    `json:"y,omitempty"`
	Color string  `json:"color,omitempty"`
}

// runColors are the colors of the first and the second run; dashes tell them apart as well.
var runColors = []string{"a", "b"}

// steps are the distances that labels on an axis of time may have, in seconds.
var steps = []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400}

// timeAxis is an axis from one second to another.
func timeAxis(from, to float64) axis {
	a := axis{Name: "time since the start", Unit: clock, Min: &from, Max: &to}
	for _, step := range steps {
		a.Step = step
		if (to-from)/step <= 10 {
			break
		}
	}
	return a
}

// wide reports whether positive numbers span so much that a logarithmic axis shows them better.
func wide(least, most float64) bool { return least > 0 && most/least >= 20 && !math.IsInf(most, 0) }

// decade returns the greatest power of ten that is not above x.
func decade(x float64) float64 { return math.Pow(10, math.Floor(math.Log10(x)+1e-9)) }

// short writes a time in three digits or so.
func short(d time.Duration) string {
	for _, step := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		switch {
		case d >= 10*step:
			return trimTime(d.Round(step / 10))
		case d >= step:
			return trimTime(d.Round(step / 100))
		}
	}
	return trimTime(d)
}

// trimTime leaves out the zeros at the end of "1m0s".
func trimTime(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// words makes words of a name such as "rate_limit".
func words(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, name)
}
