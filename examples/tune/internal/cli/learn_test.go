package cli_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/examples/tune/internal/cli"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// logged plays forty refreshes of one second, one after the other, and returns what the chain logs, with a line of somebody else.
func logged(t *testing.T) string {
	t.Helper()
	s := simulate.Scenario{
		Duration: 200 * time.Second,
		Traffic:  []simulate.Traffic{{Kind: simulate.Open, Rate: 20, Deadline: 4 * time.Second}},
		Backend:  simulate.Backend{Latency: simulate.Delay{Median: 50 * time.Millisecond, P99: 100 * time.Millisecond}},
	}
	for i := range 39 {
		s.Faults = append(s.Faults, simulate.Fault{Kind: simulate.Lock, At: time.Duration(i+1) * 5 * time.Second, Hold: simulate.Delay{Median: time.Second}})
	}
	var b bytes.Buffer
	r := simulate.On(t)
	r.Configure = func(c *transport.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if _, err := r.Run(t.Context(), s, policy.Default()); err != nil {
		t.Fatal(err)
	}
	return b.String() + "listening on :8080\n"
}

type learned struct {
	Lines, Ours int
	NotJSON     int `json:"not_json"`
	Hold        struct {
		Count  int
		Median time.Duration `json:"median_ns"`
	}
}

func TestLearnPrintsPartOfAScenario(t *testing.T) {
	text := logged(t)
	got := drive(t, "learn", file(t, "service.log", text))
	if got.code != 0 {
		t.Fatalf("code %d, complaints %q", got.code, got.stderr)
	}
	contains(t, "the table", got.stderr, ", 1 no JSON", "token refresh ", "attempt served after a retry ", "wait at a gate ", "attempt failed: token_refresh_in_progress ")
	whole := "duration: 1m\ntraffic:\n  - {kind: open, rate: 10}\n" + got.stdout
	s, err := simulate.Parse("ours.yaml", []byte(whole))
	if err != nil {
		t.Fatalf("%v\n%s", err, whole)
	}
	if h := s.Faults[0].Hold.Median; h < 900*time.Millisecond || h > 1100*time.Millisecond {
		t.Errorf("got a hold of %s, want about 1s", h)
	}
	if m := s.Backend.Latency.Median; m < 45*time.Millisecond || m > 55*time.Millisecond {
		t.Errorf("got a latency of %s, want about 50ms", m)
	}
	json := driveIn(t.Context(), t, cli.Program{Stdin: strings.NewReader(text)}, "learn", "-", "--json")
	l := decode[learned](t, json.stdout)
	if l.Hold.Count != 39 || l.NotJSON != 1 || l.Ours != l.Lines-1 || l.Hold.Median.Round(200*time.Millisecond) != time.Second {
		t.Errorf("got %+v", l)
	}
}

func TestLearnSaysWhatIsMissing(t *testing.T) {
	for name, tt := range map[string]struct{ log, want string }{
		"another program's log": {`{"msg":"hello"}`, "no line is of transport.LogHooks"},
		"no debug lines": {
			`{"time":"2026-01-01T00:00:01Z","msg":"call succeeded after retries","attempts":2,"kind":"success","duration":9,"waited":1}`, "the level Debug",
		},
		"little": {
			`{"time":"2026-01-01T00:00:01Z","msg":"attempt failed, trying again","attempt":1,"kind":"timeout","duration":9,"pause":1}`, "want 20 refreshes",
		},
	} {
		got := driveIn(t.Context(), t, cli.Program{Stdin: strings.NewReader(tt.log)}, "learn", "-")
		if got.code != 1 || !strings.Contains(got.stderr, "tune: - tells too little: ") || !strings.Contains(got.stderr, tt.want) {
			t.Errorf("%s: code %d, complaints %q", name, got.code, got.stderr)
		}
		if whole := "duration: 1m\ntraffic:\n  - {kind: open, rate: 10}\n" + got.stdout; strings.Contains(got.stdout, "\nfaults") {
			t.Errorf("%s: a fault is learned:\n%s", name, whole)
		}
	}
}

func TestAnInterruptedLearnTellsWhatItHasRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = io.WriteString(out, logged(t)) // more than any buffer holds: when it returns it has been read
		cancel()
	}()
	got := driveIn(ctx, t, cli.Program{Stdin: in}, "learn", "-", "--json")
	<-written
	_ = out.Close()
	if l := decode[learned](t, got.stdout); got.code != 130 || l.Hold.Count == 0 || !strings.Contains(got.stderr, "tune: interrupted: ") {
		t.Errorf("code %d, %+v, complaints %q", got.code, l, got.stderr)
	}
}
