package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

// TestReadmeCodeRuns keeps the README's code to what the examples run: each line of a Go block stands in one of them.
func TestReadmeCodeRuns(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(code)) {
			line, _, _ = strings.Cut(line, " //nolint")
			lines[strings.TrimSpace(line)] = true
		}
	}
	blocks := 0
	in := false
	for line := range strings.Lines(string(readme)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "```go":
			in = true
			blocks++
		case line == "```":
			in = false
		case in && !lines[line]:
			t.Errorf("README.md shows %q, which no example runs", line)
		}
	}
	if blocks == 0 {
		t.Error("README.md shows no Go code")
	}
}
