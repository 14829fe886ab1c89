package transporttest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

// Fault is a failure of the network, or of a server, that a [Server] can be told to have for a number of requests.
// A refused connection is none of them, since no server sees what it refuses: see [Server.Refuse].
type Fault uint8

const (
	// Reset resets the connection when the request was read (RST).
	Reset Fault = iota
	// HangUp closes the connection without an answer when the request was read.
	HangUp
	// Stalled reads the request and gives no answer, until the client gives up or the server is closed.
	Stalled
	// Truncated announces the whole answer, sends half of its body and closes the connection. An answer without a body
	// announces one byte. The handler is called, whether the fault was ordered by FailNext or by LoseNext.
	Truncated
	// EndlessError answers 500 with a JSON body that does not end before the client hangs up or a GiB was sent.
	EndlessError
)

var faultNames = [...]string{"reset", "hang_up", "stalled", "truncated", "endless_error"}

// String returns the fault's name in snake case.
func (f Fault) String() string {
	if int(f) < len(faultNames) {
		return faultNames[f]
	}
	return fmt.Sprintf("fault(%d)", uint8(f))
}

// maxEndless bounds the body of an EndlessError.
const maxEndless = 1 << 30

// order is what a server does about the next n requests in place of its handler.
type order struct {
	n     int
	name  string
	carry func(s *Server, w http.ResponseWriter, r *http.Request)
}

func (s *Server) order(o order) {
	if o.n <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders = append(s.orders, o)
}

// FailNext makes the next n requests fail before the handler sees them: nothing is carried out.
func (s *Server) FailNext(f Fault, n int) {
	s.order(order{n, f.String(), func(s *Server, w http.ResponseWriter, r *http.Request) {
		if f == Truncated {
			s.lose(f, w, r)
			return
		}
		readAll(r)
		s.strike(f, w, r, recorded{})
	}})
}

// LoseNext lets the handler carry out the next n requests, and loses its answers.
func (s *Server) LoseNext(f Fault, n int) {
	s.order(order{n, f.String() + " after the handler", func(s *Server, w http.ResponseWriter, r *http.Request) {
		s.lose(f, w, r)
	}})
}

// SlowNext lets the header of the next n answers of the handler arrive in small pieces during d.
func (s *Server) SlowNext(d time.Duration, n int) {
	s.order(order{n, "slow_header", func(s *Server, w http.ResponseWriter, r *http.Request) {
		s.trickle(w, r, s.record(w, r), d)
	}})
}

// AnswerNext gives the next n requests this answer. The handler does not see them.
func (s *Server) AnswerNext(answer Response, n int) {
	s.order(order{n, "answer", func(_ *Server, w http.ResponseWriter, r *http.Request) {
		if !answer.noRead {
			readAll(r)
		}
		answer.ServeHTTP(w, r)
	}})
}

// Forget drops the orders that are not carried out yet.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders = nil
}

// lose calls the handler and then strikes.
func (s *Server) lose(f Fault, w http.ResponseWriter, r *http.Request) {
	s.strike(f, w, r, s.record(w, r))
}

// strike lets the fault happen to a request that was read. Of the faults only Truncated needs an answer.
func (s *Server) strike(f Fault, w http.ResponseWriter, r *http.Request, answer recorded) {
	switch f {
	case Reset:
		c := s.takeOver(w)
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // otherwise the close is a FIN, which is the next best thing
		}
		s.giveUp(c)
	case HangUp:
		s.giveUp(s.takeOver(w))
	case Truncated:
		s.truncate(w, answer)
	case EndlessError:
		endless(w)
	case Stalled:
		<-r.Context().Done()
		fallthrough
	default:
		panic(http.ErrAbortHandler)
	}
}

// recorded is an answer that was not sent.
type recorded struct {
	status     int
	head, body []byte
}

// record lets the handler answer r. Afterwards the request is read to its end: otherwise closing its connection resets it.
func (s *Server) record(w http.ResponseWriter, r *http.Request) recorded {
	rec := httptest.NewRecorder()
	maps.Copy(rec.Header(), w.Header())
	s.handler.ServeHTTP(rec, r)
	readAll(r)
	if r.Method == http.MethodHead || !bodyAllowed(rec.Code) {
		rec.Body.Reset()
	}
	return recorded{rec.Code, head(r, rec), rec.Body.Bytes()}
}

// head returns the answer's header as it goes over the wire.
func head(r *http.Request, rec *httptest.ResponseRecorder) []byte {
	h := rec.Header().Clone()
	h.Set("Connection", "close")
	if bodyAllowed(rec.Code) && r.Method != http.MethodHead {
		h.Set("Content-Length", strconv.Itoa(rec.Body.Len()))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", rec.Code, http.StatusText(rec.Code))
	_ = h.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	return b.Bytes()
}

// truncate sends half of the answer's body.
func (s *Server) truncate(w http.ResponseWriter, answer recorded) {
	if len(answer.body) == 0 {
		answer.head = bytes.Replace(answer.head, []byte("Content-Length: 0"), []byte("Content-Length: 1"), 1)
	}
	c := s.takeOver(w)
	defer s.giveUp(c)
	sent(w, answer.status)
	_, _ = c.Write(append(answer.head, answer.body[:len(answer.body)/2]...)) // the client may be gone
}

// trickle sends the answer's header in ten pieces during d, then its body.
func (s *Server) trickle(w http.ResponseWriter, r *http.Request, answer recorded, d time.Duration) {
	const pieces = 10
	c := s.takeOver(w)
	defer s.giveUp(c)
	sent(w, answer.status)
	for i, size := 0, len(answer.head); i < pieces; i++ {
		timer := time.NewTimer(d / pieces)
		select {
		case <-timer.C:
		case <-r.Context().Done():
			timer.Stop()
			return
		}
		if _, err := c.Write(answer.head[size*i/pieces : size*(i+1)/pieces]); err != nil {
			return
		}
	}
	_, _ = c.Write(answer.body) // the client may be gone
}

func endless(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusInternalServerError)
	text := []byte(`{"error":"internal","message":"`)
	chunk := bytes.Repeat([]byte("endless "), 4<<10)
	for sent := 0; sent < maxEndless; sent += len(chunk) {
		if _, err := w.Write(text); err != nil {
			return
		}
		text = chunk
	}
}

// takeOver takes the connection over from net/http. If there is none to take, it ends the handler.
func (s *Server) takeOver(w http.ResponseWriter) net.Conn {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return c
}

// giveUp closes a connection that was taken over.
func (s *Server) giveUp(c net.Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	drop(c)
}

// sent notes the status of an answer that w does not write.
func sent(w http.ResponseWriter, status int) {
	if sw, ok := w.(*statusWriter); ok {
		sw.sets(status)
	}
}

// readAll reads what is left of the request's body. A body that breaks, because the client is gone, is a body that has ended.
func readAll(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }
