// Package stub is the ground that the benchmarks stand on: a base that answers at once, the chain above it, and the loops that
// measure both.
package stub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/steadytrip/steadytrip/transport"
)

// Answer is one that the base gives.
type Answer struct {
	Status int
	Header http.Header // shared by all requests; nobody may change it
	Body   string
}

// The answers of the benchmarks.
var (
	Fine        = Answer{Status: 200, Header: http.Header{}}
	Refreshing  = Answer{409, jsonType, `{"error":"token_refresh_in_progress","message":"refreshing"}`}
	Unavailable = Answer{503, jsonType, `{"error":"service_unavailable","message":"try again later"}`}
	Revoked     = Answer{403, jsonType, `{"error":"grant_revoked","message":"revoked","details":{"grant_id":"g1"}}`}
	Limited     = Answer{429, http.Header{"Content-Type": {"application/json"}, "Retry-After": {"100"}}, `{"error":"rate_limit_exceeded"}`}

	jsonType = http.Header{"Content-Type": {"application/json"}}
)

// Body makes the body of an answer.
type Body struct {
	Name string
	Make func(text string) io.ReadCloser
}

// Bodies are the two that matter. What is in memory can be looked at without reading it. Of an opaque body, as net/http's are,
// nobody knows whether a Read of it ends.
var (
	InMemory = Body{"memory", func(text string) io.ReadCloser { return io.NopCloser(bytes.NewReader([]byte(text))) }}
	Opaque   = Body{"opaque", func(text string) io.ReadCloser { return &opaque{*bytes.NewReader([]byte(text))} }}

	Bodies = []Body{InMemory, Opaque}
)

// opaque hides everything of a reader but Read.
type opaque struct{ r bytes.Reader }

func (o *opaque) Read(p []byte) (int, error) { return o.r.Read(p) }
func (o *opaque) Close() error               { return nil }

// Base answers at once: the calls of a context that takes turns, see [InTurn], with each answer in turn, all others with the last.
// Like a real one it reads the request's body and closes it. It is safe for concurrent use.
type Base struct {
	Body    Body
	Answers []Answer
}

// RoundTrip implements http.RoundTripper.
func (s *Base) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, err := io.Copy(io.Discard, req.Body)
		if err = errors.Join(err, req.Body.Close()); err != nil {
			return nil, err
		}
	}
	a := &s.Answers[len(s.Answers)-1]
	if len(s.Answers) > 1 {
		if n, ok := req.Context().Value(turnKey{}).(*int); ok {
			a = &s.Answers[*n%len(s.Answers)]
			*n++
		}
	}
	resp := &http.Response{
		StatusCode: a.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.Header, Body: http.NoBody, Request: req,
	}
	if a.Body != "" {
		resp.Body, resp.ContentLength = s.Body.Make(a.Body), int64(len(a.Body))
	}
	return resp, nil
}

type turnKey struct{}

// InTurn returns a context whose attempts, one after the other, get the answers of a [Base] in turn.
// It belongs to one goroutine.
func InTurn(ctx context.Context) context.Context { return context.WithValue(ctx, turnKey{}, new(int)) }

var grants atomic.Int64

// OnGrant is InTurn for a caller that says which grant its requests are about: one of its own, so that it waits for no other.
func OnGrant(ctx context.Context) context.Context {
	return transport.ForGrant(InTurn(ctx), fmt.Sprint("grant-", grants.Add(1)))
}

// URL is what the benchmarks ask for. Its host is the backend's.
const (
	Host = "backend.example"
	URL  = "https://" + Host + "/v1/things"
)

// Get returns a request, which may be sent many times.
func Get(ctx context.Context, url string) *http.Request {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		panic(err)
	}
	return req
}

var payload = []byte(`{"title":"a thing","color":"blue"}`)

// Post returns a fresh request with a body and, unless it is empty, an Idempotency-Key.
func Post(ctx context.Context, key string) *http.Request {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, URL, bytes.NewReader(payload))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	return req
}

// Exchange sends a request, reads the answer and closes it. The error says that its status was not the one that was wanted.
func Exchange(rt http.RoundTripper, req *http.Request, want int) error {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.Body != http.NoBody {
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
	}
	if resp.StatusCode != want {
		return fmt.Errorf("status %d, want %d", resp.StatusCode, want)
	}
	return nil
}
