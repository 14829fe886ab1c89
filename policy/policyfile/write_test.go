package policyfile_test

import (
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/policy/policyfile"
)

var (
	formats  = []policyfile.Format{policyfile.YAML, policyfile.JSON}
	allKinds = slices.Collect(classify.Kinds())
)

// plain returns s with nil for empty maps and lists, which is how a set comes out of a file.
func plain(s policy.Set) policy.Set {
	if len(s.Profiles) == 0 {
		s.Profiles = nil
	}
	if len(s.Breakers) == 0 {
		s.Breakers = nil
	}
	return s
}

func roundTrip(t *testing.T, s policy.Set) {
	t.Helper()
	for _, format := range formats {
		data, err := policyfile.Marshal(s, format)
		if err != nil {
			t.Fatalf("%v: %v of\n%s", format, err, s)
		}
		again, err := policyfile.Marshal(s, format)
		if err != nil || string(again) != string(data) {
			t.Fatalf("%v: got another text and %v the second time", format, err)
		}
		got, err := policyfile.Parse("policy."+format.String(), data)
		if err != nil {
			t.Fatalf("%v: %v\nof\n%s", format, err, data)
		}
		if want := plain(s); !reflect.DeepEqual(got, want) {
			t.Fatalf("%v: got\n%#v\nwant\n%#v\nof\n%s", format, got, want, data)
		}
	}
}

func TestMarshalledSetsComeBack(t *testing.T) {
	tests := []struct {
		name string
		set  policy.Set
	}{
		{"Default", policy.Default()},
		{"Interactive", policy.Interactive()},
		{"Batch", policy.Batch()},
		{"Agent", policy.Agent()},
		{"nothing but an attempt", policy.Set{MaxAttempts: 1}},
		{"empty maps and lists", policy.Set{MaxAttempts: 1, Profiles: map[classify.Kind]policy.Profile{}, Breakers: []policy.Breaker{}}},
		{"a profile that never retries below one that does", changed(policy.Default(), func(s *policy.Set) { s.Profiles[classify.Timeout] = policy.Profile{} })},
		{"parts that are off but not empty", policy.Set{MaxAttempts: 1, Gate: policy.Gate{Window: 3}, Budget: policy.Budget{Min: -2, Window: 7}}},
		{"extremes", policy.Set{MaxAttempts: math.MaxInt, MaxElapsed: math.MaxInt64, Budget: policy.Budget{Ratio: math.SmallestNonzeroFloat64, Min: math.MaxFloat64, Window: 10}}},
		{"names of all sorts", changed(policy.Set{MaxAttempts: 1}, func(s *policy.Set) {
			for _, name := range []string{
				"a", "no", "on", "null", "true", "3", "1e3", "5s", "0x1f", "-", "- x", "a: b", "a #b", "#", " a", "a ", "é😀", "\"'\\/", "\ufffd", "&a", "*a", "!t", "~", "[", "{}", "<<", "%", "@", "`", "|", ">", "?",
			} {
				b := policy.OutageBreaker()
				b.Name = name
				s.Breakers = append(s.Breakers, b)
			}
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { roundTrip(t, tt.set) })
	}
}

// randomSet returns a valid set in which nothing is unlikely.
func randomSet(r *rand.Rand) policy.Set {
	duration := func() time.Duration {
		return time.Duration(r.Int64N(1 << r.IntN(60))) // of all magnitudes
	}
	s := policy.Set{MaxAttempts: 1 + r.IntN(100), Profiles: make(map[classify.Kind]policy.Profile)}
	if r.IntN(2) == 0 {
		s.MaxElapsed = duration()
	}
	random := func() policy.Profile {
		p := policy.Profile{
			Retries: r.IntN(5), Immediate: r.IntN(2) == 0, Initial: 1 + duration(), Multiplier: 1 + r.ExpFloat64(), Jitter: policy.Jitter(r.Float64()),
			MaxElapsed: 1 + duration(), MaxRetryAfter: duration(), LongHint: policy.LongHint(r.IntN(3)), Cost: r.ExpFloat64(),
		}
		p.Max = p.Initial + duration()
		switch r.IntN(6) {
		case 0:
			p.Retries = policy.Unlimited
		case 1:
			p.Jitter = policy.FullJitter
		case 2:
			p.MaxElapsed = 0
		case 3:
			return policy.Profile{}
		}
		return p
	}
	for range r.IntN(20) {
		if k := allKinds[r.IntN(len(allKinds))]; k.Action() == classify.Retry || k.Action() == classify.Wait {
			s.Profiles[k] = random()
		}
	}
	if r.IntN(3) > 0 {
		s.Budget = policy.Budget{Ratio: r.Float64(), Min: 1 + 1000*r.Float64(), Window: 10 + duration()}
	}
	for i := range r.IntN(4) {
		b := policy.Breaker{
			Name: string(rune('a' + i)), Failures: 1 + r.IntN(9), Open: 1 + duration(), Jitter: policy.Jitter(r.Float64()),
			Probes: 1 + r.IntN(1000), Window: r.IntN(10_001), Hold: duration(),
		}
		b.MaxOpen = b.Open + duration()
		for range 1 + r.IntN(3) {
			b.Kinds = append(b.Kinds, []classify.Kind{classify.Network, classify.PolicyRateLimit, classify.Timeout, classify.AlterSDK}[r.IntN(4)])
		}
		s.Breakers = append(s.Breakers, b)
	}
	if r.IntN(3) > 0 {
		s.Gate = policy.Gate{Window: 1 + r.IntN(10_000), Probe: random()}
	}
	return s
}

func TestRandomSetsComeBack(t *testing.T) {
	valid := 0
	for seed := range uint64(500) {
		s := randomSet(rand.New(rand.NewPCG(seed, 1)))
		if s.Validate() != nil {
			continue // unlimited retries that nothing bounds
		}
		valid++
		roundTrip(t, s)
	}
	if valid < 250 {
		t.Errorf("%d of 500 sets were valid, want most of them", valid)
	}
}

func TestTheOrderOfProfilesInAFileDoesNotMatter(t *testing.T) {
	want := policy.Agent()
	want.Profiles[classify.Timeout] = policy.Profile{}
	data, err := policyfile.Marshal(want, policyfile.YAML)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(data), "profiles:\n")
	profiles, after, _ := strings.Cut(rest, "\n\n")
	var blocks []string
	for line := range strings.Lines(profiles + "\n") {
		if !strings.HasPrefix(line, "    ") {
			blocks = append(blocks, "")
		}
		blocks[len(blocks)-1] += line
	}
	slices.Reverse(blocks)
	got, err := policyfile.Parse("policy.yaml", []byte(before+"profiles:\n"+strings.Join(blocks, "")+"\n"+after))
	if err != nil || len(blocks) != len(want.Profiles) || !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s and %v, want\n%s", got, err, want)
	}
}

func TestMarshalRefuses(t *testing.T) {
	source := func() policy.BackOff { return nil }
	tests := []struct {
		name string
		set  policy.Set
		want string
	}{
		{"a set that is not valid", policy.Set{}, "policy: MaxAttempts is 0: want at least 1, the first attempt included (1 never retries; policy.Default() is a set to start from)"},
		{"a function in a profile", changed(policy.Default(), func(s *policy.Set) {
			profile(s, classify.Timeout, func(p *policy.Profile) { p.BackOff = source })
		}), "policyfile: profiles.timeout has a BackOff function, which a file cannot hold: want Initial, Max and Multiplier"},
		{"a function in the gate", changed(policy.Default(), func(s *policy.Set) { s.Gate.Probe.BackOff = source }),
			"policyfile: gate.probe has a BackOff function, which a file cannot hold: want Initial, Max and Multiplier"},
		{"no number in a budget that is off", policy.Set{MaxAttempts: 1, Budget: policy.Budget{Min: math.NaN()}},
			"policyfile: budget.min is NaN, which a file cannot hold: want a number, such as 0.5"},
		{"a negative duration in a gate that is off", policy.Set{MaxAttempts: 1, Gate: policy.Gate{Probe: policy.Profile{Initial: -sec}}},
			`policyfile: gate.probe.initial is -1s, which a file cannot hold: want a duration with its unit, such as "250ms", "5s" or "1m30s"`},
		{"a rule that there is not in a gate that is off", policy.Set{MaxAttempts: 1, Gate: policy.Gate{Probe: policy.Profile{LongHint: 7}}},
			"policyfile: gate.probe.long_hint is unknown, which a file cannot hold: want stop, clamp or honour"},
		{"a list that is too long", changed(policy.Default(), func(s *policy.Set) {
			s.Breakers[0].Kinds = slices.Repeat(s.Breakers[0].Kinds, 1001)
		}), "policyfile: breakers[0].kinds is a list of 1001, which a file cannot hold: want at most 1000"},
		{"a name that is no text", changed(policy.Default(), func(s *policy.Set) { s.Breakers[0].Name = "\xff" }),
			"policyfile: breakers[0].name is \xff, which a file cannot hold: want a name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, format := range formats {
				if data, err := policyfile.Marshal(tt.set, format); data != nil || err == nil || err.Error() != tt.want {
					t.Errorf("%v: got %q and %v, want %s", format, data, err, tt.want)
				}
			}
		})
	}
}

func TestMarshalWritesDurationsWithoutZeros(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1: "1ns", 1500: "1.5us", 1500 * time.Microsecond: "1.5ms", 90 * sec: "1m30s", time.Minute: "1m", 10 * time.Minute: "10m", time.Hour: "1h",
		time.Hour + sec: "1h0m1s", 90 * time.Minute: "1h30m", 24 * time.Hour: "24h",
	} {
		data, err := policyfile.Marshal(policy.Set{MaxAttempts: 1, MaxElapsed: d}, policyfile.YAML)
		if err != nil || !strings.Contains(string(data), "\nmax_elapsed: "+want+"\n") {
			t.Errorf("got\n%s and %v, want %s in it", data, err, want)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"policy.yaml", "policy.json"} {
		path := filepath.Join(dir, name)
		for _, s := range []policy.Set{policy.Default(), policy.Agent()} { // the second in place of the first
			if err := policyfile.Write(path, s); err != nil {
				t.Fatal(err)
			}
			if got, err := policyfile.Load(path); err != nil || !reflect.DeepEqual(got, s) {
				t.Errorf("got\n%s and %v, want\n%s", got, err, s)
			}
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("got %v and %v, want a file that others can read", info.Mode(), err)
		}
	}
	if err := policyfile.Write(filepath.Join(dir, "policy.yaml"), policy.Set{}); err == nil || !strings.HasPrefix(err.Error(), "policy: MaxAttempts") {
		t.Errorf("got %v, want the fault of the set", err)
	}
	if got, err := policyfile.Load(filepath.Join(dir, "policy.yaml")); err != nil || !reflect.DeepEqual(got, policy.Agent()) {
		t.Errorf("got\n%s and %v, want what was there before", got, err)
	}
	if err := policyfile.Write(filepath.Join(dir, "none", "policy.yaml"), policy.Agent()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := policyfile.Write(filepath.Join(dir, "folder"), policy.Agent()); err == nil || !strings.HasPrefix(err.Error(), "policyfile: ") {
		t.Errorf("got %v, want an error for a folder", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("got %v and %v, want the two files and the folder, and no leftovers", entries, err)
	}
}

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]policyfile.Format{
		"policy.json": policyfile.JSON, "/etc/x/POLICY.Json": policyfile.JSON, "policy.yaml": policyfile.YAML, "policy.yml": policyfile.YAML,
		"json": policyfile.YAML, "": policyfile.YAML, "policy.json.yaml": policyfile.YAML,
	} {
		if got := policyfile.FormatOf(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

// What Marshal returns, Parse takes: up to the last byte that a file may have.
func TestMarshalRefusesWhatIsTooLongForAFile(t *testing.T) {
	named := func(n int) policy.Set {
		return changed(policy.Default(), func(s *policy.Set) { s.Breakers[0].Name = strings.Repeat("x", n) })
	}
	for _, format := range formats {
		short, err := policyfile.Marshal(named(1), format)
		if err != nil {
			t.Fatal(err)
		}
		longest := policyfile.MaxSize - len(short) + 1
		if _, err := policyfile.Marshal(named(longest+1), format); err == nil || !strings.Contains(err.Error(), "want at most 1048576") {
			t.Errorf("%s: a byte too many: %v", format, err)
		}
		data, err := policyfile.Marshal(named(longest), format)
		if err != nil || len(data) != policyfile.MaxSize {
			t.Fatalf("%s: %d bytes, %v; want %d", format, len(data), err, policyfile.MaxSize)
		}
		if _, err := policyfile.Parse("x."+format.String(), data); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
}
