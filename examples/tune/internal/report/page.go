package report

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/steadytrip/steadytrip/policy/policyfile"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// page is what page.html shows.
type page struct {
	Title, About     string
	Policy           string // the Content-Security-Policy
	Library, Drawing template.JS
	Notices          []file
	Facts            []fact
	Verdict          string // what became of the gates
	Good             bool   // whether that is good news
	Missed           []string
	Names            []name // of the runs
	Tiles            []tile
	Gates            []gateRow
	Metrics          []metricRow
	Changes          bool // whether metrics have changes
	Counts           []countTable
	Sections         []section
	Search           *search
	Charts           []chart
	Files            []file
}

// name is the name of a run and the letter of its color.
type name struct{ Name, Color string }

// tile is a metric that a reader looks for first.
type tile struct {
	Name   string
	Values []string
}

type gateRow struct {
	Gate   string
	Values []gateValue
}

type gateValue struct {
	Value string
	Met   bool
}

type metricRow struct {
	Name, About string
	Values      []string
	Change      int
}

type countTable struct {
	Title string
	Rows  []countRow
}

type countRow struct {
	Name   string
	Values []string
}

type section struct {
	Title  string
	Charts []chart
}

type search struct {
	X, Y   string
	Rows   []candidate
	Gated  bool
	Chart  chart
	Counts string
}

// file is a text that a reader may unfold.
type file struct{ Name, Text string }

func newPage(r Report) (*page, error) {
	r.Runs = named(r.Runs)
	p := &page{
		Title: cmp.Or(r.Title, r.Scenario.Name, "Simulation"), About: r.Scenario.About, Policy: contentPolicy(),
		Library: template.JS(library), Drawing: template.JS(drawing),
		Notices: []file{{"Apache ECharts 6.1.0", notice}, {"ZRender", licenseZRender}, {"d3", licenseD3}},
	}
	if len(r.Scenario.Traffic) > 0 {
		p.Facts = facts(r.Scenario)
	}
	for i, run := range r.Runs {
		p.Names = append(p.Names, name{run.Name, runColors[i%len(runColors)]})
	}
	p.verdict(r)
	p.numbers(r)
	p.addCharts(r)
	if err := p.addSearch(r); err != nil {
		return nil, err
	}
	p.addFiles(r)
	return p, nil
}

// named returns the runs, each with a name of its own: charts tell their lines apart by names.
func named(runs []Run) []Run {
	runs = slices.Clone(runs)
	for i := range runs {
		runs[i].Name = cmp.Or(runs[i].Name, "policy")
		if slices.ContainsFunc(runs[:i], func(other Run) bool { return other.Name == runs[i].Name }) {
			runs[i].Name += fmt.Sprintf(" (%d)", i+1)
		}
	}
	return runs
}

func (p *page) verdict(r Report) {
	for _, g := range r.Gates {
		row := gateRow{Gate: g.String()}
		m, err := metricOf(g.Metric)
		for _, run := range r.Runs {
			v := gateValue{Value: "–", Met: run.Result.Check([]simulate.Gate{g}) == nil}
			if err == nil {
				v.Value = valueOf(m, run.Result)
			}
			row.Values = append(row.Values, v)
		}
		p.Gates = append(p.Gates, row)
	}
	p.Missed = r.Missed
	switch {
	case len(r.Missed) > 0 && len(r.Gates) > 0:
		p.Verdict = fmt.Sprintf("%d of %s missed", len(r.Missed), plural(len(r.Gates), "gate", "gates"))
	case len(r.Missed) > 0:
		p.Verdict = plural(len(r.Missed), "gate", "gates") + " missed"
	case len(r.Gates) > 0 && len(r.Runs) > 0:
		p.Verdict, p.Good = "All gates met", true
		for _, row := range p.Gates {
			if slices.ContainsFunc(row.Values, func(v gateValue) bool { return !v.Met }) {
				p.Verdict, p.Good = "Gates missed", false
			}
		}
	}
}

// numbers fills the tiles and the tables.
func (p *page) numbers(r Report) {
	if !slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Result.Calls > 0 }) {
		return // there are policies only
	}
	for _, t := range []struct{ metric, name string }{
		{"success", "success"}, {"amplification", "attempts for each call"}, {"p99", "99% of successes within"}, {"recovery", "recovery, at the latest after"},
		{"refused", "attempts refused as too many"},
	} {
		m, err := metricOf(t.metric)
		if err != nil {
			continue
		}
		var values []string
		measured := false
		for _, run := range r.Runs {
			v := valueOf(m, run.Result)
			measured = measured || v != "–"
			values = append(values, v)
		}
		if measured && len(p.Tiles) < 4 {
			p.Tiles = append(p.Tiles, tile{t.name, values})
		}
	}
	p.metrics(r)
	p.counts(r.Runs)
}

func (p *page) metrics(r Report) {
	about := make(map[string]simulate.Metric)
	for _, m := range simulate.Metrics() {
		about[m.Name] = m
	}
	if len(r.Runs) == 2 {
		p.Changes = true
		c := r.Comparison
		if c == nil {
			made := simulate.Compare(r.Runs[0].Result, r.Runs[1].Result, r.Runs[0].Name, r.Runs[1].Name)
			c = &made
		}
		for _, row := range c.Rows {
			m := about[row.Metric]
			line := metricRow{Name: row.Metric, About: m.About, Change: row.Change}
			for i, x := range row.Values {
				v := format(m, x)
				switch {
				case row.Why[i] != "":
					v = "–"
				case x < 0:
					v = "never"
				}
				line.Values = append(line.Values, v)
			}
			p.Metrics = append(p.Metrics, line)
		}
		return
	}
	for _, m := range simulate.Metrics() {
		x, why := m.Of(r.Runs[0].Result)
		if why == "" && (x != 0 || m.Unit != simulate.Count) {
			p.Metrics = append(p.Metrics, metricRow{Name: m.Name, About: m.About, Values: []string{format(m, x)}})
		}
	}
}

// counts are what attempts came to, and why calls failed.
func (p *page) counts(runs []Run) {
	table := func(title string, of func(simulate.Result) map[string]int) {
		sum := make(map[string]int)
		for _, run := range runs {
			for key, n := range of(run.Result) {
				sum[key] += n
			}
		}
		t := countTable{Title: title}
		for _, key := range slices.SortedFunc(maps.Keys(sum), func(a, b string) int { return cmp.Or(cmp.Compare(sum[b], sum[a]), cmp.Compare(a, b)) }) {
			if sum[key] == 0 {
				continue
			}
			row := countRow{Name: words(key)}
			for _, run := range runs {
				row.Values = append(row.Values, thousands(of(run.Result)[key]))
			}
			t.Rows = append(t.Rows, row)
		}
		if len(t.Rows) > 0 {
			p.Counts = append(p.Counts, t)
		}
	}
	table("What attempts came to", func(r simulate.Result) map[string]int {
		a := r.Answers
		return map[string]int{
			"served": a.Served, "409, the token is being refreshed": a.Refreshing, "429, rate limited": a.RateLimited, "503, the queue is full": a.Shed,
			"failed by a fault": a.Failed, "no connection": a.Disconnected, "connection lost": a.Lost, "given up by the client": a.GaveUp,
		}
	})
	table("What failed calls failed as", func(r simulate.Result) map[string]int { return r.Kinds })
	table("Why failed calls were given up", func(r simulate.Result) map[string]int { return r.Reasons })
}

func (p *page) addCharts(r Report) {
	add := func(title string, charts []chart) {
		if len(charts) > 0 {
			p.Sections = append(p.Sections, section{title, charts})
			p.Charts = append(p.Charts, charts...)
		}
	}
	add("Over time", timeCharts(r.Scenario, r.Runs))
	add("Latency", latencyCharts(r.Runs))
	var schedules []chart
	for i, run := range r.Runs {
		if c, ok := scheduleChart(r.Scenario, run, i, len(r.Runs)); ok {
			schedules = append(schedules, c)
		}
	}
	add("Policy", schedules)
}

func (p *page) addSearch(r Report) error {
	if len(r.Trials) == 0 {
		return nil
	}
	x, err := metricOf(r.Axes[0])
	if err != nil {
		return err
	}
	y, err := metricOf(r.Axes[1])
	if err != nil {
		return err
	}
	met := 0
	for _, t := range r.Trials {
		if t.Missed == nil {
			met++
		}
	}
	on := plane{x, y}
	p.Search = &search{X: words(x.Name), Y: words(y.Name), Rows: candidates(r, on), Gated: len(r.Gates) > 0, Chart: searchChart(r, on)}
	p.Search.Counts = plural(len(r.Trials), "candidate", "candidates")
	if len(r.Gates) > 0 {
		p.Search.Counts += fmt.Sprintf(", %d of them meet all gates", met)
	}
	p.Search.Counts += fmt.Sprintf(", %d on the Pareto front.", len(r.Front))
	for i, g := range r.Gates {
		sep := ", "
		if i == 0 {
			sep = " Gates: "
		}
		p.Search.Counts += sep + g.String()
	}
	p.Charts = append(p.Charts, p.Search.Chart)
	return nil
}

// addFiles adds the scenario and the policies as files to copy.
func (p *page) addFiles(r Report) {
	if len(r.Scenario.Traffic) > 0 {
		p.Files = append(p.Files, file{"Scenario", string(r.Scenario.YAML())})
	}
	add := func(name string, c simulate.Candidate) {
		text, err := policyfile.Marshal(c.Set, policyfile.YAML)
		if err != nil {
			text = []byte("# This policy cannot be written as a file:\n# " + strings.ReplaceAll(err.Error(), "\n", "\n# ") + "\n")
		}
		p.Files = append(p.Files, file{name, string(text)})
	}
	for _, run := range r.Runs {
		add("Policy: "+run.Name, simulate.Candidate{Set: run.Set})
	}
	if p.Search == nil {
		return
	}
	for _, row := range p.Search.Rows {
		for _, t := range r.Trials {
			if t.Name == row.Name {
				add("Policy: "+t.Name, t.Candidate)
				break
			}
		}
	}
}
