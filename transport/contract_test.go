package transport_test

import (
	"bytes"
	"context"
	"crypto/tls"
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
	"sync/atomic"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// fast is the default policy with pauses of a millisecond, for tests over real connections.
func fast() *policy.Set {
	s := policy.Default()
	for kind, p := range s.Profiles {
		p.Initial, p.Max = time.Millisecond, time.Millisecond
		p.Retries = 2
		s.Profiles[kind] = p
	}
	return &s
}

func newChain(t testing.TB, base http.RoundTripper, cfg transport.Config) http.RoundTripper {
	t.Helper()
	rt, err := transport.New(base, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// newTransport is a bare transport of the test's own, whose connections end with the test.
func newTransport(t testing.TB) *http.Transport {
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// closeCounter is a request body that counts how often it is closed.
type closeCounter struct {
	io.Reader
	closed atomic.Int32
}

func (b *closeCounter) Close() error {
	b.closed.Add(1)
	return nil
}

func TestRequestBodyIsClosedOnEveryPath(t *testing.T) {
	answer := func(status int) http.RoundTripper {
		return roundTripFunc(func(req *http.Request) (*http.Response, error) {
			defer req.Body.Close()
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
		})
	}
	bare := newTransport(t)
	for name, tc := range map[string]struct {
		base    http.RoundTripper
		prepare func(*http.Request)
	}{
		"success":             {base: answer(200)},
		"failure":             {base: answer(400)},
		"retries used up":     {base: answer(503)},
		"no URL":              {bare, func(r *http.Request) { r.URL = nil }},
		"no header map":       {bare, func(r *http.Request) { r.Header = nil }},
		"method is no token":  {bare, func(r *http.Request) { r.Method = "B D" }},
		"no host":             {bare, func(r *http.Request) { r.URL.Host = "" }},
		"unsupported scheme":  {bare, func(r *http.Request) { r.URL.Scheme = "gopher" }},
		"bad header value":    {bare, func(r *http.Request) { r.Header.Set("X", "a\nb") }},
		"refused connection":  {bare, func(r *http.Request) { r.URL.Host = closedPort(t) }},
		"GetBody fails":       {answer(503), func(r *http.Request) { r.GetBody = func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe } }},
		"context is done":     {bare, func(r *http.Request) { *r = *r.WithContext(doneContext()) }},
		"body cannot be read": {answer(503), func(r *http.Request) { r.GetBody = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			body := &closeCounter{Reader: strings.NewReader("payload")}
			var again []*closeCounter
			req := newRequest(t, "PUT", "http://127.0.0.1:1/", "")
			req.Body, req.ContentLength = body, 7
			req.GetBody = func() (io.ReadCloser, error) {
				b := &closeCounter{Reader: strings.NewReader("payload")}
				again = append(again, b)
				return b, nil
			}
			if tc.prepare != nil {
				tc.prepare(req)
			}
			resp, err := newChain(t, tc.base, transport.Config{Policy: fast()}).RoundTrip(req)
			if err == nil {
				resp.Body.Close()
			}
			if body.closed.Load() == 0 {
				t.Errorf("the request's body was left open (answer %v, error %v)", resp, err)
			}
			for i, b := range again {
				if b.closed.Load() == 0 {
					t.Errorf("body %d from GetBody was left open", i+1)
				}
			}
		})
	}
}

func doneContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// closedPort is a loopback address where nobody listens.
func closedPort(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestCallersRequestStaysAsItIs(t *testing.T) {
	req := newRequest(t, "PUT", "http://user:pw@example.com/a%2Fb?q=1#f", "payload")
	req.Header = http.Header{"X-a": {"1"}, "Empty": {}, "Idempotency-Key": nil}
	req.Trailer = http.Header{"T": nil}
	req.Host = "other.example"
	req.Close = true
	before, header, trailer := *req, req.Header.Clone(), req.Trailer.Clone()
	same := func(when string) {
		t.Helper()
		now := *req
		if now.Body != before.Body || now.URL != before.URL || now.Context() != before.Context() ||
			!reflect.DeepEqual(now.Header, header) || !reflect.DeepEqual(now.Trailer, trailer) ||
			now.Host != before.Host || now.Close != before.Close || now.ContentLength != before.ContentLength || now.GetBody == nil {
			t.Errorf("%s the caller's request is another", when)
		}
	}
	attempts := 0
	base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
		attempts++
		same("during an attempt")
		if r.Host != "other.example" || !r.Close || r.URL.RawPath != "/a%2Fb" || len(r.Header) != 3 || r.ContentLength != 7 {
			t.Errorf("attempt %d misses something of the caller's request", attempts)
		}
		if reflect.ValueOf(r.Trailer).Pointer() != reflect.ValueOf(req.Trailer).Pointer() {
			t.Errorf("attempt %d has a trailer map of its own: what the caller sets late is lost", attempts)
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if string(body) != "payload" {
			t.Errorf("attempt %d sent %q, want the whole payload", attempts, body)
		}
		return &http.Response{StatusCode: 503, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
	})
	resp, err := newChain(t, base, transport.Config{Policy: fast()}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	same("after the call")
	resp.Body.Close()
	same("after Close")
	if attempts != 3 {
		t.Errorf("%d attempts, want 3", attempts)
	}
}

func TestExhaustedRetriesYieldTheLastAnswer(t *testing.T) {
	var hits atomic.Int32
	body := strings.Repeat(`{"error":"x"} `, 20_000)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.WriteHeader(503)
		io.WriteString(w, body)
	}))
	defer srv.Close()
	client := &http.Client{Transport: newChain(t, newTransport(t), transport.Config{Policy: fast()})}
	resp, err := client.Get(srv.URL)
	if err != nil {
		t.Fatalf("an answer became an error: %v", err)
	}
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(got) != body {
		t.Errorf("body of %d bytes, error %v; want the server's %d bytes", len(got), err, len(body))
	}
	if hits.Load() != 3 {
		t.Errorf("%d attempts, want 3", hits.Load())
	}
	var typed *classify.ProviderUnavailableError
	if err := classify.CheckResponse(resp); !errors.As(err, &typed) || typed.StatusCode != 503 {
		t.Errorf("CheckResponse = %v, want a ProviderUnavailableError of 503", err)
	}
}

func TestDiscardedAnswersKeepTheConnection(t *testing.T) {
	for _, size := range []int{0, 100, 30_000} {
		var conns, hits atomic.Int32
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if hits.Add(1) < 3 {
				w.WriteHeader(503)
			}
			w.Write(bytes.Repeat([]byte("x"), size))
		}))
		srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				conns.Add(1)
			}
		}
		srv.Start()
		client := &http.Client{Transport: newChain(t, newTransport(t), transport.Config{Policy: fast()})}
		resp, err := client.Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		srv.Close()
		if resp.StatusCode != 200 || hits.Load() != 3 || conns.Load() != 1 {
			t.Errorf("error bodies of %d bytes: status %d after %d attempts over %d connections, want 200, 3, 1",
				size, resp.StatusCode, hits.Load(), conns.Load())
		}
	}
}

func TestStalledErrorBodyDoesNotStallTheCall(t *testing.T) {
	var hits atomic.Int32
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hits.Add(1) > 1 {
			return
		}
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(503)
		io.WriteString(w, `{"error":`)
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	defer close(release)
	client := &http.Client{Transport: newChain(t, newTransport(t), transport.Config{Policy: fast()})}
	resp, err := client.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("status %d, want 200 from the second attempt", resp.StatusCode)
	}
}

func TestDiscardEndsAStuckUploadOverHTTP2(t *testing.T) {
	var hits atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if hits.Add(1) == 1 {
			w.WriteHeader(503) // long before the upload is over
			return
		}
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	stuck, feed := io.Pipe()
	defer feed.Close()
	req := newRequest(t, "PUT", srv.URL, "")
	req.Body = stuck
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("short")), nil }
	resp, err := newChain(t, newTransport(t), transport.Config{Policy: fast()}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || resp.ProtoMajor != 2 {
		t.Errorf("%s %d, want HTTP/2 200 from the second attempt", resp.Proto, resp.StatusCode)
	}
}

func TestUpgradedConnectionStaysWritable(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.Flush()
		line, _ := rw.ReadString('\n')
		rw.WriteString("echo " + line)
		rw.Flush()
	}))
	defer srv.Close()
	req := newRequest(t, "GET", srv.URL, "")
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := newChain(t, newTransport(t), transport.Config{}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	rw, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatalf("body is a %T, want an io.ReadWriteCloser", resp.Body)
	}
	io.WriteString(rw, "hello\n")
	got, _ := io.ReadAll(rw)
	if string(got) != "echo hello\n" {
		t.Errorf("read %q over the upgraded connection, want %q", got, "echo hello\n")
	}
}

func TestUploadWithoutGetBodyIsStreamedOnce(t *testing.T) {
	var hits atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(503)
		w.(http.Flusher).Flush()
		io.Copy(io.Discard, r.Body)
	}))
	defer srv.Close()
	body, feed := io.Pipe()
	req := newRequest(t, "PUT", srv.URL, "")
	req.Body = body
	resp, err := newChain(t, newTransport(t), transport.Config{Policy: fast()}).RoundTrip(req)
	if err != nil {
		t.Fatal(err) // an implementation that reads the upload first never gets here
	}
	feed.Close()
	resp.Body.Close()
	if resp.StatusCode != 503 || hits.Load() != 1 {
		t.Errorf("status %d after %d attempts, want the 503 after one", resp.StatusCode, hits.Load())
	}
}

func TestPermanentFailuresAreTriedOnce(t *testing.T) {
	tlsServer := httptest.NewUnstartedServer(http.NotFoundHandler())
	tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains about clients that do not trust it
	tlsServer.StartTLS()
	defer tlsServer.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for name, tc := range map[string]struct {
		url     string
		prepare func(*http.Request)
		kind    classify.Kind
	}{
		"unknown authority":  {url: tlsServer.URL, kind: classify.TLS},
		"HTTPS to HTTP":      {url: strings.Replace(plain.URL, "http:", "https:", 1), kind: classify.TLS},
		"unsupported scheme": {url: "gopher://127.0.0.1/", kind: classify.InvalidRequest},
		"bad header":         {plain.URL, func(r *http.Request) { r.Header.Set("X", "a\x00b") }, classify.InvalidRequest},
		"bad method":         {plain.URL, func(r *http.Request) { r.Method = "A B" }, classify.InvalidRequest},
		"no host":            {plain.URL, func(r *http.Request) { r.URL.Host = "" }, classify.InvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			attempts := 0
			bare := &http.Transport{}
			defer bare.CloseIdleConnections()
			base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
				attempts++
				return bare.RoundTrip(r)
			})
			req := newRequest(t, "GET", tc.url, "")
			if tc.prepare != nil {
				tc.prepare(req)
			}
			_, err := newChain(t, base, transport.Config{Policy: fast()}).RoundTrip(req)
			if got := classify.Of(nil, err).Kind; got != tc.kind || attempts != 1 {
				t.Errorf("%v after %d attempts (%v), want %v after one", got, attempts, err, tc.kind)
			}
			if name == "HTTPS to HTTP" {
				if _, ok := err.(tls.RecordHeaderError); !ok {
					t.Errorf("error is a %T, want the tls.RecordHeaderError itself, as http.Client asks for it", err)
				}
			}
		})
	}
}

func TestErrorsKeepWhatTheBaseSaid(t *testing.T) {
	cause := errors.New("own error of the base")
	inner := &url.Error{Op: "Get", URL: "http://example.com/?token=secret", Err: cause}
	for _, base := range []error{cause, inner} {
		rt := newChain(t, roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, base }), transport.Config{Policy: fast()})
		client := &http.Client{Transport: rt}
		_, err := client.Get("http://example.com/")
		var network *classify.NetworkError
		if !errors.Is(err, cause) || !errors.As(err, &network) {
			t.Errorf("%v: want the base's own error and a NetworkError in its chain", err)
		}
		if strings.Contains(err.Error(), "secret") || strings.Count(err.Error(), "Get") != 1 {
			t.Errorf("%q shows the inner client's URL", err)
		}
	}
}

func TestTimeoutsStayTimeouts(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	defer close(release)
	tr := newTransport(t)
	tr.ResponseHeaderTimeout = 20 * time.Millisecond
	client := &http.Client{Transport: newChain(t, tr, transport.Config{Policy: fast()})}
	_, err := client.Get(srv.URL)
	var outer *url.Error
	var timeout *classify.TimeoutError
	if !errors.As(err, &outer) || !outer.Timeout() || !errors.As(err, &timeout) {
		t.Errorf("%v: want a *url.Error whose Timeout() is true around a TimeoutError", err)
	}
}

func TestImpoliteBases(t *testing.T) {
	t.Run("no answer and no error comes out as it is", func(t *testing.T) {
		rt := newChain(t, roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, nil }), transport.Config{})
		if resp, err := rt.RoundTrip(newRequest(t, "GET", "http://example.com", "")); resp != nil || err != nil {
			t.Errorf("got %v, %v", resp, err)
		}
	})
	t.Run("an answer without body, header or request", func(t *testing.T) {
		for _, status := range []int{200, 404, 503} {
			rt := newChain(t, roundTripFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: status}, nil
			}), transport.Config{Policy: fast()})
			resp, err := rt.RoundTrip(newRequest(t, "GET", "http://example.com", ""))
			if err != nil || resp.StatusCode != status || resp.Request == nil || resp.Request.URL.Host != "example.com" {
				t.Errorf("got %v, %v; want the %d with its request", resp, err, status)
			}
		}
	})
	t.Run("an answer beside an error is closed", func(t *testing.T) {
		body := &closeCounter{Reader: strings.NewReader("x")}
		rt := newChain(t, roundTripFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: body}, io.ErrNoProgress
		}), transport.Config{Policy: fast()})
		resp, err := rt.RoundTrip(newRequest(t, "POST", "http://example.com", ""))
		if resp != nil || !errors.Is(err, io.ErrNoProgress) || body.closed.Load() == 0 {
			t.Errorf("got %v, %v, body closed %d times; want the error alone and the body closed", resp, err, body.closed.Load())
		}
	})
	t.Run("a panic passes through", func(t *testing.T) {
		rt := newChain(t, roundTripFunc(func(*http.Request) (*http.Response, error) { panic(http.ErrAbortHandler) }), transport.Config{})
		defer func() {
			if v := recover(); v != http.ErrAbortHandler {
				t.Errorf("recovered %v, want http.ErrAbortHandler", v)
			}
		}()
		_, _ = rt.RoundTrip(newRequest(t, "GET", "http://example.com", ""))
	})
}

// idleCounter counts calls of CloseIdleConnections.
type idleCounter struct {
	http.RoundTripper
	closed int
}

func (c *idleCounter) CloseIdleConnections() { c.closed++ }

func TestCloseIdleConnectionsReachesTheBase(t *testing.T) {
	base := &idleCounter{RoundTripper: http.DefaultTransport}
	client, err := transport.Wrap(&http.Client{Transport: base}, transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	client.CloseIdleConnections()
	if base.closed != 1 {
		t.Errorf("the base was asked %d times, want once", base.closed)
	}
}

func TestWrapLeavesTheClientAsItIs(t *testing.T) {
	client := &http.Client{Timeout: time.Second}
	wrapped, err := transport.Wrap(client, transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if client.Transport != nil || wrapped.Timeout != time.Second || wrapped.Transport == nil {
		t.Errorf("client %+v, wrapped %+v", client, wrapped)
	}
	if wrapped, err := transport.Wrap(nil, transport.Config{}); err != nil || wrapped.Transport == nil {
		t.Errorf("Wrap(nil) = %v, %v", wrapped, err)
	}
}

func TestNewReportsEveryFaultAtOnce(t *testing.T) {
	s := policy.Default()
	s.MaxAttempts = 0
	_, err := transport.New(nil, transport.Config{
		Policy:     &s,
		PerCall:    []transport.Middleware{nil},
		PerAttempt: []transport.Middleware{nil},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Config.PerCall[0]", "Config.PerAttempt[0]", "MaxAttempts"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

func TestMiddlewaresThatReturnNothingAreReported(t *testing.T) {
	nothing := func(http.RoundTripper) http.RoundTripper { return nil }
	elsewhere, err := transport.OnHosts(nothing, "id.test")
	if err != nil {
		t.Fatal(err)
	}
	_, err = transport.New(nil, transport.Config{
		PerCall: []transport.Middleware{nothing}, Watch: []transport.Middleware{nothing}, PerAttempt: []transport.Middleware{transport.AttemptTimeout(time.Second), elsewhere},
	})
	for _, want := range []string{"Config.PerCall[0] returned nil: want a RoundTripper", "Config.Watch[0]", "Config.PerAttempt[1]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "a Middleware returned nil") {
			t.Errorf("Chain panicked with %q", got)
		}
	}()
	transport.Chain(nil, nothing)
}

func TestClientTimeoutBoundsTheWholeCall(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	defer srv.Close()
	s := policy.Default()
	p := s.Profiles[classify.ProviderUnavailable]
	p.Initial, p.Max, p.Jitter = time.Hour, time.Hour, 0
	s.Profiles[classify.ProviderUnavailable] = p
	client, err := transport.Wrap(&http.Client{Transport: newTransport(t), Timeout: 30 * time.Second}, transport.Config{Policy: &s})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	resp, err := client.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 503 || time.Since(start) > 20*time.Second {
		t.Errorf("status %d after %v, want the 503 at once: an hour's pause ends after the client's timeout", resp.StatusCode, time.Since(start))
	}
}

func TestRedirectsStayTheClients(t *testing.T) {
	var hits atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/old":
			http.Redirect(w, r, "/new", http.StatusTemporaryRedirect)
		case hits.Add(1) == 1:
			w.WriteHeader(503)
		default:
			io.Copy(w, r.Body)
		}
	}))
	defer srv.Close()
	rt := newChain(t, newTransport(t), transport.Config{Policy: fast()})
	resp, err := rt.RoundTrip(newRequest(t, "PUT", srv.URL+"/old", "payload"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("the chain answered %d, want the redirect itself", resp.StatusCode)
	}
	resp, err = (&http.Client{Transport: rt}).Do(newRequest(t, "PUT", srv.URL+"/old", "payload"))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 || string(body) != "payload" || resp.Request.URL.Path != "/new" {
		t.Errorf("the client got %d %q from %s; want 200 and the payload from /new", resp.StatusCode, body, resp.Request.URL.Path)
	}
}

func TestConcurrentCallsOverRealConnections(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		var n atomic.Int32
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			switch n.Add(1) % 4 {
			case 0:
				w.Header().Set("Retry-After-Ms", "1")
				w.WriteHeader(503)
			case 1:
				w.WriteHeader(404)
			}
			w.Write(body)
		}))
		srv.EnableHTTP2 = h2
		srv.StartTLS()
		rt := newChain(t, newTransport(t), transport.Config{Policy: fast()})
		var wg sync.WaitGroup
		for g := range 32 {
			wg.Go(func() {
				for i := range 10 {
					want := strings.Repeat(string(rune('a'+g%26)), 1+100*i)
					resp, err := rt.RoundTrip(newRequest(t, "PUT", srv.URL, want))
					if err != nil {
						t.Error(err)
						return
					}
					got, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if err != nil || string(got) != want {
						t.Errorf("sent %d bytes of %q, got %d back, error %v", len(want), want[:1], len(got), err)
					}
				}
			})
		}
		wg.Wait()
		srv.Close()
	}
}

func TestJoinedHooksAreAllCalled(t *testing.T) {
	var calls []string
	hook := func(name string) transport.Hooks {
		return transport.Hooks{Call: func(context.Context, transport.CallInfo) { calls = append(calls, name) }}
	}
	all := transport.JoinHooks(hook("a"), transport.Hooks{}, hook("b"))
	if all.Attempt != nil || all.Refuse != nil || all.Breaker != nil {
		t.Error("a hook that nobody gave is set")
	}
	rt := newChain(t, transporttest.Play(transporttest.Answer(200, "")), transport.Config{Hooks: all})
	resp, err := rt.RoundTrip(newRequest(t, "GET", "http://example.com", ""))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(calls) != 2 || calls[0] != "a" || calls[1] != "b" {
		t.Errorf("called %v, want a and b", calls)
	}
}

func TestPolicyWithoutBreakersRefusesNothing(t *testing.T) {
	s := steady()
	s.Profiles, s.Breakers = nil, nil
	base := &switchable{step: limited4s}
	rt := newChain(t, base, transport.Config{Classifier: alter(t), Policy: s})
	for range 20 {
		if status, err := exchange(rt, newRequest(t, "GET", backend, "")); status != 429 || err != nil {
			t.Fatalf("%d, %v; want the 429", status, err)
		}
	}
}

func TestResentRequestGetsAVerdictOfItsOwn(t *testing.T) {
	script := transporttest.Play(transporttest.Canned("grant_revoked"), transporttest.Answer(200, ""))
	rt := newChain(t, script, transport.Config{Classifier: &classify.Alter{}})
	resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	resp, err = rt.RoundTrip(resp.Request) // with the first answer's verdict in its context
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if v := classify.Of(resp, nil); v.Kind != classify.Unclassified {
		t.Errorf("the 200 carries %v of the answer before it", v.Kind)
	}
}

func TestKeyIsNotAskedAboutARequestWithoutURL(t *testing.T) {
	rt := newChain(t, newTransport(t), transport.Config{Key: func(r *http.Request) string { return r.URL.Host }})
	req := newRequest(t, "GET", backend, "")
	req.URL = nil
	_, err := rt.RoundTrip(req)
	var invalid *classify.InvalidRequestError
	if !errors.As(err, &invalid) {
		t.Errorf("%v, want an InvalidRequestError", err)
	}
}
