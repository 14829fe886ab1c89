// Package readme holds the code that documents show to the examples that tests run.
package readme

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// CheckGo fails the test for each Go block of a document that is not in one of the files that match: all its lines, in their order,
// in one file; others may stand between them. A block that begins with "```go" and something else, such as "```go before",
// is somebody else's code and is left out.
func CheckGo(t testing.TB, document string, match ...string) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var examples [][]string
	for _, pattern := range match {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			code, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			examples = append(examples, lines(code))
		}
	}
	blocks, in := 0, false
	var block []string
	for _, line := range lines(text) {
		switch {
		case line == "```go":
			blocks++
			in, block = true, nil
		case line == "```" && in:
			in = false
			best := 0
			for _, example := range examples {
				best = max(best, common(block, example))
			}
			if best < len(block) {
				t.Errorf("%s shows %q, which no example has after the lines before it", document, block[best])
			}
		case in:
			block = append(block, line)
		}
	}
	if blocks == 0 {
		t.Errorf("%s shows no Go code", document)
	}
}

// lines are the lines of a text without the spaces around them and without what is for linters.
func lines(text []byte) []string {
	var all []string
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		line, _, _ := strings.Cut(s.Text(), " //nolint")
		all = append(all, strings.TrimSpace(line))
	}
	return all
}

// common is how many lines of a block an example has, in their order.
func common(block, example []string) int {
	found := 0
	for _, line := range example {
		if found < len(block) && line == block[found] {
			found++
		}
	}
	return found
}
