package simulate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// String returns the result as aligned tables, without the time line. It is for people: the format may change.
func (r Result) String() string {
	var b strings.Builder
	r.writeHead(&b)
	r.writePhases(&b)
	r.writeTimes(&b)
	r.writeGroups(&b)
	r.writeFailures(&b)
	return trimLines(b.String())
}

// table writes rows of cells, aligned.
func table(b *strings.Builder, rows [][]string) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = w.Write([]byte(strings.Join(row, "\t") + "\n")) // a Builder takes everything
	}
	_ = w.Flush()
}

func (r *Result) writeHead(b *strings.Builder) {
	fmt.Fprintf(b, "%s: seed %d, %s", cmp.Or(r.Scenario, "scenario"), r.Seed, r.Duration)
	if r.Played > 1 {
		fmt.Fprintf(b, ", played %d times", r.Played)
	}
	for _, f := range r.Faults {
		if f.To >= r.Duration && f.From == 0 {
			fmt.Fprintf(b, "\n  %s all the time", f.Name)
		} else {
			fmt.Fprintf(b, "\n  %s from %s to %s", f.Name, short(f.From), short(f.To))
		}
	}
	b.WriteString("\n\n")
	recovery := string(r.Recovery.State)
	if r.Recovery.State == Recovered {
		recovery = short(r.Recovery.After)
		if r.Played > 1 {
			recovery += ", at most " + short(r.Recovery.Longest)
		}
	}
	rows := [][]string{
		{"success", fmt.Sprintf("%s of %d calls, %.1f in a second", percent(r.Success), r.Calls, r.Goodput)},
		{"attempts", fmt.Sprintf("%d, %.2f for each call, %d in flight at most", r.Attempts, r.Amplification, r.PeakInFlight)},
		{"refused", fmt.Sprintf("%d by the backend, %d by breakers, %d at gates", r.Refused, r.ByBreaker, r.ByGate)},
	}
	if r.Recovery.State != Unknown {
		rows = append(rows, []string{"recovery", recovery})
	}
	table(b, rows)
}

func (r *Result) writePhases(b *strings.Builder) {
	if r.During.Length == 0 {
		return
	}
	rows := [][]string{{"", "time", "calls", "success", "a second", "attempts", "for each call"}}
	for _, p := range []struct {
		name string
		*Phase
	}{{"before", &r.Before}, {"during", &r.During}, {"after", &r.After}, {"30s after", &r.Aftermath}} {
		if p.Length > 0 {
			rows = append(rows, []string{
				p.name, short(p.Length), fmt.Sprint(p.Calls), percent(p.Success), fmt.Sprintf("%.1f", p.Goodput),
				fmt.Sprint(p.Attempts), fmt.Sprintf("%.2f", p.Amplification),
			})
		}
	}
	b.WriteByte('\n')
	table(b, rows)
}

func (r *Result) writeTimes(b *strings.Builder) {
	rows := [][]string{{"", "50%", "90%", "99%", "99.9%", "max", "calls"}}
	for _, q := range []struct {
		name string
		Quantiles
	}{{"succeeded after", r.Latency}, {"failed after", r.TimeToFail}, {"waited for", r.Waited}, {"extra after the faults", r.Extra}} {
		if q.Count > 0 {
			row := []string{q.name}
			for _, d := range []time.Duration{q.P50, q.P90, q.P99, q.P999, q.Max} {
				row = append(row, short(d))
			}
			rows = append(rows, append(row, fmt.Sprint(q.Count)))
		}
	}
	b.WriteByte('\n')
	table(b, rows)
}

func (r *Result) writeGroups(b *strings.Builder) {
	var rows [][]string
	all := []Group{r.Hot, r.Others}
	if r.Others.Calls == 0 || r.Hot.Calls == 0 {
		all = nil
	}
	if len(r.Traffic) > 1 {
		all = append(all, r.Traffic...)
	}
	for _, g := range all {
		rows = append(rows, []string{g.Name, fmt.Sprint(g.Calls), percent(g.Success), fmt.Sprint(g.Attempts), fmt.Sprint(g.Refused)})
	}
	if len(rows) > 0 {
		b.WriteByte('\n')
		table(b, append([][]string{{"", "calls", "success", "attempts", "refused"}}, rows...))
	}
}

func (r *Result) writeFailures(b *strings.Builder) {
	if r.Calls == r.Succeeded {
		return
	}
	b.WriteByte('\n')
	var rows [][]string
	for _, list := range []struct {
		name string
		of   map[string]int
	}{{"failed as", r.Kinds}, {"given up for", r.Reasons}} {
		for i, key := range byCount(list.of) {
			name := ""
			if i == 0 {
				name = list.name
			}
			rows = append(rows, []string{name, key, fmt.Sprint(list.of[key])})
		}
	}
	table(b, rows)
}

// byCount returns the keys, the most frequent first.
func byCount(m map[string]int) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b))
	})
}

func percent(share float64) string { return fmt.Sprintf("%.2f%%", 100*share) }
