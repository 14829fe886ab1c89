package otelwrap

import (
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Options say where telemetry goes and what may be in it. The zero value is the default. Options are read when a part is made;
// changing them later changes nothing.
type Options struct {
	// TracerProvider gets the spans. Default: the global one, also if it is installed later.
	TracerProvider trace.TracerProvider

	// MeterProvider gets the metrics. Default: the global one, also if it is installed later.
	MeterProvider metric.MeterProvider

	// Propagator writes the trace context into the header of each attempt. Default: the global one, also if it is
	// installed later.
	Propagator propagation.TextMapPropagator

	// RedactQuery names further query parameters whose values stay out of url.full, beside those of [RedactedQuery].
	// Case matters, as it does in URLs.
	RedactQuery []string

	// Methods are the HTTP methods that telemetry tells apart, case-sensitive; any other is "_OTHER".
	// Default: the environment's OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS, a list with commas; failing that, the nine methods of
	// RFC 9110 and RFC 5789, and QUERY.
	Methods []string

	// ShowGrants puts the ids of grants and providers that answers name on spans, as steadytrip.grant_id and
	// steadytrip.provider_id, and leaves a grant's id in url.full. They may point to people. Metrics never have them.
	ShowGrants bool

	// NoCallSpan leaves out the span of the call. The spans of the attempts are siblings then, under the caller's span, and
	// what is known of the call is written on the caller's span if it records.
	NoCallSpan bool

	// BesideOtelhttp leaves HTTP spans, propagation and http.client.request.duration to otelhttp, or to any other
	// instrumentation of one attempt: [Attempts] adds what it does not know to its span, which is the active one, and starts
	// none. See the package's documentation for where it stands in the chain.
	BesideOtelhttp bool
}

// Validate returns every fault of the options, joined; nil if there is none. [New] and [Wrap] call it. The parts for chains made
// by hand, which return no error, leave out what is faulty.
func (o Options) Validate() error {
	var faults []error
	for i, name := range o.RedactQuery {
		if !isParameter(name) {
			faults = append(faults, fmt.Errorf("otelwrap: Options.RedactQuery[%d] is %q: want the name of a query parameter", i, name))
		}
	}
	for i, name := range o.Methods {
		if !isToken(name) {
			faults = append(faults, fmt.Errorf("otelwrap: Options.Methods[%d] is %q: want an HTTP method", i, name))
		}
	}
	return errors.Join(faults...)
}

// isParameter reports whether s can be the name of a query parameter, in plain text.
func isParameter(s string) bool { return s != "" && !strings.ContainsAny(s, "&=#?") }

// isToken reports whether s is a token (RFC 9110, section 5.6.2), as every method is.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
