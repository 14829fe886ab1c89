package transport

import (
	"io"
	"net/http"
	"runtime"
	"sync"
	"time"
)

const (
	drainBytes = 64 << 10
	drainTime  = 50 * time.Millisecond
)

// discard ends an answer that nobody will read, and the upload of its attempt if that is still under way. What is left of a
// short body is read, so that its connection can be used again; a body that is longer, or takes longer, costs its connection.
// It waits drainTime at most, whatever the bodies do.
func discard(req *http.Request, resp *http.Response) { drain(req, resp, io.Discard) }

// drain ends an answer like discard, and writes its body to w. It reports whether that was all of it; otherwise
// w must not be touched again.
func drain(req *http.Request, resp *http.Response, w io.Writer) bool {
	if !inMemory(req.Body) {
		// The caller may use req again as soon as the call is over: its body is looked up here, not later.
		go closeQuietly(req.Body)
	}
	body := resp.Body
	if body == nil {
		return true
	}
	if inMemory(body) { // it can neither stall nor hold a connection
		_ = body.Close()
		return true
	}
	d := &drainage{body: body, to: w, rest: io.LimitedReader{R: body, N: drainBytes}}
	d.changed.L = &d.mu
	go d.run()
	runtime.Gosched() // what has arrived with the header needs no timer
	return d.await()
}

// drainage is the end of a body.
type drainage struct {
	body io.ReadCloser
	to   io.Writer
	rest io.LimitedReader

	mu       sync.Mutex // guards the rest; never held across a call of body
	changed  sync.Cond  // over or late
	over     bool       // the body is closed
	late     bool       // nobody waits any more
	whole    bool       // all of it was read
	panicked any        // what the body panicked with
}

// run reads what is left, and closes the body.
func (d *drainage) run() {
	whole := false
	defer func() {
		v := recover()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.over, d.whole, d.panicked = true, whole, v
		d.changed.Broadcast()
	}()
	defer func() { _ = d.body.Close() }()
	_, err := io.Copy(d.to, &d.rest)
	whole = err == nil && d.rest.N > 0
}

// await reports whether all of the body was read in time.
func (d *drainage) await() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.over {
		timer := time.AfterFunc(drainTime, d.giveUp)
		defer timer.Stop()
	}
	for !d.over && !d.late {
		d.changed.Wait()
	}
	switch {
	case !d.over:
		go closeQuietly(d.body) // wakes the Read
		return false
	case d.panicked != nil:
		panic(d.panicked)
	}
	return d.whole
}

func (d *drainage) giveUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.late = true
	d.changed.Broadcast()
}

// closeQuietly closes a body that nobody waits for any more.
func closeQuietly(body io.Closer) {
	defer func() { _ = recover() }()
	_ = body.Close()
}
