package transport

import (
	"io"
	"net/http"
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
	var whole bool
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		defer func() { _ = body.Close() }()
		_, err := io.CopyN(w, body, drainBytes)
		whole = err == io.EOF //nolint:errorlint // a body's end is this very value
	}()
	timer := time.NewTimer(drainTime)
	defer timer.Stop()
	select {
	case panicked := <-done:
		if panicked != nil {
			panic(panicked)
		}
		return whole
	case <-timer.C:
		go closeQuietly(body) // wakes the Read
		return false
	}
}

// closeQuietly closes a body that nobody waits for any more.
func closeQuietly(body io.Closer) {
	defer func() { _ = recover() }()
	_ = body.Close()
}
