package otelwrap

import (
	"net"
	"net/http/httptrace"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// peer is the far end of the connection that an attempt got. The hook may be called concurrently, more than once,
// and after the attempt has ended.
type peer struct {
	mu      sync.Mutex
	address net.Addr
}

func (p *peer) gotConn(info httptrace.GotConnInfo) {
	if info.Conn == nil {
		return
	}
	address := info.Conn.RemoteAddr()
	p.mu.Lock()
	p.address = address
	p.mu.Unlock()
}

// appendTo appends network.peer.address and network.peer.port, if the peer is known.
func (p *peer) appendTo(set []attribute.KeyValue) []attribute.KeyValue {
	p.mu.Lock()
	address := p.address
	p.mu.Unlock()
	switch a := address.(type) {
	case nil:
		return set
	case *net.TCPAddr:
		return append(set, semconv.NetworkPeerAddress(hostOf(a.IP, a.Zone)), semconv.NetworkPeerPort(a.Port))
	case *net.UDPAddr:
		return append(set, semconv.NetworkPeerAddress(hostOf(a.IP, a.Zone)), semconv.NetworkPeerPort(a.Port))
	}
	text := address.String()
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host = text // the path of a Unix domain socket
	}
	if host == "" {
		return set
	}
	set = append(set, semconv.NetworkPeerAddress(host))
	if n, ok := portOf(port); ok {
		set = append(set, semconv.NetworkPeerPort(n))
	}
	return set
}

func hostOf(ip net.IP, zone string) string {
	if zone == "" {
		return ip.String()
	}
	return ip.String() + "%" + zone
}
