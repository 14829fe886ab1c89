package benchmarks

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// report fills in a page with report.sh, whose benchstat is a shell command, and returns the page and what was shown.
func report(t *testing.T, benchstat, page string) (filled, shown string, err error) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell")
	}
	dir := t.TempDir()
	results, file, stdout := filepath.Join(dir, "results"), filepath.Join(dir, "page"), filepath.Join(dir, "stdout")
	for name, text := range map[string]string{results: "BenchmarkX 1 1 ns/op\n", file: page} {
		if err := os.WriteFile(name, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	out, err := os.Create(stdout) // a file, as of "make bench >log"
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.CommandContext(t.Context(), sh, "report.sh", results, file)
	cmd.Env = append(os.Environ(), "BENCHSTAT="+benchstat, "COMMAND=make bench", "TMPDIR="+dir)
	cmd.Stdout = out
	failed := cmd.Run()
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(stdout)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o640 {
		t.Errorf("the page has the mode %v, want that it had", info.Mode())
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 3 {
		t.Errorf("%v are left, want the results, the page and what was shown", left)
	}
	return string(after), string(said), failed
}

const page = "# Page\n\n<!-- benchstat -filter '.name:X .unit:\"B\"' -row /a,/b -->\nbefore\n<!-- end -->\n\nText.\n\n" +
	"<!-- benchstat -col /c -->\n<!-- end -->\nThe end, without a newline"

func TestReportFillsInTheTables(t *testing.T) {
	got, shown, err := report(t, `sh -c 'printf "goos: linux\npkg: p\n\ntable\nof %s  \n\n" "${*%/*}"' benchstat`, page)
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(shown[strings.LastIndex(shown, " "):])
	table := func(args string) string { return "table\nof " + args + " " + dir + "\n" }
	first, second := table(`-filter .name:X .unit:"B" -row /a,/b`), table("-col /c")
	want := strings.NewReplacer("before\n", "```text\n"+first+"```\n", "/c -->\n", "/c -->\n```text\n"+second+"```\n").Replace(page) + "\n"
	if got != want {
		t.Errorf("the page is\n%s\nwant\n%s", got, want)
	}
	if shown != first+second {
		t.Errorf("shown were\n%s\nwant both tables", shown)
	}
}

func TestReportLeavesThePageAloneIfItFails(t *testing.T) {
	for name, tc := range map[string]struct{ benchstat, page string }{
		"benchstat fails":                 {"false", page},
		"benchstat fails half way":        {"printf 'table\\n' && false", page},
		"benchstat finds nothing":         {":", page},
		"benchstat finds no measurements": {`printf 'goos: linux\npkg: p\n'`, page},
		"a table has no end":              {"echo table", strings.Replace(page, "<!-- end -->\n\n", "", 1)},
		"the last table has no end":       {"echo table", "<!-- benchstat -col /c -->\nall that follows\n"},
		"the shell is interrupted":        {`kill -INT $$ #`, page},
	} {
		t.Run(name, func(t *testing.T) {
			if got, shown, err := report(t, tc.benchstat, tc.page); err == nil || got != tc.page {
				t.Errorf("%v, the page is\n%s\nand what was shown\n%s", err, got, shown)
			}
		})
	}
}
