package conformance

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/examples/tracing/grafana"
)

// dashboard is what the test looks at in a dashboard of Grafana.
type dashboard struct {
	Title         string `json:"title"`
	UID           string `json:"uid"`
	ID            *int   `json:"id"`
	SchemaVersion int    `json:"schemaVersion"`
	Templating    struct {
		List []struct {
			Name       string          `json:"name"`
			Type       string          `json:"type"`
			Query      json.RawMessage `json:"query"`
			Datasource *source         `json:"datasource"`
		} `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

type panel struct {
	ID          int     `json:"id"`
	Type        string  `json:"type"`
	Title       string  `json:"title"`
	Description string  `json:"description"`
	Datasource  *source `json:"datasource"`
	GridPos     struct {
		X, Y, W, H int
	} `json:"gridPos"`
	Targets []struct {
		Expr         string  `json:"expr"`
		LegendFormat string  `json:"legendFormat"`
		RefID        string  `json:"refId"`
		Datasource   *source `json:"datasource"`
	} `json:"targets"`
	Panels []panel `json:"panels"` // of a row that is closed
}

type source struct{ Type, UID string }

// chosen is the data source that the user chooses.
var chosen = source{"prometheus", "${datasource}"}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal(grafana.Dashboard, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// filled puts in what Grafana puts in for the variables of an expression.
func filled(expr string) string {
	return strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h", "$job", ".+").Replace(expr)
}

// Grafana takes a dashboard as it is only if it belongs to no installation: no id, and a data source that is chosen on import.
func TestDashboardCanBeImported(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	if d.ID != nil || d.UID == "" || d.Title == "" || d.SchemaVersion < 39 {
		t.Errorf("id %v, uid %q, title %q, schema %d; want none, a uid, a title, and a schema of Grafana 11 or later", d.ID, d.UID, d.Title, d.SchemaVersion)
	}
	if len(d.Templating.List) == 0 || d.Templating.List[0].Name != "datasource" || d.Templating.List[0].Type != "datasource" {
		t.Errorf("variables %+v, want the data source first", d.Templating.List)
	}
	ids, titles := map[int]bool{}, map[string]bool{}
	var taken [200][24]string
	for _, p := range d.Panels {
		title := p.Type + " " + p.Title
		if ids[p.ID] || titles[title] || p.Title == "" {
			t.Errorf("panel %d, %s: want an id and a title of its own", p.ID, title)
		}
		ids[p.ID], titles[title] = true, true
		for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				if x >= 24 || taken[y][x] != "" {
					t.Fatalf("panel %q stands beyond the edge or on %q", p.Title, taken[y][min(x, 23)])
				}
				taken[y][x] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || p.Datasource == nil || *p.Datasource != chosen || len(p.Targets) == 0 {
			t.Errorf("panel %q: want a description, the chosen data source and a query", p.Title)
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if refs[q.RefID] || q.RefID == "" || q.Datasource == nil || *q.Datasource != chosen {
				t.Errorf("panel %q: query %q: want a name of its own and the chosen data source", p.Title, q.RefID)
			}
			refs[q.RefID] = true
		}
	}
}

var (
	inLegend    = regexp.MustCompile(`{{\s*(\w+)\s*}}`)
	labelValues = regexp.MustCompile(`label_values\((\w+), (\w+)\)`)
)

// checkDashboard checks that each query is PromQL and asks for what the program exposes, each legend for what its query returns, and
// that every metric of steadytrip is on some panel.
func checkDashboard(t *testing.T, e exposed) {
	t.Helper()
	d := readDashboard(t)
	var queries strings.Builder
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			queries.WriteString(q.Expr + "\n")
			by := e.check(t, p.Title, filled(q.Expr))
			for _, found := range inLegend.FindAllStringSubmatch(q.LegendFormat, -1) {
				if !slices.Contains(by, found[1]) {
					t.Errorf("%s: the legend names %q, which the query does not return: %s", p.Title, found[1], q.Expr)
				}
			}
		}
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		found := labelValues.FindStringSubmatch(string(v.Query))
		if found == nil || !e[found[1]][found[2]] || v.Datasource == nil || *v.Datasource != chosen {
			t.Errorf("variable %q: %s asks for what is not exposed", v.Name, v.Query)
		}
	}
	for name := range e {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "steadytrip_") && !strings.Contains(queries.String(), base) {
			t.Errorf("no panel shows %s", name)
		}
	}
}
