package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestCauseThatWrapsTheContextsErrorStaysReachable(t *testing.T) {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			own := errors.New("shutting down")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(ms(70), func() { cancel(fmt.Errorf("%w: %w", own, end)) })
			start := time.Now()
			_, err := exchange(newChain(t, transporttest.Play(answer(503, "")), transport.Config{Policy: steady()}),
				newRequest(t, "GET", backend, "").WithContext(ctx))
			if !errors.Is(err, own) || !errors.Is(err, end) || !errors.Is(err, context.Canceled) || time.Since(start) != ms(70) {
				t.Errorf("%v after %v: want the cause, %v and context.Canceled in its chain after 70ms", err, time.Since(start), end)
			}
			if kind := classify.Of(nil, err).Kind; kind != classify.Canceled {
				t.Errorf("kind %v, want %v", kind, classify.Canceled)
			}
		})
	}
}

func TestRequestsThatNoTransportCanSendAreTriedOnce(t *testing.T) {
	srv := transporttest.NewServer(transporttest.Answer(200, ""))
	defer srv.Close()
	for name, spoil := range map[string]func(*http.Request){
		"a control character in the query":    func(r *http.Request) { r.URL.RawQuery = "a=\x01" },
		"a control character in the path":     func(r *http.Request) { r.URL.Opaque = "//h/\x7f" },
		"a length and no body":                func(r *http.Request) { r.Body, r.GetBody = nil, nil },
		"Content-Length as a trailer":         func(r *http.Request) { r.Trailer = http.Header{"Content-Length": nil} },
		"Transfer-Encoding as a trailer":      func(r *http.Request) { r.Trailer = http.Header{"Transfer-Encoding": nil} },
		"Trailer as a trailer":                func(r *http.Request) { r.Trailer = http.Header{"Trailer": nil} },
		"a trailer whose name is no token":    func(r *http.Request) { r.Trailer = http.Header{"X Y": {"v"}} },
		"a trailer with a control character":  func(r *http.Request) { r.Trailer = http.Header{"X": {"a\nb"}} },
		"a header with a control character":   func(r *http.Request) { r.Header["X"] = []string{"a\x00b"} },
		"a header field with an unusual name": func(r *http.Request) { r.Header["X\nY"] = []string{"v"} },
	} {
		t.Run(name, func(t *testing.T) {
			tr, attempts := newTransport(t), 0
			base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
				resp, err := tr.RoundTrip(r)
				if !errors.Is(err, net.ErrClosed) { // now and then net/http tells of the connection that it closed, not of why
					attempts++
				}
				return resp, err
			})
			req := newRequest(t, "PUT", srv.URL, "payload")
			if spoil(req); len(req.Trailer) > 0 {
				req.ContentLength = -1
			}
			status, err := exchange(newChain(t, base, transport.Config{Policy: fast()}), req)
			if kind := classify.Of(nil, err).Kind; err == nil || kind != classify.InvalidRequest || attempts != 1 {
				t.Errorf("%d, %v (%v) after %d attempts; want %v after one", status, err, kind, attempts, classify.InvalidRequest)
			}
		})
	}
}

func TestRefusedDialOfAnotherSchemeIsNoFaultOfTheRequest(t *testing.T) {
	tr, attempts := newTransport(t), 0
	tr.RegisterProtocol("unix", roundTripFunc(func(*http.Request) (*http.Response, error) {
		attempts++
		return nil, transporttest.ErrRefused
	}))
	_, err := exchange(newChain(t, tr, transport.Config{Policy: fast()}), newRequest(t, "GET", "unix://socket/x", ""))
	if kind := classify.Of(nil, err).Kind; kind != classify.ConnectionRefused || attempts != 3 {
		t.Errorf("%v (%v) after %d attempts, want %v after 3", kind, err, attempts, classify.ConnectionRefused)
	}
}

func TestErrorsThatNetHTTPComparesComeOutAtOnceAndBare(t *testing.T) {
	record := tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}
	for _, want := range []error{http.ErrSkipAltProtocol, record} {
		attempts := 0
		base := roundTripFunc(func(*http.Request) (*http.Response, error) { attempts++; return nil, want })
		for name, rt := range map[string]http.RoundTripper{
			"the whole chain": newChain(t, base, transport.Config{Policy: fast()}),
			"Classify":        transport.Chain(base, transport.Classify(nil)),
			"Retry":           transport.Chain(base, transport.Retry(nil, nil)),
			"ProveUnsent":     transport.Chain(base, transport.ProveUnsent()),
		} {
			attempts = 0
			if _, err := exchange(rt, newRequest(t, "GET", backend, "")); err != want || attempts != 1 {
				t.Errorf("%s: %T %v after %d attempts, want %T itself after one", name, err, err, attempts, want)
			}
		}
	}
}

func TestErrorAfterTheCallersEndIsTheCallers(t *testing.T) {
	gone := make(chan struct{})
	close(gone)
	late, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	for name, tc := range map[string]struct {
		end  func(*http.Request) *http.Request
		kind classify.Kind
	}{
		"cancelled": {func(r *http.Request) *http.Request { return r.WithContext(doneContext()) }, classify.Canceled},
		"too late":  {func(r *http.Request) *http.Request { return r.WithContext(late) }, classify.Deadline},
		"cancelled by the request's channel": {func(r *http.Request) *http.Request {
			//lint:ignore SA1019 http.Client.Timeout sets it
			r.Cancel = gone
			return r
		}, classify.Canceled},
	} {
		base := roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, transporttest.ErrReset })
		for _, rt := range []http.RoundTripper{
			transport.Chain(base, transport.Classify(nil)),
			newChain(t, base, transport.Config{Policy: fast()}),
		} {
			_, err := exchange(rt, tc.end(newRequest(t, "GET", backend, "")))
			if kind := classify.Of(nil, err).Kind; kind != tc.kind || !errors.Is(err, transporttest.ErrReset) {
				t.Errorf("%s: %v (%v), want %v around the base's own error", name, kind, err, tc.kind)
			}
		}
	}
}

func TestErrorWithAVerdictIsNotWrappedAgain(t *testing.T) {
	want := fmt.Errorf("token: %w", classify.Verdict{Kind: classify.GrantRevoked}.Err(nil))
	base := roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, want })
	rt := transport.Chain(base, transport.Classify(classify.ClassifierFunc(func(classify.Outcome) classify.Verdict {
		return classify.Verdict{Kind: classify.Timeout}
	})))
	if _, err := exchange(rt, newRequest(t, "GET", backend, "")); err != want {
		t.Errorf("%v, want the base's own error, whose verdict is %v", err, classify.Of(nil, want).Kind)
	}
}

func TestAnswerThatCameAsTheCallerLeftIsHandedOut(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var call transport.CallInfo
	base := &counting{status: 503}
	rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		cancel()
		return base.RoundTrip(req)
	}), transport.Config{Hooks: transport.Hooks{Call: func(_ context.Context, i transport.CallInfo) { call = i }}})
	status, err := exchange(rt, newRequest(t, "GET", backend, "").WithContext(ctx))
	if status != 503 || call.Reason != policy.Canceled || len(base.bodies) != 1 {
		t.Errorf("%d, %v after %d attempts, stopped for %v; want the 503 in hand", status, err, len(base.bodies), call.Reason)
	}
}

func TestRetryWithoutAPauseIsNotMadeForACallerWhoLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	script := transporttest.Play(transporttest.Fail(transporttest.ErrRefused), ok)
	again := &closeCounter{Reader: strings.NewReader("x")}
	req := newRequest(t, "PUT", backend, "x").WithContext(ctx)
	req.GetBody = func() (io.ReadCloser, error) { return again, nil }
	_, err := exchange(newChain(t, script, transport.Config{Hooks: transport.Hooks{Attempt: func(_ context.Context, i transport.AttemptInfo) {
		if !i.Decision.Retry() || i.Decision.Pause != 0 {
			t.Errorf("decided %+v, want a retry at once", i.Decision)
		}
		cancel()
	}}}), req)
	if !errors.Is(err, context.Canceled) || script.Count() != 1 || again.closed.Load() == 0 {
		t.Errorf("%v after %d attempts, next body closed %d times; want context.Canceled after one, and closed", err, script.Count(), again.closed.Load())
	}
}

func TestDurationOfAnAttemptIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []time.Duration
		script := transporttest.Play(transporttest.After(time.Second, answer(503, "")), transporttest.After(2*time.Second, answer(503, "")))
		rt := newChain(t, script, transport.Config{Policy: steady(), Hooks: transport.Hooks{
			Attempt: func(_ context.Context, i transport.AttemptInfo) { told = append(told, i.Duration) },
		}})
		resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		var kept []time.Duration
		for _, r := range transport.TrailOf(resp, nil).Records {
			kept = append(kept, r.Duration)
		}
		if fmt.Sprint(told) != "[1s 2s]" || fmt.Sprint(kept) != "[1s 2s]" {
			t.Errorf("the hook says %v, the trail %v; want [1s 2s]", told, kept)
		}
	})
}

func TestChainOverNoBaseClosesIdleConnectionsOfTheDefaultTransport(t *testing.T) {
	base := &idleCounter{RoundTripper: http.DefaultTransport}
	defer func(rt http.RoundTripper) { http.DefaultTransport = rt }(http.DefaultTransport)
	http.DefaultTransport = base
	client, err := transport.Wrap(nil, transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	client.CloseIdleConnections()
	if base.closed != 1 {
		t.Errorf("http.DefaultTransport was asked %d times, want once", base.closed)
	}
}
