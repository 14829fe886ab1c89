package simulate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxSize is how long a file may be.
const maxSize = 4 << 20

// mostFlaws is how many faults of a file are told: who has made more has probably made one, many times.
const mostFlaws = 100

// Load returns the scenario that the file at path describes, see [Parse].
func Load(path string) (Scenario, error) {
	f, err := os.Open(path)
	if err != nil {
		return Scenario{}, fmt.Errorf("simulate: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return Scenario{}, fmt.Errorf("simulate: %w", err)
	}
	return Parse(path, data)
}

// Parse returns the scenario that the text of a file describes: JSON if the name ends in ".json", YAML otherwise. The fields have
// the names of the JSON tags, durations have units ("250ms", "1h30m"), and a [Delay] without a 99th percentile may be a duration.
//
// Nothing is guessed: a field that does not exist, one given twice, a value of the wrong type and whatever [Scenario.Validate]
// finds is refused, with its place: "storm.yaml:7:5: traffic[0].rate is -1: want ...". The error has a line for each of the first
// hundred, in the order of the file. Aliases, anchors and tags are refused too. It does not panic, whatever the text is.
func Parse(name string, data []byte) (Scenario, error) {
	root, err := parseNode(name, data)
	if err != nil {
		return Scenario{}, err
	}
	r := reader{places: map[string]place{}}
	var s Scenario
	r.read(root, reflect.ValueOf(&s).Elem(), "")
	for _, f := range s.check() {
		if !r.broken(f.field) {
			r.flaws = append(r.flaws, placed{r.find(f.field), f})
		}
	}
	slices.SortStableFunc(r.flaws, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	var faults []error
	for i, f := range r.flaws {
		if i == mostFlaws {
			faults = append(faults, fmt.Errorf("simulate: and %d more faults", len(r.flaws)-i))
			break
		}
		what := fileName(f.field)
		if what == "" {
			what = "the file"
		}
		faults = append(faults, fmt.Errorf("%s:%d:%d: %s is %s: want %s", name, f.line, f.column, what, f.value, f.want))
	}
	if err := errors.Join(faults...); err != nil {
		return Scenario{}, err
	}
	return s, nil
}

// parseNode returns the root of a file's only document.
func parseNode(name string, data []byte) (*yaml.Node, error) {
	switch {
	case len(data) > maxSize:
		return nil, fmt.Errorf("%s: the file is longer than %d MiB", name, maxSize>>20)
	case !utf8.Valid(data):
		return nil, fmt.Errorf("%s: the file is not text in UTF-8", name)
	}
	if strings.EqualFold(filepath.Ext(name), ".json") {
		var valid json.RawMessage
		if err := json.Unmarshal(data, &valid); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		// YAML takes JSON, but for tabs, which can only be between its values.
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" "))
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var first, second yaml.Node
	if err := loader.Load(&first); errors.Is(err, io.EOF) || err == nil && len(first.Content) == 0 {
		return nil, fmt.Errorf("%s: the file is empty: want a scenario", name)
	} else if err != nil {
		return nil, syntaxError(name, err)
	}
	if err := loader.Load(&second); err == nil {
		return nil, fmt.Errorf("%s:%d:%d: there is a second document: want one in a file", name, second.Line, second.Column)
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(name, err)
	}
	return first.Content[0], nil
}

// syntaxError says where a text is not YAML, in the words of the library.
func syntaxError(name string, err error) error {
	var load *yaml.LoadError
	if errors.As(err, &load) && load.Mark.Line > 0 {
		text := strings.Join(strings.Fields(load.Message+" "+load.ContextMsg), " ")
		return fmt.Errorf("%s:%d:%d: %s", name, load.Mark.Line, max(load.Mark.Column, 1), text)
	}
	return fmt.Errorf("%s: %s", name, strings.Join(strings.Fields(err.Error()), " "))
}
