package policyfile_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/policy/policyfile"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// changed returns a base after a change.
func changed(base policy.Set, change func(s *policy.Set)) policy.Set {
	change(&base)
	return base
}

// profile changes a set's profile of a kind, which starts as the one that the kind uses.
func profile(s *policy.Set, k classify.Kind, change func(p *policy.Profile)) {
	p, _, _ := s.Profile(k)
	change(&p)
	s.Profiles[k] = p
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       policy.Set
	}{
		{"an empty mapping is the default", "{}", policy.Default()},
		{"default", "extends: default", policy.Default()},
		{"interactive", "extends: interactive", policy.Interactive()},
		{"batch", "extends: batch", policy.Batch()},
		{"agent", "extends: agent", policy.Agent()},
		{"none, and no retries", "extends: none\nmax_attempts: 1", policy.Set{MaxAttempts: 1}},
		{"extends may come last", "max_attempts: 1\nextends: none", policy.Set{MaxAttempts: 1}},
		{"a field of a profile changes that field", "profiles: {network: {retries: 4}}", changed(policy.Default(), func(s *policy.Set) {
			profile(s, classify.Network, func(p *policy.Profile) { p.Retries = 4 })
		})},
		{"a new profile starts from its ancestor's", "profiles: {timeout: {retries: 2}}", changed(policy.Default(), func(s *policy.Set) {
			profile(s, classify.Timeout, func(p *policy.Profile) { p.Retries = 2 })
		})},
		{"whichever comes first in the file", "profiles: {timeout: {retries: 2}, network: {initial: 1s}}", changed(policy.Default(), func(s *policy.Set) {
			profile(s, classify.Network, func(p *policy.Profile) { p.Initial = sec })
			profile(s, classify.Timeout, func(p *policy.Profile) { p.Retries = 2 })
		})},
		{"a profile of what time cannot heal starts from nothing",
			"profiles: {provider_internal: {retries: 1, initial: 1s, max: 1s, multiplier: 1}}", changed(policy.Default(), func(s *policy.Set) {
				s.Profiles[classify.ProviderInternal] = policy.Profile{Retries: 1, Initial: sec, Max: sec, Multiplier: 1}
			})},
		{"null removes a profile", "profiles: {dial: null, provider_rate_limit: ~}", changed(policy.Default(), func(s *policy.Set) {
			delete(s.Profiles, classify.Dial)
			delete(s.Profiles, classify.ProviderRateLimit)
		})},
		{"a removed profile is nobody's ancestor", "profiles: {network: null, timeout: {retries: 0, multiplier: 1}}", changed(policy.Default(), func(s *policy.Set) {
			delete(s.Profiles, classify.Network)
			s.Profiles[classify.Timeout] = policy.Profile{Multiplier: 1}
		})},
		{"null is no profiles, budget, breakers and gate", "profiles: null\nbudget: null\nbreakers: null\ngate: null", policy.Set{MaxAttempts: 64}},
		{"no probe is no gate", "gate: {probe: null}", changed(policy.Default(), func(s *policy.Set) { s.Gate.Probe = policy.Profile{} })},
		{"an empty list is no breakers", "breakers: []", changed(policy.Default(), func(s *policy.Set) { s.Breakers = nil })},
		{"a breaker of a known name changes in one field", "breakers: [{hold: 3s, name: rate_limit}]", changed(policy.Default(), func(s *policy.Set) {
			s.Breakers[0].Hold = 3 * sec
		})},
		{"the list of breakers is the list", `extends: agent
breakers:
- name: mine
  kinds: [timeout, network]
  failures: 3
  open: 1s
  max_open: 2s
  probes: 2
`, changed(policy.Agent(), func(s *policy.Set) {
			s.Breakers = []policy.Breaker{{
				Name: "mine", Kinds: []classify.Kind{classify.Timeout, classify.Network}, Failures: 3, Open: sec, MaxOpen: 2 * sec, Probes: 2,
			}}
		})},
		{"every field of a profile", `profiles:
  dns:
    retries: unlimited
    immediate: true
    initial: 1.5ms
    max: 1m30s
    multiplier: 1.25
    jitter: full
    max_elapsed: 1h
    max_retry_after: 250us
    long_hint: clamp
    cost: 0.25
`, changed(policy.Default(), func(s *policy.Set) {
			s.Profiles[classify.DNS] = policy.Profile{
				Retries: policy.Unlimited, Immediate: true, Initial: 1500 * time.Microsecond, Max: 90 * sec, Multiplier: 1.25,
				Jitter: policy.FullJitter, MaxElapsed: time.Hour, MaxRetryAfter: 250 * time.Microsecond, LongHint: policy.Clamp, Cost: 0.25,
			}
		})},
		{"budget and gate", "max_elapsed: 20s\nbudget: {ratio: 0.5, min: 7, window: 1m}\ngate: {window: 3, probe: {max: 1s}}", changed(policy.Default(), func(s *policy.Set) {
			s.MaxElapsed, s.Budget, s.Gate.Window, s.Gate.Probe.Max = 20*sec, policy.Budget{Ratio: 0.5, Min: 7, Window: time.Minute}, 3, sec
		})},
		{"numbers as JSON has them", "max_attempts: 1e3\nbudget: {min: 50.0, ratio: 2e-1}", changed(policy.Default(), func(s *policy.Set) {
			s.MaxAttempts, s.Budget.Min, s.Budget.Ratio = 1000, 50, 0.2
		})},
		{"a whole number with nothing behind the point", "max_attempts: 3.0", changed(policy.Default(), func(s *policy.Set) { s.MaxAttempts = 3 })},
		{"quotes, comments, a byte order mark and line ends of Windows", "\ufeff# a policy\r\n---\r\n'max_elapsed': \"2s\" # two\r\n...\r\n", changed(policy.Default(), func(s *policy.Set) {
			s.MaxElapsed = 2 * sec
		})},
		{"text in blocks", "max_elapsed: >-\n  2s\nextends: |-\n  default\n", changed(policy.Default(), func(s *policy.Set) { s.MaxElapsed = 2 * sec })},
		{"a schema for editors", "$schema: ../docs/policy.schema.json\nmax_attempts: 5", changed(policy.Default(), func(s *policy.Set) { s.MaxAttempts = 5 })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := policyfile.Parse("policy.yaml", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestParseOfJSON(t *testing.T) {
	want := changed(policy.Default(), func(s *policy.Set) {
		s.MaxAttempts, s.MaxElapsed = 1000, 2*sec
		s.Breakers[0].Kinds = []classify.Kind{classify.PolicyRateLimit, classify.ProviderRateLimit}
		profile(s, classify.Dial, func(p *policy.Profile) { p.Immediate = false })
		delete(s.Profiles, classify.DialTimeout)
	})
	text := "{\n\t\"$schema\": \"x\",\n\t\"max_attempts\": 1e3, \"max_elapsed\": \"2\\u0073\"," +
		"\n\t\"breakers\": [\n\t\t{ \"name\": \"rate_limit\", \"kinds\": [\"policy_rate_limit\", \"provider_rate_limit\"] }\n\t]," +
		"\n\t\"profiles\": {\"dial\": {\"immediate\": false}, \"dial_timeout\": null}\n}\n"
	for _, name := range []string{"policy.json", "POLICY.JSON", "tabs.yaml"} {
		got, err := policyfile.Parse(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
	}
}

func TestParseMakesSetsThatShareNothing(t *testing.T) {
	text := []byte("breakers: [{name: rate_limit, hold: 1s}]")
	first, err := policyfile.Parse("policy.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	clear(first.Profiles)
	first.Breakers[0].Kinds[0] = classify.TLS
	second, err := policyfile.Parse("policy.yaml", text)
	if want := policy.Default(); err != nil || !maps.Equal(keys(second), keys(want)) || second.Breakers[0].Kinds[0] != classify.PolicyRateLimit {
		t.Errorf("got\n%s and %v, want what the file says", second, err)
	}
}

func keys(s policy.Set) map[classify.Kind]bool {
	all := make(map[classify.Kind]bool)
	for k := range s.Profiles {
		all[k] = true
	}
	return all
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(path, []byte("extends: batch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := policyfile.Load(path); err != nil || !reflect.DeepEqual(got, policy.Batch()) {
		t.Errorf("got\n%s and %v, want Batch", got, err)
	}
	if _, err := policyfile.Load(filepath.Join(dir, "none.yaml")); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "policyfile: ") {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if _, err := policyfile.Load(dir); err == nil || !strings.HasPrefix(err.Error(), "policyfile: ") {
		t.Errorf("got %v, want an error for a folder", err)
	}
	if err := os.WriteFile(path, make([]byte, policyfile.MaxSize+1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := policyfile.Load(path); err == nil || !strings.Contains(err.Error(), "a file of more than 1048576 bytes") {
		t.Errorf("got %v, want a refusal by size", err)
	}
}

func TestEverythingServesManyGoroutines(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, format := range formats {
				text, err := policyfile.Marshal(policy.Batch(), format)
				if err != nil {
					t.Error(err)
				}
				s, err := policyfile.Parse("policy."+format.String(), text)
				if err != nil {
					t.Error(err)
				}
				if s, err = policyfile.Env(s, "X", []string{"X_PROFILES_DNS_RETRIES=1"}); err != nil || s.Profiles[classify.DNS].Retries != 1 {
					t.Errorf("got %+v and %v, want one retry", s.Profiles[classify.DNS], err)
				}
				if _, err := policyfile.Parse("policy.yaml", []byte("max_atempts: 1")); err == nil {
					t.Error("got no error")
				}
				if len(policyfile.Schema()) == 0 {
					t.Error("got no schema")
				}
			}
		})
	}
	wg.Wait()
}
