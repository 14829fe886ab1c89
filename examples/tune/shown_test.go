package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestDocumentsShowWhatTheProgramPrints runs the commands that documents show, and compares what they print.
// A line of "..." stands for lines that the document leaves out.
func TestDocumentsShowWhatTheProgramPrints(t *testing.T) {
	program := build(t)
	for document, commands := range map[string]int{"README.md": 6, "../../README.md": 1, "../../docs/tuning.md": 27} {
		t.Run(document, func(t *testing.T) {
			holdToWhatItShows(t, program, document, commands)
		})
	}
}

func holdToWhatItShows(t *testing.T, program, document string, commands int) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for block := range strings.SplitSeq(string(text), "```\n") {
		command, output, ok := strings.Cut(block, "\n")
		command, ok2 := strings.CutPrefix(command, "$ tune ")
		if !ok || !ok2 {
			continue
		}
		shown++
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			holdToOutput(t, program, command, output)
		})
	}
	if shown != commands {
		t.Errorf("%d commands are shown, want %d", shown, commands)
	}
}

// holdToOutput runs a command and compares what it prints.
func holdToOutput(t *testing.T, program, command, output string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, words(command)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = ended(t, cmd.Run()) // what it complains of is part of what is shown
	rest := stdout.String() + stderr.String()
	if strings.HasPrefix(command, "learn") {
		rest = stderr.String() + stdout.String()
	}
	for part := range strings.SplitSeq(output, "...\n") {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Errorf("tune %s\n%s\nhas no\n%s", command, rest, part)
			break
		}
		rest = after
	}
}

// words splits a command as a shell does, as far as the documents need it.
func words(command string) []string {
	var all []string
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}
