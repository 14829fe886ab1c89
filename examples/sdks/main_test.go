package main

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tables returns the rows of the tables of docs/sdks.md below the heading: the cells of each, as plain text.
func tables(t *testing.T, heading string) [][]string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/sdks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var rows [][]string
	for line := range strings.Lines(section) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "| ") {
			rows = append(rows, strings.Split(strings.Trim(strings.ReplaceAll(line, "`", ""), "| "), " | "))
		}
	}
	return rows
}

// byName returns the rows of the only table below the heading, by the SDKs that they begin with.
func byName(t *testing.T, heading string) map[string][]string {
	t.Helper()
	rows := map[string][]string{}
	for _, row := range tables(t, heading) {
		names, _, _ := strings.Cut(strings.TrimPrefix(row[0], "["), "]")
		for name := range strings.SplitSeq(names, ", ") {
			rows[name] = row
		}
	}
	return rows
}

// TestDocsShowHow keeps the lines of docs/sdks.md to those of the SDKs, and the versions to those that are tested.
func TestDocsShowHow(t *testing.T) {
	t.Parallel()
	module, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{}
	for line := range strings.Lines(string(module)) {
		tested[strings.TrimSpace(line)] = true
	}
	rows, minds := byName(t, "Plug it in"), byName(t, "What to mind")
	for _, s := range sdks() {
		row := rows[s.Name]
		if len(row) != 4 {
			t.Errorf("docs/sdks.md has %q for %s, want four cells", row, s.Name)
			continue
		}
		if !tested[row[1]] {
			t.Errorf("docs/sdks.md has %q for %s, which is no line of go.mod", row[1], s.Name)
		}
		off := s.Off
		if off == "" {
			off = "it has none"
		}
		if !strings.Contains(row[2], s.Plug) || !strings.Contains(row[3], off) {
			t.Errorf("docs/sdks.md has %q for %s, want %q and %q", row[2:], s.Name, s.Plug, off)
		}
		if minds[s.Name] == nil {
			t.Errorf("docs/sdks.md does not say what to mind with %s", s.Name)
		}
	}
}

// TestDocsShowCode holds the code of "Plug it in" against the examples, which are compiled. In a cell a call or a literal is closed
// where the example may go on.
func TestDocsShowCode(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/sdks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "\n## Plug it in\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, s := range sdks() {
		example, err := os.ReadFile(s.Name + "/example_test.go")
		if err != nil {
			t.Error(err)
			continue
		}
		_, row, _ := strings.Cut(section, "\n| ["+s.Name+"](")
		row, _, _ = strings.Cut(row, " |\n")
		cells := strings.SplitN(row, " | ", 3) // folder, version, code
		spans := strings.Split(cells[len(cells)-1], "`")
		if len(cells) < 3 || len(spans) < 3 {
			t.Errorf("docs/sdks.md has no code for %s", s.Name)
			continue
		}
		for i := 1; i < len(spans); i += 2 {
			if code := strings.TrimRight(spans[i], ")}"); !strings.Contains(string(example), code) {
				t.Errorf("docs/sdks.md has %q for %s, which is not in its example", spans[i], s.Name)
			}
		}
	}
}

// TestTable holds the numbers of docs/sdks.md against what is measured.
func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("attempts for each fault, with and without steadytrip:\n%s", &out)
	rows := byName(t, "Attempts for one call")
	measured := map[string][]string{}
	heeds := map[bool][]string{} // who of those that repeat an error asks for its mark
	for line := range strings.Lines(out.String()) {
		cells := strings.Fields(line)
		if cells[0] == "SDK" {
			continue
		}
		if !slices.Equal(rows[cells[0]], cells) {
			t.Errorf("docs/sdks.md has %v, measured %v", rows[cells[0]], cells)
		}
		measured[cells[0]] = cells
		if cells[7] != "1" {
			heeds[cells[10] == "1"] = append(heeds[cells[10] == "1"], cells[0])
		}
	}

	products := 0
	for _, row := range tables(t, "Recognise double retries") {
		sdk, fault, _ := strings.Cut(row[0], ", ")
		if measured[sdk] == nil {
			continue // a row of another table
		}
		products++
		m := measured[sdk][map[string]int{"503": 1, "429": 4}[fault]:]
		bare, _ := strconv.Atoi(m[0])
		ours, _ := strconv.Atoi(m[2])
		if want := []string{row[0], m[0], m[2], strconv.Itoa(bare * ours), m[1]}; !slices.Equal(row, want) {
			t.Errorf("docs/sdks.md has %v, measured %v", row, want)
		}
	}
	if products != 5 {
		t.Errorf("docs/sdks.md multiplies %d times, want 5", products)
	}

	doc, err := os.ReadFile("../../docs/sdks.md")
	if err != nil {
		t.Fatal(err)
	}
	k := measured["kubernetes"]
	for _, want := range []string{
		"any error is worth another attempt | " + strings.Join(heeds[false], ", ") + " |",
		"does not multiply with " + map[string]string{"aws azure": "AWS and Azure"}[strings.Join(heeds[true], " ")] + ".",
		"one limited call of client-go is " + k[5] + " requests, not " + k[4] + " × " + k[6] + ".",
	} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("docs/sdks.md does not say %q", want)
		}
	}
}

func TestEverySDKPlaysItsFaults(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup // not subtests, of which few run at the same time: they wait more than they work
	for _, s := range sdks() {
		all.Go(func() {
			var out bytes.Buffer
			if err := run(t.Context(), &out, []string{s.Name}); err != nil {
				t.Error(s.Name, err)
			}
			t.Log(&out)
			if got := strings.Count(out.String(), "it succeeded"); got != 2 {
				t.Errorf("%s: %d calls succeeded, want 2", s.Name, got)
			}
			for _, f := range []rig.Fault{rig.Cancel, rig.Silent} {
				if !strings.Contains(out.String(), string(f)+": 1 ") {
					t.Errorf("%s: the caller who gives up is missing: %s", s.Name, f)
				}
			}
		})
	}
	all.Wait()
}

func TestUnknownSDK(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out, []string{"nobody"}); err == nil || !strings.Contains(out.String(), "github") {
		t.Errorf("error %v, printed %q; want an error and the list", err, &out)
	}
}
