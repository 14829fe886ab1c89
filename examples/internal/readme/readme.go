// Package readme holds the code that documents show to the examples that tests run.
package readme

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// name is what a document calls something of ours by, such as policy.Default, Profile.Retries or Shared.Snapshot.
var name = regexp.MustCompile(`(?:^|[^.\w])(transport|policy|classify|Config|Set|Profile|Breaker|Budget|Hooks|Shared)\.([A-Z]\w*)`)

// CheckNames fails the test for each of our names in the document, outside of its blocks and links, that the public API does not have,
// of which api holds a file for each package. A document with fewer than atLeast of them is not believed.
// Others are names that look like ours and are not.
func CheckNames(t testing.TB, document, api string, atLeast int, others ...string) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]string{}
	for _, p := range []string{"transport", "policy", "classify"} {
		file, err := os.ReadFile(filepath.Join(api, p+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		packages[p] = string(file)
	}
	found, in := 0, false
	for _, line := range lines(text) {
		if strings.HasPrefix(line, "```") {
			in = !in
		}
		if in {
			continue
		}
		for _, m := range name.FindAllStringSubmatch(line, -1) {
			if slices.Contains(others, m[1]+"."+m[2]) {
				continue
			}
			found++
			known := func(p string) bool {
				return regexp.MustCompile(`(?m)^(func|type|var|const|\t)\s*` + m[2] + `\b`).MatchString(packages[p])
			}
			if _, ok := packages[m[1]]; ok && !known(m[1]) {
				t.Errorf("%s names %s, which is not in the API", document, m[1]+"."+m[2])
			} else if !ok && !hasMember(packages["transport"]+packages["policy"], m[1], m[2]) {
				t.Errorf("%s names %s, which is no field and no method", document, m[1]+"."+m[2])
			}
		}
	}
	if found < atLeast {
		t.Errorf("%s names %d of ours, want %d at least", document, found, atLeast)
	}
}

// hasMember reports whether a type of the API has a field or a method of that name.
func hasMember(api, typ, member string) bool {
	if regexp.MustCompile(`(?m)^func \(\w+ \*?` + typ + `\) ` + member + `\(`).MatchString(api) {
		return true
	}
	for _, after := range strings.Split(api, "\ntype "+typ+" struct {\n")[1:] {
		fields, _, _ := strings.Cut(after, "\n}")
		if regexp.MustCompile(`(?m)^\t(\w+, )*` + member + `\b`).MatchString(fields) {
			return true
		}
	}
	return false
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
