package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestFailingAnswersBecomeErrors(t *testing.T) {
	const revoked = `{"error":"grant_revoked","details":{"grant_id":"g1","because":"asked"}}`
	body := transporttest.NewBody(transporttest.Chunk(revoked))
	rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 403, Header: http.Header{}, Body: body, ContentLength: int64(len(revoked)), Request: req}, nil
	}), transport.Config{Classifier: alter(t), PerCall: []transport.Middleware{transport.ReturnErrors(nil)}})
	resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
	var gone *classify.GrantRevokedError
	if resp != nil || !errors.As(err, &gone) {
		t.Fatalf("%v, %v; want the typed error alone", resp, err)
	}
	if gone.GrantID != "g1" || gone.StatusCode != 403 || gone.Details()["because"] != "asked" {
		t.Errorf("%+v, %v; want what the answer said", gone, gone.Details())
	}
	if trail := transport.TrailOf(nil, err); trail.Attempts != 1 || trail.Reason != policy.NotRetryable || trail.Records[0].Status != 403 {
		t.Errorf("%+v, want the trail of the call", trail)
	}
	if !body.Closed() {
		t.Error("the answer's body is open")
	}
	var sdk interface{ RetryableError() bool }
	if !errors.As(err, &sdk) || sdk.RetryableError() {
		t.Error("an SDK further out would try again what has been judged")
	}
}

func TestOtherAnswersStayAnswers(t *testing.T) {
	custom := classify.First(classify.ClassifierFunc(func(o classify.Outcome) classify.Verdict {
		if o.Status == 404 {
			return classify.Verdict{Kind: classify.Success}
		}
		return classify.Verdict{}
	}), alter(t))
	not410 := func(v classify.Verdict) bool { return v.Detail == nil || v.Detail.Status != 410 }
	for name, step := range map[string]http.RoundTripper{
		"a success":                         ok,
		"a redirect":                        answer(302, "", "Location", "/there"),
		"a 404 that is none to the program": answer(404, ""),
		"a failure that was not asked for":  answer(410, "grant_deleted"),
	} {
		t.Run(name, func(t *testing.T) {
			rt := newChain(t, step, transport.Config{
				Classifier: custom, PerCall: []transport.Middleware{transport.ReturnErrors(not410)},
			})
			resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(resp.Body); err != nil {
				t.Error(err)
			}
			resp.Body.Close()
		})
	}
}

func TestErrorsStayWhatTheyAre(t *testing.T) {
	rt := newChain(t, transporttest.Fail(transporttest.ErrReset), transport.Config{PerCall: []transport.Middleware{transport.ReturnErrors(nil)}})
	_, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
	var lost *classify.ConnectionLostError
	if !errors.As(err, &lost) || transport.TrailOf(nil, err).Attempts != 2 {
		t.Errorf("%v, %+v; want the chain's own error and trail", err, transport.TrailOf(nil, err))
	}
}

// The last of several attempts is what becomes an error, and its connection is used again.
func TestFailuresAfterRetriesBecomeErrorsForAClient(t *testing.T) {
	var served, connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, strings.Repeat("down ", 1000))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client, err := transport.Wrap(&http.Client{Transport: newTransport(t)}, transport.Config{
		Policy: fast(), PerCall: []transport.Middleware{transport.ReturnErrors(nil)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := client.Do(newRequest(t, "GET", server.URL, ""))
		var down *classify.ProviderUnavailableError
		if !errors.As(err, &down) {
			t.Errorf("%v, want the typed error", err)
		}
	}
	if served.Load() < 6 || connections.Load() != 1 {
		t.Errorf("%d requests on %d connections, want the retries of three calls on one", served.Load(), connections.Load())
	}
}

func TestReturnErrorsLeavesNothingOpenWhenAskedInVain(t *testing.T) {
	body := transporttest.NewBody(transporttest.Chunk(`{"error":"grant_revoked"}`))
	rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 403, Header: http.Header{}, Body: body, ContentLength: -1, Request: req}, nil
	}), transport.Config{Classifier: alter(t), PerCall: []transport.Middleware{
		transport.ReturnErrors(func(classify.Verdict) bool { panic("asked in vain") }),
	}})
	defer func() {
		if recover() == nil || !body.Closed() {
			t.Errorf("want the panic, and the body closed: %v", body.Closed())
		}
	}()
	_, _ = rt.RoundTrip(newRequest(t, "GET", backend, "").WithContext(context.Background()))
}

// Nobody else will look at an answer that a broken part of the chain returns beside its error.
func TestReturnErrorsLeavesNothingOpenBesideAnError(t *testing.T) {
	body := transporttest.NewBody(transporttest.Chunk("x"))
	broken := errors.New("broken")
	rt := transport.Chain(roundTripFunc(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: body, ContentLength: -1, Request: req}, broken
	}), transport.ReturnErrors(nil))
	resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
	if resp != nil || err != broken || !body.Closed() {
		t.Errorf("%v, %v, body closed: %v; want the error alone, and the body closed", resp, err, body.Closed())
	}
}

// Over HTTP/2 the Close of an answer waits for the upload, which here never ends by itself.
func TestReturnErrorsEndsTheUploadThatWasAnsweredEarly(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = http.NewResponseController(w).Flush()
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	client, err := transport.Wrap(server.Client(), transport.Config{Policy: fast(), PerCall: []transport.Middleware{transport.ReturnErrors(nil)}})
	if err != nil {
		t.Fatal(err)
	}
	for name, attempts := range map[string]int{"a body that can be read again": 3, "a body that cannot": 1} {
		t.Run(name, func(t *testing.T) {
			uploads := make(chan *io.PipeWriter, 3)
			body := func() (io.ReadCloser, error) {
				r, w := io.Pipe()
				uploads <- w
				return r, nil
			}
			req := newRequest(t, "PUT", server.URL, "")
			req.ContentLength = -1
			req.Body, _ = body()
			if attempts > 1 {
				req.GetBody = body
			}
			resp, err := client.Do(req)
			var down *classify.ProviderUnavailableError
			if resp != nil || !errors.As(err, &down) || transport.TrailOf(nil, err).Attempts != attempts {
				t.Errorf("%v, %v, %+v; want the typed error of %d attempts", resp, err, transport.TrailOf(nil, err), attempts)
			}
			for range attempts {
				// A write to a pipe ends when its reader is closed.
				if _, err := io.Copy(<-uploads, endless{}); !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("upload: %v, want it closed", err)
				}
			}
		})
	}
}

// Nobody's error is anybody else's.
func TestReturnErrorsServesManyCallsAtOnce(t *testing.T) {
	rt := newChain(t, roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.URL.RawQuery == "" {
			return ok.RoundTrip(req)
		}
		body := `{"error":"grant_revoked","details":{"grant_id":"` + req.URL.RawQuery + `"}}`
		return &http.Response{StatusCode: 403, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: req}, nil
	}), transport.Config{Classifier: alter(t), PerCall: []transport.Middleware{transport.ReturnErrors(nil)}})
	var calls sync.WaitGroup
	for i := range 64 {
		grant := strconv.Itoa(i)
		if i%2 == 0 {
			grant = ""
		}
		req := newRequest(t, "GET", backend+"/?"+grant, "")
		calls.Go(func() {
			resp, err := rt.RoundTrip(req)
			if resp != nil {
				resp.Body.Close()
			}
			var gone *classify.GrantRevokedError
			if errors.As(err, &gone) != (grant != "") || gone != nil && gone.GrantID != grant || (resp == nil) != (grant != "") {
				t.Errorf("grant %q: %v, %v", grant, resp, err)
			}
		})
	}
	calls.Wait()
}
