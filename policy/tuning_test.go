package policy_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// The tables of docs/tuning.md say what the sets are. Their last columns, which say why, are left to their authors.
func TestTheTablesOfTheDocumentationAreTheSets(t *testing.T) {
	text, err := os.ReadFile("../docs/tuning.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n## Defaults\n")
	part, _, ok2 := strings.Cut(rest, "\n## ")
	if !ok || !ok2 {
		t.Fatal("docs/tuning.md has no part on defaults")
	}
	var got []string
	for line := range strings.Lines(part) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, line)
		}
	}
	want := slices.Concat(profileRows(policy.Default()), fieldRows(policy.Default()), presetRows())
	for i, row := range want {
		switch {
		case i >= len(got):
			t.Errorf("row %d is missing, want %s...", i+1, row)
		case !strings.HasPrefix(got[i], row):
			t.Errorf("row %d is %swant %s...", i+1, got[i], row)
		}
	}
	if len(got) > len(want) {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
}

func row(cells ...any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| `%s` |", cells[0])
	for _, cell := range cells[1:] {
		fmt.Fprintf(&b, " %s |", said(cell))
	}
	return b.String()
}

// said writes a value as policy files do.
func said(value any) string {
	switch x := value.(type) {
	case bool:
		if x {
			return "yes"
		}
		return "no"
	case time.Duration:
		text := x.String()
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		return text
	case int:
		if x == policy.Unlimited {
			return "unlimited"
		}
	}
	return fmt.Sprint(value)
}

func profileRows(s policy.Set) []string {
	var rows []string
	add := func(name string, p policy.Profile) {
		until := "-"
		if p.MaxElapsed > 0 {
			until = said(p.MaxElapsed)
		}
		rows = append(rows, row(name, p.Retries, p.Immediate, p.Initial, p.Multiplier, p.Max, p.Jitter, until, p.MaxRetryAfter, p.Cost))
	}
	kinds := make([]classify.Kind, 0, len(s.Profiles))
	for k := range s.Profiles {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		add(k.String(), s.Profiles[k])
	}
	add("gate.probe", s.Gate.Probe)
	return rows
}

func fieldRows(s policy.Set) []string {
	rows := []string{
		row("max_attempts", s.MaxAttempts),
		row("max_elapsed", s.MaxElapsed),
		row("budget", fmt.Sprintf("ratio %v, min %v, window %s", s.Budget.Ratio, s.Budget.Min, s.Budget.Window)),
		row("gate.window", s.Gate.Window),
	}
	for _, b := range append(s.Breakers, policy.OutageBreaker()) {
		rows = append(rows, row("breakers."+b.Name, fmt.Sprintf("failures %d, open %s, jitter %s, max_open %s, probes %d, window %d, hold %s",
			b.Failures, said(b.Open), b.Jitter, said(b.MaxOpen), b.Probes, b.Window, said(b.Hold))))
	}
	return rows
}

func presetRows() []string {
	var rows []string
	for _, name := range []string{"Default", "Interactive", "Batch", "Agent"} {
		s := presets[name]()
		outage := "no"
		for _, b := range s.Breakers {
			if b.Name == policy.OutageBreaker().Name {
				outage = "hold " + said(b.Hold)
			}
		}
		most := "-"
		if s.MaxElapsed > 0 {
			most = said(s.MaxElapsed)
		}
		limited := s.Profiles[classify.PolicyRateLimit]
		rows = append(rows, row(name, most, s.Profiles[classify.TokenRefreshInProgress].MaxElapsed, s.Profiles[classify.Dial].MaxElapsed,
			s.Profiles[classify.BackendUnavailable].Retries, limited.MaxRetryAfter, s.Breakers[0].Hold, outage))
	}
	return rows
}
