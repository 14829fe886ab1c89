package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/steadytrip/steadytrip/benchmarks/internal/stub"
	"github.com/steadytrip/steadytrip/transport"
)

// BenchmarkLoopback is each sort of call over real connections, the bare transport and the chain in turn. A control, which does nothing
// but forward, shows how fine the measurement is.
func BenchmarkLoopback(b *testing.B) {
	answers := []stub.Answer{{Status: 200, Header: stub.Revoked.Header, Body: `{"id":"42","title":"a thing"}`}, stub.Refreshing}
	names := []string{"success", "retry"}
	for _, tc := range failing {
		answers, names = append(answers, tc.answer), append(names, "judged-"+tc.name)
	}
	for _, n := range stub.Goroutines {
		b.Run(fmt.Sprintf("call=control/goroutines=%d", n), func(b *testing.B) {
			srv, conn := stub.Server(b, answers...), stub.Conn(b)
			get := func(rt http.RoundTripper) stub.Worker {
				return func(ctx context.Context) func() error {
					req := stub.Get(ctx, srv.URL+"/0")
					return func() error { return stub.Exchange(rt, req, 200) }
				}
			}
			stub.Paired(b, n, get(conn), get(forward{conn}))
		})
	}
	for i, name := range names {
		for _, n := range stub.Goroutines {
			b.Run(fmt.Sprintf("call=%s/goroutines=%d", name, n), func(b *testing.B) {
				srv := stub.Server(b, answers...)
				conn := stub.Conn(b)
				var bare, chain http.RoundTripper = conn, stub.Chain(b, conn, stub.HostOf(b, srv.URL))
				url, want := fmt.Sprintf("%s/%d", srv.URL, i), answers[i].Status
				worker := func(rt http.RoundTripper) stub.Worker {
					return func(ctx context.Context) func() error {
						req := stub.Get(ctx, url)
						return func() error { return stub.Exchange(rt, req, want) }
					}
				}
				if name != "retry" {
					stub.Paired(b, n, worker(bare), worker(chain))
					return
				}
				rt := stub.Chain(b, second{conn, stub.Get(b.Context(), srv.URL+"/0")}, stub.HostOf(b, srv.URL))
				stub.Paired(b, n, func(ctx context.Context) func() error {
					first, then := stub.Get(ctx, url), stub.Get(ctx, srv.URL+"/0")
					return func() error { return errors.Join(stub.Exchange(bare, first, want), stub.Exchange(bare, then, 200)) }
				}, func(ctx context.Context) func() error {
					req := stub.Get(ctx, url)
					return func() error { return stub.Exchange(rt, req, 200) }
				})
			})
		}
	}
}

// forward does nothing else.
type forward struct{ conn http.RoundTripper }

func (f forward) RoundTrip(req *http.Request) (*http.Response, error) { return f.conn.RoundTrip(req) }

// second sends second attempts to another path, whose answer is a success.
type second struct {
	conn  http.RoundTripper
	other *http.Request
}

func (s second) RoundTrip(req *http.Request) (*http.Response, error) {
	if transport.Attempt(req.Context()) > 1 {
		req = s.other
	}
	return s.conn.RoundTrip(req)
}
