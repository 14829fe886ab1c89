package transport

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// AnswerRefusals turns what a breaker or a gate refuses into an answer, for SDKs that look at answers only. It belongs
// outside of [Retry], in [Config].PerCall. Every other error and every answer passes as it is.
//
// The answer has the status of the answer that the refusal is due to; if there was none it is 503 for an outage and for a refresh
// in progress, else 429. It has a Retry-After, in whole seconds and at least one, unless the refusal is for good or until an operator resets it, and a problem document
// (RFC 9457) that names steadytrip, the kind and the action. Its verdict and its trail are those of the error:
// [classify.CheckResponse] returns the same typed error, but [ErrOpen] and [ErrGated] are not in it.
func AnswerRefusals() Middleware {
	return func(next http.RoundTripper) http.RoundTripper { return &answering{inner{next}} }
}

type answering struct{ inner }

var _ http.RoundTripper = (*answering)(nil)

func (a *answering) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := a.next.RoundTrip(req)
	if err == nil || !errors.Is(err, ErrOpen) && !errors.Is(err, ErrGated) {
		return resp, err
	}
	return synthetic(req, err), nil
}

// synthetic is the answer that stands for a refusal.
func synthetic(req *http.Request, err error) *http.Response {
	v := classify.Of(nil, err)
	status := http.StatusTooManyRequests
	switch d := v.Detail; {
	case d != nil && d.Status >= 400 && d.Status <= 599:
		status = d.Status
	case v.Action() == classify.Retry:
		status = http.StatusServiceUnavailable
	}
	body := fmt.Sprintf(`{"type":"about:blank","title":"not sent: refused by steadytrip","status":%d,"kind":%q,"action":%q}`+"\n",
		status, v.Kind, v.Action())
	header := http.Header{"Content-Type": {"application/problem+json"}}
	if a := v.Action(); (a == classify.Wait || a == classify.Retry) && v.RetryAfter <= noEnd {
		seconds := max(1, (v.RetryAfter+time.Second-1)/time.Second)
		header.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	resp := &http.Response{
		Status:     strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode: status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        header,
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       req,
	}
	if req.Method == http.MethodHead {
		resp.Body = http.NoBody
	}
	classify.Attach(resp, v)
	if t := TrailOf(nil, err); t.Attempts > 0 || t.Waited > 0 {
		resp, _ = t.attach(resp, nil)
	}
	return resp
}
