package policyfile_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/policy/policyfile"
)

// FuzzParse holds what Parse promises for any text: no panic; a set that is valid and comes back when it is written;
// or faults, a readable line each, at places that the text has.
func FuzzParse(f *testing.F) {
	for _, m := range mistakes {
		f.Add([]byte(m.text), false)
	}
	for _, s := range []policy.Set{policy.Default(), policy.Agent()} {
		for _, format := range formats {
			data, err := policyfile.Marshal(s, format)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data, format == policyfile.JSON)
		}
	}
	f.Add([]byte("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n<<: *a"), false)
	f.Add([]byte("%YAML 1.2\n--- !!map\n? max_attempts\n: 0x3\n..."), false)
	f.Add([]byte("{\"gate\": {\"window\": 1e1}, \"gate\": null, \"$schema\": \"\\ud800\"}"), true)
	f.Fuzz(func(t *testing.T, data []byte, isJSON bool) {
		name := "f.yaml"
		if isJSON {
			name = "f.json"
		}
		set, err := policyfile.Parse(name, data)
		if err == nil {
			if err := set.Validate(); err != nil {
				t.Fatalf("got a set that is not valid: %v", err)
			}
			written, err := policyfile.Marshal(set, policyfile.FormatOf(name))
			if err != nil {
				t.Fatal(err)
			}
			if again, err := policyfile.Parse(name, written); err != nil || !reflect.DeepEqual(plain(again), plain(set)) {
				t.Fatalf("got\n%v and %v, want\n%v", again, err, set)
			}
			return
		}
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok {
			t.Fatalf("got a %T, want joined errors", err)
		}
		for _, err := range joined.Unwrap() {
			fault, ok := err.(*policyfile.Fault)
			if !ok {
				if !strings.Contains(err.Error(), "more faults") {
					t.Errorf("got a %T, want a fault", err)
				}
				continue
			}
			if fault.Line < 1 || fault.Column < 1 || fault.Line > bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte("\r"))+strings.Count(string(data), "\u0085")+
				strings.Count(string(data), "\u2028")+strings.Count(string(data), "\u2029")+2 || fault.Column > len(data)+2 {
				t.Errorf("got a place that the text does not have: %v", fault)
			}
			if text := fault.Error(); len(text) > 600 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != unicode.ReplacementChar }) {
				t.Errorf("got %q, want a short line that can be read", text)
			}
		}
	})
}

// FuzzEnv holds the same of variables.
func FuzzEnv(f *testing.F) {
	f.Add("MAX_ATTEMPTS", "3")
	f.Add("BREAKERS_RATE_LIMIT_KINDS", "timeout,,x")
	f.Add("PROFILES_TIMEOUT_RETRIES", "unlimited")
	f.Add("PROFILES_NETWORK_INITIAL", "1h")
	f.Fuzz(func(t *testing.T, name, value string) {
		set, err := policyfile.Env(policy.Default(), "P", []string{"P_" + name + "=" + value, "P_GATE_WINDOW=0"})
		if err == nil || !strings.Contains(err.Error(), "P_GATE_WINDOW is 0: want") && !strings.HasPrefix(name, "GATE_WINDOW=") {
			t.Errorf("got %v and %v, want the fault of the gate at least", set, err)
		}
	})
}

func TestHugeTextsAreRefusedInTime(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, policyfile.MaxSize/len(s)) }
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'z'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10), ", "))
	}
	tests := []struct{ name, file, text, want string }{
		{"a billion laughs", "f.yaml", bomb, "f.yaml:1:1: a is no field"},
		{"a billion laughs among profiles", "f.yaml", "profiles:\n  " + strings.ReplaceAll(bomb, "\n", "\n  "), "f.yaml:2:3: profiles.a is no kind"},
		{"more than its size", "f.yaml", fill("#") + "##########", "f.yaml:1:1: a file of more than 1048576 bytes: want a policy"},
		{"brackets", "f.yaml", fill("["), "f.yaml:1:10001: exceeded max depth of 10000"},
		{"braces in JSON", "f.json", fill(`{"a":`), "f.json:1:50001: invalid character '{' exceeded max depth"},
		{"lists in lists", "f.yaml", fill("- "), "f.yaml:1:20001: exceeded max depth of 10000"},
		{"one field again and again", "f.yaml", fill("a: 1\n")[:200_000], "f.yaml:1:1: a is no field"},
		{"a text without an end", "f.json", `"` + strings.Repeat("x", policyfile.MaxSize-1), "f.json:1:1048576: unexpected end of JSON input"},
		{"many mistakes", "f.yaml", "profiles:\n" + strings.Repeat("  tokn_refresh_in_progres: {retris: 1}\n", 5000), "f.yaml:2:3: profiles.tokn_refresh_in_progres is no kind of failure: did you mean token_refresh_in_progress?"},
		{"a long name", "f.yaml", strings.Repeat("x", policyfile.MaxSize-10) + ": 1", "f.yaml:1:1: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… is no field"},
		{"comments in lists", "f.yaml", fill("- #\n")[:200_000], "f.yaml:1:1: a list: want the fields of a policy file"},
		{"many breakers", "f.yaml", "breakers: [" + strings.Repeat("{name: rate_limit},", 10000) + "]", "f.yaml:1:11: breakers is a list of 10000: want at most 1000"},
		{"many kinds", "f.json", `{"breakers": [{"name": "rate_limit", "kinds": [` + strings.Repeat(`"dial",`, 20000) + `"dns"]}]}`, "f.json:1:47: breakers[0].kinds is a list of 20001: want at most 1000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			begin := time.Now()
			_, err := policyfile.Parse(tt.file, []byte(tt.text))
			took := time.Since(begin)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %.200v, want %s", err, tt.want)
			}
			if got := len(lines(err)); got > 101 {
				t.Errorf("got %d lines, want 100 and a count", got)
			}
			t.Logf("%s for %d bytes", took, len(tt.text))
			if took > 20*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestManyFaultsAreCounted(t *testing.T) {
	for n, want := range map[int]string{100: "", 101: "policyfile: and 1 more faults", 5000: "policyfile: and 4900 more faults"} {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "field%d: 1\n", i)
		}
		_, err := policyfile.Parse("f.yaml", []byte(text.String()))
		got := lines(err)
		last := got[len(got)-1]
		if want == "" && len(got) == 100 && strings.HasPrefix(last, "f.yaml:100:1: field99") {
			continue
		}
		if len(got) != 101 || last != want {
			t.Errorf("%d faults: got %d lines, the last %q, want 100 and %q", n, len(got), last, want)
		}
	}
}
