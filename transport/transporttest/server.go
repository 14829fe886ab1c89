package transporttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	maxReceived = 10_000 // requests that a server remembers
	maxRoutes   = 10_000 // methods and paths that a server counts
)

// Server is an HTTP/1.1 server on 127.0.0.1 that remembers its requests and fails when told to, in front of any handler.
// What [Server.FailNext], [Server.LoseNext], [Server.SlowNext] and [Server.AnswerNext] order is carried out
// one order after the other, one request at a time; when all orders are done, the handler answers.
//
// Make one with [NewServer]. A Server may be used by many goroutines at once.
type Server struct {
	URL string // "http://127.0.0.1:port"

	handler http.Handler
	http    *http.Server
	client  *http.Client
	end     context.CancelFunc // ends the context of every request
	done    <-chan struct{}    // closed by end
	addr    string
	port    port

	mu       sync.Mutex // guards the rest
	closed   bool
	working  sync.WaitGroup // handlers under way, and the accepting of connections; Add holds mu
	conns    map[net.Conn]http.ConnState
	header   http.Header // for every answer
	orders   []order
	received []*received
	arrived  chan struct{} // closed and replaced when a request arrives
	total    int
	counts   map[string]int
}

// NewServer starts a server. It panics if it cannot listen on 127.0.0.1, or if the handler is nil. Close it after use.
func NewServer(handler http.Handler) *Server {
	if handler == nil {
		panic("transporttest: NewServer: no handler")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // listening on loopback does not wait
	if err != nil {
		panic("transporttest: " + err.Error())
	}
	ctx, end := context.WithCancel(context.Background())
	s := &Server{
		URL:     "http://" + l.Addr().String(),
		handler: handler,
		client:  &http.Client{Transport: &http.Transport{}},
		end:     end,
		done:    ctx.Done(),
		addr:    l.Addr().String(),
		conns:   make(map[net.Conn]http.ConnState),
		header:  make(http.Header),
		arrived: make(chan struct{}),
		counts:  make(map[string]int),
	}
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         s.note,
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: time.Minute,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accept(l)
	return s
}

// Host returns the server's host and port, as in a URL.
func (s *Server) Host() string { return s.addr }

// Client returns a client with connections of its own, which the server closes when it closes or refuses connections.
func (s *Server) Client() *http.Client { return s.client }

// SetHeader sets a field of every answer from now on, or stops that if there are no values.
func (s *Server) SetHeader(name string, values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(values) == 0 {
		s.header.Del(name)
		return
	}
	s.header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
}

// Close ends the server, its connections and its handlers, stalled ones included, and returns when they have ended;
// a handler must not call it. A handler of your own ends by its request's context.
// The error says what went wrong in the background: a port that could not be opened again.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()

	s.end()
	s.shut()
	drop(s.http)
	s.hangUp(func(http.ConnState) bool { return true })
	s.client.CloseIdleConnections()
	s.working.Wait()

	s.mu.Lock()
	defer s.mu.Unlock()
	return s.port.err
}

// note follows the states of the connections.
func (s *Server) note(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateClosed {
		delete(s.conns, c)
		return
	}
	s.conns[c] = state
	if s.closed {
		drop(c)
	}
}

// hangUp closes the connections in these states.
func (s *Server) hangUp(which func(http.ConnState) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, state := range s.conns {
		if which(state) {
			drop(c)
		}
	}
}

// serve answers one request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	rec, next, ok := s.arrive(w, r)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	defer s.working.Done()
	r.Body = rec.body
	sent := &statusWriter{ResponseWriter: w, rec: rec, server: s}
	if next.carry == nil {
		s.handler.ServeHTTP(sent, r)
		return
	}
	next.carry(s, sent, r)
}

// arrive notes a request and takes the order for it. It reports whether the server is still open.
func (s *Server) arrive(w http.ResponseWriter, r *http.Request) (*received, order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, order{}, false
	}
	s.working.Add(1)
	for name, values := range s.header {
		w.Header()[name] = slices.Clone(values)
	}
	var next order
	if len(s.orders) > 0 {
		next = s.orders[0]
		if s.orders[0].n--; s.orders[0].n == 0 {
			s.orders = s.orders[1:]
		}
	}
	u := *r.URL
	s.total++
	rec := &received{
		Received: Received{Number: s.total, Time: time.Now(), Method: r.Method, URL: &u, Header: r.Header.Clone(), Order: next.name},
		body:     &recorder{body: r.Body},
	}
	if len(s.received) == maxReceived {
		s.received = slices.Clone(s.received[maxReceived/2:])
	}
	s.received = append(s.received, rec)
	if route := r.Method + " " + u.Path; len(s.counts) < maxRoutes || s.counts[route] > 0 {
		s.counts[route]++
	}
	close(s.arrived)
	s.arrived = make(chan struct{})
	return rec, next, true
}

// Received is one request as a [Server] saw it, and what it did about it.
type Received struct {
	Number int // 1 for the first
	Time   time.Time
	Method string
	URL    *url.URL    // path and query
	Header http.Header // a copy
	Body   []byte      // what was read of the body, its first 4 MiB
	Status int         // of the answer; 0 if there was none, or none yet
	Order  string      // what was ordered for it, such as "reset"; empty if the handler answered
}

type received struct {
	Received
	body *recorder
}

// Requests returns what is known by now of the requests, in the order of their arrival: of the newest 5000 at least.
func (s *Server) Requests() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Received, len(s.received))
	for i, rec := range s.received {
		all[i] = rec.Received
		all[i].Body, _, _ = rec.body.state()
	}
	return all
}

// Total returns how many requests have arrived.
func (s *Server) Total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// Count returns how many requests with this method and path have arrived. Only the first 10000 of them are told apart.
func (s *Server) Count(method, path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[method+" "+path]
}

// Await returns when n requests have arrived in all, or with an error when ctx is done.
func (s *Server) Await(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		total, arrived := s.total, s.arrived
		s.mu.Unlock()
		if total >= n {
			return nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return fmt.Errorf("transporttest: %d of %d requests have arrived: %w", total, n, context.Cause(ctx))
		}
	}
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	rec    *received
	server *Server
}

func (w *statusWriter) WriteHeader(status int) {
	w.sets(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.sets(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController flush and hijack.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) sets(status int) {
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	if w.rec.Status == 0 && status >= 200 {
		w.rec.Status = status
	}
}

// drop closes what nobody uses any more: its error tells nobody anything.
func drop(c io.Closer) { c.Close() }

var errClosed = errors.New("transporttest: the server is closed")
