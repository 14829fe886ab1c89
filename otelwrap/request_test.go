package otelwrap

import (
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"testing"
)

func TestServerOfARequest(t *testing.T) {
	for name, tc := range map[string]struct {
		scheme, urlHost, host string
		address               string
		port                  int
	}{
		"https":                        {"https", "a.example", "", "a.example", 443},
		"http":                         {"http", "a.example", "", "a.example", 80},
		"a scheme in upper case":       {"HTTPS", "a.example", "", "a.example", 443},
		"a scheme that is neither":     {"ftp", "a.example", "", "a.example", 0},
		"a port":                       {"https", "a.example:8443", "", "a.example", 8443},
		"an empty port":                {"https", "a.example:", "", "a.example", 443},
		"a port that is none":          {"https", "a.example:x", "", "a.example", 443},
		"a port that is too large":     {"https", "a.example:65536", "", "a.example", 443},
		"IPv4":                         {"http", "127.0.0.1:80", "", "127.0.0.1", 80},
		"IPv6":                         {"http", "[::1]:8080", "", "::1", 8080},
		"IPv6 without a port":          {"http", "[::1]", "", "::1", 80},
		"IPv6 with a zone":             {"http", "[fe80::1%eth0]:80", "", "fe80::1%eth0", 80},
		"a Host header of its own":     {"https", "127.0.0.1:1", "a.example", "a.example", 443},
		"a Host header with its port":  {"https", "127.0.0.1:1", "a.example:2", "a.example", 2},
		"nothing":                      {"", "", "", "", 0},
		"a bracket that is not closed": {"https", "[::1", "", "::1", 443},
	} {
		t.Run(name, func(t *testing.T) {
			req := &http.Request{URL: &url.URL{Scheme: tc.scheme, Host: tc.urlHost}, Host: tc.host}
			if address, port := server(req); address != tc.address || port != tc.port {
				t.Errorf("%s, %d, want %s, %d", address, port, tc.address, tc.port)
			}
		})
	}
	if address, port := server(&http.Request{}); address != "" || port != 0 {
		t.Errorf("without a URL %q, %d, want nothing", address, port)
	}
}

func TestPeerOfAConnection(t *testing.T) {
	for name, tc := range map[string]struct {
		address net.Addr
		want    string
	}{
		"IPv4":       {&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, "127.0.0.1 80"},
		"IPv6":       {&net.TCPAddr{IP: net.IPv6loopback, Port: 80, Zone: "lo"}, "::1%lo 80"},
		"UDP":        {&net.UDPAddr{IP: net.IPv6loopback, Port: 443}, "::1 443"},
		"a socket":   {&net.UnixAddr{Name: "/run/x.sock", Net: "unix"}, "/run/x.sock"},
		"another":    {address("host.example:99"), "host.example 99"},
		"no address": {address(""), ""},
		"none":       {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var p peer
			p.gotConn(httptrace.GotConnInfo{Conn: conn{address: tc.address}})
			got := ""
			for i, kv := range p.appendTo(nil) {
				if i > 0 {
					got += " "
				}
				got += kv.Value.String()
			}
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
	var p peer
	p.gotConn(httptrace.GotConnInfo{})
	if got := p.appendTo(nil); got != nil {
		t.Errorf("without a connection %v, want nothing", got)
	}
}

type address string

func (address) Network() string  { return "test" }
func (a address) String() string { return string(a) }

type conn struct {
	net.Conn
	address net.Addr
}

func (c conn) RemoteAddr() net.Addr { return c.address }

func TestMethodsOfTheEnvironment(t *testing.T) {
	t.Setenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET, PURGE ,no token,")
	for method, want := range map[string]string{"GET": "GET", "PURGE": "PURGE", "POST": "HTTP", "": "GET", "no token": "HTTP"} {
		if got := newMethods(nil).of(&http.Request{Method: method}).span; got != want {
			t.Errorf("%q is %s, want %s", method, got, want)
		}
	}
	if got := newMethods([]string{"LOCK"}).of(&http.Request{Method: "PURGE"}).span; got != "HTTP" {
		t.Errorf("beside options the environment holds: %s, want HTTP", got)
	}
}
