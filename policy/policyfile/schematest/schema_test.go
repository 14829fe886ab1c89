package schematest

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/policy/policyfile"
)

// schema returns the compiled schema, which is itself checked against that of draft 2020-12.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(policyfile.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("policy.schema.json", text); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("policy.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.DraftVersion; got != 2020 {
		t.Errorf("got a schema of draft %d, want 2020-12", got)
	}
	return s
}

// validate says what the schema has against a text in YAML, or in JSON, which YAML includes.
func validate(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	var value any
	if err := yaml.Load(text, &value); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return s.Validate(value)
}

func TestTheSchemaAcceptsWhatMarshalWrites(t *testing.T) {
	s := schema(t)
	sets := map[string]policy.Set{
		"Default": policy.Default(), "Interactive": policy.Interactive(), "Batch": policy.Batch(), "Agent": policy.Agent(), "one attempt": {MaxAttempts: 1},
	}
	for name, set := range sets {
		for _, format := range []policyfile.Format{policyfile.YAML, policyfile.JSON} {
			text, err := policyfile.Marshal(set, format)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(t, s, text); err != nil {
				t.Errorf("%s as %v: %v\nin\n%s", name, format, err, text)
			}
		}
	}
}

func TestTheSchemaAcceptsWhatParseAccepts(t *testing.T) {
	s := schema(t)
	for _, text := range []string{
		"{}", "extends: batch", "max_attempts: 1e3", "max_attempts: 3.0", "profiles: null", "profiles: {}", "profiles: {dial: null, network: {}, timeout: {retries: 0}}",
		"budget: null\nbreakers: null\ngate: null", "breakers: []", "gate: {probe: null}", "gate: {probe: {retries: 0}}", "$schema: x", "budget: {ratio: 0, min: -1}",
		"profiles: {timeout: {retries: unlimited, max_elapsed: 1h1m1.5s1ms1us1µs1ns, jitter: full, long_hint: honour, immediate: true}}",
	} {
		_, err := policyfile.Parse("f.yaml", []byte(text))
		if bySchema := validate(t, s, []byte(text)); bySchema != nil || err != nil {
			t.Errorf("%s: got %v by the schema and %v by Parse, want it accepted", text, bySchema, err)
		}
	}
}

func TestTheSchemaRefusesMistakes(t *testing.T) {
	s := schema(t)
	for _, text := range []string{
		"[]", "null", "colour: red", "extends: staging", "extends: null", "max_attempts: 0", "max_attempts: 2.5", `max_attempts: "3"`, "max_attempts: null",
		"max_elapsed: 30", `max_elapsed: "30"`, "max_elapsed: 1d", "max_elapsed: -1s", `max_elapsed: "0"`, "max_elapsed: 1.s", "max_elapsed: 5 s",
		"profiles: []", "profiles: {timout: {}}", "profiles: {success: {}}", "profiles: {timeout: 3}",
		"profiles: {timeout: {retris: 3}}", "profiles: {timeout: {retries: -1}}", "profiles: {timeout: {retries: 1.5}}", "profiles: {timeout: {retries: infinite}}",
		"profiles: {timeout: {immediate: 1}}", "profiles: {timeout: {initial: 5}}", "profiles: {timeout: {max: null}}", "profiles: {timeout: {multiplier: -1}}",
		"profiles: {timeout: {jitter: 1.5}}", "profiles: {timeout: {jitter: -0.1}}", "profiles: {timeout: {jitter: half}}",
		"profiles: {timeout: {long_hint: honor}}", "profiles: {timeout: {cost: -1}}", "profiles: {timeout: {cost: full}}",
		"budget: 0.1", "budget: {ratio: 1.5}", "budget: {ratio: -1}", "budget: {min: x}", "budget: {window: 10}", "budget: {size: 3}",
		"breakers: {}", "breakers: [null]", "breakers: [{name: 5}]", "breakers: [{name: rate_limit, kinds: []}]", "breakers: [{name: rate_limit, kinds: timeout}]", "breakers: [{name: rate_limit, kinds: [timout]}]",
		"breakers: [{name: rate_limit, failures: 0}]", "breakers: [{name: rate_limit, probes: 1001}]", "breakers: [{name: rate_limit, window: -1}]", "breakers: [{name: rate_limit, window: 10001}]",
		"breakers: [{name: rate_limit, hold: 3}]", "breakers: [{name: rate_limit, jitter: 2}]", "breakers: [{name: rate_limit, delay: 3s}]",
		"gate: true", "gate: {window: 10001}", "gate: {probe: {retries: x}}", "gate: {size: 3}",
	} {
		if validate(t, s, []byte(text)) == nil {
			t.Errorf("%s: the schema accepts it", text)
		}
		if _, err := policyfile.Parse("f.yaml", []byte(text)); err == nil {
			t.Errorf("%s: Parse accepts it", text)
		}
	}
}

// Random documents of the schema's own vocabulary: what Parse accepts, the schema does.
func TestWhatParseAcceptsTheSchemaAccepts(t *testing.T) {
	s := schema(t)
	accepted := 0
	for seed := range uint64(5000) {
		text := document(rand.New(rand.NewPCG(seed, 2)))
		if _, err := policyfile.Parse("f.yaml", text); err != nil {
			continue
		}
		accepted++
		if err := validate(t, s, text); err != nil {
			t.Fatalf("%v\nof\n%s", err, text)
		}
	}
	t.Logf("%d of 5000 documents are policies", accepted)
	if accepted < 200 {
		t.Errorf("Parse accepts %d of 5000 documents: that shows nothing", accepted)
	}
}

// document returns a mapping of fields with values that fit them, mostly.
func document(r *rand.Rand) []byte {
	pick := func(values ...any) any { return values[r.IntN(len(values))] }
	duration := func() any { return pick("0s", "1ms", "250ms", "1.5s", "10s", "1m30s", "1h", "5", 5, nil) }
	number := func() any { return pick(0, 0.1, 0.5, 1, 1.5, 3, 1e3, -1, "x") }
	fields := func(values map[string]func() any) map[string]any {
		m := make(map[string]any)
		for name, value := range values {
			if r.IntN(6) == 0 {
				m[name] = value()
			}
		}
		return m
	}
	profile := func() any {
		if r.IntN(8) == 0 {
			return nil
		}
		return fields(map[string]func() any{
			"retries":   func() any { return pick(0, 1, 2, 5, "unlimited", -1, 1.5) },
			"immediate": func() any { return pick(true, false, "yes") }, "initial": duration, "max": duration, "multiplier": number,
			"jitter": func() any { return pick(0, 0.2, 1, "full", 2) }, "max_elapsed": duration, "max_retry_after": duration,
			"long_hint": func() any { return pick("stop", "clamp", "honour", "wait") }, "cost": number,
		})
	}
	probe := func() any {
		p := profile()
		if m, ok := p.(map[string]any); ok && m["retries"] == 0 {
			delete(m, "retries") // nobody looks at the numbers of a gate that is switched off
		}
		return p
	}
	profiles := func() any {
		m := make(map[string]any)
		for range r.IntN(3) {
			m[pick(classify.Timeout.String(), classify.Network.String(), classify.Dial.String(), "nobody").(string)] = profile()
		}
		return m
	}
	breaker := func() any {
		m := fields(map[string]func() any{
			"kinds": func() any { return pick([]string{"timeout"}, []string{}, []string{"network", "dial"}, "timeout") }, "failures": number, "open": duration,
			"jitter": number, "max_open": duration, "probes": number, "window": number, "hold": duration,
		})
		m["name"] = pick("rate_limit", "outage", "mine")
		return m
	}
	text, err := yaml.Dump(fields(map[string]func() any{
		"extends": func() any { return pick("default", "interactive", "batch", "agent") }, "max_attempts": number, "max_elapsed": duration,
		"profiles": profiles, "budget": func() any { return fields(map[string]func() any{"ratio": number, "min": number, "window": duration}) },
		"breakers": func() any { return pick(nil, []any{}, []any{breaker()}, []any{breaker(), breaker()}) },
		"gate":     func() any { return fields(map[string]func() any{"window": number, "probe": probe}) },
	}))
	if err != nil {
		panic(err)
	}
	return text
}
