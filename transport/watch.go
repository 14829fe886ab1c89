package transport

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
)

// An upload from memory never blocks and never fails. Any other may do both, and net/http returns what its Read returned
// as if it were an error of its own: a body that fetches its bytes from elsewhere can look like a refused connection.
// So the attempts of requests with such a body, if they can be repeated at all, are watched, and can be ended
// without waiting for the body.

// watchedBody is the body of an attempt that can be repeated, unless it is in memory.
type watchedBody struct {
	io.ReadCloser
	began  atomic.Bool // somebody has read from it
	cancel context.CancelFunc
}

func (u *watchedBody) Read(p []byte) (int, error) {
	u.began.Store(true)
	return u.ReadCloser.Read(p)
}

// watch returns the request to send for an attempt, and its body, nil if there is none to watch.
func watch(req *http.Request) (*http.Request, *watchedBody) {
	if req.GetBody == nil || inMemory(req.Body) {
		return req, nil
	}
	ctx, cancel := context.WithCancel(req.Context())
	u := &watchedBody{ReadCloser: req.Body, cancel: cancel}
	req = req.WithContext(ctx)
	req.Body = u
	return req, u
}

// inMemory reports whether a request's body is none, or one that http.NewRequest made from a buffer, a byte slice or a string.
func inMemory(body io.ReadCloser) bool {
	if body == nil || body == http.NoBody {
		return true
	}
	t := reflect.TypeOf(body)
	if t != nopCloser && t != nopCloserWriterTo {
		return false
	}
	switch reflect.ValueOf(body).Field(0).Elem().Type() {
	case reflect.TypeFor[*bytes.Buffer](), reflect.TypeFor[*bytes.Reader](), reflect.TypeFor[*strings.Reader]():
		return true
	}
	return false
}

// The types that io.NopCloser returns.
var (
	nopCloser         = reflect.TypeOf(io.NopCloser(struct{ io.Reader }{}))
	nopCloserWriterTo = reflect.TypeOf(io.NopCloser(new(bytes.Reader)))
)
