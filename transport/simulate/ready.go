package simulate

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed scenarios/*.yaml
var files embed.FS

// Ready returns the scenarios that come with the package, in the order of their names. Every call returns fresh ones, to be changed
// at will.
func Ready() []Scenario {
	paths, _ := fs.Glob(files, "scenarios/*.yaml") // the pattern is a good one
	all := make([]Scenario, 0, len(paths))
	for _, p := range paths {
		s, err := Find(strings.TrimSuffix(path.Base(p), ".yaml"))
		if err != nil {
			panic(err) // a test reads them all
		}
		all = append(all, s)
	}
	return all
}

// Find returns the scenario of that name that comes with the package.
func Find(name string) (Scenario, error) {
	data, err := Source(name)
	if err != nil {
		return Scenario{}, err
	}
	return Parse(name+".yaml", data)
}

// Source returns the file of the scenario of that name that comes with the package, comments included: something to start from.
func Source(name string) ([]byte, error) {
	data, err := files.ReadFile("scenarios/" + name + ".yaml")
	if err != nil {
		paths, _ := fs.Glob(files, "scenarios/*.yaml") // the pattern is a good one
		known := make([]string, len(paths))
		for i, p := range paths {
			known[i] = strings.TrimSuffix(path.Base(p), ".yaml")
		}
		return nil, fmt.Errorf("simulate: there is no scenario %q: want one of %s", name, strings.Join(known, ", "))
	}
	return data, nil
}
