package policyfile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/policy/policyfile"
)

// A file says what differs from the set that it starts from.
func ExampleParse() {
	set, err := policyfile.Parse("policy.yaml", []byte(`
extends: agent
profiles:
  timeout:      # starts from network's, the one that applies without it
    retries: 1
breakers:
  - name: rate_limit
    hold: 1s
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Profiles[classify.Network].Retries, set.Profiles[classify.Timeout].Retries, set.Profiles[classify.Timeout].Initial)
	fmt.Println(set.Breakers[0].Kinds, set.Breakers[0].Hold, len(set.Breakers))
	// Output:
	// 2 1 200ms
	// [policy_rate_limit] 1s 1
}

// All mistakes are said at once.
func ExampleParse_mistakes() {
	_, err := policyfile.Parse("policy.yaml", []byte(`extends: agnet
max_elapsed: 30
profiles:
  timeout:
    retries: 2
    initail: 100ms
  dial:
    max: 50ms
`))
	fmt.Println(err)
	// Output:
	// policy.yaml:1:10: extends is "agnet": did you mean agent?
	// policy.yaml:2:14: max_elapsed is 30: want a duration with its unit, such as "30ms" or "30s"
	// policy.yaml:6:5: profiles.timeout.initail is no field of a profile: did you mean initial?
	// policy.yaml:8:10: profiles.dial.max is 50ms: want at least initial, which is 100ms
}

func ExampleFault() {
	_, err := policyfile.Parse("policy.yaml", []byte("max_elapse: 30s\n"))
	var fault *policyfile.Fault
	if errors.As(err, &fault) {
		fmt.Printf("put the cursor on line %d, column %d, and offer %q\n", fault.Line, fault.Column, fault.Suggestion)
	}
	// Output: put the cursor on line 1, column 1, and offer "max_elapsed"
}

func ExampleLoad() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "policy.json")
	if err := os.WriteFile(path, []byte(`{"extends": "none", "max_attempts": 1}`), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	set, err := policyfile.Load(path)
	fmt.Println(set.MaxAttempts, len(set.Profiles), err)
	// Output: 1 0 <nil>
}

func ExampleMarshal() {
	set := policy.Set{
		MaxAttempts: 3,
		MaxElapsed:  90 * time.Second,
		Profiles: map[classify.Kind]policy.Profile{
			classify.Network: {Retries: 2, Initial: 100 * time.Millisecond, Max: time.Second, Multiplier: 2, Jitter: policy.FullJitter},
		},
	}
	text, err := policyfile.Marshal(set, policyfile.YAML)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(text))
	// Output:
	// # A policy of steadytrip. Durations have a unit: ns, us, ms, s, m or h.
	//
	// # What the file starts from: default, if nothing is said, interactive, batch, agent, or none.
	// extends: none
	//
	// # Attempts of a call over all profiles, the first one included.
	// max_attempts: 3
	//
	// # From the start of a call to the end of its last pause, at most. 0s: only the caller's context bounds it.
	// max_elapsed: 1m30s
	//
	// # Pauses for kinds of failure. A kind without a profile uses that of the nearest kind above it, if time can heal it.
	// profiles:
	//   network:
	//     retries: 2
	//     immediate: false
	//     initial: 100ms
	//     max: 1s
	//     multiplier: 2
	//     jitter: full
	//     max_elapsed: 0s
	//     max_retry_after: 0s
	//     long_hint: stop
	//     cost: 0
	//
	// # What share of the traffic retries may be. null: no limit.
	// budget: null
	//
	// # When requests are refused without being sent. The list says which breakers there are; null: none.
	// breakers: null
	//
	// # How calls wait together while a token is refreshed. null: each asks for itself.
	// gate: null
}

func ExampleWrite() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "policy.yaml")
	if err := policyfile.Write(path, policy.Batch()); err != nil {
		fmt.Println(err)
		return
	}
	set, err := policyfile.Load(path)
	fmt.Println(set.String() == policy.Batch().String(), err)
	// Output: true <nil>
}

func ExampleFormatOf() {
	fmt.Println(policyfile.FormatOf("/etc/app/policy.json"), policyfile.FormatOf("policy.yml"), policyfile.FormatOf("policy"))
	// Output: json yaml yaml
}

func ExampleFormat_String() {
	fmt.Println(policyfile.YAML.String(), policyfile.JSON.String())
	// Output: yaml json
}

func ExampleSchema() {
	var schema struct {
		Dialect    string `json:"$schema"`
		Properties map[string]any
	}
	if err := json.Unmarshal(policyfile.Schema(), &schema); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(schema.Dialect)
	fmt.Println(slices.Sorted(maps.Keys(schema.Properties)))
	// Output:
	// https://json-schema.org/draft/2020-12/schema
	// [$schema breakers budget extends gate max_attempts max_elapsed profiles]
}

// A deployment changes single values without a file of its own.
func ExampleEnv() {
	set, err := policyfile.Env(policy.Default(), "STEADYTRIP", []string{
		"STEADYTRIP_PROFILES_TIMEOUT_RETRIES=2",
		"STEADYTRIP_BREAKERS_RATE_LIMIT_HOLD=3s",
		"HOME=/home/app",
	})
	fmt.Println(set.Profiles[classify.Timeout].Retries, set.Breakers[0].Hold, err)

	_, err = policyfile.Env(policy.Default(), "STEADYTRIP", []string{"STEADYTRIP_BUDGET_RATOI=0.2", "STEADYTRIP_GATE_WINDOW=0"})
	fmt.Println(err)
	// Output:
	// 2 3s <nil>
	// STEADYTRIP_BUDGET_RATOI is no setting: did you mean STEADYTRIP_BUDGET_RATIO?
	// STEADYTRIP_GATE_WINDOW is 0: want 1 to 10000 requests
}

// A program follows its policy file until it ends. Here the first set ends it.
func ExampleWatch() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "policy.yaml")
	if err := policyfile.Write(path, policy.Agent()); err != nil {
		fmt.Println(err)
		return
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	apply := func(s policy.Set) error {
		fmt.Println("a call may take", s.MaxElapsed)
		cancel()
		return nil
	}
	policyfile.Watch(ctx, path, 5*time.Second, apply, func(err error) { fmt.Println(err) })
	// Output: a call may take 15s
}
