package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTheReadmeShowsWhatTheProgramPrints runs what the README shows. A line of "..." stands for lines that it leaves out.
func TestTheReadmeShowsWhatTheProgramPrints(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	program := build(t)
	shown := 0
	for block := range strings.SplitSeq(string(text), "```\n") {
		command, output, ok := strings.Cut(block, "\n")
		command, ok2 := strings.CutPrefix(command, "$ tune ")
		if !ok || !ok2 {
			continue
		}
		shown++
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
	if shown != 6 {
		t.Errorf("%d commands are shown, want 6", shown)
	}
}

// words splits a command as a shell does, as far as the README needs it.
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
