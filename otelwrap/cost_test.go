package otelwrap_test

import (
	"net/http"
	"testing"

	noopmetric "go.opentelemetry.io/otel/metric/noop"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

func TestACallCostsLittleWithoutAnSDK(t *testing.T) {
	silent := otelwrap.Options{TracerProvider: nooptrace.NewTracerProvider(), MeterProvider: noopmetric.NewMeterProvider()}
	alone := silent
	alone.NoCallSpan = true
	for name, tc := range map[string]struct {
		opts otelwrap.Options
		want float64
	}{
		"no provider is installed":           {otelwrap.Options{}, 3},
		"no-op providers":                    {silent, 1},
		"no-op providers and no call's span": {alone, 1},
	} {
		t.Run(name, func(t *testing.T) {
			rt, err := otelwrap.New(still{&http.Response{StatusCode: 200, Body: http.NoBody}}, transport.Config{}, tc.opts)
			if err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequestWithContext(t.Context(), "GET", "https://api.example/v1?sig=x", nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = rt.RoundTrip(req)
			if got := testing.AllocsPerRun(100, func() { _, _ = rt.RoundTrip(req) }); got > tc.want {
				t.Errorf("%v allocations, want at most %v", got, tc.want)
			}
		})
	}
}
