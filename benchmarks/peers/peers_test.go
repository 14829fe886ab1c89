package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/PuerkitoBio/rehttp"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/gojek/heimdall/v7"
	"github.com/gojek/heimdall/v7/httpclient"
	"github.com/hashicorp/go-retryablehttp"
	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/benchmarks/internal/stub"
	"github.com/steadytrip/steadytrip/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lib is a library as its documentation sets it up for this work: at most two retries of a 503, and of a 409 where it can be told to,
// without a pause that is worth measuring.
type lib struct {
	name    string
	wrap    func(tb testing.TB, base http.RoundTripper, hosts ...string) http.RoundTripper
	only5xx bool  // it cannot be told to retry a 409
	open    error // what its open breaker refuses with; nil if it has none
	opens   stub.Answer
}

// libs are steadytrip and its peers. Only steadytrip reads an error's body, and keeps a trail, a budget and a gate:
//
//   - rehttp retries by status. It reads the request's body into memory for every call, and pauses by a timer.
//   - go-retryablehttp retries by status. It sends through an http.Client of its own, which is part of its price.
//   - failsafehttp retries by status, and counts in a breaker for all that it sends.
//   - heimdall is a client, not a RoundTripper. It retries 5xx whatever the method, and is spared an http.Client here.
var libs = []lib{
	{name: "steadytrip", wrap: stub.Chain, open: transport.ErrOpen, opens: stub.Limited},
	{name: "rehttp", wrap: func(_ testing.TB, base http.RoundTripper, _ ...string) http.RoundTripper {
		return rehttp.NewTransport(base, rehttp.RetryAll(
			rehttp.RetryMaxRetries(2),
			rehttp.RetryAny(rehttp.RetryStatuses(409, 503), rehttp.RetryTemporaryErr()),
		), rehttp.ConstDelay(1))
	}},
	{name: "retryablehttp", wrap: func(_ testing.TB, base http.RoundTripper, _ ...string) http.RoundTripper {
		client := retryablehttp.NewClient()
		client.HTTPClient = &http.Client{Transport: base}
		client.Logger, client.RetryMax, client.CheckRetry = nil, 2, conflictToo
		client.Backoff = func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return 1 }
		return &retryablehttp.RoundTripper{Client: client}
	}},
	// Its retry would wait for as long as a Retry-After says, so the answer that opens its breaker has none.
	{name: "failsafehttp", open: circuitbreaker.ErrOpen, opens: stub.Answer{Status: http.StatusTooManyRequests}, wrap: func(_ testing.TB, base http.RoundTripper, _ ...string) http.RoundTripper {
		retry := failsafehttp.NewRetryPolicyBuilder().
			HandleIf(func(resp *http.Response, _ error) bool { return resp != nil && resp.StatusCode == http.StatusConflict }).
			AbortOnErrors(circuitbreaker.ErrOpen).
			WithBackoff(1, 2).WithMaxRetries(2).Build()
		breaker := circuitbreaker.NewBuilder[*http.Response]().
			HandleIf(func(resp *http.Response, _ error) bool {
				return resp != nil && resp.StatusCode == http.StatusTooManyRequests
			}).
			WithDelay(time.Minute).Build()
		return failsafehttp.NewRoundTripper(base, retry, breaker)
	}},
	{name: "heimdall", only5xx: true, wrap: func(_ testing.TB, base http.RoundTripper, _ ...string) http.RoundTripper {
		return doing{httpclient.NewClient(
			httpclient.WithHTTPClient(doer{base}),
			httpclient.WithRetryCount(2),
			httpclient.WithRetrier(heimdall.NewRetrier(heimdall.NewConstantBackoff(1, 1))),
		)}
	}},
}

// conflictToo is go-retryablehttp's policy, which retries a 409 in addition.
func conflictToo(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if err == nil && resp.StatusCode == http.StatusConflict {
		return true, nil
	}
	return retryablehttp.DefaultRetryPolicy(ctx, resp, err)
}

// least is the least that a RoundTripper can do to retry: it sends a copy of the request with a fresh body, and reads an answer that it
// drops. It looks at the status only, trusts every body, and knows no pause.
type least struct{ base http.RoundTripper }

func (l least) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.base.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusConflict && resp.StatusCode != http.StatusServiceUnavailable {
		return resp, err
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, errors.Join(err, body.Close())
	}
	again := *req // neither it nor its context may be changed
	again.Body = body
	return l.base.RoundTrip(&again)
}

// doer makes a base what heimdall sends through, and doing makes heimdall what everything else is.
type (
	doer  struct{ base http.RoundTripper }
	doing struct{ client *httpclient.Client }
)

func (d doer) Do(req *http.Request) (*http.Response, error) { return d.base.RoundTrip(req) }

func (d doing) RoundTrip(req *http.Request) (*http.Response, error) { return d.client.Do(req) }

// get sends the same request again and again.
func get(rt http.RoundTripper, url string, want int) stub.Worker {
	return func(ctx context.Context) func() error {
		req := stub.Get(stub.InTurn(ctx), url)
		return func() error { return stub.Exchange(rt, req, want) }
	}
}

// BenchmarkSuccess is a GET that succeeds at once.
func BenchmarkSuccess(b *testing.B) {
	base := &stub.Base{Answers: []stub.Answer{stub.Fine}}
	for _, n := range stub.Goroutines {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			for _, l := range libs {
				rt := l.wrap(b, base)
				b.Run("lib="+l.name, func(b *testing.B) { stub.Parallel(b, n, get(rt, stub.URL, 200)) })
			}
			b.Run("lib=bare", func(b *testing.B) { stub.Parallel(b, n, get(base, stub.URL, 200)) })
		})
	}
}

// BenchmarkOverhead is what BenchmarkSuccess takes more than the bare base, measured in turn with it.
func BenchmarkOverhead(b *testing.B) {
	base := &stub.Base{Answers: []stub.Answer{stub.Fine}}
	for _, n := range stub.Goroutines {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			for _, l := range libs {
				rt := l.wrap(b, base)
				b.Run("lib="+l.name, func(b *testing.B) { stub.Paired(b, n, get(base, stub.URL, 200), get(rt, stub.URL, 200)) })
			}
		})
	}
}

// posts are the POSTs that are retried once. The server refuses the first attempt, with a JSON body that says why.
var posts = []struct {
	name   string
	answer stub.Answer
	key    string                                // the Idempotency-Key, which says that the server may have acted on the first
	ctx    func(context.Context) context.Context // a caller that may name its grant
}{
	{"503", stub.Unavailable, "9f6d2c1e", stub.InTurn},
	{"409", stub.Refreshing, "", stub.InTurn},
	{"409-grant-named", stub.Refreshing, "", stub.OnGrant},
}

// BenchmarkRetriedPost is a POST, its making included, which is refused at first and succeeds at its second attempt.
// Everybody looks at the status; steadytrip reads the body, too, and keeps a trail.
func BenchmarkRetriedPost(b *testing.B) {
	for _, post := range posts {
		for _, body := range stub.Bodies {
			base := &stub.Base{Body: body, Answers: []stub.Answer{post.answer, stub.Fine}}
			for _, n := range stub.Goroutines {
				b.Run(fmt.Sprintf("answer=%s/body=%s/goroutines=%d", post.name, body.Name, n), func(b *testing.B) {
					for _, l := range libs {
						if l.only5xx && post.answer.Status < 500 {
							continue
						}
						rt := l.wrap(b, base)
						b.Run("lib="+l.name, func(b *testing.B) { stub.Parallel(b, n, posting(rt, post.ctx, post.key)) })
					}
					b.Run("lib=least", func(b *testing.B) { stub.Parallel(b, n, posting(least{base}, post.ctx, post.key)) })
				})
			}
		}
	}
}

// posting makes a fresh request each time.
func posting(rt http.RoundTripper, caller func(context.Context) context.Context, key string) stub.Worker {
	return func(ctx context.Context) func() error {
		ctx = caller(ctx)
		return func() error { return stub.Exchange(rt, stub.Post(ctx, key), 200) }
	}
}

// BenchmarkPassedThrough is a GET that is answered 403: nobody retries it, and steadytrip says what it means.
func BenchmarkPassedThrough(b *testing.B) {
	for _, body := range stub.Bodies {
		base := &stub.Base{Body: body, Answers: []stub.Answer{stub.Revoked}}
		for _, n := range stub.Goroutines {
			b.Run(fmt.Sprintf("body=%s/goroutines=%d", body.Name, n), func(b *testing.B) {
				for _, l := range libs {
					rt := l.wrap(b, base)
					b.Run("lib="+l.name, func(b *testing.B) { stub.Parallel(b, n, get(rt, stub.URL, 403)) })
				}
			})
		}
	}
}

// BenchmarkRefused is a GET that an open breaker turns away, where there is one.
func BenchmarkRefused(b *testing.B) {
	for _, n := range stub.Goroutines {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			for _, l := range libs {
				if l.open == nil {
					continue
				}
				rt := l.wrap(b, &stub.Base{Body: stub.InMemory, Answers: []stub.Answer{l.opens}})
				_ = stub.Exchange(rt, stub.Get(b.Context(), stub.URL), 429) // that it was enough shows below
				b.Run("lib="+l.name, func(b *testing.B) {
					stub.Parallel(b, n, func(ctx context.Context) func() error {
						req := stub.Get(ctx, stub.URL)
						return func() error {
							if err := stub.Exchange(rt, req, 0); !errors.Is(err, l.open) {
								return fmt.Errorf("%w, want a refusal", err)
							}
							return nil
						}
					})
				})
			}
		})
	}
}

// BenchmarkLoopback is a GET that succeeds, over real connections, each library in turn with the bare transport.
func BenchmarkLoopback(b *testing.B) {
	answer := stub.Answer{Status: 200, Header: stub.Revoked.Header, Body: `{"id":"42","title":"a thing"}`}
	for _, n := range stub.Goroutines {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			for _, l := range libs {
				b.Run("lib="+l.name, func(b *testing.B) {
					srv, conn := stub.Server(b, answer), stub.Conn(b)
					rt := l.wrap(b, conn, stub.HostOf(b, srv.URL))
					stub.Paired(b, n, get(conn, srv.URL+"/0", 200), get(rt, srv.URL+"/0", 200))
				})
			}
		})
	}
}
