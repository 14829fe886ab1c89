package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/steadytrip/steadytrip/benchmarks/internal/stub"
	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
)

// get sends the same request again and again. Whoever sent it is left to see to it that this is safe: the base keeps nothing of it.
func get(rt http.RoundTripper, want int) stub.Worker {
	return func(ctx context.Context) func() error {
		req := stub.Get(stub.InTurn(ctx), stub.URL)
		return func() error { return stub.Exchange(rt, req, want) }
	}
}

// BenchmarkSuccess is a call that succeeds at once.
func BenchmarkSuccess(b *testing.B) {
	base := &stub.Base{Answers: []stub.Answer{stub.Fine}}
	b.Run("chain=bare", func(b *testing.B) { stub.Run(b, get(base, 200)) })
	b.Run("chain=steadytrip", func(b *testing.B) { stub.Run(b, get(stub.Chain(b, base), 200)) })
}

// twice is what the base alone takes for both attempts of a call.
func twice(base http.RoundTripper) stub.Worker {
	return func(ctx context.Context) func() error {
		req := stub.Get(stub.InTurn(ctx), stub.URL)
		return func() error {
			return errors.Join(stub.Exchange(base, req, 409), stub.Exchange(base, req, 200))
		}
	}
}

// BenchmarkRetry is a call that meets a refresh in progress, and gets through at its second attempt. If it names its grant it asks
// as the probe of that grant's gate.
func BenchmarkRetry(b *testing.B) {
	for _, body := range stub.Bodies {
		base := &stub.Base{Body: body, Answers: []stub.Answer{stub.Refreshing, stub.Fine}}
		for _, grant := range []string{"unknown", "named"} {
			b.Run(fmt.Sprintf("grant=%s/body=%s", grant, body.Name), func(b *testing.B) {
				b.Run("chain=bare", func(b *testing.B) { stub.Run(b, twice(base)) })
				b.Run("chain=steadytrip", func(b *testing.B) {
					rt := stub.Chain(b, base)
					stub.Run(b, func(ctx context.Context) func() error {
						if grant == "named" {
							ctx = stub.OnGrant(ctx)
						} else {
							ctx = stub.InTurn(ctx)
						}
						req := stub.Get(ctx, stub.URL)
						return func() error { return stub.Exchange(rt, req, 200) }
					})
				})
			})
		}
	}
}

// BenchmarkPassedThrough is a call that ends with a judged 403, and one whose caller makes an error of it.
func BenchmarkPassedThrough(b *testing.B) {
	for _, body := range stub.Bodies {
		base := &stub.Base{Body: body, Answers: []stub.Answer{stub.Revoked}}
		b.Run("body="+body.Name, func(b *testing.B) {
			b.Run("chain=bare", func(b *testing.B) { stub.Run(b, get(base, 403)) })
			b.Run("chain=steadytrip", func(b *testing.B) { stub.Run(b, get(stub.Chain(b, base), 403)) })
			b.Run("chain=steadytrip+CheckResponse", func(b *testing.B) { stub.Run(b, checked(stub.Chain(b, base))) })
		})
	}
}

// checked is a caller that wants the error of an answer.
func checked(rt http.RoundTripper) stub.Worker {
	return func(ctx context.Context) func() error {
		req := stub.Get(ctx, stub.URL)
		return func() error {
			resp, err := rt.RoundTrip(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if err := classify.CheckResponse(resp); err == nil {
				return errors.New("the answer is no failure")
			}
			_, err = io.Copy(io.Discard, resp.Body) // as Exchange does
			return err
		}
	}
}

// opened returns a chain whose breaker is open.
func opened(tb testing.TB) http.RoundTripper {
	tb.Helper()
	rt := stub.Chain(tb, &stub.Base{Body: stub.InMemory, Answers: []stub.Answer{stub.Limited}})
	if err := stub.Exchange(rt, stub.Get(tb.Context(), stub.URL), 429); err != nil {
		tb.Fatal(err)
	}
	return rt
}

// refused is a caller whom an open breaker turns away.
func refused(rt http.RoundTripper) stub.Worker {
	return func(ctx context.Context) func() error {
		req := stub.Get(ctx, stub.URL)
		return func() error {
			if _, err := rt.RoundTrip(req); !errors.Is(err, transport.ErrOpen) {
				return fmt.Errorf("%w, want a refusal", err)
			}
			return nil
		}
	}
}

// BenchmarkRefused is a call that an open breaker turns away.
func BenchmarkRefused(b *testing.B) {
	b.Run("chain=steadytrip", func(b *testing.B) { stub.Run(b, refused(opened(b))) })
}
