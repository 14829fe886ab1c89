package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// refusalOf is a refusal with this body, of this length as its header says.
func refusalOf(body *transporttest.Body, length int64) http.RoundTripper {
	return roundTripFunc(func(req *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 409, Header: http.Header{"Content-Type": {"application/json"}, "X-Own": {"kept"}},
			Body: body, ContentLength: length, Request: req,
		}, nil
	})
}

func TestGateReturnsTheAnswerItKept(t *testing.T) {
	const text = "{ \"error\":\t\"token_refresh_in_progress\",\r\n\"details\": {\"grant_id\":\"g\",\"x\":\"\u00e9\x00\xff\"} } \n"
	long := strings.Replace(text, "{", "{"+strings.Repeat(" ", 60<<10), 1)
	for name, tc := range map[string]struct {
		text   string
		length int64
	}{
		"of a known length":    {text, int64(len(text))},
		"of an unknown length": {text, -1},
		"of 60 KiB":            {long, int64(len(long))},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, time.Hour, transport.Config{})
				sent := transporttest.NewBody(transporttest.Chunk(tc.text))
				o.steps = map[string]http.RoundTripper{"b1": lingering(ms(10), refusalOf(sent, tc.length))}
				o.call(t, "a", 0, cancelledAt(ms(450)))
				o.call(t, "b", ms(1), dueIn(t, ms(300)))
				o.checkEnds(t, "b:409@290ms a:canceled@450ms")
				came := o.came["b"]
				if came.body != tc.text || came.err != nil {
					t.Errorf("body %d bytes, error %v; want the %d bytes that were sent", len(came.body), came.err, len(tc.text))
				}
				if came.resp.ContentLength != tc.length || came.resp.Header.Get("X-Own") != "kept" {
					t.Errorf("length %d, header %v; want them as they were", came.resp.ContentLength, came.resp.Header)
				}
				if got := classify.Of(came.resp, nil).Kind; got != classify.TokenRefreshInProgress {
					t.Errorf("kind %v, want the verdict to be there still", got)
				}
				if !sent.Closed() {
					t.Error("the answer of the backend is open")
				}
			})
		})
	}
}

func TestGateAnswerThatCannotBeKeptBecomesAnError(t *testing.T) {
	const start = `{"error":"token_refresh_in_progress","details":{"grant_id":"g"}`
	for name, body := range map[string]*transporttest.Body{
		"of 70 KiB":       transporttest.NewBody(transporttest.Chunk(start + strings.Repeat(" ", 70<<10) + "}")),
		"that never ends": transporttest.NewBody(transporttest.Chunk(start+"}"), transporttest.Stall()),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, time.Hour, transport.Config{})
				o.steps = map[string]http.RoundTripper{"b1": lingering(ms(1), refusalOf(body, -1))}
				o.call(t, "a", 0, cancelledAt(time.Second))
				o.call(t, "b", ms(10), dueIn(t, ms(600)))
				o.calls.Wait()
				came := o.came["b"]
				var late *classify.TokenRefreshInProgressError
				if !errors.As(came.err, &late) || !errors.Is(came.err, transport.ErrGated) || came.trail.Reason != policy.DeadlineTooNear {
					t.Errorf("%v, %v; want a *TokenRefreshInProgressError with ErrGated, for a deadline that is too near", came.err, came.trail.Reason)
				}
				if len(came.trail.Records) != 1 || came.trail.Records[0].Status != 409 {
					t.Errorf("records %+v, want the refusal", came.trail.Records)
				}
				if !body.Closed() {
					t.Error("the answer of the backend is open")
				}
			})
		})
	}
}

// An answer is kept whatever the upload was and however its body came, and who waits holds no connection.
func TestGateOverRealConnections(t *testing.T) {
	text := `{"error":"token_refresh_in_progress","details":{"grant_id":"g"}}` + strings.Repeat(" ", 20<<10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(ms(20)) // the margin that a call leaves before its deadline
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/whole" {
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		}
		w.WriteHeader(409)
		_, _ = io.WriteString(w, text[:1000])
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, text[1000:])
	}))
	defer server.Close()
	base := newTransport(t)
	base.MaxConnsPerHost = 1
	judge, err := classify.ForAlter(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	closed := make(chan struct{})
	chain := newChain(t, base, transport.Config{Classifier: judge, Hooks: transport.Hooks{
		Attempt: func(context.Context, transport.AttemptInfo) { once.Do(func() { close(closed) }) },
	}})
	send := func(ctx context.Context, path string, watched bool) (*http.Response, error) {
		req := newRequest(t, "POST", server.URL+path, "payload").WithContext(ctx)
		if again := req.GetBody; watched { // a body of a type that may block
			req.Body = struct{ io.ReadCloser }{req.Body}
			req.GetBody = func() (io.ReadCloser, error) {
				body, err := again()
				return struct{ io.ReadCloser }{body}, err
			}
		}
		return chain.RoundTrip(req)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var calls, probe sync.WaitGroup
	probe.Go(func() {
		if resp, err := send(ctx, "/whole", false); err == nil {
			resp.Body.Close()
		}
	})
	<-closed
	for _, path := range []string{"/whole", "/chunked"} {
		for _, watched := range []bool{false, true} {
			calls.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), ms(500))
				defer cancel()
				resp, err := send(ctx, path, watched)
				if err != nil {
					t.Errorf("%s, upload watched: %v: %v, want the 409", path, watched, err)
					return
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil || string(body) != text {
					t.Errorf("%s, upload watched: %v: %d bytes, %v; want the %d that were sent", path, watched, len(body), err, len(text))
				}
				if trail := transport.TrailOf(resp, nil); trail.Reason != policy.DeadlineTooNear || trail.Waited == 0 {
					t.Errorf("%s, upload watched: %v: %v after %v; want a wait until the deadline is too near", path, watched, trail.Reason, trail.Waited)
				}
			})
		}
	}
	calls.Wait()
	cancel()
	probe.Wait()
}
