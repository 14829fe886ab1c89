package classify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"strings"
	"syscall"
)

// NetErrors classifies transport errors, by their types and never by their text, with one documented exception:
// net/http reports a proxy's refusal of CONNECT as a bare status text. It has no opinion on answers.
//
// The caller's own cancellation is told by Outcome.ContextErr: an error that is a context error proves nothing,
// since net/http also returns those for its own timers, and returns others when the caller cancelled with a cause.
// An error that is no more than an error is of kind [Network].
type NetErrors struct{}

// Classify implements [Classifier].
func (NetErrors) Classify(o Outcome) Verdict {
	if o.Err == nil {
		return Verdict{}
	}
	if o.ContextErr != nil {
		return contextVerdict(o.ContextErr)
	}
	if known, ok := errors.AsType[failure](o.Err); ok {
		return known.root().verdict
	}
	switch {
	case o.RequestErr != nil:
		return Verdict{Kind: InvalidRequest, Unprocessed: true, Code: "invalid_request"}
	case errors.Is(o.Err, context.Canceled):
		return contextVerdict(context.Canceled)
	}
	v := byType(o.Err)
	// Whoever watched the connection may know more than the error's type tells.
	var watched interface{ Unsent() bool }
	if errors.As(o.Err, &watched) && watched.Unsent() {
		v.Unprocessed = true
	}
	return v
}

// byType is what the type of an error that is neither the request's nor the caller's doing tells.
func byType(err error) Verdict {
	for _, by := range [...]func(error) Verdict{byTLS, byDial, byHTTP2, byNetHTTP, byConnection} {
		if v := by(err); v.Kind != Unclassified {
			return v
		}
	}
	switch {
	case isTimeout(err):
		return Verdict{Kind: Timeout, Code: "timeout"}
	case isStatusText(err):
		return Verdict{Kind: ProxyRefused, Unprocessed: true, Code: "proxy_refused"}
	}
	return Verdict{Kind: Network, Basis: Guessed}
}

func contextVerdict(err error) Verdict {
	if errors.Is(err, context.DeadlineExceeded) {
		return Verdict{Kind: Deadline, Code: "deadline"}
	}
	return Verdict{Kind: Canceled, Code: "canceled"}
}

// byTLS knows what no waiting heals: certificates, versions, and alerts that the peer or this side raised.
// A TLS 1.3 server rejects a client certificate only after the request went out, so nothing proves it unprocessed.
func byTLS(err error) Verdict {
	var (
		record     tls.RecordHeaderError
		cert       *tls.CertificateVerificationError
		authority  x509.UnknownAuthorityError
		hostname   x509.HostnameError
		invalid    x509.CertificateInvalidError
		constraint x509.ConstraintViolationError
		roots      x509.SystemRootsError
		alert      tls.AlertError
		ech        *tls.ECHRejectionError
		op         *net.OpError
	)
	switch {
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch): // the second is what http.Client makes of the first
		return Verdict{Kind: TLS, Unprocessed: true, Code: "tls_record_header"}
	case errors.As(err, &cert), errors.As(err, &authority), errors.As(err, &hostname), errors.As(err, &invalid),
		errors.As(err, &constraint), errors.As(err, &roots):
		return Verdict{Kind: TLS, Unprocessed: true, Code: "tls_certificate"}
	case errors.As(err, &alert), errors.As(err, &ech),
		errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"):
		return Verdict{Kind: TLS, Code: "tls_alert"}
	}
	return Verdict{}
}

// byDial knows the failures before a connection exists: nothing was sent.
func byDial(err error) Verdict {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		switch {
		case dns.IsNotFound:
			return Verdict{Kind: HostNotFound, Unprocessed: true, Code: "host_not_found"}
		case dns.IsTimeout:
			return Verdict{Kind: DNS, Unprocessed: true, Code: "dns_timeout"}
		}
		return Verdict{Kind: DNS, Unprocessed: true, Code: "dns"}
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" && op.Op != "proxyconnect" && !strings.HasPrefix(op.Op, "socks ") {
		return Verdict{}
	}
	var (
		address *net.AddrError
		network net.UnknownNetworkError
		parse   *net.ParseError
	)
	switch {
	case errors.As(err, &address), errors.As(err, &network), errors.As(err, &parse):
		return Verdict{Kind: InvalidRequest, Unprocessed: true, Code: "invalid_address"}
	case op.Timeout():
		return Verdict{Kind: DialTimeout, Unprocessed: true, Code: "dial_timeout"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return Verdict{Kind: ConnectionRefused, Unprocessed: true, Code: "connection_refused"}
	}
	return Verdict{Kind: Dial, Unprocessed: true, Code: "dial"}
}

// streamError is filled by the As method of net/http's HTTP/2 stream error, which looks for a struct
// with these very fields.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "http2: stream error" }

// Codes of RFC 9113, section 7.
const (
	http2ProtocolError    = 0x1
	http2FlowControlError = 0x3
	http2FrameSizeError   = 0x6
	http2RefusedStream    = 0x7
	http2CompressionError = 0x9
	http2HTTP11Required   = 0xd
)

// byHTTP2 reads stream errors. A refused stream was not processed (RFC 9113, section 8.7).
func byHTTP2(err error) Verdict {
	var stream streamError
	if !errors.As(err, &stream) {
		return Verdict{}
	}
	switch stream.Code {
	case http2RefusedStream:
		return Verdict{Kind: ConnectionLost, Unprocessed: true, Code: "http2_refused_stream"}
	case http2ProtocolError, http2FlowControlError, http2FrameSizeError, http2CompressionError, http2HTTP11Required:
		return Verdict{Kind: Protocol, Code: "http2_protocol_error"}
	}
	return Verdict{Kind: ConnectionLost, Code: "http2_stream_reset"}
}

// netHTTPTypes are error types that net/http keeps to itself. They are told by the type's name, which is steadier
// than their text.
var netHTTPTypes = map[string]Verdict{
	"tlsHandshakeTimeoutError": {Kind: DialTimeout, Unprocessed: true, Code: "tls_handshake_timeout"},
	"timeoutError":             {Kind: Timeout, Code: "response_header_timeout"},
	"http2httpError":           {Kind: Timeout, Code: "response_header_timeout"},
	"http2GoAwayError":         {Kind: ConnectionLost, Code: "http2_goaway"},
	"http2ConnectionError":     {Kind: Protocol, Code: "http2_connection_error"},
}

func byNetHTTP(err error) Verdict {
	var (
		//lint:ignore SA1019 net/http still returns it
		protocol *http.ProtocolError
		text     textproto.ProtocolError
	)
	if errors.As(err, &protocol) || errors.As(err, &text) {
		return Verdict{Kind: Protocol, Code: "malformed_response"}
	}
	var client *url.Error
	errors.As(err, &client)
	for ; err != nil; err = errors.Unwrap(err) {
		t := reflect.TypeOf(err)
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.PkgPath() == "net/http" {
			if v, ok := netHTTPTypes[t.Name()]; ok {
				if t.Name() == "timeoutError" && client != nil {
					v.Code = "timeout" // http.Client reports its own Timeout with the same type
				}
				return v
			}
		}
	}
	return Verdict{}
}

// byConnection knows the ways in which an existing connection ends. The request may have been acted on.
func byConnection(err error) Verdict {
	var code string
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		code = "connection_reset"
	case errors.Is(err, syscall.EPIPE):
		code = "broken_pipe"
	case errors.Is(err, syscall.ECONNABORTED):
		code = "connection_aborted"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		code = "connection_closed"
	case errors.Is(err, net.ErrClosed):
		code = "connection_closed_here"
	default:
		return Verdict{}
	}
	return Verdict{Kind: ConnectionLost, Code: code}
}

// isTimeout reports whether err or an error below it says that it is a timeout. A *url.Error asks only the one error
// directly below it, so that its no is not the last word.
func isTimeout(err error) bool {
	var t interface {
		error
		Timeout() bool
	}
	for errors.As(err, &t) {
		if t.Timeout() {
			return true
		}
		err = errors.Unwrap(t)
	}
	return false
}

// isStatusText reports whether err is, at its bottom, nothing but the reason phrase of an error status: what net/http
// makes of a proxy's refusal of CONNECT.
func isStatusText(err error) bool {
	for below := errors.Unwrap(err); below != nil; below = errors.Unwrap(err) {
		err = below
	}
	for status := 400; status < 600; status++ {
		if text := http.StatusText(status); text != "" && text == err.Error() {
			return true
		}
	}
	return false
}
