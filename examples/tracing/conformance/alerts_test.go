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
)

const (
	alertsFile = "../prometheus/alerts.yaml"
	alertsTest = "../prometheus/alerts_test.yaml"
	configFile = "../prometheus/prometheus.yml"
)

// checkAlerts checks that the rules are what Prometheus reads, ask for what the program exposes, and say what is the matter and why they
// are there.
func checkAlerts(t *testing.T, e exposed) {
	t.Helper()
	text, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(text, false, model.LegacyValidation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	tests, err := os.ReadFile(alertsTest)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
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
			if !strings.Contains(string(tests), "alertname: "+r.Alert+"\n        exp_alerts:") {
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
	for _, args := range [][]string{
		{"check", "rules", alertsFile},
		{"check", "config", configFile},
		{"test", "rules", alertsTest},
	} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
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
