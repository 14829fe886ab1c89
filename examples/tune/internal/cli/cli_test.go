package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/examples/tune/internal/cli"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// outcome is what a run of the program came to.
type outcome struct {
	stdout, stderr string
	code           int
}

// drive runs the program inside the test.
func drive(t *testing.T, args ...string) outcome {
	t.Helper()
	return driveIn(t.Context(), t, cli.Program{}, args...)
}

func driveIn(ctx context.Context, t *testing.T, p cli.Program, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if p.Runner == nil {
		p.Runner = simulate.On(t)
	}
	if p.Stdin == nil {
		p.Stdin = strings.NewReader("")
	}
	p.Stdout, p.Stderr = &stdout, &stderr
	code := p.Run(ctx, args)
	return outcome{stdout.String(), stderr.String(), code}
}

// file writes a file and returns its path.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// contains reports a part that is missing.
func contains(t *testing.T, what, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("%s has no %q:\n%s", what, part, got)
		}
	}
}

// decode reads all of a text as one JSON value.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %.200q", err, text)
	}
	if d.More() {
		t.Fatalf("there is more than one value: %.200q", text)
	}
	return v
}

type ran struct {
	Policy string
	Result simulate.Result
	Gates  []struct {
		Gate string
		Met  bool
		Got  string
	}
}

const (
	orders = "../../policies/orders.yaml"
	small  = "testdata/small.yaml"
)

func TestRunShowsWhatAPolicyComesTo(t *testing.T) {
	got := drive(t, "run", "default", small, "--gate", "success >= 50%", "--gate", "recovery <= 10s")
	if got.code != 0 || got.stderr != "" {
		t.Errorf("code %d, complaints %q", got.code, got.stderr)
	}
	contains(t, "the output", got.stdout, "default in small: seed 0", "success ", "recovery ", "calls that succeed, each second",
		"attempts that are sent, each second", "success >= 50%", "met")
	if strings.Contains(got.stdout, "\x1b") || strings.Contains(got.stdout, "missed") {
		t.Errorf("there are colours, or a gate is missed:\n%s", got.stdout)
	}
	if got := drive(t, "run", "default", small, "--no-drawing"); strings.Contains(got.stdout, "each second") || got.code != 0 {
		t.Errorf("code %d:\n%s", got.code, got.stdout)
	}
}

func TestGatesDecideAboutTheCode(t *testing.T) {
	list := file(t, "our.gates", "# ours\nattempts <= 1 # too few\n")
	got := drive(t, "run", "default", small, "--gates", list, "--gate", "success >= 99.999%", "--gate", "success >= 1%", "--json")
	want := "tune: gate missed by default: want attempts <= 1, got "
	if lines := strings.Split(got.stderr, "\n"); got.code != 1 || len(lines) != 3 || !strings.HasPrefix(lines[0], want) ||
		!strings.HasPrefix(lines[1], "tune: gate missed by default: want success >= 99.999%, got ") {
		t.Errorf("code %d, complaints %q", got.code, got.stderr)
	}
	r := decode[ran](t, got.stdout)
	if r.Policy != "default" || len(r.Gates) != 3 || r.Gates[0].Met || r.Gates[1].Met || !r.Gates[2].Met || r.Gates[2].Gate != "success >= 1%" {
		t.Errorf("got %+v", r.Gates)
	}
	if got := drive(t, "compare", "default", "interactive", small, "--gate", "attempts <= 1"); got.code != 1 ||
		!strings.HasPrefix(got.stderr, "tune: gate missed by interactive: want attempts <= 1") || !strings.Contains(got.stdout, "missed") {
		t.Errorf("code %d, complaints %q", got.code, got.stderr)
	}
}

func TestTheSameSeedIsTheSameJSON(t *testing.T) {
	for _, args := range [][]string{
		{"run", orders, small, "--seed", "3", "--repeat", "2", "--gate", "success >= 1%", "--json"},
		{"compare", "default", "batch", small, "--json"},
		{"search", "default", small, "--vary", "profiles.network.retries=0,1", "--json"},
	} {
		first, second := drive(t, args...), drive(t, args...)
		if first != second || first.code != 0 || first.stderr != "" || !json.Valid([]byte(first.stdout)) {
			t.Errorf("%q: code %d, complaints %q; the same again: %t", args, first.code, first.stderr, first.stdout == second.stdout)
		}
	}
}

func TestFlagsChangeTheScenario(t *testing.T) {
	base := decode[ran](t, drive(t, "run", "default", small, "--json").stdout)
	r := decode[ran](t, drive(t, "run", "default", small, "--json", "--seed", "3", "--repeat", "2").stdout)
	if r.Result.Seed != 3 || r.Result.Played != 2 || r.Result.Calls < base.Result.Calls*3/2 {
		t.Errorf("seed %d, played %d times, %d calls instead of %d", r.Result.Seed, r.Result.Played, r.Result.Calls, base.Result.Calls)
	}
}

func TestTheEnvironmentChangesThePolicy(t *testing.T) {
	p := cli.Program{Environ: []string{"SHOP_MAX_ATTEMPTS=1", "OTHER_MAX_ATTEMPTS=x"}}
	args := []string{"run", "default", small, "--json"}
	if r := decode[ran](t, driveIn(t.Context(), t, p, args...).stdout); r.Result.Amplification <= 1 {
		t.Errorf("without --env: %v attempts for each call", r.Result.Amplification)
	}
	if r := decode[ran](t, driveIn(t.Context(), t, p, append(args, "--env", "SHOP")...).stdout); r.Result.Attempts != r.Result.Calls {
		t.Errorf("with --env: %d attempts for %d calls", r.Result.Attempts, r.Result.Calls)
	}
	got := driveIn(t.Context(), t, p, append(args, "--env", "OTHER")...)
	if got.code != 2 || got.stdout != "" || !strings.HasPrefix(got.stderr, "tune: OTHER_MAX_ATTEMPTS is ") {
		t.Errorf("code %d, output %q, complaints %q", got.code, got.stdout, got.stderr)
	}
}

func TestReportsAreWritten(t *testing.T) {
	for name, args := range map[string][]string{
		"run":      {"run", "default", small, "--gate", "success >= 1%"},
		"compare":  {"compare", "default", "batch", small},
		"search":   {"search", "default", small, "--vary", "profiles.network.retries=0,1"},
		"schedule": {"schedule", "default"},
	} {
		path := filepath.Join(t.TempDir(), name+".html")
		got := drive(t, append(args, "--html", path)...)
		page, err := os.ReadFile(path)
		if got.code != 0 || err != nil || !strings.Contains(strings.ToLower(string(page)), "<title>") {
			t.Errorf("%s: code %d, %q, %v: %.100q", name, got.code, got.stderr, err, page)
		}
		nowhere := filepath.Join(t.TempDir(), "no", "such", "directory.html")
		if got := drive(t, append(args, "--html", nowhere)...); got.code != 2 || !strings.Contains(got.stderr, nowhere) {
			t.Errorf("%s: code %d, complaints %q", name, got.code, got.stderr)
		}
	}
}

func TestCompareShowsBothSidesAndWhatBecameBetter(t *testing.T) {
	got := drive(t, "compare", "batch", "default", small)
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("code %d, complaints %q", got.code, got.stderr)
	}
	lines := strings.Split(got.stdout, "\n")
	head := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "metric") })
	if head < 0 || !slices.Equal(strings.Fields(lines[head]), []string{"metric", "batch", "default"}) {
		t.Fatalf("no head:\n%s", got.stdout)
	}
	r := decode[struct {
		Comparison simulate.Comparison
		Results    []simulate.Result
	}](t, drive(t, "compare", "batch", "default", small, "--json").stdout)
	if len(r.Results) != 2 || r.Results[1].Success <= r.Results[0].Success {
		t.Errorf("batch waits longer than these callers do, so default is better; got %d results", len(r.Results))
	}
	if rows := len(lines) - head - 3; rows != len(r.Comparison.Rows) {
		t.Errorf("%d rows instead of %d", rows, len(r.Comparison.Rows))
	}
	contains(t, "the table", got.stdout, "better", "worse")
}

func TestWhatIsWrongIsTold(t *testing.T) {
	bad := file(t, "bad.yaml", "extends: default\nmax_atempts: 3\nprofiles:\n  timeout:\n    initial: 200\n")
	storm := file(t, "storm.yaml", "duration: 2m\ntraffic:\n  - kind: open\n    rate: -1\n")
	sound := []string{"search", "default", small}
	for _, tt := range []struct {
		name string
		args []string
		want []string // lines, by their beginnings
	}{
		{"an unknown command", []string{"rnu"}, []string{`tune: there is no command "rnu": see tune --help; did you mean "run"?`}},
		{"an unknown flag", []string{"run", "default", "outage", "--gat", "x"}, []string{"tune: unknown flag: --gat"}},
		{"too few arguments", []string{"run", "default"}, []string{"tune: tune run: got 1 arguments, want 2: POLICY, SCENARIO"}},
		{"every mistake of a file, with its place", []string{"run", bad, "outage"}, []string{
			bad + ":2:1: ", bad + ":5:14: profiles.timeout.initial is 200: want a duration with its unit",
		}},
		{"all inputs at once", []string{"compare", bad, "defaults", storm, "--gate", "succes >= 1", "--gate", "success > 2"}, []string{
			bad + ":2:1: ", bad + ":5:14: ",
			`tune: there is no policy "defaults": want a file, or one of default, interactive, batch, agent; did you mean "default"?`,
			storm + ":4:11: traffic[0].rate is -1: ",
			`tune: --gate: gate "succes >= 1": "succes" is no metric: want one of success, `, `tune: --gate: gate "success > 2": "2" is no value of success: `,
		}},
		{"one mistake once", []string{"compare", "defaults", "defaults", small}, []string{"tune: there is no policy"}},
		{"an unknown scenario", []string{"run", "default", "brownout"}, []string{`tune: there is no scenario "brownout": want a file, or one of brown-out, `}},
		{"an unknown scenario to be printed", []string{"scenarios", "outtage"}, []string{`tune: there is no scenario "outtage": `}},
		{"a directory", []string{"run", t.TempDir(), "outage"}, []string{"tune: "}},
		{"a missing file of gates", []string{"run", "default", "outage", "--gates", "no.gates"}, []string{"tune: --gates no.gates: open no.gates: "}},
		{"a bad repeat", []string{"run", "default", "outage", "--repeat", "0"}, []string{"tune: --repeat is 0: want 1 or more"}},
		{"nothing to vary", sound, []string{"tune: search needs something to vary"}},
		{"too many combinations", append(sound, "--vary", "budget.ratio=0.1..0.5:20", "--vary", "max_attempts=1..20:20"), []string{
			"tune: --vary makes 400 combinations: want 200 at most, or a higher --limit",
		}},
		{"settings that do not exist", append(sound, "--vary", "profiles.timout.retries=1", "--vary", "breakers.outage.open=1s", "--vary", "budget.ratio"), []string{
			`tune: --vary "budget.ratio": want a setting and its values`,
		}},
		{"a setting that does not exist", append(sound, "--vary", "profiles.timout.retries=1,2"), []string{
			`tune: --vary: profiles.timout.retries is no setting: want one such as max_elapsed or profiles.timeout.retries; did you mean "profiles.timeout.retries"?`,
		}},
		{"a breaker that does not exist", append(sound, "--vary", "breakers.outage.open=1s"), []string{
			"tune: --vary: breakers.outage.open is no setting: want one of a breaker of the policy: rate_limit",
		}},
		{"values of the wrong kind", append(sound, "--vary", "profiles.timeout.retries=1,many", "--vary", "budget.ratio=2"), []string{
			"tune: --vary: budget.ratio is 2: want ", "tune: --vary: profiles.timeout.retries is \"many\": want ",
		}},
		{"a setting twice", append(sound, "--vary", "max_attempts=1", "--vary", "max_attempts=2"), []string{"tune: --vary: max_attempts is varied twice"}},
		{"bad axes", append(sound, "--vary", "max_attempts=1", "--axes", "succss,p99"), []string{`tune: --axes: "succss" is no metric: `}},
		{"one axis", append(sound, "--vary", "max_attempts=1", "--axes", "p99"), []string{`tune: --axes is "p99": want two metrics`}},
		{"no gate for a limit", []string{"limit", "default", small}, []string{"tune: limit needs a demand"}},
		{"bad bounds of a limit", []string{"limit", "default", small, "--gate", "p99 < 1s", "--from", "3", "--to", "2", "--steps", "0"}, []string{
			"tune: --from is 3 and --to is 2: want 0 < from < to", "tune: --steps is 0: want 1 to 30",
		}},
		{"a kind that does not exist", []string{"schedule", "default", "--kind", "timout", "-n", "0"}, []string{
			`tune: --kind is "timout", which does not exist; did you mean "timeout"?`, "tune: --retries is 0: want 1 to 1000",
		}},
		{"a kind without a profile", []string{"schedule", "default", "--kind", "grant_revoked"}, []string{"tune: default has no profile for grant_revoked"}},
		{"a log that is not there", []string{"learn", "no.log"}, []string{"tune: open no.log: "}},
		{"a log that is a directory", []string{"learn", t.TempDir()}, []string{"tune: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := drive(t, tt.args...)
			lines := strings.Split(strings.TrimSuffix(got.stderr, "\n"), "\n")
			if got.code != 2 || got.stdout != "" || len(lines) != len(tt.want) {
				t.Fatalf("code %d, output %q, %d complaints instead of %d:\n%s", got.code, got.stdout, len(lines), len(tt.want), got.stderr)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("got  %q\nwant %q", lines[i], want)
				}
			}
		})
	}
}

func TestScenariosListsThemAndPrintsOne(t *testing.T) {
	list := drive(t, "scenarios")
	for _, s := range simulate.Ready() {
		contains(t, "the list", list.stdout, s.Name, s.About)
		source := drive(t, "scenarios", s.Name)
		if _, err := simulate.Parse("ours.yaml", []byte(source.stdout)); err != nil || source.code != 0 {
			t.Errorf("%s: code %d, %v", s.Name, source.code, err)
		}
	}
	metrics := drive(t, "metrics")
	for _, m := range simulate.Metrics() {
		contains(t, "the list", metrics.stdout, m.Name)
	}
}

func TestScheduleDrawsProfiles(t *testing.T) {
	all := drive(t, "schedule", "default")
	contains(t, "the drawing", all.stdout, "\ndial\nattempt", "token_refresh_in_progress\n", "gate's probe: the one call that asks")
	one := drive(t, "schedule", "default", "--kind", "timeout", "--deadline", "100ms")
	contains(t, "the drawing", one.stdout, "timeout, by the profile of network\nattempt", "deadline_too_near")
	if strings.Count(one.stdout, "attempt  ") != 1 || all.code != 0 || one.code != 0 {
		t.Errorf("codes %d and %d:\n%s", all.code, one.code, one.stdout)
	}
	if more := drive(t, "schedule", orders, "--kind", "backend_unavailable", "-n", "3"); strings.Count(more.stdout, "\n") != 7 {
		t.Errorf("want a name, a ruler, four attempts and an end:\n%s", more.stdout)
	}
}

func TestLimitFindsTheLoad(t *testing.T) {
	// A backend that serves 20 a second cannot be asked for more than about that.
	s := file(t, "small.yaml", "name: small\nduration: 20s\ntraffic:\n  - {kind: open, rate: 10, even: true, deadline: 1s}\nbackend: {rate: 20}\n")
	args := []string{"limit", "default", s, "--gate", "success >= 95%", "--steps", "4"}
	r := decode[struct{ Factor float64 }](t, drive(t, append(args, "--json")...).stdout)
	if r.Factor < 1.7 || r.Factor > 2.4 {
		t.Errorf("got %v times the traffic, want about 2", r.Factor)
	}
	contains(t, "the output", drive(t, args...).stdout, "default meets the gates in small with up to ", " calls a second")
	contains(t, "the output", drive(t, append(args, "--to", "1.5")...).stdout, "with 1.5 times the traffic, and perhaps with more")
	if got := drive(t, append(args, "--from", "3")...); got.code != 1 || !strings.Contains(got.stderr, "misses the gates even with 3 times") {
		t.Errorf("code %d, complaints %q", got.code, got.stderr)
	}
}

func TestAnInterruptedRunSaysHowFarItCame(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := simulate.On(t)
	r.Configure = func(c *transport.Config) {
		c.Hooks = transport.JoinHooks(c.Hooks, transport.Hooks{Call: func(context.Context, transport.CallInfo) { cancel() }})
	}
	got := driveIn(ctx, t, cli.Program{Runner: r}, "run", "default", small)
	if got.code != 130 || got.stdout != "" || !strings.HasPrefix(got.stderr, "tune: interrupted: small at ") {
		t.Errorf("code %d, output %q, complaints %q", got.code, got.stdout, got.stderr)
	}
}

// full is a file on a disk that is full.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestAResultThatCannotBeWrittenIsAFailure(t *testing.T) {
	for _, args := range [][]string{
		{"metrics"}, {"run", "default", "testdata/small.yaml"}, {"run", "default", "testdata/small.yaml", "--gate", "success >= 100%", "--gate", "attempts <= 1"},
		{"search", "default", "testdata/small.yaml", "--vary", "budget.min=3"},
	} {
		var stderr bytes.Buffer
		code := cli.Program{Runner: simulate.On(t), Stdin: strings.NewReader(""), Stdout: full{}, Stderr: &stderr}.Run(t.Context(), args)
		if code != 2 {
			t.Errorf("%q: got code %d, want 2", args, code)
		}
		contains(t, "standard error", stderr.String(), "tune: no space left")
	}
}

func TestErrorsDoNotCommandTheTerminal(t *testing.T) {
	policy := file(t, "policy.yaml", `breakers:
  - {name: "\e]0;evil\a", kinds: [timeout], failures: 3, open: 1s, max_open: 1s, probes: 1, window: 4}
`)
	got := drive(t, "search", policy, "testdata/small.yaml", "--vary", "breakers.outage.open=1s")
	if got.code != 2 || strings.ContainsAny(got.stderr, "\x1b\a") {
		t.Errorf("got code %d and %q; want 2 and nothing that a terminal obeys", got.code, got.stderr)
	}
	contains(t, "standard error", got.stderr, "evil")
}

func TestAFileOfGatesThatDemandsNothingIsAMistake(t *testing.T) {
	for text, want := range map[string]string{
		"# success >= 99%\n":                    "there is no demand in it",
		strings.Repeat("success >= 1%\n", 5000): "want a file of 65536 bytes at most",
	} {
		got := drive(t, "run", "default", "testdata/small.yaml", "--gates", file(t, "ours.gates", text))
		if got.code != 2 {
			t.Errorf("%.20q: got code %d, want 2", text, got.code)
		}
		contains(t, "standard error", got.stderr, want)
	}
}
