// Package report writes what a simulation came to as one HTML file, which needs nothing besides itself: no network, no other file.
//
// The charts are drawn by Apache ECharts, which is part of the file. A Content-Security-Policy in it lets no other script run and
// nothing be loaded, so that a name or a text with markup in it stays a text.
package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page and its scripts
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// Report is what a report shows. A section without data is left out.
type Report struct {
	Title      string
	Scenario   simulate.Scenario
	Runs       []Run                // one, or two that are compared
	Comparison *simulate.Comparison // of the two runs; nil: what simulate.Compare says of them
	Trials     []simulate.Trial     // of a search
	Front      []simulate.Trial     // those of them that no other one beats
	Current    string               // the name of the trial that is the policy at hand
	Axes       [2]string            // the metrics of the plot of the search: x and y
	Gates      []simulate.Gate      // what was asked for
	Missed     []string             // the gates that were missed, a line each
}

// Run is a policy and what came of it.
type Run struct {
	Name     string
	Set      policy.Set
	Result   simulate.Result
	Schedule Schedule
}

// Schedule is what the chart of a run's retries shows. The zero value is every profile of its set, for a caller of the scenario.
type Schedule struct {
	Profiles []Profile
	Deadline time.Duration // of the caller; 0 for none besides the scenario's
	Retries  int           // that are drawn at most; 0 for as many as the policy allows
}

// Profile is one to be drawn.
type Profile struct {
	Name string
	policy.Profile
}

// Profiles are those of a set, in the order of the failure tree, and that of its gate.
func Profiles(set policy.Set) []Profile {
	var all []Profile
	for kind := range classify.Kinds() {
		if profile, ok := set.Profiles[kind]; ok {
			all = append(all, Profile{kind.String(), profile})
		}
	}
	if set.Gate.Enabled() {
		all = append(all, Profile{"gate's probe: the one call that asks while a token is refreshed", set.Gate.Probe})
	}
	return all
}

var (
	//go:embed page.html
	pageText string

	//go:embed charts.js
	drawing string

	// From dist of the npm package echarts 6.1.0, with its licenses beside it. It is the build with the common charts.
	//
	//go:embed echarts/echarts.common.min.js
	library string

	//go:embed echarts/NOTICE
	notice string

	//go:embed echarts/LICENSE-zrender
	licenseZRender string

	//go:embed echarts/LICENSE-d3
	licenseD3 string
)

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// Write writes the report. The same report is the same bytes. Nothing is written if there is an error other than the writer's.
func Write(w io.Writer, r Report) error {
	p, err := newPage(r)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = b.WriteTo(w)
	return err
}

// contentPolicy lets the two scripts of the page run and no other one, and lets nothing be loaded. Styles may stand in the page,
// since ECharts sets them on its elements.
func contentPolicy() string {
	source := func(script string) string {
		sum := sha256.Sum256([]byte(script))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; script-src " + source(library) + " " + source(drawing) +
		"; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
}
