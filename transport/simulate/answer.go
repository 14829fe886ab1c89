package simulate

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// answering is the base of the chains: the way to the backend, and what comes back.
type answering struct{ *world }

var _ http.RoundTripper = answering{}

func (a answering) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, now := req.Context(), a.now()
	c := callOf(ctx)
	c.cause = gaveUp
	b := &a.scenario.Backend
	trip := time.Duration(float64(b.RTT) * (1 + b.Spread*(2*c.wire.Float64()-1)))
	if a.backend.refuses(now, c.key, &c.wire) {
		if !c.until(ctx, now+trip) {
			return nil, ctx.Err()
		}
		c.cause = disconnected
		return nil, netError("dial", "connect", syscall.ECONNREFUSED)
	}
	if !c.until(ctx, now+trip/2) {
		return nil, ctx.Err()
	}
	r := a.backend.arrive(a.now(), c.key, &c.wire)
	if r.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if !c.until(ctx, r.at+trip-trip/2) {
		return nil, ctx.Err()
	}
	c.cause = r.cause
	if r.cause == lost {
		return nil, netError("read", "read", syscall.ECONNRESET)
	}
	return b.answer(req, c.key, r), nil
}

func netError(op, call string, errno syscall.Errno) error {
	return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(call, errno)}
}

// answer is the answer to a request.
func (b *Backend) answer(req *http.Request, key int, r reply) *http.Response {
	resp := &http.Response{
		StatusCode: http.StatusOK,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{},
		Body:    http.NoBody,
		Request: req,
	}
	switch r.cause {
	case refreshing:
		resp.StatusCode = http.StatusConflict
		b.say(resp, fmt.Sprintf(`{"error":"token_refresh_in_progress","details":{"grant_id":%q}}`, grantOf(key)))
	case limited:
		resp.StatusCode = http.StatusTooManyRequests
		r.limit.tell(resp.Header, policyOf(key), r.hint)
		b.say(resp, `{"error":"rate_limit_exceeded"}`)
	case shed:
		resp.StatusCode = http.StatusServiceUnavailable
		if b.Hint > 0 {
			resp.Header["Retry-After"] = []string{seconds(b.Hint)}
		}
	case failed:
		resp.StatusCode = r.status
	default:
	}
	return resp
}

// say gives an answer of Alter's its body.
func (b *Backend) say(resp *http.Response, body string) {
	if b.Plain {
		return
	}
	resp.Header["Content-Type"] = []string{"application/json"}
	resp.Body = io.NopCloser(strings.NewReader(body))
	resp.ContentLength = int64(len(body))
}

// tell writes what a limit says about itself.
func (f *Fault) tell(h http.Header, policy string, left time.Duration) {
	if f.Hint {
		h["Retry-After"] = []string{seconds(left)}
	}
	if f.Fields {
		h["Ratelimit"] = []string{strconv.Quote(policy) + ";r=0;t=" + seconds(left)}
		h["Ratelimit-Policy"] = []string{strconv.Quote(policy) + ";q=" + strconv.Itoa(f.Limit) + ";w=" + seconds(f.Window)}
	}
}

// seconds writes a duration in whole seconds, rounded up, and at least one.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64(max(1, (d+time.Second-1)/time.Second)), 10)
}
