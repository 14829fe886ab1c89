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
func discard(req *http.Request, resp *http.Response) {
	if !inMemory(req.Body) {
		// The caller may use req again as soon as the call is over: its body is looked up here, not later.
		go closeQuietly(req.Body)
	}
	body := resp.Body
	if body == nil {
		return
	}
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		defer func() { _ = body.Close() }()
		_, _ = io.CopyN(io.Discard, body, drainBytes)
	}()
	timer := time.NewTimer(drainTime)
	defer timer.Stop()
	select {
	case panicked := <-done:
		if panicked != nil {
			panic(panicked)
		}
	case <-timer.C:
		go closeQuietly(body) // wakes the Read
	}
}

// closeQuietly closes a body that nobody waits for any more.
func closeQuietly(body io.Closer) {
	defer func() { _ = recover() }()
	_ = body.Close()
}
