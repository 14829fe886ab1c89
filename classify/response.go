package classify

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// verdictContext carries a verdict on the return path: it is the context of a copy of the response's request.
type verdictContext struct {
	context.Context //nolint:containedctx // it is a context
	verdict         Verdict
	response        *http.Response // whose verdict it is
}

type verdictKey struct{}

func (c *verdictContext) Value(key any) any {
	if key == (verdictKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// speaksOf reports whether the verdict is that of resp, or of the response that resp is a copy of. A request that is made
// from this context, or sent once more, gets an answer of its own.
func (c *verdictContext) speaksOf(resp *http.Response) bool {
	if c.response == resp {
		return true
	}
	return c.response.Request == resp.Request && c.response.StatusCode == resp.StatusCode
}

// Attach puts a verdict on a response, where [Of] finds it: in the context of a copy of resp.Request.
// The original request is not changed. A response without a request gets an empty one.
func Attach(resp *http.Response, v Verdict) {
	req := resp.Request
	if req == nil {
		req = &http.Request{}
	}
	j := &judgedRequest{ctx: verdictContext{req.Context(), v, resp}}
	j.req = *req.WithContext(&j.ctx)
	resp.Request = &j.req
}

// judgedRequest is a copy of a request with its context, in one allocation.
type judgedRequest struct {
	ctx verdictContext
	req http.Request
}

// Of returns the verdict of an exchange from what RoundTrip or http.Client.Do returned: the one attached to the response,
// or the one inside the error. An error that carries none is judged by its type alone; a response that carries none
// yields the zero verdict (see [Response] to judge it).
//
// An error that an SDK makes of an answer, such as *stripe.Error or *oauth2.RetrieveError, carries no verdict and would pass
// for a failure of the network: ask it first for its status, or for its response and that for its verdict.
func Of(resp *http.Response, err error) Verdict {
	if err != nil {
		if known, ok := errors.AsType[failure](err); ok {
			return known.root().verdict
		}
		return NetErrors{}.Classify(Outcome{Err: err})
	}
	v, _ := attached(resp)
	return v
}

func attached(resp *http.Response) (Verdict, bool) {
	if resp != nil && resp.Request != nil {
		if c, ok := resp.Request.Context().Value(verdictKey{}).(*verdictContext); ok && c.speaksOf(resp) {
			return c.verdict, true
		}
	}
	return Verdict{}, false
}

// Response judges an answer with c, attaches the verdict unless there is none, and returns it.
// Of answers with a status of 400 or more that may hold JSON or XML it looks at the first [MaxBody] bytes of the body,
// for as long as [Patience] at most; the body reads afterwards as if nobody had looked. A nil c is [Default].
func Response(resp *http.Response, c Classifier) Verdict {
	v := Judge(resp, c)
	if v.Kind != Unclassified {
		Attach(resp, v)
	}
	return v
}

// Judge is [Response] for those who carry the verdict themselves: it attaches nothing.
func Judge(resp *http.Response, c Classifier) Verdict {
	if c == nil {
		c = Default()
	}
	if resp.StatusCode < 400 && failuresOnly(c) {
		return Verdict{}
	}
	o := Outcome{Status: resp.StatusCode, Header: resp.Header}
	if req := resp.Request; req != nil {
		o.Method = req.Method
		if req.URL != nil {
			o.Host, o.Path = req.URL.Host, req.URL.Path
		}
	}
	if o.Status >= 400 {
		o.Time = time.Now()
		o.Body = peek(resp)
	}
	return c.Classify(o)
}

// CheckResponse returns the typed error that an answer stands for, or nil if it stands for none. It takes the verdict that
// is attached to the answer, and judges an answer that carries none with [Default]. The body can still be read,
// and is still the caller's to close.
//
//	resp, err := client.Do(req)
//	if err != nil { ... }
//	defer resp.Body.Close()
//	if err := classify.CheckResponse(resp); err != nil { ... }
func CheckResponse(resp *http.Response) error { return judged(resp).Err(nil) }

// judged returns the verdict that is attached to resp, or what Default makes of it.
func judged(resp *http.Response) Verdict {
	v, ok := attached(resp)
	if !ok && resp != nil && resp.StatusCode >= 400 {
		v = Response(resp, nil)
	}
	return v
}
