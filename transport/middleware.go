package transport

import (
	"net/http"
	"slices"

	"github.com/steadytrip/steadytrip/classify"
)

// Middleware wraps a RoundTripper in another. The result must keep the contract of [http.RoundTripper]:
// leave the request as it is, close its body on every path, and give an answer of any status as a response.
type Middleware func(next http.RoundTripper) http.RoundTripper

// Chain wraps base in the middlewares; the first is the outermost. A nil base is [http.DefaultTransport],
// looked up at each request. Nil middlewares are left out; one that returns nil makes Chain panic, where [New] returns an error.
func Chain(base http.RoundTripper, middlewares ...Middleware) http.RoundTripper {
	if base == nil {
		base = defaultBase{}
	}
	for _, wrap := range slices.Backward(middlewares) {
		if wrap == nil {
			continue
		}
		if base = wrap(base); base == nil {
			panic("transport: a Middleware returned nil: want a RoundTripper")
		}
	}
	return base
}

// defaultBase sends requests through whatever http.DefaultTransport is at that moment.
type defaultBase struct{}

func (defaultBase) RoundTrip(req *http.Request) (*http.Response, error) {
	return http.DefaultTransport.RoundTrip(req)
}

func (defaultBase) CloseIdleConnections() { closeIdle(http.DefaultTransport) }

// inner is the next RoundTripper of a chain, for embedding: it forwards CloseIdleConnections,
// which http.Client looks for on the outermost.
type inner struct{ next http.RoundTripper }

// judging is a RoundTripper that can hand a verdict on beside the answer; nil says that there is none, or an error. What leaves the chain
// carries it, see [attach]; an answer that another attempt replaces need not.
type judging interface {
	http.RoundTripper

	judged(req *http.Request) (*http.Response, *classify.Verdict, error)
}

// judgingOf is rt, if it is one, or else rt with the verdict that is on what comes back.
func judgingOf(rt http.RoundTripper) judging {
	if j, ok := rt.(judging); ok {
		return j
	}
	return lone{rt}
}

// lone judges what no classifier inside has judged, so that each middleware serves alone.
type lone struct{ http.RoundTripper }

func (l lone) judged(req *http.Request) (*http.Response, *classify.Verdict, error) {
	resp, err := l.RoundTrip(req)
	if err != nil {
		return resp, nil, err
	}
	return resp, verdictOf(req, resp), nil
}

// verdictOf is the verdict that came back with an answer; nil if there is none. What no classifier inside has judged is judged here.
func verdictOf(req *http.Request, resp *http.Response) *classify.Verdict {
	if succeeded(req, resp) {
		return nil
	}
	v := classify.Of(resp, nil)
	if v.Kind == classify.Unclassified && resp != nil && resp.StatusCode >= 400 {
		v = classify.Judge(resp, nil)
	}
	if v.Kind == classify.Unclassified {
		return nil
	}
	return &v
}

// succeeded reports whether it is plain to see that an answer is no failure: nobody has attached anything to it.
func succeeded(req *http.Request, resp *http.Response) bool {
	return resp != nil && resp.Request == req && resp.StatusCode < 400
}

// attach puts a verdict on an answer that leaves the chain, unless it is there.
func attach(resp *http.Response, v *classify.Verdict) {
	if resp != nil && v != nil && v.Kind != classify.Unclassified && classify.Of(resp, nil) != *v {
		classify.Attach(resp, *v)
	}
}

func (i inner) CloseIdleConnections() { closeIdle(i.next) }

func closeIdle(rt http.RoundTripper) {
	if c, ok := rt.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// closeBody closes the body of a request that is not going to be sent, as every RoundTripper must.
func closeBody(req *http.Request) {
	if req.Body != nil {
		// The error of closing an upload that never began concerns nobody.
		_ = req.Body.Close()
	}
}
