package classify

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Patience is how long an error body is waited for before the answer is judged by what has arrived.
const Patience = 250 * time.Millisecond

// peek returns the first bytes of an error body and leaves resp.Body reading as if nobody had looked.
// It returns nil without touching the body where there is none to look at, or where the answer is a stream.
func peek(resp *http.Response) []byte {
	if resp.Body == nil || resp.Body == http.NoBody || resp.ContentLength == 0 {
		return nil
	}
	if req := resp.Request; req != nil && req.Method == http.MethodHead {
		return nil
	}
	if len(resp.Trailer) > 0 {
		return nil // net/http fills the map when the body ends, and the caller may look at it before
	}
	coding := codingOf(resp.Header)
	if _, writable := resp.Body.(io.Writer); writable || coding == unreadable || !mayHoldJSON(resp.Header) {
		return nil
	}
	p := &peeked{body: resp.Body, done: make(chan struct{}), plain: coding == plain}
	size := int64(4 << 10)
	if n := resp.ContentLength; n > 0 {
		// One byte more than the body, so that its end is seen as well.
		size = min(n+1, MaxBody)
	}
	p.buf = make([]byte, 0, size)
	resp.Body = p
	go p.readAhead()

	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case <-p.done:
		p.rethrow()
	case <-timer.C:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enough = true
	return slices.Clip(p.buf)
}

// mayHoldJSON reports whether an error body is worth a look: streams, messages in parts and media are not.
// What the type says beyond that is not believed; the first byte tells.
func mayHoldJSON(h http.Header) bool {
	media, _, _ := strings.Cut(strings.ToLower(fieldValue(h, "Content-Type")), ";")
	for _, not := range [...]string{"stream", "ndjson", "jsonl", "json-seq", "grpc", "multipart/", "image/", "audio/", "video/"} {
		if strings.Contains(media, not) && media != "application/octet-stream" {
			return false
		}
	}
	return true
}

// peeked is a body of which the first bytes were read ahead. Until done is closed, readAhead is the only reader
// of the body; afterwards the caller is.
type peeked struct {
	body  io.ReadCloser
	done  chan struct{} // closed when reading ahead has ended
	plain bool          // not compressed: the first byte tells whether it is JSON

	mu     sync.Mutex // guards the rest until done is closed; never held across a call of body
	buf    []byte     // what was read ahead; it only grows, so that a prefix of it stays as it is
	err    error      // what the body returned after buf, io.EOF included
	panic  any        // what the body's Read panicked with
	enough bool       // nobody waits for more than buf
	taken  int        // bytes of buf that the caller has had
	closed bool       // the caller closed the body
}

// readAhead reads until the body ends, the limit is reached, the beginning turns out to be no JSON, or nobody waits.
func (p *peeked) readAhead() {
	defer close(p.done)
	defer func() {
		if v := recover(); v != nil {
			p.mu.Lock()
			p.panic = v
			p.mu.Unlock()
		}
	}()
	for range 10 * MaxBody { // a bound for bodies that keep returning nothing
		space := p.space()
		if space == nil {
			return
		}
		n, err := p.body.Read(space)
		if n < 0 || n > len(space) {
			panic("classify: response body's Read returned an impossible count")
		}
		p.mu.Lock()
		p.buf, p.err = p.buf[:len(p.buf)+n], err
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// space returns where the next read goes, or nil if there is to be none.
func (p *peeked) space() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.enough || len(p.buf) >= MaxBody || !p.promising() {
		return nil
	}
	if len(p.buf) == cap(p.buf) {
		bigger := make([]byte, len(p.buf), min(2*cap(p.buf), MaxBody))
		copy(bigger, p.buf)
		p.buf = bigger
	}
	return p.buf[len(p.buf):cap(p.buf)]
}

// promising reports whether what is there may be the beginning of a JSON object.
func (p *peeked) promising() bool {
	if !p.plain {
		return true
	}
	start := objectStart(p.buf)
	return len(start) == 0 || isObject(start)
}

// Read returns what was read ahead, then the error that followed it, or whatever the body returns.
func (p *peeked) Read(b []byte) (int, error) {
	if n, ok := p.ahead(b); ok {
		return n, nil
	}
	<-p.done
	p.rethrow()
	if n, ok := p.ahead(b); ok {
		return n, nil
	}
	p.mu.Lock()
	err := p.err
	if p.closed {
		err = nil // the body itself says what reading after Close means
	}
	p.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return p.body.Read(b)
}

// ahead serves b from what was read ahead, and reports whether there was any.
func (p *peeked) ahead(b []byte) (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.taken == len(p.buf) {
		return 0, false
	}
	n := copy(b, p.buf[p.taken:])
	p.taken += n
	return n, true
}

// Close closes the body, which ends a read ahead that is still under way.
func (p *peeked) Close() error {
	p.mu.Lock()
	p.closed, p.enough = true, true
	p.mu.Unlock()
	return p.body.Close()
}

// rethrow panics as the body's Read did: in the caller's goroutine, where the caller can recover it.
func (p *peeked) rethrow() {
	p.mu.Lock()
	v := p.panic
	p.mu.Unlock()
	if v != nil {
		panic(v)
	}
}
