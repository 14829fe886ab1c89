package conformance

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// lab is an SDK that keeps everything it is told.
type lab struct {
	spans   *tracetest.SpanRecorder
	reader  *sdkmetric.ManualReader
	tracers *sdktrace.TracerProvider
	meters  *sdkmetric.MeterProvider
}

func newLab() *lab {
	l := &lab{spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	l.tracers = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(l.spans))
	l.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(l.reader))
	return l
}

// options are opts with the lab's providers.
func (l *lab) options(opts otelwrap.Options) otelwrap.Options {
	opts.TracerProvider, opts.MeterProvider, opts.Propagator = l.tracers, l.meters, propagator
	return opts
}

func (l *lab) chain(tb testing.TB, base http.RoundTripper, cfg transport.Config, opts otelwrap.Options) http.RoundTripper {
	tb.Helper()
	rt, err := otelwrap.New(base, cfg, l.options(opts))
	if err != nil {
		tb.Fatal(err)
	}
	return rt
}

// told is a span in what matters.
type told struct {
	name   string
	kind   trace.SpanKind
	status codes.Code
	set    map[string]any
}

func (s told) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %q %s", s.kind, s.name, s.status)
	for _, key := range slices.Sorted(maps.Keys(s.set)) {
		fmt.Fprintf(&out, "\n    %s = %#v", key, s.set[key])
	}
	return out.String()
}

func setOf(all []attribute.KeyValue) map[string]any {
	set := map[string]any{}
	for _, kv := range all {
		set[string(kv.Key)] = kv.Value.AsInterface()
	}
	return set
}

// ended returns the spans of one kind in the order of their starts, and checks what holds for all.
func (l *lab) ended(tb testing.TB, kind trace.SpanKind) []sdktrace.ReadOnlySpan {
	tb.Helper()
	if started, ended := len(l.spans.Started()), len(l.spans.Ended()); started != ended {
		tb.Errorf("%d spans were started and %d ended, want each to end once", started, ended)
	}
	var out []sdktrace.ReadOnlySpan
	for _, s := range l.spans.Ended() {
		if s.SpanKind() == kind {
			out = append(out, s)
		}
		if len(s.Events()) > 0 {
			tb.Errorf("span %q has events %v, want none", s.Name(), s.Events())
		}
		if text := s.Status().Description; text != "" {
			tb.Errorf("the status of span %q is described as %q, want no description", s.Name(), text)
		}
	}
	slices.SortStableFunc(out, func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	return out
}

func tell(s sdktrace.ReadOnlySpan) told {
	return told{s.Name(), s.SpanKind(), s.Status().Code, setOf(s.Attributes())}
}

// check compares the spans of one kind with what they should tell. A wanted value that is a func is asked about the one there is.
func (l *lab) check(tb testing.TB, kind trace.SpanKind, want ...told) {
	tb.Helper()
	got := l.ended(tb, kind)
	if len(got) != len(want) {
		tb.Errorf("%d spans of kind %v, want %d", len(got), kind, len(want))
		for _, s := range got {
			tb.Log(tell(s))
		}
		return
	}
	for i, w := range want {
		g := tell(got[i])
		w.kind = kind
		for key, value := range w.set {
			if holds, ok := value.(func(any) bool); ok && holds(g.set[key]) {
				w.set[key] = g.set[key]
			}
		}
		if g.String() != w.String() {
			tb.Errorf("span %d is\n  %v\nwant\n  %v", i+1, g, w)
		}
	}
}

// point is one series of a metric.
type point struct {
	set   map[string]any
	count uint64  // of a histogram, or the value of a counter
	sum   float64 // of a histogram
}

// metric returns the series of a metric, with its unit; nil if it was not recorded.
func (l *lab) metric(tb testing.TB, name string) (all []point, unit string) {
	tb.Helper()
	for _, m := range l.metrics(tb) {
		if m.Name != name {
			continue
		}
		unit = m.Unit
		switch d := m.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, p := range d.DataPoints {
				all = append(all, point{setOf(p.Attributes.ToSlice()), p.Count, p.Sum})
			}
		case metricdata.Histogram[int64]:
			for _, p := range d.DataPoints {
				all = append(all, point{setOf(p.Attributes.ToSlice()), p.Count, float64(p.Sum)})
			}
		case metricdata.Sum[int64]:
			for _, p := range d.DataPoints {
				all = append(all, point{setOf(p.Attributes.ToSlice()), uint64(p.Value), 0})
			}
		case metricdata.Gauge[float64]:
			for _, p := range d.DataPoints {
				all = append(all, point{setOf(p.Attributes.ToSlice()), 0, p.Value})
			}
		default:
			tb.Fatalf("metric %s is a %T", name, d)
		}
	}
	slices.SortFunc(all, func(a, b point) int { return strings.Compare(fmt.Sprint(a.set), fmt.Sprint(b.set)) })
	return all, unit
}

func (l *lab) metrics(tb testing.TB) []metricdata.Metrics {
	tb.Helper()
	var all metricdata.ResourceMetrics
	if err := l.reader.Collect(context.Background(), &all); err != nil {
		tb.Fatal(err)
	}
	var out []metricdata.Metrics
	for _, scope := range all.ScopeMetrics {
		out = append(out, scope.Metrics...)
	}
	return out
}

// counts returns the series of a metric as text, "key=value,... count".
func (l *lab) counts(tb testing.TB, name string) string {
	tb.Helper()
	all, _ := l.metric(tb, name)
	var lines []string
	for _, p := range all {
		var pairs []string
		for _, key := range slices.Sorted(maps.Keys(p.set)) {
			pairs = append(pairs, fmt.Sprintf("%s=%v", strings.TrimPrefix(key, "steadytrip."), p.set[key]))
		}
		lines = append(lines, fmt.Sprintf("%s %d", strings.Join(pairs, ","), p.count))
	}
	return strings.Join(lines, "; ")
}

// reply is an answer without a wire.
type reply struct {
	status int
	body   string
	header http.Header
}

// replies answers with its replies in turn, the last one for ever.
type replies struct {
	all  []reply
	sent []*http.Request
}

func (b *replies) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	r := b.all[min(len(b.sent), len(b.all)-1)]
	b.sent = append(b.sent, req)
	header := r.header
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: r.status, Header: header, Request: req, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(r.body)), ContentLength: int64(len(r.body)),
	}, nil
}

// roundTrip is a base made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// quick is the default policy with pauses of a millisecond.
func quick() *policy.Set {
	set := policy.Default()
	for kind, p := range set.Profiles {
		p.Initial, p.Max = time.Millisecond, time.Millisecond
		set.Profiles[kind] = p
	}
	return &set
}

func get(ctx context.Context, tb testing.TB, url string) *http.Request {
	tb.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return req
}

// finish reads and closes an answer, if there is one.
func finish(resp *http.Response, err error) {
	if err == nil && resp != nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

func positive(v any) bool {
	f, ok := v.(float64)
	return ok && f > 0
}
