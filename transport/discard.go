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

// discard ends an answer that nobody will read. What is left of a short body is read, so that its connection can be used
// again; a body that is longer, or takes longer, costs its connection. It waits drainTime at most,
// even for a body whose Close blocks, as that of HTTP/2 does while the attempt's upload is stuck:
// then the upload is ended too.
func discard(req *http.Request, resp *http.Response) {
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
		go func() {
			defer func() { _ = recover() }() // a body that panics when nobody waits for it any more
			closeBody(req)
			_ = body.Close()
		}()
	}
}
