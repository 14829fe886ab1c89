package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/policy/policyfile"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestTunedClient(t *testing.T) {
	backend := transporttest.NewBackend()
	defer func() { _ = backend.Close() }()
	backend.SetGrant("g1", transporttest.Active)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client, err := tunedClient(ctx, "policy.yaml", func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	var out bytes.Buffer
	if err := get(ctx, client, &out, backend.URL+"/v1/grants/g1/calendar"); err != nil || out.String() != "ok: 200 OK\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestTunedClientNeedsAGoodFileToStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte("max_attempts: none\nprofiles: {timout: {retries: 2}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := tunedClient(t.Context(), path, nil)
	var fault *policyfile.Fault
	if !errors.As(err, &fault) || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("%v; want a line for each of the two mistakes", err)
	}
}

// TestReadmeShowsThePolicyFile keeps the README's policy file to the one that is tested.
func TestReadmeShowsThePolicyFile(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, rules, _ := strings.Cut(string(file), "\n") // without the line for editors
	if !strings.Contains(string(readme), "```yaml\n"+rules+"```") {
		t.Errorf("README.md does not show this policy file:\n%s", rules)
	}
}
