package program

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	firstRetry   = 200 * time.Millisecond
	longestRetry = time.Second
)

// exportTimeout bounds one export, retries included, so that a collector that is away does not hold up the end of the program.
// It is what OTEL_EXPORTER_OTLP_TIMEOUT says in milliseconds, or five seconds.
func exportTimeout() time.Duration {
	if ms, err := strconv.Atoi(os.Getenv("OTEL_EXPORTER_OTLP_TIMEOUT")); err == nil && ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return 5 * time.Second
}

// newSpanExporter returns an exporter that sends spans to the collector at base; a nil base leaves it to the environment.
// What else the environment says holds in any case: headers, certificates, compression.
func newSpanExporter(ctx context.Context, base *url.URL, d *delivery) (sdktrace.SpanExporter, error) {
	options := []otlptracehttp.Option{
		otlptracehttp.WithTimeout(exportTimeout()),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: firstRetry, MaxInterval: longestRetry, MaxElapsedTime: exportTimeout(),
		}),
	}
	if base != nil {
		options = append(options, otlptracehttp.WithEndpointURL(base.JoinPath("v1/traces").String()))
	}
	e, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, err
	}
	return &spanExporter{e, d}, nil
}

func newMetricExporter(ctx context.Context, base *url.URL, d *delivery) (sdkmetric.Exporter, error) {
	options := []otlpmetrichttp.Option{
		otlpmetrichttp.WithTimeout(exportTimeout()),
		otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{
			Enabled: true, InitialInterval: firstRetry, MaxInterval: longestRetry, MaxElapsedTime: exportTimeout(),
		}),
	}
	if base != nil {
		options = append(options, otlpmetrichttp.WithEndpointURL(base.JoinPath("v1/metrics").String()))
	}
	e, err := otlpmetrichttp.New(ctx, options...)
	if err != nil {
		return nil, err
	}
	return &metricExporter{e, d}, nil
}

// spanExporter notes what becomes of each export. The SDK tells nobody else.
type spanExporter struct {
	sdktrace.SpanExporter
	delivery *delivery
}

func (e *spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	return e.delivery.note(len(spans), e.SpanExporter.ExportSpans(ctx, spans))
}

type metricExporter struct {
	sdkmetric.Exporter
	delivery *delivery
}

func (e *metricExporter) Export(ctx context.Context, all *metricdata.ResourceMetrics) error {
	n := 0
	for _, scope := range all.ScopeMetrics {
		n += len(scope.Metrics)
	}
	return e.delivery.note(n, e.Exporter.Export(ctx, all))
}

// delivery is what became of one signal's way to the collector.
type delivery struct {
	what   string // "spans" or "metrics"
	to     string // the collector
	hint   string // what may help if it fails
	stderr io.Writer

	mu    sync.Mutex
	count int
	lost  bool
}

// undelivered is an error that a delivery has noted.
type undelivered struct{ error }

func (u *undelivered) Unwrap() error { return u.error }

// note notes an export of n spans or metrics. Of those that fail it says so once.
func (d *delivery) note(n int, err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.count += n
		return nil
	}
	if !d.lost {
		d.lost = true
		fmt.Fprintf(d.stderr, "tracing: %s did not take the %s: %s%s\n", d.to, d.what, printable(err.Error()), d.hint)
	}
	return &undelivered{err}
}

func (d *delivery) failed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lost
}

// printable is what a server said, fit for a terminal: one line, of bounded length, without control characters.
func printable(text string) string {
	const longest = 300
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)), " ")
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "..."
	}
	return text
}
