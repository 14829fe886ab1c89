package classify

import (
	"bytes"
	"io"
	"net/http"
	"reflect"
	"runtime"
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
	if _, writable := resp.Body.(io.Writer); writable || coding == unreadable || !mayHoldCode(resp.Header) {
		return nil
	}
	if buf, ok := inMemory(resp.Body, coding == plain); ok {
		return buf
	}
	p := &peeked{body: resp.Body, plain: coding == plain}
	p.changed.L = &p.mu
	size := int64(usual)
	if n := resp.ContentLength; n > 0 {
		// One byte more than the body, so that its end is seen as well.
		size = min(n+1, MaxBody)
	}
	p.buf = make([]byte, 0, size) // not a part of p: who keeps the verdict keeps these bytes, and neither the body nor its connection
	resp.Body = p
	go p.readAhead()
	runtime.Gosched() // most error bodies have arrived with their header, and need no timer
	return p.await()
}

// inMemory returns the first bytes of a body that io.NopCloser made of a buffer, a byte slice or a string, as caches and tests do.
// Reading it cannot block, and it can be looked at without being read. ok is false for any other.
func inMemory(body io.ReadCloser, plain bool) (first []byte, ok bool) {
	if t := reflect.TypeOf(body); t != nopCloserWriterTo && t != nopCloser {
		return nil, false
	}
	switch r := reflect.ValueOf(body).Field(0).Interface().(type) {
	case *bytes.Buffer:
		return bytes.Clone(r.Bytes()[:min(r.Len(), worthALook(r.Bytes(), plain))]), true
	case *bytes.Reader:
		return readAt(r, r.Size()-int64(r.Len()), r.Len(), plain), true
	case *strings.Reader:
		return readAt(r, r.Size()-int64(r.Len()), r.Len(), plain), true
	}
	return nil, false
}

// readAt returns the part of the n bytes from offset on that is worth a look.
func readAt(r io.ReaderAt, offset int64, n int, plain bool) []byte {
	buf := make([]byte, min(n, usual))
	got, _ := r.ReadAt(buf, offset) // there is no error before the end
	if worth := min(n, worthALook(buf[:got], plain)); worth > got {
		buf = make([]byte, worth)
		got, _ = r.ReadAt(buf, offset)
	}
	return buf[:got]
}

// usual is how much of a body is looked at first. Most error bodies are shorter.
const usual = 4 << 10

// worthALook is how many bytes of a body that begins like this are.
func worthALook(begin []byte, plain bool) int {
	if plain && !promising(begin) {
		return usual
	}
	return MaxBody
}

// promising reports whether b may be the beginning of a JSON object or of an XML document.
func promising(b []byte) bool {
	start := objectStart(b)
	return len(start) == 0 || isObject(start) || isXML(start)
}

// The types that io.NopCloser returns.
var (
	nopCloser         = reflect.TypeOf(io.NopCloser(struct{ io.Reader }{}))
	nopCloserWriterTo = reflect.TypeOf(io.NopCloser(new(bytes.Reader)))
)

// mayHoldCode reports whether an error body is worth a look: streams, messages in parts and media are not.
// What the type says beyond that is not believed; the first bytes tell.
func mayHoldCode(h http.Header) bool {
	media := fieldValue(h, "Content-Type")
	if media == "application/json" { // as most are
		return true
	}
	media, _, _ = strings.Cut(strings.ToLower(media), ";")
	for _, not := range [...]string{"stream", "ndjson", "jsonl", "json-seq", "grpc", "multipart/", "image/", "audio/", "video/"} {
		if strings.Contains(media, not) && media != "application/octet-stream" {
			return false
		}
	}
	return true
}

// peeked is a body of which the first bytes are read ahead. Until that is over, readAhead is the only reader
// of the body; afterwards the caller is.
type peeked struct {
	body  io.ReadCloser
	plain bool // not compressed: the first bytes tell whether it is worth reading on

	mu      sync.Mutex // guards the rest; never held across a call of body
	changed sync.Cond  // over or enough
	over    bool       // reading ahead has ended
	enough  bool       // nobody waits for more than buf
	buf     []byte     // what was read ahead; it only grows, so that a prefix of it stays as it is
	err     error      // what the body returned after buf, io.EOF included
	panic   any        // what the body's Read panicked with
	taken   int        // bytes of buf that the caller has had
	closed  bool       // the caller closed the body
}

// readAhead reads until the body ends, the limit is reached, the beginning turns out to be neither JSON nor XML, or nobody waits.
func (p *peeked) readAhead() {
	defer func() {
		v := recover()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.panic, p.over = v, true
		p.changed.Broadcast()
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
	if p.enough || len(p.buf) >= MaxBody || p.plain && !promising(p.buf) {
		return nil
	}
	if len(p.buf) == cap(p.buf) {
		bigger := make([]byte, len(p.buf), min(4*cap(p.buf), MaxBody))
		copy(bigger, p.buf)
		p.buf = bigger
	}
	return p.buf[len(p.buf):cap(p.buf)]
}

// await returns what has been read ahead once that is over, or at the end of the patience.
func (p *peeked) await() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		timer := time.AfterFunc(Patience, p.giveUp)
		defer timer.Stop()
	}
	for !p.over && !p.enough {
		p.changed.Wait()
	}
	p.enough = true
	p.rethrow()
	return slices.Clip(p.buf)
}

func (p *peeked) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enough = true
	p.changed.Broadcast()
}

// Read returns what was read ahead, then the error that followed it, or whatever the body returns.
func (p *peeked) Read(b []byte) (int, error) {
	if n, err, ok := p.ahead(b); ok {
		return n, err
	}
	return p.body.Read(b)
}

// ahead serves b from what is known of the body, and reports whether anything is: what was read ahead, or the error after it.
func (p *peeked) ahead(b []byte) (n int, err error, ok bool) { //nolint:revive,staticcheck // as of Read, and whether it counts
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.over && (p.closed || p.taken == len(p.buf)) {
		p.changed.Wait()
	}
	if !p.closed && p.taken < len(p.buf) {
		n = copy(b, p.buf[p.taken:])
		p.taken += n
		return n, nil, true
	}
	p.rethrow()
	if p.closed {
		return 0, nil, false // the body itself says what reading after Close means
	}
	return 0, p.err, p.err != nil
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
	if p.panic != nil {
		panic(p.panic)
	}
}
