package main

import (
	"bytes"
	"testing"

	"github.com/steadytrip/steadytrip/examples/internal/readme"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(&out); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "ok: 200 OK\nsend the user through Connect again for g2\nok: 200 OK\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// TestReadmeCodeRuns keeps the README's code to what the examples run.
func TestReadmeCodeRuns(t *testing.T) {
	readme.CheckGo(t, "../../README.md", "../*/*.go")
}
