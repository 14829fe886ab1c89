// Package nethttp plugs steadytrip into net/http itself:
//
//	client, err := transport.Wrap(&http.Client{Jar: jar, CheckRedirect: check}, transport.Config{})
//
// [transport.Wrap] returns a copy of the client whose Transport is the chain around the one it had. Everything else stays the
// client's: it follows redirects, keeps cookies and asks CheckRedirect. Each hop of a redirect is a call of its own to the
// chain, with its own retries and, if it leads to another host, that host's breaker. The cookies of an answer that the chain
// discards are not kept: the jar sees the answers that the client sees.
//
// A Transport that is built by hand speaks HTTP/2 only if it says so, by ForceAttemptHTTP2 or Protocols. The chain speaks what
// its base speaks.
//
// net/http makes no retries that could be switched off but one: when a connection that it had kept turns out to be closed, it
// sends the request again on another, if nothing of it was written or it is idempotent. The chain sees one attempt then.
//
// http.Client.Timeout bounds the whole call, redirects, retries and pauses, and the reading of the body. A deadline of the
// request's context does the same. The chain sees either, and begins no pause that it would cut short. Prefer the context: of
// an error that comes after Timeout has fired http.Client keeps the text only, and now and then the verdict and the trail are
// lost with the rest. For each attempt there is [transport.AttemptTimeout].
package nethttp

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
)

// SDK is http.Client itself, which gets a page.
func SDK() rig.SDK {
	return rig.SDK{
		Name:        "nethttp",
		Plug:        "transport.Wrap(&http.Client{}, transport.Config{})",
		Handler:     http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a page") }),
		Unavailable: []byte("The page is being repaired."),
		Limited:     []byte("The page has been read too often."),
		Call: func(ctx context.Context, hc *http.Client, url string, _ bool) error {
			_, err := Get(ctx, hc, url)
			return err
		},
	}
}

// Get returns a page, or the typed error of what came instead.
func Get(ctx context.Context, hc *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := hc.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := classify.CheckResponse(resp); err != nil {
		return nil, err
	}
	return io.ReadAll(resp.Body)
}
