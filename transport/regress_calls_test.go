package transport_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// unusualBody is a request body of a type that nobody knows.
type unusualBody struct{ io.Reader }

func (unusualBody) Close() error { return nil }

func unusualRequest(t testing.TB, method, url string) *http.Request {
	req := newRequest(t, method, url, "")
	req.Body, req.ContentLength = unusualBody{strings.NewReader("x")}, 1
	req.GetBody = func() (io.ReadCloser, error) { return unusualBody{strings.NewReader("x")}, nil }
	return req
}

// oneToken is the steady policy with a budget for one retry.
func oneToken() *policy.Set {
	s := steady()
	s.Budget = policy.Budget{Ratio: 0.1, Min: 1, Window: 10 * time.Second}
	return s
}

func TestAConnectionDisprovesThatARequestNeverLeft(t *testing.T) {
	base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		trace := httptrace.ContextClientTrace(req.Context())
		trace.GetConn("api.example:443")
		trace.GotConn(httptrace.GotConnInfo{}) // HTTP/2 may write the header much later, when nobody waits any more
		return nil, headerTimeoutError{}
	})
	_, err := transport.Chain(base, transport.Classify(nil), transport.ProveUnsent()).RoundTrip(newRequest(t, "POST", "https://api.example", ""))
	if classify.Of(nil, err).Unprocessed {
		t.Errorf("%v counts as unsent, though there was a connection", err)
	}
}

func TestABodyThatNetHTTPRewindsIsWatchedToo(t *testing.T) {
	sent := 0
	base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		req.Body.Close() // as on a stale connection
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		defer body.Close()
		sent++
		_, err = io.ReadAll(body)
		return nil, err
	})
	req := unusualRequest(t, "POST", "http://api.example")
	req.GetBody = func() (io.ReadCloser, error) {
		refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED} // of wherever the body comes from
		return unusualBody{io.MultiReader(strings.NewReader("half"), iotest.ErrReader(refused))}, nil
	}
	if _, err := newChain(t, base, transport.Config{Policy: fast()}).RoundTrip(req); sent != 1 {
		t.Errorf("the POST was sent %d times (%v), want once", sent, err)
	}
}

func TestWatchedAttemptsAreJudgedAsOthersAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := transporttest.Play(transporttest.Fail(transporttest.ErrReset), ok)
		resp, err := transport.Chain(script, transport.Retry(nil, nil)).RoundTrip(unusualRequest(t, "PUT", "http://api.example"))
		if err != nil {
			t.Fatalf("%v, want the second attempt's 200", err)
		}
		resp.Body.Close()

		var kind classify.Kind
		rt := newChain(t, transporttest.Play(transporttest.Fail(tls.RecordHeaderError{Msg: "x"})), transport.Config{Hooks: transport.Hooks{
			Call: func(_ context.Context, i transport.CallInfo) { kind = i.Verdict.Kind },
		}})
		if _, err := rt.RoundTrip(unusualRequest(t, "PUT", "http://api.example")); kind != classify.TLS {
			t.Errorf("the hook was told of %v (%v), want tls", kind, err)
		}
	})
}

func TestAnswerOfAWatchedAttemptKeepsTheCallersContext(t *testing.T) {
	for _, status := range []int{200, 404} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(status)
			io.WriteString(w, "{}")
		}))
		resp, err := newChain(t, newTransport(t), transport.Config{}).RoundTrip(unusualRequest(t, "POST", srv.URL))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Error(err)
		}
		resp.Body.Close()
		if err := resp.Request.Context().Err(); err != nil {
			t.Errorf("%d: the context of the answer's request ended with its body: %v", status, err)
		}
		if want := status == 404; classify.Of(resp, nil).Kind.Failure() != want {
			t.Errorf("%d: verdict %v", status, classify.Of(resp, nil).Kind)
		}
		srv.Close()
	}
}

func TestNopCloserAroundNothingDoesNotPanic(t *testing.T) {
	req := newRequest(t, "POST", "http://api.example", "")
	req.Body = io.NopCloser(nil)
	req.GetBody = func() (io.ReadCloser, error) { return http.NoBody, nil }
	base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
	})
	if _, err := newChain(t, base, transport.Config{}).RoundTrip(req); err != nil {
		t.Error(err)
	}
}

func TestTokensComeBackFromRetriesThatWereNotSent(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, rt http.RoundTripper, hook *func()){
		"a hook panics": func(t *testing.T, rt http.RoundTripper, hook *func()) {
			*hook = func() { panic("hook") }
			defer func() { *hook = func() {}; _ = recover() }()
			_, _ = rt.RoundTrip(newRequest(t, "GET", backend, ""))
		},
		"GetBody panics": func(t *testing.T, rt http.RoundTripper, _ *func()) {
			defer func() { _ = recover() }()
			req := newRequest(t, "PUT", backend, "x")
			req.GetBody = func() (io.ReadCloser, error) { panic("body") }
			_, _ = rt.RoundTrip(req)
		},
		"GetBody fails": func(t *testing.T, rt http.RoundTripper, _ *func()) {
			req := newRequest(t, "PUT", backend, "x")
			req.GetBody = func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe }
			if resp, err := rt.RoundTrip(req); err == nil {
				resp.Body.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hook := func() {}
				rt := newChain(t, transporttest.Play(answer(503, "")).Repeat(), transport.Config{Policy: oneToken(), Hooks: transport.Hooks{
					Attempt: func(context.Context, transport.AttemptInfo) { hook() },
				}})
				spoil(t, rt, &hook)
				resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if got := transport.TrailOf(resp, nil).Reason; got != policy.Exhausted {
					t.Errorf("the next call ended for %v, want exhausted: its retry could be paid for", got)
				}
			})
		})
	}
}

func TestARetryThatABreakerRefusesCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := oneToken()
		s.Breakers[0].Kinds, s.Breakers[0].Failures = []classify.Kind{classify.Network}, 1
		base := &switchable{step: transporttest.Fail(transporttest.ErrReset)}
		b := &breaker{RoundTripper: newChain(t, base, transport.Config{Policy: s}), base: base}
		if _, err := b.get(t, backend); !errors.Is(err, transport.ErrOpen) {
			t.Fatalf("%v, want the retry refused", err)
		}
		time.Sleep(5 * time.Second)
		base.set(answer(503, ""))
		resp, err := b.RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := transport.TrailOf(resp, nil).Reason; got != policy.Exhausted {
			t.Errorf("the next call ended for %v, want exhausted: its retry could be paid for", got)
		}
	})
}

func TestEverySpellingOfAHostSpendsOneBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := transporttest.Play(answer(503, "")).Repeat()
		rt := newChain(t, script, transport.Config{Policy: oneToken()})
		for _, spelling := range []string{"http://x.test/", "http://X.test/", "http://x.TEST/", "http://x.test:80/", "http://x.test./", "HTTP://x.test/"} {
			req := newRequest(t, "GET", "http://x.test/", "")
			var err error
			if req.URL, err = url.Parse(spelling); err != nil {
				t.Fatal(err)
			}
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		if script.Count() != 7 {
			t.Errorf("%d attempts of six calls to one host with one token in hand, want 7", script.Count())
		}
	})
}

// IDNA looks a host with U+0130 up under another name than Go's lower case of it.
func TestAnotherHostThatLooksLikeOneDoesNotOpenItsBreaker(t *testing.T) {
	set := steady()
	set.Breakers[0].Kinds = append(set.Breakers[0].Kinds, classify.ProviderRateLimit)
	limited := answer(429, "", "Retry-After", "60")
	rt := newChain(t, transporttest.Func(func(req *http.Request) (*http.Response, error) {
		if req.URL.Host == "\u0130d.test" {
			return limited.RoundTrip(req)
		}
		return ok.RoundTrip(req)
	}), transport.Config{Policy: set})
	for _, c := range []struct {
		host   string
		status int
	}{{"\u0130d.test", 429}, {"id.test", 200}, {"ID.test", 200}} {
		req := newRequest(t, "GET", "http://x.test/", "")
		req.URL.Host = c.host
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v, want it sent", c.host, err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.host, resp.StatusCode, c.status)
		}
	}
}

func TestAnOuterRetryThatRetriedTellsItsOwnStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside := newChain(t, transporttest.Play(answer(503, ""), ok), transport.Config{Policy: steady()})
		flaky := transporttest.Play(transporttest.Fail(transporttest.ErrRefused), transporttest.Fail(transporttest.ErrRefused), inside)
		resp, err := newChain(t, flaky, transport.Config{Policy: steady()}).RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		trail := transport.TrailOf(resp, nil)
		if got, want := story(trail), "connection_refused+0s connection_refused+100ms 200+0s succeeded"; got != want || trail.Nested {
			t.Errorf("trail %q, nested %v; want %q of the outer one", got, trail.Nested, want)
		}
	})
}

func TestHookIsTellingOfTheErrorThatTheCallerGets(t *testing.T) {
	var told error
	rt := newChain(t, transporttest.Play(transporttest.Fail(transporttest.ErrReset)), transport.Config{Hooks: transport.Hooks{
		Call: func(_ context.Context, i transport.CallInfo) { told = i.Err },
	}})
	if _, err := rt.RoundTrip(newRequest(t, "POST", "http://api.example", "x")); told != err {
		t.Errorf("the hook was told of a %T, the caller got a %T", told, err)
	}
}

func TestATrailWrittenDownHasNoSecret(t *testing.T) {
	secret := transporttest.AlterError(403, "grant_revoked", "canary").Detail("grant_id", "canary").Detail("approval_url", "canary")
	resp, err := newChain(t, transporttest.Play(secret), transport.Config{Classifier: alter(t)}).RoundTrip(newRequest(t, "GET", backend, ""))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	trail := transport.TrailOf(resp, nil)
	if d := trail.Records[0].Verdict.Detail; d == nil || d.GrantID != "canary" {
		t.Fatalf("detail %+v: the test plants nothing", d)
	}
	text, err := json.Marshal(trail)
	if err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("call", "trail", trail)
	slog.New(slog.NewTextHandler(&out, nil)).Info("call", "trail", trail)
	if out.Write(text); strings.Contains(out.String(), "canary") {
		t.Errorf("written down as %s", out.String())
	}
}

func TestALostProbeClosesNoBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, nil)
		b.base.set(limited4s)
		b.get(t, backend)
		time.Sleep(4 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b.base.set(transporttest.Hang())
		lost := newRequest(t, "GET", backend, "").WithContext(ctx)
		go func() { _, _ = b.RoundTrip(lost) }()
		synctest.Wait()
		time.Sleep(time.Minute)
		go func() { _, _ = b.RoundTrip(lost) }() // takes the lost probe's slot
		synctest.Wait()
		if _, err := b.get(t, backend); !errors.Is(err, transport.ErrOpen) {
			t.Errorf("%v, want a refusal: no probe has succeeded", err)
		}
		if got, want := strings.Join(b.changes, " "), "closed>open open>half-open"; got != want {
			t.Errorf("changes %q, want %q", got, want)
		}
	})
}

func TestAttemptNumberIsThatOfTheCallItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := transporttest.Play(ok, ok)
		tokenSource := newChain(t, tokens, transport.Config{PerAttempt: []transport.Middleware{transport.CountRetries("Retries")}})
		authorize := func(next http.RoundTripper) http.RoundTripper {
			return roundTripFunc(func(req *http.Request) (*http.Response, error) {
				resp, err := tokenSource.RoundTrip(newRequest(t, "GET", backend, "").WithContext(req.Context()))
				if err != nil {
					return nil, err
				}
				resp.Body.Close()
				return next.RoundTrip(req)
			})
		}
		rt := newChain(t, transporttest.Play(answer(503, ""), ok), transport.Config{Policy: steady(), PerAttempt: []transport.Middleware{authorize}})
		resp, err := rt.RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		for i, a := range tokens.Attempts() {
			if got := a.Header.Get("Retries"); got != "" {
				t.Errorf("request %d for a token says that it was sent %s times before, and was not", i+1, got)
			}
		}
	})
}
