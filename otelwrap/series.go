package otelwrap

import (
	"net/http"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// What bounds http.client.request.duration, for each chain. The SDK's own limit is 2000, beyond which it drops all attributes.
const (
	maxServers = 100  // servers with series of their own; the others are "_OTHER", port 0
	maxExact   = 1000 // series before those that come later are told by less
	maxSeries  = 1900 // series before all that come later are one, or one with an error
)

// other stands for whatever has no series of its own.
const other = "_OTHER"

// seriesKey is what tells the series of http.client.request.duration apart.
type seriesKey struct {
	method    string
	address   string
	port      int
	status    int    // 0 if there was no answer
	errorType string // empty without an error
	version   string // of the protocol; empty if it is not known
}

type serverKey struct {
	address string
	port    int
}

// series keeps the attributes of each series ready. It is bounded, and safe for concurrent use.
type series struct {
	last    atomic.Pointer[oneSeries] // most programs ask for the same again and again
	mu      sync.RWMutex
	servers map[serverKey]struct{}
	known   map[seriesKey]*oneSeries
}

type oneSeries struct {
	key     seriesKey
	options []metric.RecordOption
}

func newSeries() *series {
	return &series{servers: map[serverKey]struct{}{}, known: map[seriesKey]*oneSeries{}}
}

// of returns the attributes of a series, as options that can be used again. What finds no room is told by less.
func (s *series) of(k seriesKey) []metric.RecordOption {
	if last := s.last.Load(); last != nil && last.key == k {
		return last.options
	}
	s.mu.RLock()
	found := s.known[s.fold(k)]
	s.mu.RUnlock()
	if found == nil {
		found = s.add(k)
	}
	s.last.Store(found)
	return found.options
}

// add makes a series, if there is room.
func (s *series) add(k seriesKey) *oneSeries {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k = s.fold(k); k.address != other && len(s.servers) < maxServers {
		s.servers[serverKey{k.address, k.port}] = struct{}{}
	}
	if s.known[k] == nil && len(s.known) >= maxExact {
		k = k.coarse()
	}
	if s.known[k] == nil && len(s.known) >= maxSeries {
		k = k.least()
	}
	found := s.known[k]
	if found == nil {
		found = &oneSeries{k, k.options()}
		s.known[k] = found
	}
	return found
}

// fold takes the server out of the key if it is one too many.
func (s *series) fold(k seriesKey) seriesKey {
	if len(s.servers) < maxServers {
		return k
	}
	if _, ok := s.servers[serverKey{k.address, k.port}]; !ok {
		k.address, k.port = other, 0
	}
	return k
}

// coarse is the key without server and protocol, and without a status that net/http does not know.
func (k seriesKey) coarse() seriesKey {
	k.address, k.port, k.version = other, 0, ""
	if k.status != 0 && http.StatusText(k.status) == "" {
		k.status = 0
		if k.errorType != "" {
			k.errorType = other
		}
	}
	return k
}

// least is the key with nothing but whether there was an error.
func (k seriesKey) least() seriesKey {
	if k.errorType != "" {
		k.errorType = other
	}
	return seriesKey{method: other, address: other, errorType: k.errorType}
}

func (k seriesKey) options() []metric.RecordOption {
	set := []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(k.method), semconv.ServerAddress(k.address), semconv.ServerPort(k.port),
	}
	if k.status != 0 {
		set = append(set, semconv.HTTPResponseStatusCode(k.status))
	}
	if k.errorType != "" {
		set = append(set, semconv.ErrorTypeKey.String(k.errorType))
	}
	if k.version != "" {
		set = append(set, semconv.NetworkProtocolVersion(k.version))
	}
	return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(set...))}
}

// protocol is the version that an answer came by; empty if the base does not say, or says something unheard of.
func protocol(resp *http.Response) string {
	switch [2]int{resp.ProtoMajor, resp.ProtoMinor} {
	case [2]int{1, 0}:
		return "1.0"
	case [2]int{1, 1}:
		return "1.1"
	case [2]int{2, 0}:
		return "2"
	case [2]int{3, 0}:
		return "3"
	}
	return ""
}
