package policyfile

import (
	"slices"
	"strings"
	"unicode"
)

// longest is how many characters of a word are looked at for what it was meant to be.
const longest = 128

// closest returns the word that s was probably meant to be, or nothing. It forgives other styles, as in "maxElapsed",
// a few wrong letters, and a missing or an additional part, as in "attempts".
func closest(s string, words []string) string {
	if s == "" || len(s) > longest {
		return ""
	}
	bare := letters(s)
	best, least := "", min(len(bare)/3, 3)+1
	for _, word := range words {
		w := letters(word)
		if max(len(w)-len(bare), len(bare)-len(w)) >= least {
			continue // it takes that many letters at least
		}
		if d := distance(bare, w); d < least {
			best, least = word, d
		}
	}
	if best != "" || len(bare) < 4 {
		return best
	}
	i := slices.IndexFunc(words, func(word string) bool {
		w := letters(word)
		return strings.HasSuffix(w, bare) || len(w) >= 4 && strings.HasSuffix(bare, w)
	})
	if i < 0 {
		return ""
	}
	return words[i]
}

// elsewhere returns where a field of that name, or a profile of that kind, belongs, or nothing.
func elsewhere(name string) string {
	if slices.Contains(kindName.words, name) {
		return "profiles." + name
	}
	var paths []string
	for _, o := range objects {
		if o.field(name) != nil {
			paths = append(paths, o.path+name)
		}
	}
	return enumerate(paths)
}

// letters returns s in lower case and without what separates its words.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// distance returns how many letters have to be added, dropped, replaced or swapped with their neighbour to make b of a
// (the optimal string alignment distance).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
