package transport_test

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
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// TestEveryNetworkKindComesThroughAnHTTPClient looks for the error type of each kind below Network, and of those on the
// caller's side, in what http.Client returns.
func TestEveryNetworkKindComesThroughAnHTTPClient(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	cases := map[classify.Kind]error{
		classify.Network:           errors.New("something else"),
		classify.Dial:              dial(syscall.EHOSTUNREACH),
		classify.ConnectionRefused: transporttest.ErrRefused,
		classify.DNS:               dial(&net.DNSError{Err: "server misbehaving", Name: "api.example", IsTemporary: true}),
		classify.ConnectionLost:    io.ErrUnexpectedEOF,
		classify.Timeout:           headerTimeoutError{},
		classify.DialTimeout:       transporttest.ErrDialTimeout,
		classify.Deadline:          nil, // the caller's context ends it
		classify.HostNotFound:      transporttest.ErrNoSuchHost,
		classify.TLS:               &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		classify.ProxyRefused:      errors.New(http.StatusText(http.StatusProxyAuthRequired)),
		classify.Protocol:          textproto.ProtocolError("malformed MIME header"),
		classify.Canceled:          nil,
		classify.InvalidRequest:    errors.New("net/http: invalid header field value"),
	}
	for kind := range classify.Kinds() {
		if _, ok := cases[kind]; !ok && (kind.Is(classify.Network) || kind.Is(classify.InvalidRequest)) {
			t.Errorf("no case for %v", kind)
		}
	}
	for kind, cause := range cases {
		t.Run(kind.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := http.RoundTripper(transporttest.Play(transporttest.Hang()).Repeat())
				if cause != nil {
					base = transporttest.Play(transporttest.Fail(cause)).Repeat()
				}
				ctx, cancel := context.WithCancel(t.Context())
				if kind == classify.Deadline {
					ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				}
				defer cancel()
				if kind == classify.Canceled {
					time.AfterFunc(time.Second, cancel)
				}
				req := newRequest(t, "GET", "http://api.example", "").WithContext(ctx)
				if kind == classify.InvalidRequest {
					req.Header.Set("X", "a\nb")
				}
				_, err := (&http.Client{Transport: newChain(t, base, transport.Config{})}).Do(req)
				var outer *url.Error
				var root *classify.AlterSDKError
				if !errors.As(err, &outer) || !errors.As(err, &root) || (cause != nil && !errors.Is(err, cause)) {
					t.Fatalf("%v: want a *url.Error with the kind's error and its cause below", err)
				}
				want := "*classify." + kind.ErrorName()
				for e := err; e != nil; e = errors.Unwrap(e) {
					if reflect.TypeOf(e).String() == want {
						return
					}
				}
				t.Errorf("%v is %v: want a %s in its chain", err, classify.Of(nil, err).Kind, want)
			})
		})
	}
}
