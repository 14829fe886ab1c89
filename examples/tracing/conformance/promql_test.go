package conformance

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// exposed are the metrics that the program serves, each with the names of its labels.
type exposed map[string]map[string]bool

// scrape returns what the program serves when each story was played.
func scrape(t *testing.T) exposed {
	t.Helper()
	s := serve(t)
	s.played(t)
	body, ok := get(t, s.url)
	if !ok {
		t.Fatalf("%s serves nothing", s.url)
	}
	reader := expfmt.NewTextParser(model.LegacyValidation)
	families, err := reader.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	all := exposed{}
	for name, family := range families {
		names := []string{name}
		if family.GetType().String() == "HISTOGRAM" {
			names = []string{name + "_bucket", name + "_sum", name + "_count"}
		}
		for _, name := range names {
			set := map[string]bool{"job": true, "instance": true} // Prometheus adds them
			for _, m := range family.Metric {
				for _, l := range m.Label {
					set[l.GetName()] = true
				}
			}
			if strings.HasSuffix(name, "_bucket") {
				set["le"] = true
			}
			all[name] = set
		}
	}
	return all
}

// values are the closed lists that labels are taken from.
var values = map[string][]string{
	"steadytrip_outcome":       {"success", "failure", "canceled"},
	"steadytrip_wait_type":     {"pause", "gate", "breaker"},
	"steadytrip_refused_by":    {"gate", "breaker"},
	"steadytrip_action":        texts(classify.Actions()),
	"steadytrip_stop_reason":   texts(reasons()),
	"steadytrip_breaker_state": texts([]transport.State{transport.Closed, transport.HalfOpen, transport.Open}),
}

func texts[S fmt.Stringer](all []S) []string {
	out := make([]string, len(all))
	for i, one := range all {
		out[i] = one.String()
	}
	return out
}

func reasons() (all []policy.Reason) {
	for r := policy.NotDecided; r <= policy.Gated; r++ {
		all = append(all, r)
	}
	return all
}

// check reports what is wrong with an expression, and returns the labels that its result has by the outermost aggregation.
func (e exposed) check(t *testing.T, where, expr string) (by []string) {
	t.Helper()
	faults, by := e.look(expr)
	for _, fault := range faults {
		t.Errorf("%s: %s", where, fault)
	}
	return by
}

// look parses an expression, and finds every name in it that the program does not expose.
func (e exposed) look(expr string) (faults, by []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		fault("%v in %s", err, expr)
		return faults, nil
	}
	known := map[string]bool{}
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		set, ok := e[selector.Name]
		if !ok {
			fault("no metric %q is exposed", selector.Name)
		}
		maps.Copy(known, set)
		for _, m := range selector.LabelMatchers {
			if m.Name != model.MetricNameLabel && !set[m.Name] {
				fault("%s has no label %q", selector.Name, m.Name)
			}
			list := values[m.Name]
			if plain := m.Type == labels.MatchEqual || m.Type == labels.MatchNotEqual; plain && list != nil && !slices.Contains(list, m.Value) {
				fault("%s is never %q: want one of %q", m.Name, m.Value, list)
			}
		}
		return nil
	})
	parser.Inspect(tree, func(node parser.Node, path []parser.Node) error {
		if group, ok := node.(*parser.AggregateExpr); ok {
			for _, name := range group.Grouping {
				if !known[name] {
					fault("grouped by %q, which no metric in it has", name)
				}
			}
			if len(path) == 0 {
				by = group.Grouping
			}
		}
		return nil
	})
	return faults, by
}

// The dashboard and the alerts ask for what the program exposes once each story was played.
func TestQueriesAskForWhatIsExposed(t *testing.T) {
	t.Parallel()
	e := scrape(t)
	t.Run("dashboard", func(t *testing.T) { checkDashboard(t, e) })
	t.Run("alerts", func(t *testing.T) { checkAlerts(t, e) })
}

// What is wrong with an expression is found.
func TestWrongNamesAreFound(t *testing.T) {
	t.Parallel()
	e := exposed{"good_total": {"job": true, "steadytrip_outcome": true}}
	for _, c := range []struct{ name, expr, want string }{
		{"a metric that is not exposed", `rate(bad_total[1m])`, `no metric "bad_total"`},
		{"a label that the metric does not have", `good_total{color="red"}`, `no label "color"`},
		{"a group by a label that no metric has", `sum by (color) (good_total)`, `grouped by "color"`},
		{"a value that the label never has", `good_total{steadytrip_outcome="succes"}`, `never "succes"`},
		{"what is no PromQL", `sum(good_total`, "parse error"},
		{"nothing", `sum by (job) (rate(good_total{steadytrip_outcome="success"}[1m]))`, ""},
	} {
		faults, _ := e.look(c.expr)
		if got := strings.Join(faults, "; "); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: found %q in %s, want %q", c.name, got, c.expr, c.want)
		}
	}
}
