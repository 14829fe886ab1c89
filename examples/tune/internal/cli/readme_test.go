package cli_test

import (
	"os"
	"strings"
	"testing"
)

// TestTheReadmeShowsWhatTheProgramPrints runs what the README shows. A line of "..." stands for lines that it leaves out.
func TestTheReadmeShowsWhatTheProgramPrints(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("../..")
	shown := 0
	for block := range strings.SplitSeq(string(text), "```\n") {
		command, output, ok := strings.Cut(block, "\n")
		command, ok2 := strings.CutPrefix(command, "$ tune ")
		if !ok || !ok2 {
			continue
		}
		shown++
		got := drive(t, words(command)...)
		rest := got.stdout + got.stderr
		if strings.HasPrefix(command, "learn") {
			rest = got.stderr + got.stdout
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
