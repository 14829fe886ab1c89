package policyfile_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/policy/policyfile"
)

// lines returns the lines of an error.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func TestTenMistakesAreTenMessages(t *testing.T) {
	const text = `extends: bach
max_atempts: 10
max_elapsed: 30
profiles:
  timeout:
    retries: 3.5
    retries: 2
  network:
    initial: 3s
  connectoin_lost: {retries: 1}
  dial:
    max_elapsed: 0s
budget: yes
breakers:
  - {name: rate_limit, kinds: [policy_rate_limit, timeot]}
gate: {window: 20000}
`
	want := []string{
		`policy.yaml:1:10: extends is "bach": did you mean batch?`,
		`policy.yaml:2:1: max_atempts is no field of a policy file: did you mean max_attempts?`,
		`policy.yaml:3:14: max_elapsed is 30: want a duration with its unit, such as "30ms" or "30s"`,
		`policy.yaml:6:14: profiles.timeout.retries is 3.5: want a whole number, such as 3, or unlimited`,
		`policy.yaml:7:5: profiles.timeout.retries is given twice: want it once; it is in line 6 too`,
		`policy.yaml:10:3: profiles.connectoin_lost is no kind of failure: did you mean connection_lost?`,
		`policy.yaml:12:18: profiles.dial.max_elapsed is 0s: want more than 0s because retries is unlimited; set max_elapsed, for example to 10s`,
		`policy.yaml:13:9: budget is "yes": want the fields of a budget, or null for none`,
		`policy.yaml:15:51: breakers[0].kinds[1] is "timeot": did you mean timeout?`,
		`policy.yaml:16:16: gate.window is 20000: want 1 to 10000 requests`,
	}
	set, err := policyfile.Parse("policy.yaml", []byte(text))
	if got := lines(err); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !reflect.DeepEqual(set, policy.Set{}) {
		t.Errorf("got\n%s\nwant the zero set", set)
	}
}

// mistakes are texts of files and what is said about them, the name of the file left out.
var mistakes = []struct{ name, text, want string }{
	// what is no file
	{"nothing", "", "1:1: an empty file: want at least one field, such as extends: default"},
	{"nothing but a comment", "# soon\n", "1:1: an empty file: want at least one field, such as extends: default"},
	{"nothing but the beginning of a document", "---\n", "1:1: an empty file: want at least one field, such as extends: default"},
	{"null", "null", "1:1: null: want the fields of a policy file"},
	{"a list", "- a", "1:1: a list: want the fields of a policy file"},
	{"a text", "default", `1:1: "default": want the fields of a policy file`},
	{"no UTF-8", "max_attempts: 3 # \xff", "1:19: a byte that is no text: want UTF-8"},
	{"a control character", "é: \x01", "1:4: a control character: want text"},
	{"the last of them", "é: \x7f", "1:4: a control character: want text"},
	{"a line that ends in a comment", "max_attempts: 3 # \u2028max_elapsed: 1s", "1:19: a control character: want text"},
	{"a paragraph that does", "max_attempts: 3 # \u2029max_elapsed: 1s", "1:19: a control character: want text"},
	{"a next line that does", "max_attempts: 3 # \u0085max_elapsed: 1s", "1:19: a control character: want text"},
	{"two documents", "max_attempts: 3\n---\nmax_attempts: 4\n", "2:1: a second document: want one document in a file"},
	{"two documents, one of them broken", "max_attempts: 3\n---\n]", "3:1: did not find expected node content while parsing a block node: want YAML"},
	{"a tab", "budget:\n\tratio: 1", "2:1: found character that cannot start any token while scanning for the next token: want YAML"},
	{"a tab in the middle", "budget:\n  ratio: 1\n\tmin: 1", "3:1: found a tab character that violates indentation while scanning a plain scalar: want spaces to indent with"},
	{"two fields in a line", "max_attempts: 3 max_elapsed: 1s", "1:28: mapping values are not allowed in this context: want fields of one mapping indented alike, and quotes around a text with a colon"},
	{"a bracket too few", "breakers: [\n", "2:1: did not find expected node content while parsing a flow node: want YAML"},
	{"an unknown anchor", "profiles: *p", "1:11: unknown anchor 'p' referenced: want YAML"},

	// what JSON cannot say
	{"an alias", "profiles: {dial: &d {retries: 1}, dns: *d}", "1:18: profiles.dial is anchored as &d: want the value alone: aliases are not followed\n" +
		"1:40: profiles.dns is the alias *d: want the value itself: aliases are not followed"},
	{"a merge key", "profiles: {dns: {<<: {retries: 1}}}", "1:18: profiles.dns.\"<<\" is a merge key: want the fields themselves; extends says what a file starts from"},
	{"a tag", "max_attempts: !!int \"3\"", `1:15: max_attempts is tagged !!int: want the value alone: the field says what it is` + "\n" + `1:15: max_attempts is "3": want a whole number, without quotes`},
	{"a tagged name", "!!str max_attempts: 3", "1:1: max_attempts is tagged !!str: want the value alone: the field says what it is"},
	{"a number for a name", "profiles: {5: {}}", "1:12: profiles.5 is 5: want the name of a field"},
	{"a list for a name", "? [a]\n: b", `1:3: "" is a list: want the name of a field`},

	// names
	{"a field that does not exist", "colour: red", "1:1: colour is no field of a policy file: want $schema, extends, max_attempts, max_elapsed, profiles, budget, breakers or gate"},
	{"a name that is not readable", "\"a\\nb\": 1\nbudget: {\"\": 1}", `1:1: "a\nb" is no field of a policy file: want $schema, extends, max_attempts, max_elapsed, profiles, budget, breakers or gate` +
		"\n" + `2:10: budget."" is no field of a budget: want ratio, min or window`},
	{"another style of names", "maxAttempts: 3\nmax-elapsed: 1s", "1:1: maxAttempts is no field of a policy file: did you mean max_attempts?\n2:1: max-elapsed is no field of a policy file: did you mean max_elapsed?"},
	{"half a name", "attempts: 3", "1:1: attempts is no field of a policy file: did you mean max_attempts?"},
	{"a name with an addition", "profiles: {dial: {initial_pause: 1s, my_jitter: 1}}", "1:19: profiles.dial.initial_pause is no field of a profile: want retries, immediate, initial, max, multiplier, jitter, max_elapsed, max_retry_after, long_hint or cost\n" +
		"1:38: profiles.dial.my_jitter is no field of a profile: did you mean jitter?"},
	{"a field at the wrong place", "retries: 3\ntimeout: {}\nwindow: 1s", "1:1: retries is no field of a policy file: did you mean profiles.<kind>.retries?\n" +
		"2:1: timeout is no field of a policy file: did you mean profiles.timeout?\n" +
		"3:1: window is no field of a policy file: did you mean budget.window, breakers[].window or gate.window?"},
	{"the error's name for a kind", "profiles: {RateLimit: {}, GrantRevoked: {}}", "1:12: profiles.RateLimit is no kind of failure: did you mean policy_rate_limit?\n" +
		"1:27: profiles.GrantRevoked is no kind of failure: did you mean grant_revoked?"},
	{"a kind that is none", "profiles: {success: {retries: 1}}", "1:12: profiles.success is no kind of failure: want a kind of failure, such as timeout or policy_rate_limit"},
	{"mistakes below a kind that does not exist", "profiles: {timout: {retries: x}}", "1:12: profiles.timout is no kind of failure: did you mean timeout?\n" +
		`1:30: profiles.timout.retries is "x": want a whole number, such as 3, or unlimited`},

	// values
	{"a name with nothing behind it", "max_attempts:\nprofiles:\n  dial:\nbreakers:\ngate: {probe: }", "1:14: max_attempts is empty: want a whole number, such as 3\n" +
		"3:8: profiles.dial is empty: want the fields of a profile, or null for none\n" +
		"4:10: breakers is empty: want a list of breakers, or null for none\n" +
		"5:15: gate.probe is empty: want the fields of a profile, or null for none"},
	{"all profiles commented out", "profiles:\n  # dial: {retries: 1}\n", "1:10: profiles is empty: want kinds of failure with their profiles, or null for none"},
	{"null for a value", "max_attempts: null\nprofiles: {dial: {initial: ~}}", "1:15: max_attempts is null: want a whole number, such as 3\n" +
		`2:28: profiles.dial.initial is null: want a duration with its unit, such as "250ms", "5s" or "1m30s"`},
	{"values of another shape", "max_attempts: [3]\nprofiles: [dial]\nbudget: 0.1\nbreakers: {name: x}\ngate: true\nextends: {}", "1:15: max_attempts is a list: want a whole number, such as 3\n" +
		"2:11: profiles is a list: want kinds of failure with their profiles, or null for none\n" +
		"3:9: budget is 0.1: want the fields of a budget, or null for none\n" +
		"4:11: breakers is a mapping: want a list of breakers, or null for none\n" +
		"5:7: gate is true: want the fields of a gate, or null for none\n" +
		"6:10: extends is a mapping: want default, interactive, batch, agent or none"},
	{"breakers that are none", "breakers: [null, 5, , {name: rate_limit, kinds: policy_rate_limit}]", "1:21: did not find expected node content while parsing a flow node: want YAML"},
	{"items that are none", "breakers: [null, 5, {name: rate_limit, kinds: policy_rate_limit}, {name: rate_limit, kinds: [null, [dial], 3]}]", "1:12: breakers[0] is null: want the fields of a breaker\n" +
		"1:18: breakers[1] is 5: want the fields of a breaker, or null for none\n" +
		"1:47: breakers[2].kinds is \"policy_rate_limit\": want a list of kinds of failure, such as [timeout, policy_rate_limit]\n" +
		"1:74: breakers[3].name is \"rate_limit\": want a name of its own; breakers[2] has it\n" +
		"1:94: breakers[3].kinds[0] is null: want a kind of failure, such as timeout or policy_rate_limit\n" +
		"1:100: breakers[3].kinds[1] is a list: want a kind of failure, such as timeout or policy_rate_limit\n" +
		"1:108: breakers[3].kinds[2] is 3: want a kind of failure, such as timeout or policy_rate_limit"},
	{"durations that are none", "profiles: {dial: {initial: 5, max: 0, max_elapsed: 1d, max_retry_after: -1s}, dns: {initial: \"5\", max: 1.s, max_elapsed: 999999h9999999h, max_retry_after: \"0\"}}",
		`1:28: profiles.dial.initial is 5: want a duration with its unit, such as "5ms" or "5s"` + "\n" +
			`1:36: profiles.dial.max is 0: want a duration with its unit, such as "0ms" or "0s"` + "\n" +
			`1:52: profiles.dial.max_elapsed is "1d": want a duration with its unit, such as "250ms", "5s" or "1m30s"` + "\n" +
			`1:73: profiles.dial.max_retry_after is "-1s": want a duration with its unit, such as "250ms", "5s" or "1m30s"` + "\n" +
			`1:94: profiles.dns.initial is "5": want a duration with its unit, such as "250ms", "5s" or "1m30s"` + "\n" +
			`1:104: profiles.dns.max is "1.s": want a duration with its unit, such as "250ms", "5s" or "1m30s"` + "\n" +
			`1:122: profiles.dns.max_elapsed is "999999h9999999h": want at most 2562047h47m16.854775807s` + "\n" +
			`1:156: profiles.dns.max_retry_after is "0": want a duration with its unit, such as "250ms", "5s" or "1m30s"`},
	{"a duration that rounds to none", "max_elapsed: 0.0000000001ns", `1:14: max_elapsed is "0.0000000001ns": want 0s or at least 1ns`},
	{"a negative number for a duration", "max_elapsed: -5", `1:14: max_elapsed is -5: want a duration with its unit, such as "250ms", "5s" or "1m30s"`},
	{"numbers that are none", "max_attempts: 0x10\nbudget: {ratio: 1_0, min: .5, window: 1e999}\ngate: {window: \"3\"}\nbreakers: [{name: rate_limit, failures: 1e99, probes: 99999999999999999999, window: 2.5, jitter: \"0.1\"}]",
		`1:15: max_attempts is "0x10": want a whole number, such as 3` + "\n" +
			`2:17: budget.ratio is "1_0": want a number, such as 0.5` + "\n" +
			`2:27: budget.min is ".5": want a number, such as 0.5` + "\n" +
			`2:39: budget.window is 1e999: want a duration with its unit, such as "250ms", "5s" or "1m30s"` + "\n" +
			`3:16: gate.window is "3": want a whole number, without quotes` + "\n" +
			`4:41: breakers[0].failures is 1e99: want a whole number that is not as large` + "\n" +
			`4:55: breakers[0].probes is 99999999999999999999: want a whole number that is not as large` + "\n" +
			`4:85: breakers[0].window is 2.5: want a whole number, such as 3` + "\n" +
			`4:98: breakers[0].jitter is "0.1": want a number, without quotes`},
	{"a tag without a name", "max_attempts: ! 3", "1:15: max_attempts is tagged !: want the value alone: the field says what it is"},
	{"a number that would be rounded", "max_attempts: 9007199254740993.0", "1:15: max_attempts is 9007199254740993.0: want a whole number that is not as large"},
	{"numbers beyond all bounds", "budget: {min: 1e999, ratio: .inf}", "1:15: budget.min is 1e999: want a number that is not as large\n" + `1:29: budget.ratio is ".inf": want a number, such as 0.5`},
	{"words that are none", "profiles: {dial: {immediate: yes, long_hint: honor, retries: infinite, jitter: ful}, dns: {immediate: True, long_hint: wait}}",
		`1:30: profiles.dial.immediate is "yes": want true or false` + "\n" +
			`1:46: profiles.dial.long_hint is "honor": did you mean honour?` + "\n" +
			`1:62: profiles.dial.retries is "infinite": want a whole number, such as 3, or unlimited` + "\n" +
			`1:80: profiles.dial.jitter is "ful": did you mean full?` + "\n" +
			`1:103: profiles.dns.immediate is "True": did you mean true?` + "\n" +
			`1:120: profiles.dns.long_hint is "wait": want stop, clamp or honour`},
	{"names that are none", "breakers: [{name: 5}, {name: true}, {name: []}]", `1:19: breakers[0].name is 5: want a name; in quotes "5" is one` + "\n" +
		`1:30: breakers[1].name is true: want a name; in quotes "true" is one` + "\n" + "1:44: breakers[2].name is a list: want a name"},
	{"a value that may be a secret", "max_elapsed: sk_live_0123456789abcdefghijklmnopqrstuvwxyz0123456789", `1:14: max_elapsed is "sk_live_0123456789abcdefghijklmnopqrstuv…": want a duration with its unit, such as "250ms", "5s" or "1m30s"`},
	{"what the file starts from is not known", "extends: staging\nmax_attempts: 0", `1:10: extends is "staging": want default, interactive, batch, agent or none`},

	// values that do not go together
	{"a cap below the first pause", "profiles:\n  timeout:\n    initial: 5s\n    max: 2s", "4:10: profiles.timeout.max is 2s: want at least initial, which is 5s"},
	{"a first pause above the cap of another set", "profiles:\n  network:\n    initial: 5s", "3:14: profiles.network.max is 2s: want at least initial, which is 5s"},
	{"the same in a profile that starts from it", "profiles:\n  network: {initial: 5s}\n  timeout: {retries: 2}\n  connection_lost: {max: 1s}", "2:22: profiles.network.max is 2s: want at least initial, which is 5s\n" +
		"4:26: profiles.connection_lost.max is 1s: want at least initial, which is 5s"},
	{"a pause that cannot be read has no consequences", "profiles: {network: {initial: 5, max: 1ms}}", `1:31: profiles.network.initial is 5: want a duration with its unit, such as "5ms" or "5s"`},
	{"a misspelt field has no consequences", "profiles: {network: {retries: unlimited, max_elapse: 5s}}", "1:42: profiles.network.max_elapse is no field of a profile: did you mean max_elapsed?"},
	{"a breaker that cannot be read has no consequences", "breakers: [5]", "1:12: breakers[0] is 5: want the fields of a breaker, or null for none"},
	{"retries of what cannot heal", "profiles: {tls: {retries: 1, initial: 1s, max: 1s, multiplier: 1}}", "1:27: profiles.tls.retries is 1: want 0 because repeating cannot heal tls"},
	{"what a profile lacks", "extends: none\nmax_attempts: 3\nprofiles:\n  dial: {retries: 2}", "4:3: profiles.dial.initial is 0s: want more than 0s, or retries would follow each other without a pause; immediate allows one that does\n" +
		"4:3: profiles.dial.multiplier is 0: want a number of at least 1; 1 keeps the pauses equal"},
	{"what a breaker lacks", "breakers:\n- name: rate_limit\n- failures: 1\n  kinds: []", "3:3: breakers[1].name is empty: want a name of its own, such as \"outage\"\n" +
		"3:3: breakers[1].open is 0s: want more than 0s\n3:3: breakers[1].probes is 0: want 1 to 1000\n" +
		"4:3: breakers[1].kinds is empty: want at least one kind of failure"},
	{"what an empty set lacks", "extends: none\n", "1:1: max_attempts is 0: want at least 1, the first attempt included (1 never retries; extends: default is a set to start from)"},
	{"what a breaker cannot count", "breakers: [{name: rate_limit, kinds: [canceled]}]", "1:39: breakers[0].kinds[0] is canceled: want a failure of a server or of the network, not one of the caller"},
	{"a gate without a window", "extends: none\nmax_attempts: 2\ngate:\n  probe: {retries: 3, initial: 1s, max: 1s, multiplier: 1}", "3:1: gate.window is 0: want 1 to 10000 requests"},
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range mistakes {
		t.Run(tt.name, func(t *testing.T) {
			set, err := policyfile.Parse("f.yml", []byte(tt.text))
			if got, want := lines(err), lines(errors.New("f.yml:"+strings.ReplaceAll(tt.want, "\n", "\nf.yml:"))); !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if !reflect.DeepEqual(set, policy.Set{}) {
				t.Errorf("got\n%s\nwant the zero set", set)
			}
		})
	}
}

func TestParseRefusesJSON(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", "1:1: unexpected end of JSON input: want JSON, which has no comments and no comma after the last value"},
		{"half of it", "{\n \"max_attempts\": 3", "2:18: unexpected end of JSON input: want JSON, which has no comments and no comma after the last value"},
		{"a comma too many", "{\n\t\"max_attempts\": 3,\n\t\t}", "3:3: invalid character '}' looking for beginning of object key string: want JSON, which has no comments and no comma after the last value"},
		{"a comment", "{} // none", "1:4: invalid character '/' after top-level value: want JSON, which has no comments and no comma after the last value"},
		{"a line break in a text", "{\"max_elapsed\": \"1\ns\"}", "1:19: invalid character '\\n' in string literal: want JSON, which has no comments and no comma after the last value"},
		{"YAML", "max_attempts: 3", "1:1: invalid character 'm' looking for beginning of value: want JSON, which has no comments and no comma after the last value"},
		{"null", " null", "1:2: null: want the fields of a policy file"},
		{"a field twice, after characters of several bytes and tabs", "{\n\t\"gate\" : null,\n\t\"é😀\" : 1, \"gate\":\n\t\t{ } }",
			"3:2: \"é😀\" is no field of a policy file: want $schema, extends, max_attempts, max_elapsed, profiles, budget, breakers or gate\n3:12: gate is given twice: want it once; it is in line 2 too"},
		{"wrong values at the right places", "{\"profiles\": {\r\n  \"dial\"\t:\n\t\t{ \"initial\" :   5e2,\n\"immediate\":0 , \"retries\" : [ 1 ] } },\n\"max_attempts\":\"3\", \"breakers\":[ { \"name\" : \"rate_limit\",\"kinds\" : [ \"dail\" ] },\n\n {\"name\":{}} ] }",
			"3:19: profiles.dial.initial is 5e2: want a duration with its unit, such as \"250ms\", \"5s\" or \"1m30s\"\n" +
				"4:13: profiles.dial.immediate is 0: want true or false\n" +
				"4:29: profiles.dial.retries is a list: want a whole number, such as 3, or unlimited\n" +
				"5:16: max_attempts is \"3\": want a whole number, without quotes\n" +
				"5:70: breakers[0].kinds[0] is \"dail\": did you mean dial?\n" +
				"7:10: breakers[1].name is a mapping: want a name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := policyfile.Parse("f.json", []byte(tt.text))
			if got, want := lines(err), lines(errors.New("f.json:"+strings.ReplaceAll(tt.want, "\n", "\nf.json:"))); !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestFaultsAreForProgramsToo(t *testing.T) {
	_, err := policyfile.Parse("policy.yaml", []byte("max_elapsed: 30\nretris: 3\n]"))
	var fault *policyfile.Fault
	if !errors.As(err, &fault) {
		t.Fatalf("got %v, want a fault", err)
	}
	if want := (policyfile.Fault{File: "policy.yaml", Line: 3, Column: 1, Value: fault.Value, Want: "YAML"}); *fault != want {
		t.Errorf("got %+v, want %+v", *fault, want)
	}
	_, err = policyfile.Parse("policy.yaml", []byte("max_elapse: 30s"))
	if !errors.As(err, &fault) {
		t.Fatalf("got %v, want a fault", err)
	}
	want := policyfile.Fault{
		File: "policy.yaml", Line: 1, Column: 1, Field: "max_elapse", Value: "no field of a policy file", Suggestion: "max_elapsed",
		Want: "$schema, extends, max_attempts, max_elapsed, profiles, budget, breakers or gate",
	}
	if *fault != want {
		t.Errorf("got %+v, want %+v", *fault, want)
	}
}
