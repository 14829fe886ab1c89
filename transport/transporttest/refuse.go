package transporttest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// patience is how long a server tries to get its port back.
const patience = 5 * time.Second

// port is the port of a server that can stop listening and come back to the same port.
// While it does not listen, the port is bound on systems where that is possible, so that nobody else takes it.
type port struct {
	changing sync.Mutex // held while the port opens or closes; taken before the server's mu

	listener net.Listener  // nil while the port refuses connections
	serving  chan struct{} // closed when connections are no longer accepted
	unbind   func()        // gives up the port that is bound while it refuses
	timer    *time.Timer   // opens the port; nil if it is open, or to be opened by Reopen
	err      error         // of the timer's attempt
}

// Refuse closes the port for d, or until [Server.Reopen]: connections are refused. Connections in use finish their answer;
// idle ones are closed. A client whose connection is closed notices it a moment later: to have its next request refused
// for certain, close the idle connections of its transport as well. That of [Server.Client] is closed here.
//
// Refuse returns when the port is closed. If it is closed already, it stays closed for d from now on.
func (s *Server) Refuse(d time.Duration) {
	s.port.changing.Lock()
	defer s.port.changing.Unlock()
	s.disarm()
	s.mu.Lock()
	closed, l := s.closed, s.port.listener
	s.port.listener = nil
	s.mu.Unlock()
	if closed {
		return
	}
	if l != nil {
		s.http.SetKeepAlivesEnabled(false)
		drop(l)
		<-s.port.serving
		s.port.unbind = bind(s.addr)
		s.hangUp(func(state http.ConnState) bool { return state == http.StateNew || state == http.StateIdle })
	}
	s.client.CloseIdleConnections()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.working.Add(1)
	s.port.timer = time.AfterFunc(d, s.reopenLater)
}

// Reopen ends a [Server.Refuse] before its time. It returns when the port is open, with an error if somebody else
// has taken it or the server is closed. It does nothing if the port is open.
func (s *Server) Reopen() error {
	s.port.changing.Lock()
	defer s.port.changing.Unlock()
	s.disarm()
	return s.open()
}

func (s *Server) reopenLater() {
	defer s.working.Done()
	s.port.changing.Lock()
	defer s.port.changing.Unlock()
	if err := s.open(); err != nil && !errors.Is(err, errClosed) {
		s.mu.Lock()
		s.port.err = err
		s.mu.Unlock()
	}
}

// disarm stops the timer. The caller holds port.changing.
func (s *Server) disarm() {
	if s.port.timer != nil && s.port.timer.Stop() {
		s.working.Done()
	}
	s.port.timer = nil
}

// open listens at the port again. The caller holds port.changing.
func (s *Server) open() error {
	s.mu.Lock()
	closed, listening := s.closed, s.port.listener != nil
	s.mu.Unlock()
	if closed {
		return errClosed
	}
	if listening {
		return nil
	}
	l, err := s.listenAgain()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		drop(l)
		return errClosed
	}
	s.http.SetKeepAlivesEnabled(true)
	s.accept(l)
	return nil
}

func (s *Server) listenAgain() (net.Listener, error) {
	giveUp := time.NewTimer(patience)
	defer giveUp.Stop()
	for {
		// First with the port still bound, which Linux allows and which leaves no gap.
		l, err := net.Listen("tcp", s.addr) //nolint:noctx // listening on loopback does not wait
		s.letGo()
		if err == nil {
			return l, nil
		}
		again := time.NewTimer(5 * time.Millisecond)
		select {
		case <-again.C:
		case <-s.done:
			again.Stop()
			return nil, errClosed
		case <-giveUp.C:
			again.Stop()
			return nil, fmt.Errorf("transporttest: reopen the port: %w", err)
		}
	}
}

// letGo gives up the bound port. The caller holds port.changing.
func (s *Server) letGo() {
	if s.port.unbind != nil {
		s.port.unbind()
		s.port.unbind = nil
	}
}

// accept serves the connections of l. The caller holds mu.
func (s *Server) accept(l net.Listener) {
	serving := make(chan struct{})
	s.port.listener, s.port.serving = l, serving
	s.working.Go(func() {
		defer close(serving)
		_ = s.http.Serve(l) // it ends when l is closed, and says so
	})
}

// shut closes the port for good.
func (s *Server) shut() {
	s.port.changing.Lock()
	defer s.port.changing.Unlock()
	s.disarm()
	s.letGo()
}
