package statuspage

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/steadytrip/steadytrip/transport"
)

// maxRows is how many rows a table of the page has at most.
const maxRows = 500

//go:embed page.html
var source string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"clock":   func(t time.Time) string { return t.Format("2006-01-02 15:04:05 UTC") },
	"stamp":   func(t time.Time) string { return t.Format(time.RFC3339) },
	"left":    left,
	"tokens":  func(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) },
	"quarter": func(x float64) float64 { return x / 4 },
}).Parse(source))

// contentPolicy allows the page's own style sheet, the empty icon in it, and nothing else.
var contentPolicy = func() string {
	_, style, _ := strings.Cut(source, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// view is what the page is made of.
type view struct {
	Title    string
	Time     time.Time
	Refresh  int // seconds; 0 for never
	Masked   bool
	Breakers table[breaker]
	Gates    table[gate]
	Budgets  table[budget]
	Forced   table[forced]

	Open, HalfOpen int // breakers
	ClosedGates    int
	LowBudgets     int
}

// table is some of the rows.
type table[Row any] struct {
	Rows  []Row
	Total int
}

func (t table[Row]) Cut() bool { return len(t.Rows) < t.Total }

func (h *handler) writeHTML(to io.Writer, refresh int) error {
	snap := h.snapshot()
	rows := rows{snap.Time, h.options.ShowKeys}
	v := view{
		Title:   cmp.Or(h.options.Title, "steadytrip"),
		Time:    moment(snap.Time),
		Refresh: refresh,
		Masked:  !h.options.ShowKeys,
		Breakers: pick(snap.Breakers, rows.breaker, func(a, b transport.BreakerStatus) int {
			return cmp.Or(cmp.Compare(b.State, a.State), cmp.Compare(b.Held, a.Held), cmp.Compare(b.Failures, a.Failures))
		}),
		Gates: pick(snap.Gates, rows.gate, func(a, b transport.GateStatus) int { return cmp.Compare(b.Waiting, a.Waiting) }),
		Budgets: pick(snap.Budgets, rows.budget, func(a, b transport.BudgetStatus) int {
			return cmp.Compare(a.Tokens*b.Capacity, b.Tokens*a.Capacity)
		}),
		Forced: pick(snap.Forced, rows.forced, func(a, b transport.ForcedStatus) int { return cmp.Compare(b.State, a.State) }),
	}
	for _, b := range snap.Breakers {
		switch b.State {
		case transport.Open:
			v.Open++
		case transport.HalfOpen:
			v.HalfOpen++
		case transport.Closed:
		}
	}
	for _, g := range snap.Gates {
		if g.Closed {
			v.ClosedGates++
		}
	}
	for _, b := range snap.Budgets {
		if b.Tokens < b.Capacity/4 {
			v.LowBudgets++
		}
	}
	w := bufio.NewWriterSize(to, 16<<10)
	if err := page.Execute(w, v); err != nil {
		return err
	}
	return w.Flush()
}

// pick makes the rows of the statuses, in their order; if there are too many, of the worst.
func pick[Status, Row any](all []Status, row func(Status) Row, worse func(a, b Status) int) table[Row] {
	picked := make([]int, len(all))
	for i := range all {
		picked[i] = i
	}
	if len(all) > maxRows {
		slices.SortStableFunc(picked, func(i, j int) int { return worse(all[i], all[j]) })
		picked = picked[:maxRows]
		slices.Sort(picked)
	}
	t := table[Row]{Total: len(all)}
	for _, i := range picked {
		t.Rows = append(t.Rows, row(all[i]))
	}
	return t
}

// left is a time in seconds, as people say it.
func left(seconds *float64) string {
	switch d := time.Duration(*seconds * float64(time.Second)); {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%d d %02d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
}
