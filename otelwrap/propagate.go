package otelwrap

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/propagation"
)

// carrier takes what a propagator writes, in a copy of the header that is made when there is something to write.
type carrier struct {
	header http.Header // of the request; only read
	out    http.Header // nil as long as nothing was written
	odd    bool        // a field's name is spelt in an unusual way
	parent bool        // traceparent was written
	state  bool        // tracestate was written
}

const (
	traceparent = "Traceparent"
	tracestate  = "Tracestate"
)

var _ propagation.TextMapCarrier = (*carrier)(nil)

var carriers = sync.Pool{New: func() any { return new(carrier) }}

// inject returns the header to send: the request's own, or a copy with what the propagator has written, and which of them it is.
func (c *carrier) inject(ctx context.Context, p propagation.TextMapPropagator, header http.Header) (_ http.Header, written bool) {
	c.header = header
	p.Inject(ctx, c)
	if c.out == nil {
		return header, false
	}
	if c.parent && !c.state {
		c.remove(tracestate) // it belongs to the traceparent that was replaced
	}
	return c.out, true
}

// Set replaces a field.
func (c *carrier) Set(key, value string) {
	if c.out == nil {
		c.copyHeader()
	}
	switch key {
	case "traceparent":
		key, c.parent = traceparent, true
	case "tracestate":
		key, c.state = tracestate, true
	default:
		key = http.CanonicalHeaderKey(key)
	}
	c.remove(key)
	c.out[key] = []string{value}
}

// copyHeader makes the copy. Nobody further in may change a request, so the values are shared.
func (c *carrier) copyHeader() {
	if c.out = maps.Clone(c.header); c.out == nil {
		c.out = http.Header{}
	}
	for key := range c.header {
		c.odd = c.odd || unusual(key)
	}
}

// unusual reports whether the name of a field is spelt in a way in which net/http does not spell it.
func unusual(key string) bool { return http.CanonicalHeaderKey(key) != key }

// remove deletes a field in every spelling: a map may hold several, which would all be sent.
func (c *carrier) remove(key string) {
	delete(c.out, key)
	if c.odd {
		maps.DeleteFunc(c.out, func(k string, _ []string) bool { return strings.EqualFold(k, key) })
	}
}

// Get returns a field of the header as it is to be sent.
func (c *carrier) Get(key string) string {
	if c.out != nil {
		return c.out.Get(key)
	}
	return c.header.Get(key)
}

// Keys returns the names of the fields.
func (c *carrier) Keys() []string {
	h := c.header
	if c.out != nil {
		h = c.out
	}
	keys := make([]string, 0, len(h))
	for key := range h {
		keys = append(keys, key)
	}
	return keys
}
