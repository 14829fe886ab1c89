package conformance

import (
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/steadytrip/steadytrip/examples/tracing/prometheus"
)

const (
	alertsFile = "alerts.yaml"
	alertsTest = "alerts_test.yaml"
	configFile = "prometheus.yml"
)

// read returns a file that is for Prometheus. It comes out of the package, so that a test's result is not taken from a cache when the
// file has changed.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := prometheus.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// unpack writes the files that are for Prometheus to a folder of the test's.
func unpack(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, prometheus.Files); err != nil {
		t.Fatal(err)
	}
	return dir
}

// checkAlerts checks that the rules are what Prometheus reads, ask for what the program exposes, and say what is the matter and why they
// are there.
func checkAlerts(t *testing.T, e exposed) {
	t.Helper()
	text, tests := read(t, alertsFile), read(t, alertsTest)
	groups, errs := rulefmt.Parse([]byte(text), false, model.LegacyValidation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	lines := strings.Split(text, "\n")
	count := 0
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			count++
			e.check(t, r.Alert, r.Expr)
			if r.For <= 0 || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: want a time, a severity, a summary and a description", r.Alert)
			}
			for i, line := range lines {
				if strings.HasSuffix(line, "- alert: "+r.Alert) && !strings.HasPrefix(strings.TrimSpace(lines[i-1]), "#") {
					t.Errorf("%s: no comment says why it is there", r.Alert)
				}
			}
			if !strings.Contains(tests, "alertname: "+r.Alert+"\n        exp_alerts:") {
				t.Errorf("%s: no test in %s makes it fire", r.Alert, alertsTest)
			}
		}
	}
	if count < 6 {
		t.Errorf("%d alerts, want 6 at least", count)
	}
}

// promtool, where it is installed, agrees, and the rules fire when they should.
func TestPromtoolTakesTheRules(t *testing.T) {
	t.Parallel()
	promtool := installed(t, "promtool")
	dir := unpack(t)
	for _, args := range [][]string{
		{"check", "rules", alertsFile},
		{"check", "config", configFile},
		{"test", "rules", alertsTest},
	} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// installed is the path of a program, without which the test is skipped.
func installed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (Debian: apt-get install prometheus)", name)
	}
	return path
}
