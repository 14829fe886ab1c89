package transport

import (
	"io"
	"net/http"
	"sync/atomic"
)

// releaseWithBody lets an attempt's context live as long as the body of its answer: release is called when the body has
// ended or is closed. It reports false, and does nothing, if there is no body. The body of an upgraded connection (101)
// keeps its Write and CloseWrite, and its context until Close.
func releaseWithBody(resp *http.Response, release func()) bool {
	if resp.Body == nil || resp.Body == http.NoBody {
		return false
	}
	body := &releasingBody{base: resp.Body, release: release}
	resp.Body = body
	if w, ok := body.base.(io.Writer); ok {
		conn := &releasingConn{body, w}
		resp.Body = conn
		if half, ok := body.base.(writeCloser); ok {
			resp.Body = &releasingHalfConn{conn, half}
		}
	}
	return true
}

// releasingBody is the body of an answer whose attempt has a context of its own. Close may be called during a Read.
type releasingBody struct {
	base    io.ReadCloser
	release func()
	closed  atomic.Bool
}

// Read releases the attempt's context with the body's end, whatever that is.
func (b *releasingBody) Read(p []byte) (int, error) {
	n, err := b.base.Read(p)
	if err != nil {
		b.release()
	}
	return n, err
}

// Close releases the attempt's context first: over HTTP/2, closing a body waits for an upload that is still under way,
// unless its context is over. Only the first call does anything.
func (b *releasingBody) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	b.release()
	return b.base.Close()
}

// releasingConn is an upgraded connection. It may be written to after the peer has ended its side.
type releasingConn struct {
	*releasingBody
	io.Writer
}

func (c *releasingConn) Read(p []byte) (int, error) { return c.base.Read(p) }

// releasingHalfConn is an upgraded connection of which one side can be ended.
type releasingHalfConn struct {
	*releasingConn
	writeCloser
}

type writeCloser interface{ CloseWrite() error }
