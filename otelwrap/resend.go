package otelwrap

import (
	"net/http"

	"github.com/steadytrip/steadytrip/transport"
)

// resends counts an attempt that is about to be sent, and returns how many were sent before it for what the caller started:
// by retries, by the hops of a redirect before this one, and by whatever else sends a request of the call again.
func resends(req *http.Request) int {
	if c := underWay(req.Context()); c != nil {
		return c.before + int(c.sent.Add(1)) - 1
	}
	return resendsBefore(req) + transport.Attempt(req.Context()) - 1
}

// resendsBefore is how many requests were sent for the hops of a redirect before this one. http.Client leaves the answer that
// redirected in the request that follows it, with the request that got it.
func resendsBefore(req *http.Request) int {
	n := 0
	for hop := req.Response; hop != nil && hop.Request != nil; hop = hop.Request.Response {
		if c := callOf(hop.Request.Context()); c != nil {
			return n + c.before + int(c.sent.Load())
		}
		n += transport.Attempt(hop.Request.Context())
	}
	return n
}
