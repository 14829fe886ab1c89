package rig

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Row is how many attempts an SDK makes of one call, by fault and mode.
type Row struct {
	SDK SDK
	Of  map[Mode]map[Fault]Count
}

// cells are the counts of a row, in the order of the table's columns.
var cells = []struct {
	Fault Fault
	Mode  Mode
}{
	{Unavailable, Bare}, {Unavailable, Doubled}, {Unavailable, Ours},
	{Limited, Bare}, {Limited, Doubled}, {Limited, Ours},
	{Refused, Bare}, {Refused, Doubled}, {Refused, Ours},
	{Open, Doubled}, {Open, Ours},
}

// MeasureAll makes the SDK's call once for each fault and mode of the table, all at the same time.
func MeasureAll(ctx context.Context, s SDK) (Row, error) {
	type result struct {
		at    int
		count Count
		err   error
	}
	results := make(chan result, len(cells))
	for i, c := range cells {
		go func() {
			count, err := Measure(ctx, s, c.Fault, c.Mode)
			results <- result{i, count, err}
		}()
	}
	row := Row{SDK: s, Of: map[Mode]map[Fault]Count{Bare: {}, Doubled: {}, Ours: {}}}
	var first error
	for range cells {
		r := <-results
		if r.err != nil && first == nil {
			first = fmt.Errorf("%s, %s, %v: %w", s.Name, cells[r.at].Fault, cells[r.at].Mode, r.err)
		}
		row.Of[cells[r.at].Mode][cells[r.at].Fault] = r.count
	}
	return row, first
}

// Print writes rows as a table. Of an open breaker, which lets nothing through, it shows how often the SDK asked.
func Print(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := []string{"SDK"}
	for _, c := range cells {
		head = append(head, fmt.Sprintf("%s %v", c.Fault, c.Mode))
	}
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, r := range rows {
		line := []string{r.SDK.Name}
		for _, c := range cells {
			count := r.Of[c.Mode][c.Fault]
			n := count.Attempts
			if c.Fault == Open {
				n = count.Calls
			}
			line = append(line, strconv.Itoa(n))
		}
		fmt.Fprintln(t, strings.Join(line, "\t"))
	}
	return t.Flush()
}
