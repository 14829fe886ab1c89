package program

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fatih/color"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// drawing draws trees of spans.
type drawing struct {
	width                               int
	bold, faint, bad, call, sent, inner *color.Color
}

const (
	usualWidth = 120 // of what is no terminal
	barWidth   = 15
	leastRoom  = 36 // for attributes beside the bar; with less they stand below
)

func newDrawing(paint bool, width int) *drawing {
	if width <= 0 {
		width = usualWidth
	}
	d := &drawing{
		width: width,
		bold:  color.New(color.Bold), faint: color.New(color.Faint), bad: color.New(color.FgRed),
		call: color.New(color.FgBlue), sent: color.New(color.FgCyan), inner: color.New(color.FgMagenta),
	}
	for _, c := range []*color.Color{d.bold, d.faint, d.bad, d.call, d.sent, d.inner} {
		if paint {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
	}
	return d
}

// line is a row of the tree where it stands.
type line struct {
	*row          // nil for what found no room
	branch string // before the name
	name   string
	rails  string // that go on below it
}

// columns is how many the name takes with its branch.
func (l line) columns() int { return utf8.RuneCountInString(l.branch + l.name) }

// flatten appends the rows with those under them. The rails are those of the parent.
func flatten(lines []line, siblings []*node, rails string, root bool) []line {
	all, hidden := rows(siblings)
	for i, r := range all {
		branch, below := "├─ ", "│  "
		if i == len(all)-1 && hidden == 0 {
			branch, below = "└─ ", "   "
		}
		if root {
			branch, below = "", ""
		}
		name := r.span().Name()
		if n := len(r.nodes); n > 1 {
			name += fmt.Sprintf(" ×%d", n)
		}
		under := r.under()
		rail := rails + below
		if len(under) > 0 {
			rail += "│"
		}
		lines = append(lines, line{r, rails + branch, name, rail})
		lines = flatten(lines, under, rails+below, false)
	}
	if hidden > 0 {
		lines = append(lines, line{nil, rails + "└─ ", fmt.Sprintf("and %d spans more", hidden), ""})
	}
	return lines
}

// write draws the tree of spans.
func (d *drawing) write(w io.Writer, spans []sdktrace.ReadOnlySpan) {
	lines := flatten(nil, forest(spans), "", true)
	if len(lines) == 0 {
		fmt.Fprintln(w, "no spans")
		return
	}
	fmt.Fprintln(w, d.faint.Sprint("trace ", lines[0].span().SpanContext().TraceID()))
	names := 0
	var start, end time.Time
	for _, l := range lines {
		if l.row == nil {
			continue
		}
		names = max(names, l.columns())
		from, to := l.period()
		if start.IsZero() || from.Before(start) {
			start = from
		}
		if to.After(end) {
			end = to
		}
	}
	for _, l := range lines {
		if l.row == nil {
			fmt.Fprintln(w, l.branch+l.name)
			continue
		}
		from, to := l.period()
		for _, text := range d.line(l, names, bar(from.Sub(start), to.Sub(start), end.Sub(start), len(l.nodes) > 1)) {
			fmt.Fprintln(w, strings.TrimRight(text, " "))
		}
	}
}

// line draws one row, on as many lines as it needs.
func (d *drawing) line(l line, names int, bar string) []string {
	span, name, bad := l.span(), l.name, "     "
	if l.failed() {
		name, bad = d.bad.Sprint(name), d.bad.Sprint("error")
	}
	paint := d.inner
	switch {
	case span.SpanKind() == trace.SpanKindClient:
		paint = d.sent
	case span.Parent().IsValid():
		paint = d.call
	}
	took := short(l.duration())
	if len(l.nodes) > 1 {
		took = "≤" + took
	}
	took = strings.Repeat(" ", max(0, 7-utf8.RuneCountInString(took))) + took
	head := fmt.Sprintf("%s%s%s %s %s %s %3s %s", l.branch, name, strings.Repeat(" ", names-l.columns()),
		pad(span.SpanKind().String(), len("internal")), took, paint.Sprint(bar), code(span), bad)
	used := names + len(" internal ") + 7 + len(" ") + barWidth + len(" 200 error ")

	if room := d.width - used; room >= leastRoom {
		out := []string{head}
		for i, text := range wrap(l.details(), room) {
			if i > 0 {
				out = append(out, pad(l.rails, used-1))
			}
			out[i] += " " + d.faint.Sprint(text)
		}
		return out
	}
	out := []string{head}
	for _, text := range wrap(l.details(), max(leastRoom, d.width-utf8.RuneCountInString(l.rails)-2)) {
		out = append(out, l.rails+"  "+d.faint.Sprint(text))
	}
	return out
}

// bar shows when something began and ended within a whole. It is never without a mark.
func bar(from, to, whole time.Duration, many bool) string {
	begin, end := 0, barWidth
	if whole > 0 {
		begin = min(int(int64(from)*barWidth/int64(whole)), barWidth-1)
		end = int((int64(to)*barWidth + int64(whole) - 1) / int64(whole))
	}
	end = min(max(end, begin+1), barWidth)
	mark := "█"
	if many {
		mark = "▒"
	}
	return strings.Repeat("·", begin) + strings.Repeat(mark, end-begin) + strings.Repeat("·", barWidth-end)
}

// wrap puts words on lines of at most so many columns. A longer word has a line of its own.
func wrap(words []string, columns int) []string {
	var lines []string
	for _, word := range words {
		last := len(lines) - 1
		if last >= 0 && utf8.RuneCountInString(lines[last])+1+utf8.RuneCountInString(word) <= columns {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// pad fills text up to so many columns.
func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-utf8.RuneCountInString(text)))
}
