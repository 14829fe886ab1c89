package policyfile_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/policy/policyfile"
)

func TestEnv(t *testing.T) {
	twins := policy.Agent()
	twins.Breakers[0].Name, twins.Breakers[1].Name = "a max", "a"
	tests := []struct {
		name string
		set  policy.Set
		env  []string
		want policy.Set
	}{
		{"no variable changes nothing", policy.Agent(), []string{"HOME=/root", "STEADYTRIPPED=1", "STEADYTRIP=1", "odd", "=C:=x"}, policy.Agent()},
		{"one for each part", policy.Agent(), []string{
			"STEADYTRIP_MAX_ATTEMPTS=7", "STEADYTRIP_MAX_ELAPSED=20s", "STEADYTRIP_PROFILES_DIAL_TIMEOUT_JITTER=full", "STEADYTRIP_BUDGET_RATIO=0.2",
			"STEADYTRIP_BREAKERS_RATE_LIMIT_HOLD=1s", "STEADYTRIP_BREAKERS_OUTAGE_KINDS=dial, timeout", "STEADYTRIP_GATE_WINDOW=16",
			"STEADYTRIP_GATE_PROBE_MAX_ELAPSED=1m", "STEADYTRIP_PROFILES_DIAL_IMMEDIATE=false", "STEADYTRIP_PROFILES_DIAL_LONG_HINT=clamp",
		}, changed(policy.Agent(), func(s *policy.Set) {
			s.MaxAttempts, s.MaxElapsed, s.Budget.Ratio, s.Gate.Window, s.Gate.Probe.MaxElapsed = 7, 20*sec, 0.2, 16, 60*sec
			s.Breakers[0].Hold, s.Breakers[1].Kinds = sec, []classify.Kind{classify.Dial, classify.Timeout}
			profile(s, classify.DialTimeout, func(p *policy.Profile) { p.Jitter = policy.FullJitter })
			profile(s, classify.Dial, func(p *policy.Profile) { p.Immediate, p.LongHint = false, policy.Clamp })
		})},
		{"a profile that is not there starts from the one that its kind uses", policy.Default(), []string{
			"STEADYTRIP_PROFILES_TIMEOUT_RETRIES=2", "STEADYTRIP_PROFILES_NETWORK_INITIAL=300ms",
		}, changed(policy.Default(), func(s *policy.Set) {
			profile(s, classify.Network, func(p *policy.Profile) { p.Initial = 300 * ms })
			profile(s, classify.Timeout, func(p *policy.Profile) { p.Retries = 2 })
		})},
		{"a set without profiles", policy.Set{MaxAttempts: 3}, []string{
			"STEADYTRIP_PROFILES_DIAL_RETRIES=1", "STEADYTRIP_PROFILES_DIAL_IMMEDIATE=true", "STEADYTRIP_PROFILES_DIAL_MULTIPLIER=1",
		}, policy.Set{MaxAttempts: 3, Profiles: map[classify.Kind]policy.Profile{classify.Dial: {Retries: 1, Immediate: true, Multiplier: 1}}}},
		{"the first of two counts", policy.Default(), []string{"STEADYTRIP_GATE_WINDOW=3", "STEADYTRIP_GATE_WINDOW=x"}, changed(policy.Default(), func(s *policy.Set) {
			s.Gate.Window = 3
		})},
		{"a breaker whose name is no word", changed(policy.Default(), func(s *policy.Set) { s.Breakers[0].Name = "my limit-é" }),
			[]string{"STEADYTRIP_BREAKERS_MY_LIMIT___HOLD=1s"}, changed(policy.Default(), func(s *policy.Set) {
				s.Breakers[0].Name, s.Breakers[0].Hold = "my limit-é", sec
			})},
		{"breakers with names that begin alike", twins, []string{"STEADYTRIP_BREAKERS_A_HOLD=1s", "STEADYTRIP_BREAKERS_A_MAX_HOLD=2s"}, changed(policy.Agent(), func(s *policy.Set) {
			s.Breakers[0].Name, s.Breakers[0].Hold, s.Breakers[1].Name, s.Breakers[1].Hold = "a max", 2*sec, "a", sec
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := tt.set.String()
			for _, prefix := range []string{"STEADYTRIP", "STEADYTRIP_"} {
				got, err := policyfile.Env(tt.set, prefix, tt.env)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, tt.want) {
					t.Errorf("got\n%s\nwant\n%s", got, tt.want)
				}
				for i := range got.Breakers {
					got.Breakers[i].Kinds[0] = classify.TLS
				}
				clear(got.Profiles)
			}
			if after := tt.set.String(); after != before {
				t.Errorf("the set that was given is\n%s\nwant it as it was\n%s", after, before)
			}
		})
	}
}

func TestEnvKeepsFunctions(t *testing.T) {
	s := policy.Default()
	profile(&s, classify.Network, func(p *policy.Profile) { p.BackOff = func() policy.BackOff { return nil } })
	got, err := policyfile.Env(s, "X", []string{"X_PROFILES_TIMEOUT_RETRIES=2"})
	if err != nil || got.Profiles[classify.Timeout].BackOff == nil || got.Profiles[classify.Timeout].Retries != 2 {
		t.Errorf("got %+v and %v, want the function and two retries", got.Profiles[classify.Timeout], err)
	}
}

func TestEnvRefuses(t *testing.T) {
	source := func() policy.BackOff { return nil }
	twins := policy.Agent()
	twins.Breakers[0].Name, twins.Breakers[1].Name = "a-b", "a_b"
	overlapping := policy.Agent()
	overlapping.Breakers[0].Name, overlapping.Breakers[1].Name = "a", "a max"
	tests := []struct {
		name string
		set  policy.Set
		env  []string
		want []string
	}{
		{"all that is wrong at once, by name", policy.Default(), []string{
			"STEADYTRIP_PROFILES_TIMEOUT_RETRIES=two", "STEADYTRIP_BUDGET_RATOI=0.1", "STEADYTRIP_COLOUR=red", "STEADYTRIP_MAX_ELAPSED=5",
			"STEADYTRIP_BREAKERS_RATE_LIMIT_KINDS=timeout,dail,", "STEADYTRIP_GATE_WINDOW=", "STEADYTRIP_GATE_PROBE_IMMEDIATE=yes", "STEADYTRIP_=1",
			"STEADYTRIP_BUDGET_MIN=null", "STEADYTRIP_EXTENDS=batch", "STEADYTRIP_PROFILES=null", "STEADYTRIP_BREAKERS_RATE_LIMIT_NAME=x", "STEADYTRIP_PROFILES_DIAL_LONG_HINT=honor",
		}, []string{
			"STEADYTRIP_ is no setting: want a name such as STEADYTRIP_MAX_ELAPSED",
			"STEADYTRIP_BREAKERS_RATE_LIMIT_KINDS: breakers[0].kinds[1] is \"dail\": did you mean dial?",
			"STEADYTRIP_BREAKERS_RATE_LIMIT_KINDS: breakers[0].kinds[2] is empty: want a kind of failure, such as timeout or policy_rate_limit",
			"STEADYTRIP_BREAKERS_RATE_LIMIT_NAME is no setting: want a name such as STEADYTRIP_MAX_ELAPSED",
			"STEADYTRIP_BUDGET_MIN is null: want a number, such as 0.5",
			"STEADYTRIP_BUDGET_RATOI is no setting: did you mean STEADYTRIP_BUDGET_RATIO?",
			"STEADYTRIP_COLOUR is no setting: want a name such as STEADYTRIP_MAX_ELAPSED",
			"STEADYTRIP_EXTENDS is no setting: want a name such as STEADYTRIP_MAX_ELAPSED",
			"STEADYTRIP_GATE_PROBE_IMMEDIATE is \"yes\": want true or false",
			"STEADYTRIP_GATE_WINDOW is empty: want a whole number, such as 3",
			"STEADYTRIP_MAX_ELAPSED is 5: want a duration with its unit, such as \"5ms\" or \"5s\"",
			"STEADYTRIP_PROFILES is no setting: want a name such as STEADYTRIP_MAX_ELAPSED",
			"STEADYTRIP_PROFILES_DIAL_LONG_HINT is \"honor\": did you mean honour?",
			"STEADYTRIP_PROFILES_TIMEOUT_RETRIES is \"two\": want a whole number, such as 3, or unlimited",
		}},
		{"a value beyond its bounds", policy.Default(), []string{"STEADYTRIP_GATE_WINDOW=20000", "STEADYTRIP_BUDGET_RATIO=1.5"}, []string{
			"STEADYTRIP_BUDGET_RATIO is 1.5: want a number from 0 to 1; 0 is no budget",
			"STEADYTRIP_GATE_WINDOW is 20000: want 1 to 10000 requests",
		}},
		{"a value that does not go with one of the set", policy.Default(), []string{"STEADYTRIP_PROFILES_NETWORK_INITIAL=5s"}, []string{
			"STEADYTRIP_PROFILES_NETWORK_INITIAL: profiles.network.max is 2s: want at least initial, which is 5s",
		}},
		{"one that does not go with another", policy.Default(), []string{"STEADYTRIP_PROFILES_NETWORK_INITIAL=5s", "STEADYTRIP_PROFILES_NETWORK_MAX=4s"}, []string{
			"STEADYTRIP_PROFILES_NETWORK_MAX is 4s: want at least initial, which is 5s",
		}},
		{"a profile that lacks the rest", policy.Default(), []string{"STEADYTRIP_PROFILES_PROVIDER_INTERNAL_RETRIES=1"}, []string{
			"STEADYTRIP_PROFILES_PROVIDER_INTERNAL_RETRIES: profiles.provider_internal.initial is 0s: want more than 0s, or retries would follow each other without a pause; immediate allows one that does",
			"STEADYTRIP_PROFILES_PROVIDER_INTERNAL_RETRIES: profiles.provider_internal.multiplier is 0: want a number of at least 1; 1 keeps the pauses equal",
		}},
		{"a budget that lacks the rest", policy.Set{MaxAttempts: 1}, []string{"STEADYTRIP_BUDGET_RATIO=0.1"}, []string{
			"STEADYTRIP_BUDGET_RATIO: budget.min is 0: want at least 1, or a client with little traffic could never retry",
			"STEADYTRIP_BUDGET_RATIO: budget.window is 0s: want more than 0s, such as 10s",
		}},
		{"a value that may be a secret", policy.Default(), []string{"STEADYTRIP_MAX_ELAPSED=sk_live_0123456789abcdefghijklmnopqrstuvwxyz0123456789\n"}, []string{
			`STEADYTRIP_MAX_ELAPSED is "sk_live_0123456789abcdefghijklmnopqrstuv…": want a duration with its unit, such as "250ms", "5s" or "1m30s"`,
		}},
		{"pauses that a function makes", changed(policy.Default(), func(s *policy.Set) {
			profile(s, classify.Network, func(p *policy.Profile) { p.BackOff = source })
			s.Gate.Probe.BackOff = source
		}), []string{"STEADYTRIP_PROFILES_TIMEOUT_INITIAL=1s", "STEADYTRIP_GATE_PROBE_MAX=1s", "STEADYTRIP_GATE_WINDOW=3", "STEADYTRIP_PROFILES_NETWORK_COST=2"}, []string{
			"STEADYTRIP_GATE_PROBE_MAX is without effect: want none, since the profile's BackOff function makes its pauses",
			"STEADYTRIP_PROFILES_TIMEOUT_INITIAL is without effect: want none, since the profile's BackOff function makes its pauses",
		}},
		{"breakers of nearly the same name", twins, []string{"STEADYTRIP_BREAKERS_A_B_HOLD=1s"}, []string{
			"STEADYTRIP_BREAKERS_A_B_HOLD is ambiguous: want breakers whose names differ in letters or digits",
		}},
		{"two fields of the same name", overlapping, []string{"STEADYTRIP_BREAKERS_A_MAX_OPEN=9m"}, []string{
			"STEADYTRIP_BREAKERS_A_MAX_OPEN is ambiguous: want breakers whose names differ in letters or digits",
		}},
		{"more breakers than a file could hold", changed(policy.Default(), func(s *policy.Set) {
			for i := range 1000 {
				b := policy.OutageBreaker()
				b.Name = fmt.Sprint("b", i)
				s.Breakers = append(s.Breakers, b)
			}
		}), []string{"STEADYTRIP_GATE_WINDOW=3", "STEADYTRIP_BREAKERS_B999_HOLD=1s"}, []string{
			"STEADYTRIP_BREAKERS_B999_HOLD: breakers is a list of 1001: want at most 1000",
		}},
		{"a set that is not valid to begin with", policy.Set{}, nil, []string{
			"policy: MaxAttempts is 0: want at least 1, the first attempt included (1 never retries; policy.Default() is a set to start from)",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, err := policyfile.Env(tt.set, "STEADYTRIP", tt.env)
			if got := lines(err); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			if !reflect.DeepEqual(set, policy.Set{}) {
				t.Errorf("got\n%s\nwant the zero set", set)
			}
		})
	}
	for _, prefix := range []string{"", "_"} {
		if _, err := policyfile.Env(policy.Default(), prefix, []string{"_MAX_ATTEMPTS=3"}); err == nil || !strings.HasPrefix(err.Error(), "policyfile: the prefix") {
			t.Errorf("prefix %q: got %v, want a refusal", prefix, err)
		}
	}
}
