// Package elastic plugs steadytrip into the transport of the Elasticsearch clients, github.com/elastic/elastic-transport-go:
//
//	rt, err := transport.New(nil, transport.Config{})
//	client, err := elastictransport.NewClient(elastictransport.WithURLs(u), elastictransport.WithTransport(rt), elastictransport.WithDisableRetry())
//
// WithDisableRetry switches off the three retries that it makes by itself, without a pause, after a 502, 503 or 504 and after
// every error. Left on, they multiply: each of its four attempts is a call of its own to the chain, with the chain's retries
// in it, until these have spent their budget: a 503 arrives seven times instead of two. The configuration of
// elasticsearch.Client has the same fields: Transport and DisableRetry.
//
// With several nodes its retry is how a call gets to another node; the chain asks the same node again. Leave it on then, and
// leave the retries to it:
//
//	client.Perform(req.WithContext(transport.NoRetry(ctx)))
//
// which keeps the chain's breakers, one for each node, and its verdicts.
//
// WithCACert and WithCertificateFingerprint need an *http.Transport: give them to the chain's base instead.
//
// What is posted has no Idempotency-Key. A _search is a read all the same, and says so by [transport.Idempotent]; a _bulk whose
// documents have no ids of the caller's is none, and is sent again only if nothing was done.
//
// An answer stays an *http.Response, whatever its status; [classify.CheckResponse] makes the typed error of it. An error is
// the chain's own.
package elastic

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
)

// SDK is the transport of the Elasticsearch clients, asked for documents.
func SDK() rig.SDK {
	return rig.SDK{
		Name:        "elastic",
		Plug:        "elastictransport.WithTransport(hc.Transport)",
		Off:         "elastictransport.WithDisableRetry()",
		Handler:     Handler(),
		Unavailable: []byte(unavailable),
		Limited:     []byte(limited),
		Call: func(ctx context.Context, hc *http.Client, node string, own bool) error {
			client, err := Client(hc.Transport, own, node)
			if err != nil {
				return err
			}
			_, err = Search(ctx, client, strings.NewReader(query))
			return err
		},
	}
}

const query = `{"query":{"match_all":{}}}`

// Client returns a client of the nodes that sends through rt. If own is true it retries by itself, as it does by default.
func Client(rt http.RoundTripper, own bool, nodes ...string) (*elastictransport.Client, error) {
	var urls []*url.URL
	for _, node := range nodes {
		u, err := url.Parse(node)
		if err != nil {
			return nil, err
		}
		urls = append(urls, u)
	}
	options := []elastictransport.Option{elastictransport.WithURLs(urls...), elastictransport.WithTransport(rt)}
	if !own {
		options = append(options, elastictransport.WithDisableRetry())
	}
	return elastictransport.NewClient(options...)
}

// Search asks for documents and returns the answer's body.
func Search(ctx context.Context, client *elastictransport.Client, query io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(transport.Idempotent(ctx), http.MethodPost, "/docs/_search", query)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Perform(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := classify.CheckResponse(resp); err != nil {
		return nil, fmt.Errorf("elastic: search: %w", err)
	}
	return io.ReadAll(resp.Body)
}
