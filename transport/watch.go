package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An upload from memory never blocks and never fails. Any other may do both, and net/http returns what its Read returned
// as if it were an error of its own: a body that fetches its bytes from elsewhere can look like a refused connection.
// Nor are the bodies of two attempts known to be two: GetBody may rewind the one reader there is, while net/http still reads it
// for an attempt that was answered early. So the attempts of requests with such a body, if they can be repeated at all, are watched,
// and can be ended without waiting for the body.

// watched is an attempt whose upload can be repeated and is not in memory, or not known to be its own.
type watched struct {
	began  atomic.Bool // somebody has read from the body, or from one that net/http took in its place
	cancel context.CancelFunc
	own    bool // each body is one of its own, see Buffer

	mu      sync.Mutex   // guards the rest; never held across a call of the body
	changed sync.Cond    // any of it
	body    *watchedBody // what the base reads, or read last
	open    int          // bodies that are not closed
	busy    int          // calls of the body under way
	over    bool         // the body is not to be read any more
	late    bool         // nobody waits for it any more
}

// watchedBody notes that it is read.
type watchedBody struct {
	io.ReadCloser
	watched *watched
	before  *watchedBody // in whose place the base took it
	closed  bool         // or about to be; guarded by watched
}

// errUploadOver is what reading an upload comes to when there is another attempt.
var errUploadOver = errors.New("transport: the attempt of this upload is over")

func (b *watchedBody) Read(p []byte) (int, error) {
	b.watched.began.Store(true)
	if !b.watched.use() {
		return 0, errUploadOver
	}
	defer b.watched.done()
	return b.ReadCloser.Read(p)
}

// Close closes the body once: what comes later could hit the next attempt's.
func (b *watchedBody) Close() error {
	w := b.watched
	w.mu.Lock()
	if b.closed {
		w.mu.Unlock()
		return nil
	}
	b.closed = true
	w.open--
	w.busy++
	w.mu.Unlock()
	defer w.done()
	return b.ReadCloser.Close()
}

// use begins a call of the body, unless that is over.
func (w *watched) use() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return false
	}
	w.busy++
	return true
}

func (w *watched) done() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	w.changed.Broadcast()
}

// of returns body as the base gets to see it.
func (w *watched) of(body io.ReadCloser) io.ReadCloser {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.body = &watchedBody{ReadCloser: body, watched: w, before: w.body}
	w.open++
	return w.body
}

// stop ends the upload, if it is not over, so that the request's body can be taken anew. It reports false if a call of the body does
// not come to an end within drainTime: nobody knows then what it would do to the next attempt's. If each body is one of its own, the
// upload goes on: should there be no other body, its answer is the caller's, and would break off with it.
func (w *watched) stop() bool {
	if w.own {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	for b := w.body; b != nil; b = b.before {
		if !b.closed {
			go closeQuietly(b)
		}
	}
	if w.open > 0 || w.busy > 0 {
		timer := time.AfterFunc(drainTime, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.late = true
			w.changed.Broadcast()
		})
		defer timer.Stop()
	}
	for (w.open > 0 || w.busy > 0) && !w.late {
		w.changed.Wait()
	}
	return !w.late
}

// watch returns the request to send for an attempt, and what there is to watch about it; nil if there is nothing.
func watch(req *http.Request) (*http.Request, *watched) {
	if req.GetBody == nil || inMemory(req.Body) && fresh(req) {
		return req, nil
	}
	ctx, cancel := context.WithCancel(req.Context())
	_, own := req.Body.(*bodyReader)
	w := &watched{cancel: cancel, own: own}
	w.changed.L = &w.mu
	sent := req.WithContext(ctx)
	sent.Body = w.of(req.Body)
	sent.GetBody = func() (io.ReadCloser, error) {
		if !w.use() {
			return nil, errUploadOver
		}
		defer w.done()
		body, err := freshBody(req)
		if err != nil {
			return nil, err
		}
		return w.of(body), nil
	}
	return sent, w
}

// fresh reports whether each body of a request is known to be one of its own: there is none, or http.NewRequest made GetBody.
func fresh(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || slices.Contains(made[:], reflect.ValueOf(req.GetBody).Pointer())
}

// made is the code of the functions that http.NewRequest sets as GetBody of what it knows how to read again.
var made = func() (code [3]uintptr) {
	for i, body := range []io.Reader{bytes.NewBufferString("a"), bytes.NewReader([]byte("a")), strings.NewReader("a")} {
		req, err := http.NewRequest(http.MethodPost, "", body)
		if err == nil {
			code[i] = reflect.ValueOf(req.GetBody).Pointer()
		}
	}
	return code
}()

// unwatched gives an answer the caller's request back, whose context outlives the answer's body.
func unwatched(resp *http.Response, req *http.Request) {
	if resp.Request == nil {
		return
	}
	if _, ours := resp.Request.Body.(*watchedBody); !ours {
		return
	}
	resp.Request = req
}

// inMemory reports whether a request's body is none, or one that http.NewRequest made from a buffer, a byte slice or a string.
func inMemory(body io.ReadCloser) bool {
	if body == nil || body == http.NoBody {
		return true
	}
	if t := reflect.TypeOf(body); t != nopCloserWriterTo && t != nopCloser {
		return false
	}
	switch reflect.ValueOf(body).Field(0).Interface().(type) {
	case *bytes.Buffer, *bytes.Reader, *strings.Reader:
		return true
	}
	return false
}

// The types that io.NopCloser returns.
var (
	nopCloser         = reflect.TypeOf(io.NopCloser(struct{ io.Reader }{}))
	nopCloserWriterTo = reflect.TypeOf(io.NopCloser(new(bytes.Reader)))
)
