package otelwrap

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// method is how telemetry speaks of an HTTP method.
type method struct {
	value    attribute.KeyValue // http.request.method
	span     string             // name of an attempt's span
	call     string             // name of a call's span
	original bool               // whether http.request.method_original is to be told
}

// methods are the ones that telemetry tells apart.
type methods map[string]*method

// otherMethod stands for all that telemetry does not know.
var otherMethod = &method{semconv.HTTPRequestMethodOther, "HTTP", "call HTTP", true}

// knownMethods are those of RFC 9110, section 9, PATCH of RFC 5789, and QUERY.
var knownMethods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}

func newMethods(names []string) methods {
	if len(names) == 0 {
		for name := range strings.SplitSeq(os.Getenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"), ",") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	known := methods{}
	for _, name := range names {
		known.add(name)
	}
	if len(known) == 0 {
		for _, name := range knownMethods {
			known.add(name)
		}
	}
	return known
}

func (ms methods) add(name string) {
	if isToken(name) {
		ms[name] = &method{semconv.HTTPRequestMethodKey.String(name), name, "call " + name, false}
	}
}

// of is how telemetry speaks of a request's method. An empty one is GET.
func (ms methods) of(req *http.Request) *method {
	name := req.Method
	if name == "" {
		name = http.MethodGet
	}
	if m := ms[name]; m != nil {
		return m
	}
	return otherMethod
}

// maxAddress bounds a server's name: no name in DNS is longer (RFC 1035, section 2.3.4).
const maxAddress = 255

// maxMethod bounds what is repeated of a method that telemetry does not know.
const maxMethod = 32

// originalMethod is http.request.method_original: the method as it is sent, or its beginning.
func originalMethod(req *http.Request) attribute.KeyValue {
	name := req.Method
	if name == "" {
		name = http.MethodGet
	}
	if len(name) > maxMethod {
		end := maxMethod
		for end > 0 && !utf8.RuneStart(name[end]) {
			end--
		}
		name = name[:end]
	}
	return semconv.HTTPRequestMethodOriginal(plain(name))
}

// plain is text as an attribute may have it: exporters refuse whatever is not UTF-8, and all that they were to send with it.
func plain(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// server is the server that a request is for: the host and port of its Host header, which is the URL's unless the caller says
// otherwise. An IPv6 address comes without brackets. The port of a scheme that is neither http nor https is 0 if nobody names
// it.
func server(req *http.Request) (address string, port int) {
	host, scheme := req.Host, ""
	if req.URL != nil {
		scheme = req.URL.Scheme
		if host == "" {
			host = req.URL.Host
		}
	}
	address, digits := splitPort(host[strings.LastIndexByte(host, '@')+1:])
	if address = plain(address); len(address) > maxAddress {
		address = other
	}
	if n, ok := portOf(digits); ok {
		return address, n
	}
	switch {
	case strings.EqualFold(scheme, "http"):
		return address, 80
	case strings.EqualFold(scheme, "https"):
		return address, 443
	}
	return address, 0
}

// portOf reads a port.
func portOf(digits string) (port int, ok bool) {
	if digits == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	return int(n), err == nil
}

// splitPort parts a host from its port, and an IPv6 address from its brackets.
func splitPort(host string) (address, port string) {
	if rest, ok := strings.CutPrefix(host, "["); ok {
		address, port, _ = strings.Cut(rest, "]")
		return address, strings.TrimPrefix(port, ":")
	}
	address, port, _ = strings.Cut(host, ":")
	return address, port
}
