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

// TestReadmeShowsHow keeps the README's lines to those of the SDKs.
func TestReadmeShowsHow(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.ReplaceAll(string(readme), "`", "")
	for _, s := range sdks() {
		for _, line := range []string{s.Plug, s.Off} {
			if !strings.Contains(plain, line) {
				t.Errorf("README.md does not say %q of %s", line, s.Name)
			}
		}
	}
}

// TestTable holds the README's table against what is measured.
func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("attempts for each fault, with and without steadytrip:\n%s", &out)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(readme)) {
		if cells := strings.Fields(strings.ReplaceAll(line, "|", " ")); len(cells) > 1 {
			if _, err := strconv.Atoi(cells[1]); err == nil {
				rows[cells[0]] = cells[1:]
			}
		}
	}
	for line := range strings.Lines(out.String()) {
		cells := strings.Fields(line)
		if cells[0] != "SDK" && !slices.Equal(rows[cells[0]], cells[1:]) {
			t.Errorf("README.md has %v for %s, measured %v", rows[cells[0]], cells[0], cells[1:])
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
			if !strings.Contains(out.String(), string(rig.Cancel)+": 1 ") {
				t.Errorf("%s: the caller who gives up is missing", s.Name)
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
