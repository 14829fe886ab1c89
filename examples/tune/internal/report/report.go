// Package report writes what a simulation came to as a page of HTML.
package report

import (
	"html/template"
	"io"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// Report is what a report shows. Sections without data are left out.
type Report struct {
	Title      string
	Scenario   simulate.Scenario
	Runs       []Run // one, or two to be compared
	Comparison *simulate.Comparison
	Trials     []simulate.Trial // of a search
	Front      []simulate.Trial
	Current    string    // the name of the candidate that is the policy at hand
	Axes       [2]string // the two metrics of the search's plot: x, y
	Gates      []simulate.Gate
	Missed     []string // a line for each gate that was missed
}

// Run is a policy and what it came to.
type Run struct {
	Name   string
	Set    policy.Set
	Result simulate.Result
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<meta charset="utf-8">
<title>{{.Title}}</title>
<h1>{{.Title}}</h1>
{{range .Missed}}<p>{{.}}</p>
{{end}}{{range .Runs}}<h2>{{.Name}}</h2>
<pre>{{if .Result.Played}}{{.Result}}{{end}}
{{.Set}}</pre>
{{end}}{{with .Comparison}}<pre>{{.}}</pre>
{{end}}{{range .Front}}<p>{{.Name}}</p>
{{end}}`))

// Write writes the report.
func Write(w io.Writer, r Report) error { return page.Execute(w, r) }
