package simulate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

func TestGatesAreReadAndWritten(t *testing.T) {
	tests := []struct {
		text string
		want simulate.Gate
		back string // how it is written; empty if as it was
	}{
		{"success >= 99.9%", simulate.Gate{"success", ">=", 0.999}, ""},
		{"success_during>0.5", simulate.Gate{"success_during", ">", 0.5}, "success_during > 50%"},
		{"  amplification <= 1.2 ", simulate.Gate{"amplification", "<=", 1.2}, "amplification <= 1.2"},
		{"p99 <= 700ms", simulate.Gate{"p99", "<=", 0.7}, ""},
		{"p99.9 < 1m30s", simulate.Gate{"p99.9", "<", 90}, ""},
		{"refused <= 25", simulate.Gate{"refused", "<=", 25}, ""},
		{"recovery <= 50s", simulate.Gate{"recovery", "<=", 50}, ""},
	}
	for _, tt := range tests {
		got, err := simulate.ParseGate(tt.text)
		if err != nil || got != tt.want {
			t.Errorf("%q: got %+v, %v; want %+v", tt.text, got, err, tt.want)
			continue
		}
		back := tt.back
		if back == "" {
			back = tt.text
		}
		if got.String() != back {
			t.Errorf("%q is written %q, want %q", tt.text, got, back)
		}
	}
}

func TestFaultyGatesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"success":             "has no comparison",
		"happiness >= 1":      `"happiness" is no metric: want one of success, `,
		"success >= 101%":     `"101%" is no value of success: want a share such as 99.9% or 0.999`,
		"success >= NaN":      `"NaN" is no value of success`,
		"p99 <= 700":          `"700" is no value of p99: want a time such as 700ms`,
		"p99 <= -1s":          `"-1s" is no value of p99`,
		"amplification <= 1x": `"1x" is no value of amplification: want a number such as 1.2`,
		"attempts < Inf":      `"Inf" is no value of attempts`,
		"":                    "has no comparison",
	} {
		if g, err := simulate.ParseGate(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %+v, %v; want that %s", text, g, err, want)
		}
	}
	_, err := simulate.ParseGates("success >= 99%\np99 <= soon\n# nothing\n\nfoo < 1 # twice\n")
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got %v, want both faults", err)
	}
}

func TestCheckListsEveryGateThatIsMissed(t *testing.T) {
	gates, err := simulate.ParseGates(`
success >= 99.9%       # missed
amplification <= 1.2
p99 <= 700ms           # missed
refused <= 25
recovery <= 50s        # missed
extra_p50 <= 1s        # there is nothing to measure
fail_max < 10s
`)
	if err != nil {
		t.Fatal(err)
	}
	r := simulate.Result{
		Calls: 1000, Success: 0.998, Amplification: 1.2, Refused: 25,
		Latency:    simulate.Quantiles{Count: 998, P99: 1234567 * time.Microsecond},
		TimeToFail: simulate.Quantiles{Count: 2, Max: 9 * time.Second},
		Recovery:   simulate.Recovery{State: simulate.Never},
	}
	err = r.Check(append(gates, simulate.Gate{Metric: "luck", Op: ">", Value: 1}))
	want := []string{
		"simulate: want success >= 99.9%, got 99.80%",
		"simulate: want p99 <= 700ms, got 1.2346s",
		"simulate: want recovery <= 50s, got never",
		"simulate: want extra_p50 <= 1s, but there were no such calls",
		"simulate: want luck > 1, but there is no such metric",
	}
	if err == nil || !slices.Equal(strings.Split(err.Error(), "\n"), want) {
		t.Errorf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
	if err := r.Check(gates[1:2]); err != nil {
		t.Errorf("got %v, want none: it is met exactly", err)
	}
	r.Recovery = simulate.Recovery{State: simulate.Unknown}
	if err := r.Check(gates[4:5]); err == nil {
		t.Error("a recovery from nothing meets the gate")
	}
}

func TestMetricsAreNamedOnceAndMeasureSomething(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range simulate.Metrics() {
		if seen[m.Name] || m.About == "" || m.Unit == "" {
			t.Errorf("%+v is there twice, or says nothing", m)
		}
		seen[m.Name] = true
		text := "1"
		switch m.Unit {
		case simulate.Share:
			text = "100%"
		case simulate.Time:
			text = "1s"
		case simulate.Ratio, simulate.Count:
		}
		if g, err := simulate.ParseGate(m.Name + " <= " + text); err != nil || g.Value != 1 {
			t.Errorf("%s: got %+v, %v", m.Name, g, err)
		}
	}
}
