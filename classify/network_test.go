package classify

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// listen serves each connection to a loopback address with handle, and closes what is left when the test ends.
func listen(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu    sync.Mutex
		conns []net.Conn
		wg    sync.WaitGroup
	)
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, conn := range conns {
			conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// afterRequest reads one HTTP/1 request with its body and then calls then.
func afterRequest(then func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		io.Copy(io.Discard, req.Body)
		then(conn)
	}
}

// stall holds a connection until the peer or the test closes it.
func stall(conn net.Conn) { io.Copy(io.Discard, conn) }

// closedAddress is a loopback address on which nobody listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// nameServer answers every query with a response code and no records.
func nameServer(t *testing.T, rcode byte) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if n < 12 {
				continue
			}
			// The question ends with its type and class, after the empty label.
			end := 12 + bytes.IndexByte(buf[12:n], 0) + 5
			reply := append([]byte(nil), buf[:end]...)
			binary.BigEndian.PutUint16(reply[2:], 0x8180|uint16(rcode))
			binary.BigEndian.PutUint16(reply[6:], 0)
			binary.BigEndian.PutUint16(reply[8:], 0)
			binary.BigEndian.PutUint16(reply[10:], 0)
			pc.WriteTo(reply, from)
		}
	}()
	t.Cleanup(func() { pc.Close(); <-done })
	address := pc.LocalAddr().String()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", address)
	}}
	return (&net.Dialer{Resolver: resolver}).DialContext
}

// tlsServer is a quiet TLS server whose handler never matters.
func tlsServer(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// certificateAsker is a TLS server that wants a certificate of its clients. It keeps the connection open after its alert,
// so that the alert is what the client sees rather than a broken pipe.
func certificateAsker(t *testing.T, tr *http.Transport, version uint16) string {
	s := tlsServer(t)
	tr.TLSClientConfig = &tls.Config{RootCAs: rootsOf(s)}
	config := &tls.Config{Certificates: s.TLS.Certificates, ClientAuth: tls.RequireAnyClientCert, MinVersion: version, MaxVersion: version}
	return "https://" + listen(t, func(conn net.Conn) {
		tls.Server(conn, config).Handshake()
		stall(conn)
	})
}

// readsAfterWrite is a connection on which nothing is read before something was written. Under TLS 1.3 the alert comes after
// the handshake: net/http, which reads ahead, may see it and close the connection before the request goes out,
// and then tells of that.
type readsAfterWrite struct {
	net.Conn
	once  sync.Once
	wrote chan struct{}
}

func (c *readsAfterWrite) Read(p []byte) (int, error) {
	<-c.wrote
	return c.Conn.Read(p)
}

func (c *readsAfterWrite) Write(p []byte) (int, error) {
	defer c.once.Do(func() { close(c.wrote) })
	return c.Conn.Write(p)
}

func (c *readsAfterWrite) Close() error {
	c.once.Do(func() { close(c.wrote) })
	return c.Conn.Close()
}

func rootsOf(s *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// netCase is a way in which an exchange fails.
type netCase struct {
	name  string
	setup func(t *testing.T, tr *http.Transport) (url string) // prepares tr and the peer

	header  http.Header   // of the request
	method  string        // default: POST
	host    string        // of the request, if it differs from the URL
	noBody  bool          // send no body
	fault   error         // what a check of the request found wrong with it
	cancel  time.Duration // cancel the request after it
	cause   error         // the cancellation's cause
	timeout time.Duration // deadline of the request's context
	client  time.Duration // http.Client.Timeout; such a case is run through the client alone

	want       Verdict // kind, code, unprocessed, basis
	clientCode string  // the code through http.Client, if it differs
	isTimeout  bool    // whether the error says it is a timeout
	as         any     // the standard library's type that the error must be found to be
}

func errType[T error]() any { return new(T) }

func netCases() []netCase {
	server := func(handle func(net.Conn)) func(*testing.T, *http.Transport) string {
		return func(t *testing.T, _ *http.Transport) string { return "http://" + listen(t, handle) }
	}
	write := func(s string) func(net.Conn) {
		return afterRequest(func(conn net.Conn) { io.WriteString(conn, s) })
	}
	fixed := func(u string) func(*testing.T, *http.Transport) string {
		return func(*testing.T, *http.Transport) string { return u }
	}
	invalid := errors.New("invalid request")
	cause := errors.New("the user went away")

	return []netCase{
		{name: "connection refused", want: Verdict{Kind: ConnectionRefused, Unprocessed: true, Code: "connection_refused"},
			as:    errType[*net.OpError](),
			setup: func(t *testing.T, _ *http.Transport) string { return "http://" + closedAddress(t) }},
		{name: "dial timeout", want: Verdict{Kind: DialTimeout, Unprocessed: true, Code: "dial_timeout"}, isTimeout: true,
			as: errType[*net.OpError](),
			setup: func(t *testing.T, tr *http.Transport) string {
				tr.DialContext = (&net.Dialer{Timeout: time.Nanosecond}).DialContext
				return "http://" + listen(t, stall)
			}},
		{name: "no route", want: Verdict{Kind: Dial, Unprocessed: true, Code: "dial"},
			as: errType[*net.OpError](),
			setup: func(_ *testing.T, tr *http.Transport) string {
				tr.DialContext = (&net.Dialer{ControlContext: func(context.Context, string, string, syscall.RawConn) error {
					return syscall.ENETUNREACH
				}}).DialContext
				return "http://127.0.0.1:1"
			}},
		{name: "an unknown network", want: Verdict{Kind: InvalidRequest, Unprocessed: true, Code: "invalid_address"},
			as: errType[net.UnknownNetworkError](),
			setup: func(_ *testing.T, tr *http.Transport) string {
				tr.DialContext = func(ctx context.Context, _, addr string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "tpc", addr)
				}
				return "http://127.0.0.1:1"
			}},
		{name: "a port out of range", want: Verdict{Kind: InvalidRequest, Unprocessed: true, Code: "invalid_address"},
			as: errType[*net.AddrError](), setup: fixed("http://127.0.0.1:99999")},
		{name: "host not found", want: Verdict{Kind: HostNotFound, Unprocessed: true, Code: "host_not_found"},
			as: errType[*net.DNSError](),
			setup: func(t *testing.T, tr *http.Transport) string {
				tr.DialContext = nameServer(t, 3)
				return "http://nobody.invalid.:80"
			}},
		{name: "name service fails", want: Verdict{Kind: DNS, Unprocessed: true, Code: "dns"},
			as: errType[*net.DNSError](),
			setup: func(t *testing.T, tr *http.Transport) string {
				tr.DialContext = nameServer(t, 2)
				return "http://nobody.invalid.:80"
			}},
		{name: "name service is silent", want: Verdict{Kind: DNS, Unprocessed: true, Code: "dns_timeout"}, isTimeout: true,
			as: errType[*net.DNSError](),
			setup: func(_ *testing.T, tr *http.Transport) string {
				tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
					return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "i/o timeout", IsTimeout: true, IsTemporary: true}}
				}
				return "http://nobody.invalid"
			}},
		{name: "proxy refuses connections for http", want: Verdict{Kind: ConnectionRefused, Unprocessed: true, Code: "connection_refused"},
			as: errType[*net.OpError](),
			setup: func(t *testing.T, tr *http.Transport) string {
				tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: closedAddress(t)})
				return "http://target.example"
			}},
		{name: "proxy refuses connections for https", want: Verdict{Kind: ConnectionRefused, Unprocessed: true, Code: "connection_refused"},
			as: errType[*net.OpError](),
			setup: func(t *testing.T, tr *http.Transport) string {
				tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: closedAddress(t)})
				return "https://target.example"
			}},
		{name: "proxy answers CONNECT with 407", want: Verdict{Kind: ProxyRefused, Unprocessed: true, Code: "proxy_refused"},
			setup: func(t *testing.T, tr *http.Transport) string {
				tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: listen(t, write("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"))})
				return "https://target.example"
			}},
		{name: "proxy answers CONNECT with 502", want: Verdict{Kind: ProxyRefused, Unprocessed: true, Code: "proxy_refused"},
			setup: func(t *testing.T, tr *http.Transport) string {
				tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: listen(t, write("HTTP/1.1 502 Bad Gateway\r\n\r\n"))})
				return "https://target.example"
			}},
		{name: "SOCKS proxy fails", want: Verdict{Kind: Dial, Unprocessed: true, Code: "dial"}, as: errType[*net.OpError](),
			setup: func(t *testing.T, tr *http.Transport) string {
				address := listen(t, func(conn net.Conn) {
					buf := make([]byte, 512)
					conn.Read(buf)
					conn.Write([]byte{5, 0})
					conn.Read(buf)
					conn.Write([]byte{5, 1, 0, 1, 0, 0, 0, 0, 0, 0})
				})
				tr.Proxy = http.ProxyURL(&url.URL{Scheme: "socks5", Host: address})
				return "http://127.0.0.1:1"
			}},
		{name: "TLS handshake timeout", want: Verdict{Kind: DialTimeout, Unprocessed: true, Code: "tls_handshake_timeout"}, isTimeout: true,
			setup: func(t *testing.T, tr *http.Transport) string {
				tr.TLSHandshakeTimeout = 20 * time.Millisecond
				return "https://" + listen(t, stall)
			}},
		{name: "unknown authority", want: Verdict{Kind: TLS, Unprocessed: true, Code: "tls_certificate"},
			as:    errType[x509.UnknownAuthorityError](),
			setup: func(t *testing.T, _ *http.Transport) string { return tlsServer(t).URL }},
		{name: "wrong host", want: Verdict{Kind: TLS, Unprocessed: true, Code: "tls_certificate"}, as: errType[x509.HostnameError](),
			setup: func(t *testing.T, tr *http.Transport) string {
				s := tlsServer(t)
				tr.TLSClientConfig = &tls.Config{RootCAs: rootsOf(s), ServerName: "other.test"}
				return s.URL
			}},
		{name: "expired certificate", want: Verdict{Kind: TLS, Unprocessed: true, Code: "tls_certificate"}, as: errType[x509.CertificateInvalidError](),
			setup: func(t *testing.T, tr *http.Transport) string {
				s := tlsServer(t)
				tr.TLSClientConfig = &tls.Config{RootCAs: rootsOf(s), Time: func() time.Time { return time.Now().AddDate(200, 0, 0) }}
				return s.URL
			}},
		{name: "HTTPS to a server of HTTP", want: Verdict{Kind: TLS, Unprocessed: true, Code: "tls_record_header"},
			setup: func(t *testing.T, _ *http.Transport) string {
				return "https://" + listen(t, func(conn net.Conn) {
					conn.Read(make([]byte, 1))
					io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
				})
			}},
		{name: "client certificate missing under TLS 1.3", noBody: true, want: Verdict{Kind: TLS, Code: "tls_alert"}, as: errType[*net.OpError](),
			setup: func(t *testing.T, tr *http.Transport) string {
				url := certificateAsker(t, tr, tls.VersionTLS13)
				tr.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := (&tls.Dialer{Config: tr.TLSClientConfig}).DialContext(ctx, network, addr)
					if err != nil {
						return nil, err
					}
					return &readsAfterWrite{Conn: conn, wrote: make(chan struct{})}, nil
				}
				return url
			}},
		{name: "client certificate missing under TLS 1.2", want: Verdict{Kind: TLS, Code: "tls_alert"}, as: errType[*net.OpError](),
			setup: func(t *testing.T, tr *http.Transport) string {
				return certificateAsker(t, tr, tls.VersionTLS12)
			}},
		{name: "the server closes the connection", want: Verdict{Kind: ConnectionLost, Code: "connection_closed"},
			setup: server(afterRequest(func(net.Conn) {}))},
		{name: "the server closes the connection within the header", want: Verdict{Kind: ConnectionLost, Code: "connection_closed"},
			setup: server(write("HTTP/1.1 200 OK\r\nA: b\r\n"))},
		{name: "the server resets the connection", want: Verdict{Kind: ConnectionLost, Code: "connection_reset"}, as: errType[syscall.Errno](),
			setup: server(afterRequest(func(conn net.Conn) { conn.(*net.TCPConn).SetLinger(0) }))},
		{name: "a header that never comes", want: Verdict{Kind: Timeout, Code: "response_header_timeout"}, clientCode: "timeout", isTimeout: true,
			setup: func(t *testing.T, tr *http.Transport) string {
				tr.ResponseHeaderTimeout = 20 * time.Millisecond
				return "http://" + listen(t, stall)
			}},
		{name: "a broken header field", want: Verdict{Kind: Protocol, Code: "malformed_response"},
			setup: server(write("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"))},
		{name: "an answer in another protocol has no type of its own", want: Verdict{Kind: Network, Basis: Guessed},
			setup: server(write("SSH-2.0-OpenSSH_9.9\r\n\r\n"))},

		{name: "unsupported scheme", fault: invalid, want: Verdict{Kind: InvalidRequest, Unprocessed: true, Code: "invalid_request"},
			setup: fixed("gopher://127.0.0.1:1")},
		{name: "no host", fault: invalid, want: Verdict{Kind: InvalidRequest, Unprocessed: true, Code: "invalid_request"}, setup: fixed("http:///path")},
		{name: "bad method", fault: invalid, method: "G T", want: Verdict{Kind: InvalidRequest, Unprocessed: true, Code: "invalid_request"}, setup: fixed("http://127.0.0.1:1")},
		{name: "bad header name", fault: invalid, header: http.Header{"a b": {"c"}}, want: Verdict{Kind: InvalidRequest, Unprocessed: true, Code: "invalid_request"},
			setup: fixed("http://127.0.0.1:1")},
		{name: "bad header value", fault: invalid, header: http.Header{"A": {"c\n"}}, want: Verdict{Kind: InvalidRequest, Unprocessed: true, Code: "invalid_request"},
			setup: fixed("http://127.0.0.1:1")},
		{name: "bad host field", fault: invalid, host: "xn--\u00e4", want: Verdict{Kind: InvalidRequest, Unprocessed: true, Code: "invalid_request"},
			setup: server(stall)},

		{name: "canceled", cancel: 20 * time.Millisecond, want: Verdict{Kind: Canceled, Code: "canceled"}, setup: server(stall)},
		{name: "canceled with a cause", cancel: 20 * time.Millisecond, cause: cause, want: Verdict{Kind: Canceled, Code: "canceled"}, setup: server(stall)},
		{name: "canceled before it began", cancel: -1, want: Verdict{Kind: Canceled, Code: "canceled"}, setup: server(stall)},
		{name: "the deadline passed", timeout: 20 * time.Millisecond, want: Verdict{Kind: Deadline, Code: "deadline"}, isTimeout: true, setup: server(stall)},
		{name: "the deadline passed while it dialed", timeout: 20 * time.Millisecond, want: Verdict{Kind: Deadline, Code: "deadline"}, isTimeout: true,
			setup: func(_ *testing.T, tr *http.Transport) string {
				tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
				return "http://127.0.0.1:1"
			}},
		{name: "http.Client.Timeout", client: 20 * time.Millisecond, want: Verdict{Kind: Timeout, Code: "timeout"}, isTimeout: true, setup: server(stall)},
	}
}

func TestNetworkErrors(t *testing.T) {
	for _, c := range netCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			target := c.setup(t, tr)
			if c.client == 0 {
				t.Run("from RoundTrip", func(t *testing.T) { c.check(t, target, tr.RoundTrip, c.want.Code) })
			}
			t.Run("from http.Client", func(t *testing.T) {
				code := c.want.Code
				if c.clientCode != "" {
					code = c.clientCode
				}
				client := &http.Client{Transport: tr, Timeout: c.client}
				c.check(t, target, client.Do, code)
			})
		})
	}
}

// onlyReader hides everything of a reader but Read, so that the request cannot be replayed.
type onlyReader struct{ io.Reader }

func (c netCase) check(t *testing.T, target string, do func(*http.Request) (*http.Response, error), code string) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if c.timeout != 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, c.timeout)
		defer stop()
	}
	switch {
	case c.cancel > 0:
		defer time.AfterFunc(c.cancel, func() { cancel(c.cause) }).Stop()
	case c.cancel < 0:
		cancel(c.cause)
	}
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	req := (&http.Request{Method: http.MethodPost, URL: u, Host: c.host, Header: http.Header{}}).WithContext(ctx)
	if c.method != "" {
		req.Method = c.method
	}
	if c.header != nil {
		req.Header = c.header
	}
	if !c.noBody {
		req.Body, req.ContentLength = io.NopCloser(onlyReader{strings.NewReader("body")}), 4
	}
	resp, err := do(req)
	if err == nil {
		resp.Body.Close()
		t.Fatalf("got %v, want an error", resp.Status)
	}
	v := NetErrors{}.Classify(Outcome{Method: req.Method, Host: u.Host, Err: err, ContextErr: ctx.Err(), RequestErr: c.fault})
	if v.Kind != c.want.Kind || v.Code != code || v.Unprocessed != c.want.Unprocessed || v.Basis != c.want.Basis {
		t.Errorf("got %v, %q, unprocessed %v, %v, want %v, %q, unprocessed %v, %v\nfor %T: %v",
			v.Kind, v.Code, v.Unprocessed, v.Basis, c.want.Kind, code, c.want.Unprocessed, c.want.Basis, err, err)
	}
	typed := v.Err(err)
	if got, want := reflect.TypeOf(typed).Elem().Name(), c.want.Kind.ErrorName(); got != want {
		t.Errorf("got type %s, want %s", got, want)
	}
	outer := error(&url.Error{Op: "Post", URL: target, Err: typed})
	if !errors.Is(outer, err) {
		t.Error("errors.Is does not find the transport's error")
	}
	if c.as != nil && !errors.As(outer, c.as) {
		t.Errorf("errors.As does not find a %T", c.as)
	}
	var timeout net.Error
	if !errors.As(typed, &timeout) || timeout.Timeout() != c.isTimeout {
		t.Errorf("Timeout(): got %v, want %v", !c.isTimeout, c.isTimeout)
	}
	if got := Of(nil, outer); got != v {
		t.Errorf("Of: got %v, want %v", got.Kind, v.Kind)
	}
	if u.RawQuery != "" || strings.Contains(typed.Error(), "\n") {
		t.Errorf("got text %q, want one line", typed)
	}
}

func TestErrorsThatNobodyKnowsAreNetworkErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want Kind
	}{
		{"a bare error", errors.New("x"), Network},
		{"an error that resembles a status text", errors.New("Bad Gateway!"), Network}, //nolint:revive // as a status text would be
		{"a wrapped status text", fmt.Errorf("proxy: %w", errors.New("Proxy Authentication Required")), ProxyRefused},
		{"a timeout of no known type", temporary{timeout: true}, Timeout},
		{"a deadline without a context to tell whose it was", context.DeadlineExceeded, Timeout},
		{"a cancellation without a context to tell whose it was", fmt.Errorf("w: %w", context.Canceled), Canceled},
		{"a dial that was canceled", &net.OpError{Op: "dial", Err: context.Canceled}, Canceled},
		{"a timeout that a URL error hides", &url.Error{Op: "Get", Err: fmt.Errorf("w: %w", temporary{timeout: true})}, Timeout},
		{"a pipe that broke", &net.OpError{Op: "write", Err: syscall.EPIPE}, ConnectionLost},
		{"a connection that was aborted", &net.OpError{Op: "read", Err: syscall.ECONNABORTED}, ConnectionLost},
		{"a connection that was closed on this side", &net.OpError{Op: "read", Err: net.ErrClosed}, ConnectionLost},
		{"an answer cut short", io.ErrUnexpectedEOF, ConnectionLost},
		{"a read that timed out", &net.OpError{Op: "read", Err: temporary{timeout: true}}, Timeout},
		{"the kernel's timeout", &net.OpError{Op: "read", Err: syscall.ETIMEDOUT}, Timeout},
		{"net/http's protocol error", fmt.Errorf("w: %w", http.ErrNotSupported), Protocol},
		{"a bare x509 error", x509.SystemRootsError{}, TLS},
		{"an alert of QUIC", tls.AlertError(40), TLS},
		{"encrypted client hello rejected", &tls.ECHRejectionError{}, TLS},
		{"an error classified before", Verdict{Kind: GrantRevoked}.Err(nil), GrantRevoked},
		{"an error of a foreign type of the same name", timeoutError{}, Network},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := (NetErrors{}).Classify(Outcome{Err: c.err}); got.Kind != c.want {
				t.Errorf("got %v, %q, want %v", got.Kind, got.Code, c.want)
			}
		})
	}
	if got := (NetErrors{}).Classify(Outcome{Status: 500}); got.Kind != Unclassified {
		t.Errorf("an answer: got %v, want no opinion", got.Kind)
	}
	if got := Default().Classify(Outcome{Err: io.EOF}); got.Kind != ConnectionLost {
		t.Errorf("Default: got %v, want %v", got.Kind, ConnectionLost)
	}
}

type timeoutError struct{}

func (timeoutError) Error() string { return "timeout" }
