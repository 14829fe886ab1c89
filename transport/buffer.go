package transport

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"sync"
)

// ErrBufferFull is what GetBody of a request fails with once more of its body was read than [Buffer] may remember.
var ErrBufferFull = errors.New("transport: request body is longer than its buffer and cannot be read again")

var (
	errCallOver   = errors.New("transport: the call is over and its request body cannot be read again")
	errSuperseded = errors.New("transport: another attempt goes on with the request body")
	errReadEnded  = errors.New("transport: request body's Read did not return")
)

// Buffer lets [Retry] repeat requests whose body has no GetBody: it remembers what was read of the body, up to limit bytes,
// and gives the request a GetBody that yields those bytes again and then goes on reading the body where it stands.
// A limit of 0 or less remembers nothing: the middleware is not there.
//
// Nothing is read ahead: the body is read when an attempt asks for it, so that streams and early answers stay what they are.
// Once more than limit bytes were read, they are forgotten, the body streams through, and GetBody fails with [ErrBufferFull],
// which makes the attempt under way the last. A request with a ContentLength of more than limit is sent once, as it is; so are
// requests without body, and those that have a GetBody.
//
// All attempts see the same bytes, and the same error at the same place. Reads of the body never overlap; those of which the bytes
// are remembered run in a goroutine of their own, so that an attempt can be ended while the body is stuck. If an attempt ends then,
// what the Read brings is the next one's. Attempts that read at the same time each get everything, but beyond limit
// only the latest goes on, and the others fail.
//
// The body is closed when nobody can need it any more: no attempt has it open, and either the call has returned, or the body
// was read to its end or its error, or beyond limit. An upload may go on after RoundTrip has returned; GetBody fails then.
// The end of the request's context closes the body at once, as a panic of the base does, even during a Read.
//
// It belongs outside of Retry, in Config.PerCall, and may be used by many goroutines at once. The caller's request is not changed.
func Buffer(limit int64) Middleware {
	return func(next http.RoundTripper) http.RoundTripper {
		if limit <= 0 {
			return next
		}
		return &buffering{inner{next}, limit}
	}
}

type buffering struct {
	inner
	limit int64
}

var _ http.RoundTripper = (*buffering)(nil)

func (b *buffering) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body == nil || req.Body == http.NoBody || req.GetBody != nil || req.ContentLength > b.limit {
		return b.next.RoundTrip(req)
	}
	s := newSharedBody(req, b.limit)
	sent := req.WithContext(req.Context())
	sent.Body, sent.GetBody = s.first(), s.getBody
	returned := false
	defer func() {
		if returned {
			s.callReturned()
		} else {
			s.abandon(errCallOver)
		}
	}()
	resp, err := b.next.RoundTrip(sent)
	returned = true
	return resp, err
}

// sharedBody is a request body that is read once and may be sent several times.
type sharedBody struct {
	source io.ReadCloser
	limit  int
	unbind func() bool // ends the watch on the caller's context

	mu       sync.Mutex    // guards the rest; never held across a call of source
	moved    sync.Cond     // something below has changed
	data     []byte        // what was read of source, from its beginning; nil if that is forgotten
	full     bool          // more than limit was read
	err      error         // what source returned after data
	panicked any           // what source's Read panicked with
	reading  bool          // a Read of source is under way
	over     error         // why there is no further attempt; nil as long as there may be one
	closed   bool          // source is closed, or about to be
	readers  []*bodyReader // open and not superseded, the oldest first
}

func newSharedBody(req *http.Request, limit int64) *sharedBody {
	s := &sharedBody{source: req.Body, limit: int(min(limit, math.MaxInt-1))}
	s.moved.L = &s.mu
	ctx := req.Context()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unbind = context.AfterFunc(ctx, func() {
		defer func() { _ = recover() }() // a body that panics when nobody waits for it any more
		s.abandon(context.Cause(ctx))
	})
	return s
}

// first returns the body of the first attempt.
func (s *sharedBody) first() io.ReadCloser {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &bodyReader{shared: s, err: s.over}
	if r.err == nil {
		s.readers = append(s.readers, r)
	}
	return r
}

func (s *sharedBody) getBody() (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over != nil:
		return nil, s.over
	case s.full:
		return nil, ErrBufferFull
	}
	r := &bodyReader{shared: s}
	s.readers = append(s.readers, r)
	return r, nil
}

// callReturned notes that there will be no further attempt.
func (s *sharedBody) callReturned() {
	s.mu.Lock()
	s.over = errCallOver
	closing := s.settle()
	s.mu.Unlock()
	if closing {
		_ = s.close() // nobody is left who would want to know
	}
}

// abandon ends every attempt with err.
func (s *sharedBody) abandon(err error) {
	s.mu.Lock()
	s.over = err
	for _, r := range s.readers {
		r.err = err
	}
	s.readers = nil
	s.moved.Broadcast()
	closing := s.settle()
	s.mu.Unlock()
	if closing {
		_ = s.close()
	}
}

// settle forgets what nobody needs, and reports whether the caller, who holds mu, is to close source after unlocking it.
func (s *sharedBody) settle() bool {
	if len(s.readers) > 0 {
		return false
	}
	last := s.over != nil || s.full
	if last {
		s.data = nil
	}
	if s.closed || !last && s.err == nil && s.panicked == nil {
		return false
	}
	s.closed = true
	return true
}

func (s *sharedBody) close() error {
	s.unbind()
	return s.source.Close()
}

// bodyReader is the body of one attempt.
type bodyReader struct {
	shared *sharedBody
	at     int   // how much of shared.data it has delivered
	err    error // what every further Read returns; guarded by shared.mu
}

// Read delivers what is remembered, then what source has. It waits for source no longer than until the attempt ends.
func (r *bodyReader) Read(p []byte) (int, error) {
	s := r.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case r.err != nil:
			return 0, r.err
		case r.at < len(s.data):
			n := copy(p, s.data[r.at:])
			r.at += n
			return n, nil
		case s.panicked != nil:
			panic(s.panicked)
		case s.err != nil:
			return 0, s.err
		case len(p) == 0:
			return 0, nil
		case s.reading:
			s.moved.Wait()
		case s.passesTo(r):
			return s.pass(r, p)
		case s.full:
			r.err = errSuperseded
			s.drop(r)
		default:
			s.reading = true
			go s.fill(s.space(len(p)))
		}
	}
}

// Close ends a Read that waits. The error is that of closing source, if it is this call that does.
func (r *bodyReader) Close() error {
	s := r.shared
	s.mu.Lock()
	if r.err == nil {
		r.err = http.ErrBodyReadAfterClose
	}
	s.drop(r)
	s.moved.Broadcast()
	closing := s.settle()
	s.mu.Unlock()
	if closing {
		return s.close()
	}
	return nil
}

func (s *sharedBody) drop(r *bodyReader) {
	s.readers = slices.DeleteFunc(s.readers, func(other *bodyReader) bool { return other == r })
}

// space returns where the next n bytes of source go, or as many as fit. It has room for one byte beyond the limit,
// which tells a body that ends there from a longer one.
func (s *sharedBody) space(n int) []byte {
	const least, first = 512, 4 << 10
	if free := cap(s.data) - len(s.data); free < least && cap(s.data) <= s.limit {
		bigger := make([]byte, len(s.data), min(max(2*cap(s.data), first), s.limit+1))
		copy(bigger, s.data)
		s.data = bigger
	}
	free := s.data[len(s.data):cap(s.data)]
	return free[:min(n, len(free))]
}

// fill reads from source into space, which is the end of data.
func (s *sharedBody) fill(space []byte) {
	n, err := 0, errReadEnded
	defer func() {
		panicked := recover()
		s.mu.Lock()
		s.reading = false
		if s.data != nil {
			s.data = s.data[:len(s.data)+n]
			s.full = len(s.data) > s.limit
		}
		s.err, s.panicked = err, panicked
		s.moved.Broadcast()
		closing := s.settle()
		s.mu.Unlock()
		if closing {
			defer func() { _ = recover() }() // a body that panics when nobody waits for it any more
			_ = s.close()
		}
	}()
	read, failed := s.source.Read(space)
	if read < 0 || read > len(space) {
		panic("transport: request body's Read returned an impossible count")
	}
	n, err = read, failed
}

// passesTo reports whether r is the only one who will read on, so that nothing need be remembered, and forgets it all.
// r has delivered all there is.
func (s *sharedBody) passesTo(r *bodyReader) bool {
	newest := s.readers[len(s.readers)-1] == r
	alone := s.over != nil && len(s.readers) == 1
	if !alone && !(s.full && newest) {
		return false
	}
	for _, other := range s.readers {
		if other != r {
			other.err = errSuperseded
		}
	}
	s.readers = append(s.readers[:0], r)
	s.data, r.at = nil, 0
	return true
}

// pass reads from source for r without remembering. The caller holds mu.
func (s *sharedBody) pass(r *bodyReader, p []byte) (n int, err error) {
	s.reading = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.reading, s.err = false, err
		if err != nil && r.err != nil {
			err = r.err // what ended the Read, rather than how source took it
		}
		s.moved.Broadcast()
	}()
	return s.source.Read(p)
}
