package transport_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

var answering = []transport.Middleware{transport.AnswerRefusals()}

// problem is the document of a refusal.
type problem struct {
	Type, Title  string
	Status       int
	Kind, Action string
}

func readProblem(t testing.TB, resp *http.Response) (p problem) {
	t.Helper()
	text, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || int64(len(text)) != resp.ContentLength {
		t.Errorf("%d bytes, %v; want %d", len(text), err, resp.ContentLength)
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || media != "application/problem+json" {
		t.Errorf("media type %q, %v", media, err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Errorf("%v: %s", err, text)
	}
	return p
}

func TestRefusalIsAnAnswerForAClient(t *testing.T) {
	var served atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "40")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"error":"rate_limit_exceeded","message":"too many"}`)
	}))
	defer server.Close()
	client, err := transport.Wrap(&http.Client{Transport: newTransport(t)}, transport.Config{
		Classifier: &classify.Alter{}, Policy: fast(), PerCall: answering,
	})
	if err != nil {
		t.Fatal(err)
	}
	first, err := client.Get(server.URL + "/a")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(first.Body)
	first.Body.Close()
	if first.StatusCode != 429 || !strings.Contains(string(text), "too many") {
		t.Fatalf("%d %s; want the server's own answer", first.StatusCode, text)
	}
	for _, method := range []string{"GET", "POST", "HEAD"} {
		req := newRequest(t, method, server.URL+"/b", "payload")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v, want an answer", method, err)
		}
		if resp.StatusCode != 429 || resp.Status != "429 Too Many Requests" || resp.Header.Get("Retry-After") != "40" || resp.ProtoMajor != 1 {
			t.Errorf("%s: %s, Retry-After %q; want 429 and 40", method, resp.Status, resp.Header.Get("Retry-After"))
		}
		if method == "HEAD" {
			if text, err := io.ReadAll(resp.Body); len(text) != 0 || err != nil {
				t.Errorf("HEAD: a body of %q, %v; want none", text, err)
			}
			resp.Body.Close()
		} else if p := readProblem(t, resp); p != (problem{"about:blank", "not sent: refused by steadytrip", 429, "policy_rate_limit", "wait"}) {
			t.Errorf("%s: %+v", method, p)
		}
		err = classify.CheckResponse(resp)
		var limit *classify.PolicyRateLimitError
		v := classify.Of(resp, nil)
		if !errors.As(err, &limit) || v.RetryAfter <= 39*time.Second || v.RetryAfter > 40*time.Second || !v.Unprocessed || errors.Is(err, transport.ErrOpen) {
			t.Errorf("%s: %v, %+v; want the typed error of the rate limit, with the time left", method, err, v)
		}
		if trail := transport.TrailOf(resp, nil); trail.Attempts != 1 || trail.Reason != policy.Refused {
			t.Errorf("%s: %+v; want one attempt that was refused", method, trail)
		}
		if resp.Request.URL.String() != server.URL+"/b" || resp.Request.Method != method {
			t.Errorf("%s: answers %s %s", method, resp.Request.Method, resp.Request.URL)
		}
	}
	if served.Load() != 1 {
		t.Errorf("%d requests reached the server, want 1", served.Load())
	}
}

func TestAnswerOfARefusalFollowsItsCause(t *testing.T) {
	for name, tc := range map[string]struct {
		step   http.RoundTripper // opens a breaker, if not nil
		force  time.Duration     // else
		wait   time.Duration
		status int
		after  string
		kind   classify.Kind
	}{
		"a rate limit":                   {limited4s, 0, 0, 429, "4", classify.PolicyRateLimit},
		"parts of a second are rounded":  {limited4s, 0, ms(2001), 429, "2", classify.PolicyRateLimit},
		"a moment is a second":           {limited4s, 0, ms(3999), 429, "1", classify.PolicyRateLimit},
		"an outage with a status":        {answer(502, "", "Retry-After", "7"), 0, 0, 502, "7", classify.BackendUnavailable},
		"an outage without an answer":    {transporttest.Fail(transporttest.ErrReset), 0, 0, 503, "5", classify.ConnectionLost},
		"a policy that answered 403":     {answer(403, "outside_business_hours", "Retry-After", "9"), 0, 0, 403, "9", classify.PolicyViolation},
		"an operator":                    {nil, 90 * time.Second, 0, 429, "90", classify.PolicyViolation},
		"an operator, until he resets":   {nil, -1, time.Second, 429, "", classify.PolicyViolation},
		"a probe that somebody else has": {limited4s, 0, 4 * time.Second, 429, "1", classify.PolicyRateLimit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, transport.Keys{}, func(s *policy.Set) {
					withOutages(s)
					s.Breakers[0].Kinds = []classify.Kind{classify.PolicyViolation}
				})
				if tc.step != nil {
					c.set(tc.step)
					c.send(t.Context(), backend)
				} else {
					must(t, c.shared.ForceOpen(host, tc.force))
				}
				time.Sleep(tc.wait)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c.set(transporttest.Hang())
				if tc.wait == 4*time.Second {
					c.send(ctx, backend)
				}
				resp, err := c.chain(t, transport.Config{PerCall: answering}).RoundTrip(newRequest(t, "GET", backend, ""))
				if err != nil {
					t.Fatal(err)
				}
				p := readProblem(t, resp)
				if resp.StatusCode != tc.status || p.Status != tc.status || resp.Header.Get("Retry-After") != tc.after {
					t.Errorf("%d (%d), Retry-After %q; want %d, %q", resp.StatusCode, p.Status, resp.Header.Get("Retry-After"), tc.status, tc.after)
				}
				if got := classify.Of(resp, nil).Kind; got != tc.kind || p.Kind != tc.kind.String() || p.Action != tc.kind.Action().String() {
					t.Errorf("%v, %+v; want %v", got, p, tc.kind)
				}
			})
		})
	}
}

func TestAnswerOfAGate(t *testing.T) {
	for name, tc := range map[string]struct {
		next   http.RoundTripper // what the call that asks gets from its second attempt on
		status int
		after  string
		kind   classify.Kind
	}{
		"a refresh that goes on is asked about later": {
			transporttest.After(ms(10), answer(409, "token_refresh_in_progress")), 503, "1", classify.TokenRefreshInProgress,
		},
		"a refresh that failed is not to be asked about": {answer(403, "grant_revoked"), 403, "", classify.GrantRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := transporttest.Play(transporttest.After(ms(10), answer(409, "token_refresh_in_progress")), tc.next).Repeat()
				rt := newChain(t, script, transport.Config{Classifier: alter(t), Policy: steady(), PerCall: answering})
				ctx, cancel := context.WithCancel(transport.ForGrant(t.Context(), "g"))
				defer cancel()
				go func() { _, _ = exchange(rt, newRequest(t, "GET", backend, "").WithContext(ctx)) }()
				time.Sleep(ms(11))
				ctx, stop := context.WithTimeout(ctx, ms(300))
				defer stop()
				resp, err := rt.RoundTrip(newRequest(t, "GET", backend, "").WithContext(ctx))
				if err != nil {
					t.Fatal(err)
				}
				readProblem(t, resp)
				if got := classify.Of(resp, nil).Kind; resp.StatusCode != tc.status || resp.Header.Get("Retry-After") != tc.after || got != tc.kind {
					t.Errorf("%d, Retry-After %q, %v; want %d, %q, %v", resp.StatusCode, resp.Header.Get("Retry-After"), got, tc.status, tc.after, tc.kind)
				}
				if trail := transport.TrailOf(resp, nil); trail.Waited == 0 || trail.Reason == policy.Succeeded {
					t.Errorf("%+v: want the story of a wait", trail)
				}
			})
		})
	}
}

func TestAllButRefusalsPassesAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := errors.New("own error")
		for name, tc := range map[string]struct {
			step   http.RoundTripper
			status int
			err    error
		}{
			"a success":            {ok, 200, nil},
			"a 429 of the server":  {limited, 429, nil},
			"a failed connection":  {transporttest.Fail(transporttest.ErrReset), 0, transporttest.ErrReset},
			"an error of the base": {transporttest.Fail(own), 0, own},
		} {
			c := newCrowd(t, transport.Keys{}, nil)
			c.set(tc.step)
			status, err := exchange(c.chain(t, transport.Config{PerCall: answering}), newRequest(t, "GET", backend, ""))
			if status != tc.status || !errors.Is(err, tc.err) {
				t.Errorf("%s: %d, %v; want %d, %v", name, status, err, tc.status, tc.err)
			}
		}
		c := newCrowd(t, transport.Keys{}, holding(3*time.Second))
		c.open(t, backend, "Retry-After", "2")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := exchange(c.chain(t, transport.Config{PerCall: answering}), newRequest(t, "GET", backend, "").WithContext(ctx))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who gave up while he was held: %v, want his cancellation", err)
		}
	})
}
