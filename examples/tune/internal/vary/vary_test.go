package vary_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/tune/internal/vary"
	"github.com/steadytrip/steadytrip/policy"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string // values; none: it is refused
	}{
		{"a.b=1,2,3", []string{"1", "2", "3"}},
		{" a.b = 1 , full ", []string{"1", "full"}},
		{"a=0..4:5", []string{"0", "1", "2", "3", "4"}},
		{"a=0.1..0.5:3", []string{"0.1", "0.3", "0.5"}},
		{"a=2s..10s:5", []string{"2s", "4s", "6s", "8s", "10s"}},
		{"a=100ms..1s:4", []string{"100ms", "400ms", "700ms", "1s"}},
		{"a=1s..2s:4", []string{"1s", "1.333s", "1.667s", "2s"}},
		{"a=500us..1ms:2", []string{"500µs", "1ms"}},
		{"a=-1..1:3", []string{"-1", "0", "1"}},
		{"a", nil},
		{"=1", nil},
		{"a=", nil},
		{"a=1,,2", nil},
		{"a=1..2", nil},
		{"a=1..2:1", nil},
		{"a=1..2:x", nil},
		{"a=1..2:100000", nil},
		{"a=2..1:3", nil},
		{"a=1..1:3", nil},
		{"a=1s..2:3", nil},
		{"a=NaN..2:3", nil},
		{"a=0..Inf:3", nil},
		{"a=..:3", nil},
		{"a=1s,2s,1s", nil},
		{"a=0.0000001..0.0000002:3", nil},
	} {
		got, err := vary.Parse(tt.text)
		if (err == nil) != (tt.want != nil) || !slices.Equal(got.Values, tt.want) {
			t.Errorf("%q: got %q, %v; want %q", tt.text, got.Values, err, tt.want)
		}
	}
}

func axes(t *testing.T, texts ...string) []vary.Axis {
	t.Helper()
	var all []vary.Axis
	for _, text := range texts {
		a, err := vary.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

func TestGridHasEveryCombination(t *testing.T) {
	base := policy.Default()
	base.Breakers = append(base.Breakers, policy.OutageBreaker())
	all, contradictions, err := vary.Grid(base, axes(t, "profiles.timeout.retries=1,2", "breakers.outage.open=2s..6s:3", "gate.probe.max=300ms"))
	if err != nil || contradictions != 0 || len(all) != 6 {
		t.Fatalf("got %d, %d contradictions, %v", len(all), contradictions, err)
	}
	last := all[5]
	if want := "profiles.timeout.retries=2 breakers.outage.open=6s gate.probe.max=300ms"; last.Name != want {
		t.Errorf("got name %q, want %q", last.Name, want)
	}
	breaker := last.Set.Breakers[len(last.Set.Breakers)-1]
	if r := last.Set.Profiles[classify.Timeout].Retries; r != 2 || breaker.Open != 6*time.Second || last.Set.Gate.Probe.Max != 300*time.Millisecond {
		t.Errorf("got %d retries, %s open, %s at the gate", r, breaker.Open, last.Set.Gate.Probe.Max)
	}
	if _, ok := base.Profiles[classify.Timeout]; ok {
		t.Error("the base has changed")
	}
}

func TestGridTellsMistakesInTermsOfPaths(t *testing.T) {
	for _, tt := range []struct {
		axes []string
		want string
	}{
		{[]string{"profiles.timeout.initial=3s", "profiles.timeout.max=1s,2s"}, "profiles.timeout.max is 1s: want at least initial, which is 3s"},
		{[]string{"breakers.rate_limt.open=1s"}, `breakers.rate_limt.open is no setting: want one of a breaker of the policy: rate_limit; did you mean "breakers.rate_limit.open"?`},
		{[]string{"gate.probe.maxx=1s"}, `did you mean "gate.probe.max"?`},
		{[]string{"max_atempt=1"}, `did you mean "max_attempts"?`},
		{[]string{"max_attempts=0"}, "max_attempts is 0: want "},
		{[]string{"max_attempts=1", "MAX_ATTEMPTS=1"}, "MAX_ATTEMPTS is varied twice"},
	} {
		all, _, err := vary.Grid(policy.Default(), axes(t, tt.axes...))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "VARY") {
			t.Errorf("%q: got %d and %v, want %q", tt.axes, len(all), err, tt.want)
		}
	}
}

func TestCombinationsDoNotOverflow(t *testing.T) {
	var many []string
	for range 40 {
		many = append(many, "a=1..1000:1000")
	}
	if n := vary.Combinations(axes(t, many...)); n < 1<<40 {
		t.Errorf("got %d", n)
	}
}

// Whatever is asked for, there are as many values as a range says, and none is empty.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"a=1,2", "a=1s..2s:3", "a=0.1..0.5:3", "a=..:"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := vary.Parse(text)
		if err != nil {
			return
		}
		if a.Path == "" || len(a.Values) == 0 || slices.Contains(a.Values, "") {
			t.Errorf("%q: got %q", text, a)
		}
	})
}
