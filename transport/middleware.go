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

// judging is a RoundTripper that can hand a verdict on beside the answer. What leaves the chain carries it, see [attach]; an answer
// that another attempt replaces need not.
type judging interface {
	http.RoundTripper

	judged(req *http.Request) (*http.Response, classify.Verdict, error)
}

// judgedBy sends a request through rt and returns the verdict on what came back. What no classifier inside has judged is judged here,
// so that each middleware serves alone.
func judgedBy(rt http.RoundTripper, req *http.Request) (*http.Response, classify.Verdict, error) {
	if j, ok := rt.(judging); ok {
		return j.judged(req)
	}
	resp, err := rt.RoundTrip(req)
	return resp, verdictOf(req, resp, err), err
}

// attach puts a verdict on an answer that leaves the chain, unless it is there.
func attach(resp *http.Response, v classify.Verdict) {
	if resp != nil && v.Kind != classify.Unclassified && classify.Of(resp, nil) != v {
		classify.Attach(resp, v)
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
