// Package nethttp plugs steadytrip into net/http itself:
//
//	client, err := transport.Wrap(&http.Client{Jar: jar, CheckRedirect: check}, transport.Config{})
//
// [transport.Wrap] returns a copy of the client whose Transport is the chain around the one it had. Everything else stays the
// client's: it follows redirects, keeps cookies and asks CheckRedirect. Each hop of a redirect is a call of its own to the
// chain, with its own retries and, if it leads to another host, that host's breaker.
//
// net/http makes no retries that could be switched off but one: it sends a request again on another connection if the one
// it had kept turns out to be closed, and the request is idempotent. The chain sees one attempt then.
//
// http.Client.Timeout bounds the whole call, redirects, retries and pauses, and the reading of the body. A deadline of the
// request's context does so too, and has two advantages: the chain returns an answer at once when the next attempt could not
// end in time, and the error keeps its verdict. For each attempt there is [transport.AttemptTimeout].
package nethttp

import (
	"net/http"

	"github.com/steadytrip/steadytrip/transport"
)

// New returns the client with the chain around its Transport. A Transport that is built by hand speaks HTTP/2
// only if it says so, by ForceAttemptHTTP2 or Protocols; the chain does not mind either way.
func New(client *http.Client, cfg transport.Config) (*http.Client, error) {
	return transport.Wrap(client, cfg)
}
