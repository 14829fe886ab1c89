package conformance

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// receive starts the collector's OTLP receiver on loopback, with the words of a collector's configuration, and returns its URL.
func receive(t *testing.T, traces consumer.Traces, metrics consumer.Metrics) string {
	t.Helper()
	address := freeAddress(t)
	factory := otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig()
	words := confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{"http": map[string]any{"endpoint": address}}})
	if err := words.Unmarshal(cfg); err != nil {
		t.Fatal(err)
	}
	settings := receivertest.NewNopSettings(factory.Type())
	forTraces, err := factory.CreateTraces(t.Context(), settings, cfg, traces)
	if err != nil {
		t.Fatal(err)
	}
	forMetrics, err := factory.CreateMetrics(t.Context(), settings, cfg, metrics)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []component.Component{forTraces, forMetrics} {
		if err := c.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Shutdown(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	return "http://" + address
}

// The collector's receiver takes what the program sends: whole traces, and every metric that steadytrip has.
func TestCollectorTakesSpansAndMetrics(t *testing.T) {
	t.Parallel()
	var traces consumertest.TracesSink
	var metrics consumertest.MetricsSink
	url := receive(t, &traces, &metrics)

	code, stdout, stderr := run(t.Context(), "-otlp", url)

	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d, want 0\n%s\n%s", code, stdout, stderr)
	}
	checkTraces(t, traces.AllTraces())
	checkMetrics(t, metrics.AllMetrics())
}

// span is a span with the words that tests look at.
type span struct {
	ptrace.Span
	set map[string]any
}

func checkTraces(t *testing.T, all []ptrace.Traces) {
	t.Helper()
	spans := map[pcommon.SpanID]span{}
	for _, traces := range all {
		for _, r := range traces.ResourceSpans().All() {
			checkResource(t, r.Resource())
			for _, scope := range r.ScopeSpans().All() {
				for _, s := range scope.Spans().All() {
					spans[s.SpanID()] = span{s, s.Attributes().AsRaw()}
				}
			}
		}
	}
	names := map[string]int{}
	for _, s := range spans {
		names[s.Name()]++
		parent, known := spans[s.ParentSpanID()]
		switch {
		case strings.HasPrefix(s.Name(), "story "):
			if !s.ParentSpanID().IsEmpty() {
				t.Errorf("%s has a parent", s.Name())
			}
		case !known:
			t.Errorf("the parent of %s is not there", s.Name())
		case parent.TraceID() != s.TraceID():
			t.Errorf("the parent of %s is in another trace", s.Name())
		case strings.HasPrefix(s.Name(), "call "):
			if s.Kind() != ptrace.SpanKindInternal || !strings.HasPrefix(parent.Name(), "story ") {
				t.Errorf("%s is of kind %s under %s, want an internal one under a story", s.Name(), s.Kind(), parent.Name())
			}
			if s.set["steadytrip.stop_reason"] == nil || s.set["steadytrip.attempts"] == nil {
				t.Errorf("%s has %v, want to be told the attempts and why there was no further one", s.Name(), s.set)
			}
		default:
			if s.Kind() != ptrace.SpanKindClient || parent.Name() != "call "+s.Name() {
				t.Errorf("%s is of kind %s under %s, want a client's under a call", s.Name(), s.Kind(), parent.Name())
			}
			if s.set["server.address"] != "127.0.0.1" || s.set["http.request.method"] != s.Name() || s.set["url.full"] == nil {
				t.Errorf("%s has %v, want what the convention requires", s.Name(), s.set)
			}
			if failed := s.Status().Code() == ptrace.StatusCodeError; failed != (s.set["error.type"] != nil) {
				t.Errorf("%s has status %s and %v, want both to say that it failed, or none", s.Name(), s.Status().Code(), s.set)
			}
		}
	}
	stories := []string{"story limit", "story redirect", "story refresh", "story refused", "story revoked", "story success"}
	for _, name := range append(stories, "call GET", "call POST", "GET", "POST") {
		if names[name] == 0 {
			t.Errorf("got %v, want %s too", names, name)
		}
	}
	if names["call POST"] < 100 {
		t.Errorf("%d of the crowd's calls arrived, want all", names["call POST"])
	}
}

func checkResource(t *testing.T, r pcommon.Resource) {
	t.Helper()
	set := r.Attributes().AsRaw()
	if set["service.name"] != "steadytrip-tracing" || set["telemetry.sdk.language"] != "go" {
		t.Errorf("the resource is %v, want the service's name and the SDK", set)
	}
}

// metric is what a receiver gets of a metric.
type metric struct {
	unit string
	kind pmetric.MetricType
}

func checkMetrics(t *testing.T, all []pmetric.Metrics) {
	t.Helper()
	got := map[string]metric{}
	for _, metrics := range all {
		for _, r := range metrics.ResourceMetrics().All() {
			checkResource(t, r.Resource())
			for _, scope := range r.ScopeMetrics().All() {
				for _, m := range scope.Metrics().All() {
					got[m.Name()] = metric{m.Unit(), m.Type()}
				}
			}
		}
	}
	want := map[string]metric{
		"http.client.request.duration":          {"s", pmetric.MetricTypeHistogram},
		"steadytrip.client.call.duration":       {"s", pmetric.MetricTypeHistogram},
		"steadytrip.client.call.retries":        {"{retry}", pmetric.MetricTypeHistogram},
		"steadytrip.client.stops":               {"{call}", pmetric.MetricTypeSum},
		"steadytrip.client.wait.duration":       {"s", pmetric.MetricTypeHistogram},
		"steadytrip.client.refusals":            {"{attempt}", pmetric.MetricTypeSum},
		"steadytrip.client.breaker.transitions": {"{transition}", pmetric.MetricTypeSum},
		"steadytrip.client.breaker.count":       {"{breaker}", pmetric.MetricTypeSum},
		"steadytrip.client.breaker.waiting":     {"{attempt}", pmetric.MetricTypeSum},
		"steadytrip.client.gate.count":          {"{gate}", pmetric.MetricTypeSum},
		"steadytrip.client.gate.waiting":        {"{call}", pmetric.MetricTypeSum},
		"steadytrip.client.budget.tokens":       {"{token}", pmetric.MetricTypeGauge},
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s arrived as %v, want %v", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d metrics arrived, want %d: %v", len(got), len(want), slices.Sorted(maps.Keys(got)))
	}
}

// A collector whose pipeline refuses makes the program fail, with its reason.
func TestCollectorRefusesForGood(t *testing.T) {
	t.Parallel()
	refusal := consumertest.NewErr(consumererror.NewPermanent(errors.New("quota exceeded")))
	url := receive(t, refusal, refusal)

	code, _, stderr := run(t.Context(), "-otlp", url, "-story", "success")

	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, what := range []string{"spans", "metrics"} {
		if want := "tracing: the collector at " + url + " did not take the " + what + ": "; !strings.Contains(stderr, want) || !strings.Contains(stderr, "quota exceeded") {
			t.Errorf("printed %q, want %q and the reason in it", stderr, want)
		}
	}
}
