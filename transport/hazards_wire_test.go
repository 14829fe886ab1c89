package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// tape is a server of HTTP/1.1 that keeps what it was sent, byte for byte, and answers with these statuses in turn.
type tape struct {
	mu       sync.Mutex
	requests []string
	statuses []int
}

// record starts a tape and returns its address.
func record(t *testing.T, statuses ...int) (*tape, string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tp := &tape{statuses: statuses}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { tp.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return tp, l.Addr().String()
}

func (tp *tape) serve(conn net.Conn) {
	defer conn.Close()
	var sent bytes.Buffer
	r := bufio.NewReader(io.TeeReader(conn, &sent))
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		io.Copy(io.Discard, req.Body)
		tp.mu.Lock()
		tp.requests = append(tp.requests, sent.String())
		status := tp.statuses[0]
		tp.statuses = tp.statuses[1:]
		tp.mu.Unlock()
		sent.Reset()
		fmt.Fprintf(conn, "HTTP/1.1 %d X\r\nContent-Length: 0\r\nSet-Cookie: jar=no\r\n\r\n", status)
		if req.Close {
			return
		}
	}
}

func TestEveryAttemptIsOnTheWireAsWithoutTheChain(t *testing.T) {
	header := func(pairs ...string) func(*http.Request) {
		return func(r *http.Request) {
			for i := 0; i < len(pairs); i += 2 {
				r.Header[pairs[i]] = append(r.Header[pairs[i]], pairs[i+1])
			}
		}
	}
	for name, tc := range map[string]struct {
		method, path, body string
		prepare            func(*http.Request)
	}{
		"a GET":                         {method: "GET"},
		"no method at all":              {method: "GET", prepare: func(r *http.Request) { r.Method = "" }},
		"a GET with http.NoBody":        {method: "GET", prepare: func(r *http.Request) { r.Body = http.NoBody }},
		"a PUT without a body":          {method: "PUT"},
		"a PUT with http.NoBody":        {method: "PUT", prepare: func(r *http.Request) { r.Body = http.NoBody }},
		"a body of known length":        {method: "PUT", body: "payload"},
		"a body of unknown length":      {method: "PUT", body: "payload", prepare: func(r *http.Request) { r.ContentLength = -1 }},
		"an escaped path and a query":   {method: "GET", path: "/a%2Fb;c?q=1&q=2#frag"},
		"another host":                  {method: "GET", prepare: func(r *http.Request) { r.Host = "other.example" }},
		"headers in no canonical form":  {method: "GET", prepare: header("x-lower", "1", "X-Empty", "", "X-Twice", "a", "X-Twice", "b")},
		"cookies and a trace":           {method: "GET", prepare: header("Cookie", "a=b", "Traceparent", "00-1-2-01", "User-Agent", "own/1")},
		"no user agent":                 {method: "GET", prepare: header("User-Agent", "")},
		"an idempotency key unsaid":     {method: "POST", body: "payload", prepare: func(r *http.Request) { r.Header["X-Idempotency-Key"] = []string{} }},
		"an idempotency key":            {method: "POST", body: "payload", prepare: header("Idempotency-Key", "k")},
		"a connection to be closed":     {method: "GET", prepare: func(r *http.Request) { r.Close = true }},
		"a name in the URL":             {method: "GET", prepare: func(r *http.Request) { r.URL.User = url.UserPassword("user", "pw") }},
		"an encoding of the caller's":   {method: "GET", prepare: header("Accept-Encoding", "br")},
		"a media type and its language": {method: "PUT", body: "{}", prepare: header("Content-Type", "application/json", "Accept-Language", "de")},
	} {
		t.Run(name, func(t *testing.T) {
			tp, address := record(t, 200, 503, 503, 200)
			tr := newTransport(t)
			for _, rt := range []http.RoundTripper{tr, newChain(t, tr, transport.Config{Policy: fast()})} {
				req := newRequest(t, tc.method, "http://"+address+tc.path, tc.body)
				if tc.prepare != nil {
					tc.prepare(req)
				}
				resp, err := rt.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
			tp.mu.Lock()
			defer tp.mu.Unlock()
			if len(tp.requests) != 4 {
				t.Fatalf("%d requests, want one without the chain and 3 with it", len(tp.requests))
			}
			for i, got := range tp.requests[1:] {
				if got != tp.requests[0] {
					t.Errorf("attempt %d sent\n%s\nwant\n%s", i+1, got, tp.requests[0])
				}
			}
		})
	}
}

func TestWhatMayHaveBeenActedOnIsSentOnce(t *testing.T) {
	for name, fail := range map[string]func(*transporttest.Server){
		"a connection that is closed":  func(s *transporttest.Server) { s.LoseNext(transporttest.HangUp, 9) },
		"a connection that is reset":   func(s *transporttest.Server) { s.LoseNext(transporttest.Reset, 9) },
		"an answer that does not come": func(s *transporttest.Server) { s.LoseNext(transporttest.Stalled, 9) },
		"a 500":                        func(s *transporttest.Server) { s.AnswerNext(transporttest.Answer(500, ""), 9) },
		"a 502":                        func(s *transporttest.Server) { s.AnswerNext(transporttest.Answer(502, ""), 9) },
		"a 504":                        func(s *transporttest.Server) { s.AnswerNext(transporttest.Answer(504, ""), 9) },
	} {
		t.Run(name, func(t *testing.T) {
			srv := transporttest.NewServer(transporttest.Answer(200, ""))
			defer srv.Close()
			tr := newTransport(t)
			tr.ResponseHeaderTimeout = ms(50)
			rt := newChain(t, tr, transport.Config{Policy: fast()})
			send := func(method, path, key string) {
				fail(srv)
				defer srv.Forget()
				req := newRequest(t, method, srv.URL+path, "payload")
				if key != "" {
					req.Header.Set("Idempotency-Key", key)
				}
				if resp, err := rt.RoundTrip(req); err == nil {
					resp.Body.Close()
				}
			}
			for _, method := range []string{"POST", "PATCH", "BREW"} {
				send(method, "/", "")
				if got := srv.Count(method, "/"); got != 1 {
					t.Errorf("%s was sent %d times, want once", method, got)
				}
			}
			send("POST", "/key", "k")
			want := 3
			if name == "a 500" { // nobody has asked for that to be repeated
				want = 1
			}
			if got := srv.Count("POST", "/key"); got != want {
				t.Errorf("a POST with an idempotency key was sent %d times, want %d", got, want)
			}
			for _, r := range srv.Requests() {
				if r.URL.Path == "/key" && (r.Header.Get("Idempotency-Key") != "k" || string(r.Body) != "payload") {
					t.Errorf("request %d has the key %q and the body %q", r.Number, r.Header.Get("Idempotency-Key"), r.Body)
				}
			}
		})
	}
}

func TestAnswersWithoutABodyStayAsTheyAre(t *testing.T) {
	var hits atomic.Int32
	overBoth(t, func(*testing.T) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hits.Add(1)
			var status int
			fmt.Sscanf(r.URL.Path, "/%d", &status)
			if r.Method == "HEAD" {
				w.Header().Set("Content-Length", "12345")
			}
			w.Header().Set("Etag", `"v1"`)
			w.WriteHeader(status)
		})
	}, func(t *testing.T, ctx context.Context, url string, rt http.RoundTripper) {
		bare := newTransport(t)
		for _, c := range []struct {
			method   string
			status   int
			attempts int32
		}{
			{"HEAD", 200, 1}, {"HEAD", 404, 1}, {"HEAD", 503, 3},
			{"GET", 204, 1}, {"GET", 205, 1}, {"GET", 304, 1}, {"GET", 302, 1}, {"DELETE", 204, 1}, {"GET", 501, 1},
		} {
			var seen [2]string
			for i, via := range []http.RoundTripper{bare, rt} {
				req := newRequest(t, c.method, fmt.Sprintf("%s/%d", url, c.status), "").WithContext(ctx)
				before := hits.Load()
				resp, err := via.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				body, err := finish(resp)
				header := maps.Clone(resp.Header)
				delete(header, "Date")
				seen[i] = fmt.Sprintf("%s %s length %d, %q, %v, header %v, TLS %t, of %s %v %t", resp.Status, resp.Proto, resp.ContentLength,
					body, err, header, resp.TLS != nil, resp.Request.Method, resp.Request.URL, resp.Uncompressed)
				if got := hits.Load() - before; i == 1 && got != c.attempts {
					t.Errorf("%s %d: %d attempts, want %d", c.method, c.status, got, c.attempts)
				}
			}
			if seen[0] != seen[1] {
				t.Errorf("got  %s\nwant %s", seen[1], seen[0])
			}
		}
	})
}

func TestTheCallersTraceSeesEveryAttempt(t *testing.T) {
	var hits atomic.Int32
	overBoth(t, func(*testing.T) http.Handler {
		hits.Store(0)
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			if hits.Add(1) == 1 {
				w.Header().Set("Retry-After-Ms", "1")
				w.WriteHeader(429)
			}
		})
	}, func(t *testing.T, ctx context.Context, url string, _ http.RoundTripper) {
		var got, wrote, first, early atomic.Int32
		trace := &httptrace.ClientTrace{
			GotConn:              func(httptrace.GotConnInfo) { got.Add(1) },
			WroteHeaders:         func() { wrote.Add(1) },
			GotFirstResponseByte: func() { first.Add(1) },
			Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
				if status == http.StatusEarlyHints && len(h["Link"]) == 1 {
					early.Add(1)
				}
				return nil
			},
		}
		rt := newChain(t, newTransport(t), transport.Config{Policy: fast(), PerAttempt: []transport.Middleware{transport.ProveUnsent()}})
		resp, err := rt.RoundTrip(newRequest(t, "POST", url, "x").WithContext(httptrace.WithClientTrace(ctx, trace)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		for wrote.Load() < 2 && ctx.Err() == nil { // over HTTP/2 it is told beside the call
			time.Sleep(time.Millisecond)
		}
		if resp.StatusCode != 200 || got.Load() != 2 || wrote.Load() != 2 || first.Load() != 2 || early.Load() != 2 {
			t.Errorf("%d; connections %d, headers %d, first bytes %d, early hints %d; want a 200 and 2 of each",
				resp.StatusCode, got.Load(), wrote.Load(), first.Load(), early.Load())
		}
	})
}

func TestTheCallersEndReachesTheAttempt(t *testing.T) {
	own := errors.New("the user went away")
	var hits atomic.Int32
	waiting := make(chan struct{}, 1)
	overBoth(t, func(*testing.T) http.Handler {
		hits.Store(0)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			switch hits.Add(1) {
			case 1, 3:
				w.WriteHeader(503)
				return
			case 2:
				io.WriteString(w, "begin")
				flush(w)
			default:
				waiting <- struct{}{}
			}
			<-r.Context().Done()
		})
	}, func(t *testing.T, ctx context.Context, url string, rt http.RoundTripper) {
		first, cancel := context.WithCancelCause(ctx)
		resp, err := rt.RoundTrip(newRequest(t, "GET", url, "").WithContext(first))
		if err != nil {
			t.Fatal(err)
		}
		begin := make([]byte, 5)
		io.ReadFull(resp.Body, begin)
		cancel(own)
		if rest, err := finish(resp); string(begin) != "begin" || rest != "" || !errors.Is(err, context.Canceled) && !errors.Is(err, own) {
			t.Errorf("read %q and %q, %v; want the error of the cancelled context", begin, rest, err)
		}
		second, cancel := context.WithCancelCause(ctx)
		go func() {
			<-waiting
			cancel(own)
		}()
		_, err = rt.RoundTrip(newRequest(t, "GET", url, "").WithContext(second))
		if !errors.Is(err, context.Canceled) && !errors.Is(err, own) {
			t.Errorf("%v: want what the context ended with", err)
		}
		if kind := classify.Of(nil, err).Kind; kind != classify.Canceled || hits.Load() != 4 {
			t.Errorf("kind %v after %d attempts, want canceled and no fifth", kind, hits.Load())
		}
	})
}

func TestErrorsThatNetHTTPComparesComeOutAsTheyAre(t *testing.T) {
	srv := transporttest.NewServer(transporttest.Answer(200, "plain"))
	defer srv.Close()
	tr := newTransport(t)
	client := &http.Client{Transport: newChain(t, tr, transport.Config{Policy: fast()})}
	_, err := client.Get(strings.Replace(srv.URL, "http:", "https:", 1))
	if !errors.Is(err, http.ErrSchemeMismatch) {
		t.Errorf("%v: want http.ErrSchemeMismatch, as without the chain", err)
	}
	asked := false
	tr.RegisterProtocol("http", newChain(t, roundTripFunc(func(*http.Request) (*http.Response, error) {
		asked = true
		return nil, http.ErrSkipAltProtocol
	}), transport.Config{Policy: fast()}))
	resp, err := tr.RoundTrip(newRequest(t, "GET", srv.URL, ""))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := finish(resp); body != "plain" || err != nil || !asked {
		t.Errorf("read %q, %v, the registered protocol was asked: %t", body, err, asked)
	}
}

func TestNoBaseIsTheDefaultTransportOfTheMoment(t *testing.T) {
	rt := newChain(t, nil, transport.Config{})
	original := http.DefaultTransport
	defer func() { http.DefaultTransport = original }()
	http.DefaultTransport = transporttest.Play(transporttest.Answer(200, "mine"))
	resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := finish(resp); body != "mine" || err != nil {
		t.Errorf("read %q, %v", body, err)
	}
}

func TestHooksMayUseTheChain(t *testing.T) {
	script := transporttest.Play(transporttest.Canned("rate_limit_exceeded").RetryAfter(time.Minute)).Repeat()
	var rt http.RoundTripper
	var told []string
	inside := false
	again := func(what string) {
		told = append(told, what)
		if inside {
			return
		}
		inside = true
		defer func() { inside = false }()
		if resp, err := rt.RoundTrip(newRequest(t, "GET", backend, "")); err == nil {
			resp.Body.Close()
		}
	}
	rt = newChain(t, script, transport.Config{
		Classifier: &classify.Alter{},
		Hooks: transport.Hooks{
			Attempt: func(context.Context, transport.AttemptInfo) { again("attempt") },
			Call:    func(context.Context, transport.CallInfo) { again("call") },
			Refuse:  func(context.Context, transport.RefuseInfo) { again("refuse") },
			Breaker: func(context.Context, transport.BreakerInfo) { again("breaker") },
		},
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2 {
			if resp, err := rt.RoundTrip(newRequest(t, "GET", backend, "")); err == nil {
				resp.Body.Close()
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("a hook is called while a lock is held")
	}
	for _, what := range []string{"attempt", "call", "refuse", "breaker"} {
		if !strings.Contains(strings.Join(told, " "), what) {
			t.Errorf("told %v, not of %s", told, what)
		}
	}
}
