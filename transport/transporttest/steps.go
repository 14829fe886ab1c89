package transporttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Errors of the types and texts that net/http returns, to be played with [Fail]. They are read-only.
var (
	// ErrRefused: nobody listens; nothing was sent.
	ErrRefused error = &net.OpError{Op: "dial", Net: "tcp", Addr: somewhere, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	// ErrDialTimeout: the connection took too long; nothing was sent.
	ErrDialTimeout error = &net.OpError{Op: "dial", Net: "tcp", Addr: somewhere, Err: os.ErrDeadlineExceeded}
	// ErrNoSuchHost: the host name does not exist; nothing was sent.
	ErrNoSuchHost error = &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "api.example.com", IsNotFound: true}}
	// ErrReset: the connection was reset after the request was sent.
	ErrReset error = &net.OpError{Op: "read", Net: "tcp", Addr: somewhere, Err: os.NewSyscallError("read", syscall.ECONNRESET)}
)

var somewhere = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}

// step is what the steps of this package have in common: they receive the request, then answer it.
type step interface {
	early() bool // answer without having read the request's body
	answer(req *http.Request) (*http.Response, error)
}

// play receives the request and answers it.
func play(s step, req *http.Request) (*http.Response, error) {
	if err := receive(s, req); err != nil {
		return nil, err
	}
	return s.answer(req)
}

// receive reads the request's body, unless s is early, and closes it. If the context ends meanwhile, the body is closed,
// which ends a Read that heeds Close. The body's own error comes back as it is.
func receive(s step, req *http.Request) error {
	body := req.Body
	if body == nil {
		return nil
	}
	if s.early() {
		body.Close()
		return nil
	}
	stop := context.AfterFunc(req.Context(), func() { body.Close() })
	size, err := io.Copy(io.Discard, body)
	stop()
	body.Close()
	switch {
	case err != nil && req.Context().Err() != nil:
		return interrupted(req)
	case err != nil:
		return err
	case req.ContentLength > 0 && req.ContentLength != size:
		return fmt.Errorf("transporttest: ContentLength=%d with Body length %d", req.ContentLength, size)
	}
	return nil
}

// interrupted is the error of a request that was ended by its context, or by the channel that http.Client
// closes when its Timeout is over.
func interrupted(req *http.Request) error {
	if cause := context.Cause(req.Context()); cause != nil {
		return cause
	}
	return errors.New("transporttest: request canceled")
}

// wait returns after d, or earlier with an error if the request is over. A negative d means for ever.
func wait(req *http.Request, d time.Duration) error {
	var over <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
		return nil
	case <-req.Context().Done():
	//lint:ignore SA1019 http.Client still sets it
	case <-req.Cancel:
	}
	return interrupted(req)
}

// Fail is a step that fails with err, after it has read and closed the request's body. A failed dial, which is a *net.OpError
// with the Op "dial" or "proxyconnect", closes the body unread.
func Fail(err error) http.RoundTripper {
	var op *net.OpError
	return failure{err, errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")}
}

type failure struct {
	err    error
	unsent bool
}

func (f failure) RoundTrip(req *http.Request) (*http.Response, error) { return play(f, req) }
func (f failure) early() bool                                         { return f.unsent }
func (f failure) answer(*http.Request) (*http.Response, error)        { return nil, f.err }

// Hang is a step that receives the request and does not answer. It ends with the request's context and returns its cause,
// as http.Transport does over HTTP/1.
func Hang() http.RoundTripper { return hang{} }

type hang struct{}

func (h hang) RoundTrip(req *http.Request) (*http.Response, error) { return play(h, req) }
func (hang) early() bool                                           { return false }
func (hang) answer(req *http.Request) (*http.Response, error)      { return nil, wait(req, -1) }

// Panic is a step that receives the request and panics with v.
func Panic(v any) http.RoundTripper { return panics{v} }

type panics struct{ v any }

func (p panics) RoundTrip(req *http.Request) (*http.Response, error) { return play(p, req) }
func (panics) early() bool                                           { return false }
func (p panics) answer(*http.Request) (*http.Response, error)        { panic(p.v) }

// After is a step that waits for d before next. If next is a step of this package that reads the request's body,
// the body is read before the wait, as a slow server does. The wait ends with the request's context, whose cause it returns.
func After(d time.Duration, next http.RoundTripper) http.RoundTripper {
	if next == nil {
		panic("transporttest: After: the step is nil")
	}
	d = max(d, 0)
	if inner, ok := next.(after); ok {
		d, next = d+inner.d, inner.next
	}
	return after{d, next}
}

type after struct {
	d    time.Duration
	next http.RoundTripper
}

func (a after) RoundTrip(req *http.Request) (*http.Response, error) {
	s, ours := a.next.(step)
	if ours {
		if err := receive(s, req); err != nil {
			return nil, err
		}
	}
	if err := wait(req, a.d); err != nil {
		closeBody(req)
		return nil, err
	}
	if ours {
		return s.answer(req)
	}
	return a.next.RoundTrip(req)
}

// Times stands for n times the same step in a row.
func Times(n int, same http.RoundTripper) http.RoundTripper {
	if same == nil {
		panic("transporttest: Times: the step is nil")
	}
	if t, ok := same.(times); ok {
		n, same = n*t.n, t.step
	}
	return times{n, same}
}

type times struct {
	n    int
	step http.RoundTripper
}

func (t times) RoundTrip(req *http.Request) (*http.Response, error) { return t.step.RoundTrip(req) }

// Func is a step that calls a function. The request is the caller's, or a shallow copy with a body that is watched;
// its body has not been read, is nil if there is none, and is closed when the function returns or panics.
// What the function returns is passed on as it is, (nil, nil) and a response without Body or Request included.
type Func func(req *http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f Func) RoundTrip(req *http.Request) (*http.Response, error) {
	defer closeBody(req)
	return f(req)
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}
