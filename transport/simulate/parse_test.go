package simulate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

func TestParseReadsYAMLAndJSONAlike(t *testing.T) {
	want := simulate.Scenario{
		Name: "x", Duration: time.Minute,
		Traffic: []simulate.Traffic{{Kind: simulate.Closed, Clients: 3, Think: simulate.Delay{Median: ms(250)}}},
		Backend: simulate.Backend{Latency: simulate.Delay{Median: ms(10), P99: ms(90)}, Plain: true},
	}
	for name, text := range map[string]string{
		"x.yaml": `
name: x # a comment
duration: 1m
traffic:
  - {kind: closed, clients: 3, think: 250ms}
backend:
  latency: {median: 10ms, p99: 90ms}
  plain: true
`,
		"x.JSON": "{\n\t\"name\": \"x\",\t\"duration\": \"60s\",\n\t\"traffic\": [{\"kind\": \"closed\", \"clients\": 3, \"think\": {\"median\": \"250ms\"}}],\n" +
			"\t\"backend\": {\"latency\": {\"median\": \"10ms\", \"p99\": \"90ms\"}, \"plain\": true}\n}\n",
	} {
		got, err := simulate.Parse(name, []byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, want)
		}
	}
}

func TestParseSaysWhereAFaultIs(t *testing.T) {
	const good = "duration: 1m\ntraffic:\n  - {kind: open, rate: 1}\n"
	tests := []struct{ name, file, text, want string }{
		{"an empty file", "s.yaml", "# nothing\n", "s.yaml: the file is empty: want a scenario"},
		{"a second document", "s.yaml", good + "---\na: b\n", "s.yaml:4:1: there is a second document: want one in a file"},
		{"no text", "s.yaml", "\xff", "s.yaml: the file is not text in UTF-8"},
		{"no YAML", "s.yaml", "a: [", "s.yaml:2:1: did not find expected node content"},
		{"no JSON", "s.json", good, "s.json: invalid character"},
		{"a list", "s.yaml", "- a\n", "s.yaml:1:1: the file is a list: want a mapping of name, about, seed, duration, "},
		{"an unknown field", "s.yaml", good + "traffics: []\n", `s.yaml:4:1: ? is "traffics", which does not exist: want one of name, about`},
		{"an unknown field further in", "s.yaml", good + "backend:\n  rate: 1\n  latncy: 1s\n", `s.yaml:6:3: backend.? is "latncy", which does not exist: want one of rtt`},
		{"a field that is there twice", "s.yaml", good + "seed: 1\nseed: 2\n", "s.yaml:5:1: seed is there twice: want it once"},
		{"a duration without unit", "s.yaml", strings.Replace(good, "1m", "60", 1), `s.yaml:1:11: duration is "60": want a duration with its unit, such as "250ms"`},
		{"a number in quotes", "s.yaml", strings.Replace(good, "rate: 1", `rate: "1"`, 1), `s.yaml:3:24: traffic[0].rate is "1": want a number`},
		{"part of a number", "s.yaml", good + "repeat: 1.5\n", `s.yaml:4:9: repeat is "1.5": want a whole number`},
		{"a negative seed", "s.yaml", good + "seed: -1\n", `s.yaml:4:7: seed is "-1": want a whole number`},
		{"yes for true", "s.yaml", good + "backend: {plain: yes}\n", `s.yaml:4:18: backend.plain is "yes": want true or false`},
		{"nothing behind a colon", "s.yaml", good + "name:\n", "s.yaml:4:6: name is empty: want a text"},
		{"a mapping for a number", "s.yaml", good + "seed: {}\n", "s.yaml:4:7: seed is a mapping: want a whole number"},
		{"a scalar for a list", "s.yaml", "duration: 1m\ntraffic: 5\n", `s.yaml:2:10: traffic is "5": want a list`},
		{"an alias", "s.yaml", "duration: &d 1m\ntraffic:\n  - {kind: open, rate: 1, deadline: *d}\n", "s.yaml:1:11: duration is an anchor or an alias: want the value itself\ns.yaml:3:37: "},
		{"a tag without a name", "s.yaml", good + "name: ! 5\n", "s.yaml:4:7: name is tagged: want the value alone"},
		{"a tag", "s.yaml", good + "name: !!str 5\n", "s.yaml:4:7: name is tagged: want the value alone"},
		{"a value out of bounds", "s.yaml", strings.Replace(good, "rate: 1", "rate: -1", 1), "s.yaml:3:24: traffic[0].rate is -1: want 0 to 1000000 in a second"},
		{"a field that is missing, at what it is missing from", "s.yaml", good + "faults:\n  - kind: fail\n", "s.yaml:5:5: faults[0].status is 0: want 400 to 599"},
		{"a tail below its median", "s.yaml", good + "backend:\n  latency: {median: 2s, p99: 1s}\n", "s.yaml:5:30: backend.latency.p99 is 1s: want at least the median"},
		{"all of them, in the order of the file", "s.yaml", "traffic:\n  - {kind: flood}\nduration: 1\n",
			"s.yaml:2:12: traffic[0].kind is \"flood\": want one of open, burst, closed, recorded\ns.yaml:3:11: duration is \"1\": want a duration"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := simulate.Parse(tt.file, []byte(tt.text))
			if err == nil {
				t.Fatalf("got %+v, want %s", s, tt.want)
			}
			if !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if !reflect.DeepEqual(s, simulate.Scenario{}) {
				t.Errorf("got %+v beside the error, want none", s)
			}
		})
	}
}

func TestLoadReadsAFile(t *testing.T) {
	s, err := simulate.Load(filepath.Join("scenarios", "outage.yaml"))
	if err != nil || s.Name != "outage" {
		t.Errorf("got %+v, %v", s, err)
	}
	if _, err := simulate.Load("nowhere.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that there is no such file", err)
	}
	long := filepath.Join(t.TempDir(), "long.yaml")
	if err := os.WriteFile(long, []byte(strings.Repeat("#", 5<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := simulate.Load(long); err == nil || !strings.Contains(err.Error(), "longer than 4 MiB") {
		t.Errorf("got %v, want that it is too long", err)
	}
}

func TestOfManyFaultsTheFirstHundredAreTold(t *testing.T) {
	var text strings.Builder
	for i := range 150 {
		fmt.Fprintf(&text, "k%d: 1\n", i)
	}
	_, err := simulate.Parse("s.yaml", []byte(text.String()))
	lines := strings.Split(err.Error(), "\n")
	if got, want := lines[len(lines)-1], "simulate: and 52 more faults"; len(lines) != 101 || got != want { // no duration, no traffic
		t.Errorf("got %d lines, the last %q; want 101 and %q", len(lines), got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range append(simulate.Ready(), full()) {
		f.Add("s.yaml", s.YAML())
	}
	f.Add("s.json", []byte(`{"duration": "1m", "traffic": [{"kind": "open", "rate": 1}]}`))
	f.Add("s.yaml", []byte("duration: &d 1m\ntraffic: [*d, {<<: *d}]\n"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		s, err := simulate.Parse(name, data)
		if err != nil {
			return
		}
		if err := s.Validate(); err != nil {
			t.Errorf("what was read is not valid: %v", err)
		}
		again, err := simulate.Parse("again.yaml", s.YAML())
		if err != nil {
			t.Fatalf("%v\n%s", err, s.YAML())
		}
		if got, want := string(again.YAML()), string(s.YAML()); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}
