package transport

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"

	"github.com/steadytrip/steadytrip/classify"
)

// An upload from memory never blocks and never fails. Any other may do both, and net/http returns what its Read returned
// as if it were an error of its own: a body that fetches its bytes from elsewhere can look like a refused connection.
// So the attempts of requests with such a body, if they can be repeated at all, are watched, and can be ended
// without waiting for the body.

// watched is an attempt whose upload is not in memory and can be repeated.
type watched struct {
	began  atomic.Bool // somebody has read from the body, or from one that net/http took in its place
	cancel context.CancelFunc
}

// watchedBody notes that it is read.
type watchedBody struct {
	io.ReadCloser
	began *atomic.Bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.began.Store(true)
	return b.ReadCloser.Read(p)
}

// watch returns the request to send for an attempt, and what there is to watch about it; nil if there is nothing.
func watch(req *http.Request) (*http.Request, *watched) {
	if req.GetBody == nil || inMemory(req.Body) {
		return req, nil
	}
	ctx, cancel := context.WithCancel(req.Context())
	w := &watched{cancel: cancel}
	sent := req.WithContext(ctx)
	sent.Body = &watchedBody{req.Body, &w.began}
	sent.GetBody = func() (io.ReadCloser, error) {
		body, err := freshBody(req)
		if err != nil {
			return nil, err
		}
		return &watchedBody{body, &w.began}, nil
	}
	return sent, w
}

// unwatched gives an answer the caller's request back, whose context outlives the answer's body, with verdict v.
func unwatched(resp *http.Response, req *http.Request, v classify.Verdict) {
	if resp.Request == nil {
		return
	}
	if _, ours := resp.Request.Body.(*watchedBody); !ours {
		return
	}
	resp.Request = req
	if v.Kind != classify.Unclassified {
		classify.Attach(resp, v)
	}
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
	reader := reflect.ValueOf(body).Field(0).Elem()
	if !reader.IsValid() {
		return false
	}
	switch reader.Type() {
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
