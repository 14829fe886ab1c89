package transporttest

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Response is an answer to give: a step of a [Script], a handler of a server, or what [Server.AnswerNext] takes.
// Its methods return a changed copy. The zero value is a 200 without a body. A Response may be used many times
// and by many goroutines at once.
type Response struct {
	status int
	header http.Header
	text   string
	canned *errorBody // instead of text
	pieces []Piece    // instead of text, if streams
	size   int64      // the announced length of pieces; -1 if none
	stream bool
	noRead bool
}

var (
	_ http.RoundTripper = Response{}
	_ http.Handler      = Response{}
	_ step              = Response{}
)

// Answer returns a response with this status and body. A body that begins with { or [ is labelled application/json,
// any other text/plain. It panics if the status is not one of 200 to 599.
func Answer(status int, body string) Response {
	if status < 200 || status > 599 {
		panic("transporttest: Answer: status " + strconv.Itoa(status) + ": want 200 to 599")
	}
	r := Response{status: status, text: body}
	switch {
	case body == "":
		return r
	case strings.HasPrefix(body, "{"), strings.HasPrefix(body, "["):
		return r.Header("Content-Type", "application/json")
	}
	return r.Header("Content-Type", "text/plain; charset=utf-8")
}

// Header sets a field to these values, or removes it if there are none.
func (r Response) Header(name string, values ...string) Response {
	h := maps.Clone(r.header)
	if h == nil {
		h = http.Header{}
	}
	if len(values) == 0 {
		h.Del(name)
	} else {
		h[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	r.header = h
	return r
}

// RetryAfter asks the client to stay away for d. The field has whole seconds (RFC 9110, section 10.2.3), rounded up;
// if they are not exact, Retry-After-Ms says it in milliseconds as well.
func (r Response) RetryAfter(d time.Duration) Response {
	seconds := wholeSeconds(d)
	r = r.Header("Retry-After", strconv.FormatInt(seconds, 10)).Header("Retry-After-Ms")
	if time.Duration(seconds)*time.Second != d {
		r = r.Header("Retry-After-Ms", strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10))
	}
	return r
}

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// Stream replaces the body by pieces, of which every exchange gets its own [Body]. Its length is not announced, see [Response.Length].
func (r Response) Stream(pieces ...Piece) Response {
	r.text, r.canned, r.stream = "", nil, true
	r.pieces, r.size = slices.Clone(pieces), -1
	return r
}

// Length announces n as the length of a streamed body, whether that is true or not. A negative n announces none.
func (r Response) Length(n int64) Response {
	r.size = max(n, -1)
	return r
}

// Early gives the answer without reading the request's body. A step closes it unread.
func (r Response) Early() Response {
	r.noRead = true
	return r
}

// Detail sets a member of the "details" of a response made by [Canned] or [AlterError]. It panics on any other.
func (r Response) Detail(name string, value any) Response {
	if r.canned == nil {
		panic("transporttest: Detail: the response has no details: want one made by Canned or AlterError")
	}
	c := *r.canned
	c.Details = maps.Clone(c.Details)
	if c.Details == nil {
		c.Details = map[string]any{}
	}
	c.Details[name] = value
	r.canned = &c
	return r
}

// Status returns the status.
func (r Response) Status() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// RoundTrip receives the request and answers it.
func (r Response) RoundTrip(req *http.Request) (*http.Response, error) { return play(r, req) }

func (r Response) early() bool { return r.noRead }

func (r Response) answer(req *http.Request) (*http.Response, error) { return r.HTTP(req), nil }

// HTTP returns the response to req as http.Transport would: resp.Request is req, an empty body is http.NoBody, any other
// is a [*Body] that ends with the request's context. A nil req stands for a GET.
func (r Response) HTTP(req *http.Request) *http.Response {
	resp := &http.Response{
		Status:     strconv.Itoa(r.Status()) + " " + http.StatusText(r.Status()),
		StatusCode: r.Status(),
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  r.fields(),
		Body:    http.NoBody,
		Request: req,
	}
	size, pieces := r.content()
	resp.ContentLength = size
	method := http.MethodGet
	ctx := context.Background()
	if req != nil {
		method, ctx = req.Method, req.Context()
	}
	switch {
	case !bodyAllowed(r.Status()):
		resp.ContentLength = 0
	case method == http.MethodHead, size == 0:
	default:
		b := NewBody(pieces...)
		b.endWith(ctx)
		resp.Body = b
	}
	return resp
}

// ServeHTTP writes the response. A body that breaks, or that is shorter than announced, cuts the connection.
func (r Response) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	connection := http.NewResponseController(w)
	flush := func() { _ = connection.Flush() } // what cannot flush is a recorder
	if r.noRead {
		_ = connection.EnableFullDuplex() // otherwise net/http reads the request's body before it answers
		defer flush()
	}
	maps.Copy(w.Header(), r.fields())
	size, pieces := r.content()
	w.WriteHeader(r.Status())
	if !bodyAllowed(r.Status()) || req.Method == http.MethodHead || size == 0 {
		return
	}
	body := NewBody(pieces...)
	body.endWith(req.Context())
	defer drop(body)
	if r.stream {
		flush()
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if _, failed := w.Write(buf[:n]); failed != nil {
				return
			}
			if r.stream {
				flush()
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// content returns the body's announced length, -1 if there is none, and its pieces.
func (r Response) content() (int64, []Piece) {
	if r.stream {
		return r.size, r.pieces
	}
	text := r.text
	if r.canned != nil {
		text = r.canned.json()
	}
	return int64(len(text)), []Piece{Chunk(text)}
}

// fields returns the header to send.
func (r Response) fields() http.Header {
	h := r.header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if size, _ := r.content(); size >= 0 && bodyAllowed(r.Status()) && h["Content-Length"] == nil {
		h.Set("Content-Length", strconv.FormatInt(size, 10))
	}
	return h
}

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}
