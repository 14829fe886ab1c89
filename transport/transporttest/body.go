package transporttest

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// Body is the body of a request or of a response. It delivers its pieces and remembers what was done to it.
// As the bodies of http.Transport do, it fails with http.ErrBodyReadAfterClose once it is closed; one that a [Response] made
// fails with the cause of the request's context once that is done.
//
// The zero value is an empty body. A Body may be closed while it is read, which ends the Read. Reads at the same time
// are a fault of the reader's, which [Body.Overlapped] remembers; they share the pieces out between them.
type Body struct {
	ended    <-chan struct{} // the request's context is done; nil if the body has none
	cause    func() error
	closeErr error

	mu         sync.Mutex // guards the rest; not held while a piece waits
	pieces     []Piece
	offset     int           // into the data of the first piece
	closed     chan struct{} // see done
	reading    int           // calls of Read under way
	reads      int
	late       int
	closes     int
	bytes      int64
	sawEOF     bool
	overlapped bool
}

var _ io.ReadCloser = (*Body)(nil)

// NewBody returns a body of these pieces. It ends with io.EOF unless a piece says otherwise.
func NewBody(pieces ...Piece) *Body {
	b := &Body{}
	for _, p := range pieces {
		if p.closeErr != nil {
			b.closeErr = p.closeErr
			continue
		}
		b.pieces = append(b.pieces, p)
	}
	return b
}

// endWith lets the body end with the context of its request.
func (b *Body) endWith(ctx context.Context) {
	b.ended = ctx.Done()
	b.cause = func() error { return context.Cause(ctx) }
}

// Read delivers from one piece, after the waits before it.
func (b *Body) Read(p []byte) (int, error) {
	if !b.enter() {
		return 0, http.ErrBodyReadAfterClose
	}
	defer b.leave()
	for {
		n, pause, err := b.next(p)
		if pause == nil {
			return n, err
		}
		if err := b.wait(pause); err != nil {
			return 0, err
		}
	}
}

// enter notes a call of Read and reports whether the body is still open.
func (b *Body) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads++
	if b.closes > 0 {
		b.late++
		return false
	}
	b.reading++
	b.overlapped = b.overlapped || b.reading > 1
	return true
}

func (b *Body) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading--
}

// next delivers from the first piece, or returns the piece if it is one to wait for.
func (b *Body) next(p []byte) (int, *Piece, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.ended:
		return 0, nil, b.cause()
	case <-b.done():
		return 0, nil, http.ErrBodyReadAfterClose
	default:
	}
	if len(b.pieces) == 0 {
		b.sawEOF = true
		return 0, nil, io.EOF
	}
	first := &b.pieces[0]
	switch first.does {
	case delivers, finishes:
	case stalls:
		return 0, first, nil
	case pauses, opens, deafens:
		b.pieces = b.pieces[1:]
		return 0, first, nil
	case breaks:
		b.sawEOF = b.sawEOF || first.err == io.EOF //nolint:errorlint // what readers take for the end
		return 0, nil, first.err
	case repeats:
		for n := 0; n < len(p); {
			c := copy(p[n:], first.data[b.offset:])
			n += c
			b.offset = (b.offset + c) % len(first.data)
		}
		b.bytes += int64(len(p))
		return len(p), nil, nil
	}
	// What is left delivers.
	n := copy(p, first.data[b.offset:])
	b.bytes += int64(n)
	if b.offset += n; b.offset < len(first.data) {
		return n, nil, nil
	}
	b.pieces, b.offset = b.pieces[1:], 0
	if first.does == finishes {
		b.pieces, b.sawEOF = nil, true
		return n, nil, io.EOF
	}
	return n, nil, nil
}

// wait waits for what the piece waits for, or for the end of the body.
func (b *Body) wait(piece *Piece) error {
	if piece.does == deafens {
		<-piece.open
		return nil
	}
	var over <-chan time.Time
	if piece.does == pauses {
		timer := time.NewTimer(piece.pause)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
		return nil
	case <-piece.open:
		return nil
	case <-b.ended:
		return b.cause()
	case <-b.Done():
		return http.ErrBodyReadAfterClose
	}
}

// Close ends the body, and a Read under way. It returns nil every time, or else the error of a [FailClose].
func (b *Body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closes == 0 {
		close(b.done())
	}
	b.closes++
	return b.closeErr
}

// done returns the channel that Close closes. The caller holds mu.
func (b *Body) done() chan struct{} {
	if b.closed == nil {
		b.closed = make(chan struct{})
	}
	return b.closed
}

// Done returns a channel that is closed when the body is.
func (b *Body) Done() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done()
}

// Closed reports whether Close was called.
func (b *Body) Closed() bool { return b.Closes() > 0 }

// Closes returns how often Close was called.
func (b *Body) Closes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closes
}

// Reads returns how often Read was called.
func (b *Body) Reads() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reads
}

// ReadsAfterClose returns how often Read was called on the closed body.
func (b *Body) ReadsAfterClose() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.late
}

// Delivered returns how many bytes were read.
func (b *Body) Delivered() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

// SawEOF reports whether a Read returned io.EOF.
func (b *Body) SawEOF() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sawEOF
}

// Overlapped reports whether a Read began while another was under way.
func (b *Body) Overlapped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.overlapped
}
