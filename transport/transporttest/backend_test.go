package transporttest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func newBackend(t *testing.T) *transporttest.Backend {
	t.Helper()
	b := transporttest.NewBackend()
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// send sends a request with the backend's client and judges the answer.
func send(t *testing.T, b *transporttest.Backend, method, url, body string, header ...string) (int, string, classify.Verdict) {
	t.Helper()
	req := request(t, method, url, body)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	v := classify.Response(resp, b.Classifier())
	return resp.StatusCode, read(t, resp), v
}

// call calls the grant "g" and returns the kind of the answer.
func callGrant(t *testing.T, b *transporttest.Backend) classify.Kind {
	t.Helper()
	_, _, v := send(t, b, "POST", b.URL+"/v1/grants/g/things", "body")
	return v.Kind
}

func TestGrantStates(t *testing.T) {
	b := newBackend(t)
	if got := callGrant(t, b); got != classify.GrantNotFound {
		t.Errorf("a grant that was never named: got %v", got)
	}
	for state, want := range map[transporttest.GrantState]classify.Kind{
		transporttest.Revoked:           classify.GrantRevoked,
		transporttest.Expired:           classify.GrantExpired,
		transporttest.CredentialRevoked: classify.CredentialRevoked,
		transporttest.Deleted:           classify.GrantDeleted,
		transporttest.NotFound:          classify.GrantNotFound,
		transporttest.Ambiguous:         classify.AmbiguousGrant,
		transporttest.NotDelegated:      classify.NoDelegatedGrant,
		transporttest.ProxyOnly:         classify.RestrictedGrantRequiresProxy,
	} {
		b.SetGrant("g", state)
		_, _, v := send(t, b, "GET", b.URL+"/v1/grants/g/things", "")
		if v.Kind != want {
			t.Errorf("%v: got %v, want %v", state, v.Kind, want)
		}
		if v.Kind.Is(classify.ReAuthRequired) && v.Detail.GrantID != "g" {
			t.Errorf("%v: got grant %q", state, v.Detail.GrantID)
		}
	}
	if b.Acted("g") != 0 || len(b.Effects()) != 0 {
		t.Error("a refused call was carried out")
	}

	b.SetGrant("g", transporttest.Active)
	status, text, v := send(t, b, "POST", b.URL+"/v1/grants/g/things/1", "body")
	if status != 200 || v.Kind != classify.Unclassified || text != `{"effect":1,"grant_id":"g","method":"POST","path":"/things/1"}` {
		t.Errorf("got %d, %s", status, text)
	}
	effects := b.Effects()
	if len(effects) != 1 || b.Acted("g") != 1 {
		t.Fatalf("got %d effects, %d on the grant", len(effects), b.Acted("g"))
	}
	if e := effects[0]; e.Number != 1 || e.GrantID != "g" || e.Method != "POST" || e.Path != "/things/1" || string(e.Body) != "body" || e.Time.IsZero() {
		t.Errorf("got %+v", e)
	}
	if got := transporttest.CredentialRevoked.String() + transporttest.GrantState(99).String(); got != "credential_revokedgrant_state(99)" {
		t.Errorf("got %q", got)
	}
}

func TestRefreshLock(t *testing.T) {
	b := newBackend(t)
	b.HoldRefresh("g", time.Hour)
	_, _, v := send(t, b, "POST", b.URL+"/v1/grants/g/things", "body")
	if v.Kind != classify.TokenRefreshInProgress || v.Detail.Status != 409 || v.Detail.GrantID != "g" || !v.Unprocessed {
		t.Errorf("got %+v", v)
	}
	b.SetGrant("other", transporttest.Active)
	if status, _, _ := send(t, b, "GET", b.URL+"/v1/grants/other/x", ""); status != 200 {
		t.Errorf("another grant: got %d", status)
	}
	b.ReleaseRefresh("g")
	if got := callGrant(t, b); got != classify.Unclassified || b.Acted("g") != 1 {
		t.Errorf("released: got %v, %d effects", got, b.Acted("g"))
	}

	const hold = 30 * time.Millisecond
	began := time.Now()
	b.HoldRefresh("g", hold)
	for callGrant(t, b) == classify.TokenRefreshInProgress {
		if time.Since(began) > 10*time.Second {
			t.Fatal("the lock was not released")
		}
	}
	if took := time.Since(began); took < hold || b.Acted("g") != 2 {
		t.Errorf("refused for %v, want %v; %d effects", took, hold, b.Acted("g"))
	}
}

func TestExpiredTokenIsRefreshedByOneCaller(t *testing.T) {
	b := newBackend(t)
	const refresh = 50 * time.Millisecond
	b.ExpireToken("g", refresh)
	began := time.Now()
	var wg sync.WaitGroup
	var refused, carried atomic.Int32
	for range 10 {
		wg.Go(func() {
			switch callGrant(t, b) {
			case classify.TokenRefreshInProgress:
				refused.Add(1)
			case classify.Unclassified:
				carried.Add(1)
				if took := time.Since(began); took < refresh {
					t.Errorf("carried out after %v, before the token was fresh", took)
				}
			}
		})
	}
	wg.Wait()
	if carried.Load()+refused.Load() != 10 || carried.Load() < 1 || int(carried.Load()) != b.Acted("g") {
		t.Errorf("%d carried out, %d refused, %d effects", carried.Load(), refused.Load(), b.Acted("g"))
	}
	if got := callGrant(t, b); got != classify.Unclassified {
		t.Errorf("fresh: got %v", got)
	}
}

func TestRefreshEndsWithItsCaller(t *testing.T) {
	b := newBackend(t)
	b.ExpireToken("g", time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		if err := b.Await(t.Context(), 1); err != nil {
			t.Error(err)
		}
	}()
	_, err := b.Client().Do(request(t, "GET", b.URL+"/v1/grants/g/x", "").WithContext(ctx))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPolicyRateLimit(t *testing.T) {
	b := newBackend(t)
	b.SetGrant("g", transporttest.Active)
	b.SetGrant("free", transporttest.Active)
	b.LimitPolicy("per-hour", 3, time.Hour, "g")
	b.AdvertiseLimits(true)
	for range 3 {
		if got := callGrant(t, b); got != classify.Unclassified {
			t.Fatalf("got %v", got)
		}
	}
	status, _, v := send(t, b, "POST", b.URL+"/v1/grants/g/things", "body")
	if status != 429 || v.Kind != classify.PolicyRateLimit || v.RetryAfter < 59*time.Minute || v.RetryAfter > time.Hour || !v.Unprocessed {
		t.Errorf("got %d, %+v", status, v)
	}
	if l := v.Detail.RateLimit; l == nil || l.Policy != "per-hour" || l.Limit != 3 || l.Window != time.Hour || l.Remaining != 0 {
		t.Errorf("got %+v", l)
	}
	if v.Detail.Details()["policy"] != "per-hour" {
		t.Errorf("got %v", v.Detail.Details())
	}
	if status, _, _ := send(t, b, "GET", b.URL+"/v1/grants/free/x", ""); status != 200 {
		t.Errorf("a grant that the policy is not about: got %d", status)
	}
	if b.Acted("g") != 3 {
		t.Errorf("%d calls were carried out, want 3", b.Acted("g"))
	}
	b.LiftPolicy("per-hour")
	if got := callGrant(t, b); got != classify.Unclassified {
		t.Errorf("lifted: got %v", got)
	}

	b.LimitPolicy("one", 1, time.Hour)
	b.LimitPolicy("none", 0, time.Hour, "free")
	b.AdvertiseLimits(false)
	if status, _, _ := send(t, b, "GET", b.URL+"/v1/grants/free/x", ""); status != 429 {
		t.Errorf("a policy that allows nothing: got %d", status)
	}
	if got := callGrant(t, b); got != classify.Unclassified {
		t.Errorf("a call that another policy refused counted: got %v", got)
	}
	if _, _, v := send(t, b, "GET", b.URL+"/v1/grants/g/x", ""); v.Kind != classify.PolicyRateLimit || v.Detail.RateLimit != nil {
		t.Errorf("got %+v", v)
	}
}

func TestPolicyWindowsEnd(t *testing.T) {
	b := newBackend(t)
	b.SetGrant("g", transporttest.Active)
	const window = 20 * time.Millisecond
	b.LimitPolicy("short", 1, window)
	began := time.Now()
	for b.Acted("g") < 4 {
		_, _, v := send(t, b, "GET", b.URL+"/v1/grants/g/x", "")
		if v.Kind == classify.Unclassified {
			continue
		}
		if v.Kind != classify.PolicyRateLimit || v.RetryAfter <= 0 || v.RetryAfter > window {
			t.Fatalf("got %+v", v)
		}
		select {
		case <-time.After(v.RetryAfter):
		case <-t.Context().Done():
		}
	}
	if took := time.Since(began); took < 3*window {
		t.Errorf("four calls within %v, want three windows of %v between them", took, window)
	}
}

func TestKeyScopes(t *testing.T) {
	b := newBackend(t)
	b.SetGrant("g", transporttest.Active)
	b.RequireKeyScopes("grants:read", "grants:call")
	b.GrantKeyScopes("grants:read")
	_, _, v := send(t, b, "GET", b.URL+"/v1/grants/g/x", "")
	if v.Kind != classify.InsufficientScope || !slices.Equal(v.Detail.Missing, []string{"grants:call"}) ||
		!slices.Equal(v.Detail.Granted, []string{"grants:read"}) || len(v.Detail.Required) != 2 {
		t.Errorf("got %+v", v.Detail)
	}
	b.GrantKeyScopes("grants:call", "grants:read")
	if got := callGrant(t, b); got != classify.Unclassified {
		t.Errorf("got %v", got)
	}
}

func TestDeprecatedKey(t *testing.T) {
	b := newBackend(t)
	for _, on := range []bool{true, false} {
		b.DeprecateKey(on)
		for _, order := range []func(){func() {}, func() { b.AnswerNext(transporttest.Canned("grant_revoked"), 1) }, func() { b.SlowNext(0, 1) }} {
			order()
			resp, err := b.Client().Get(b.URL + "/v1/grants/g/x")
			if err != nil {
				t.Fatal(err)
			}
			read(t, resp)
			if got := resp.Header.Get("X-Alter-Key-Deprecated") == "true"; got != on {
				t.Errorf("on is %v: got %v", on, resp.Header)
			}
		}
	}
}

func TestIdempotencyKeys(t *testing.T) {
	b := newBackend(t)
	b.SetGrant("g", transporttest.Active)
	call := func(body, key string) (int, string, classify.Verdict) {
		return send(t, b, "POST", b.URL+"/v1/grants/g/pay", body, "X-Idempotency-Key", key)
	}
	_, first, _ := call("10", "k1")
	if _, again, _ := send(t, b, "POST", b.URL+"/v1/grants/g/pay", "10", "Idempotency-Key", "k1"); again != first {
		t.Errorf("repeated: got %s, want %s", again, first)
	}
	if _, _, v := call("20", "k1"); v.Kind != classify.IdempotencyKeyBodyMismatch {
		t.Errorf("another body: got %v", v.Kind)
	}
	b.LoseNext(transporttest.HangUp, 1)
	if _, err := b.Client().Transport.RoundTrip(request(t, "POST", b.URL+"/v1/grants/g/pay", "30")); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	call("10", "k2")
	if got := b.Acted("g"); got != 3 {
		t.Errorf("%d effects, want those of k1, k2 and the lost call", got)
	}
	if e := b.Effects(); e[0].IdempotencyKey != "k1" || e[1].IdempotencyKey != "" || string(e[1].Body) != "30" || e[2].Number != 3 {
		t.Errorf("got %+v", e)
	}
}

func TestIdempotencyKeysAtTheSameTime(t *testing.T) {
	b := newBackend(t)
	b.SetGrant("g", transporttest.Active)
	body := proxyBody(t, transporttest.ProxyCall{GrantID: "g", Method: "POST", Path: "/pay"})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if status, _, _ := send(t, b, "POST", b.URL+"/v1/proxy", body, "Idempotency-Key", "k"); status != 200 {
				t.Errorf("got %d", status)
			}
		})
	}
	wg.Wait()
	if b.Acted("g") != 1 || b.Provider.Total() != 1 {
		t.Errorf("%d effects, %d requests to the provider, want 1 and 1", b.Acted("g"), b.Provider.Total())
	}
}

func proxyBody(t *testing.T, p transporttest.ProxyCall) string {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestProvider(t *testing.T) {
	b := newBackend(t)
	if status, text, _ := send(t, b, "PUT", b.Provider.URL+"/calendar", "x"); status != 200 || text != `{"method":"PUT","ok":true,"path":"/calendar"}` {
		t.Errorf("got %d, %s", status, text)
	}
	b.ChallengeScopes("calendar.write")
	_, _, v := send(t, b, "PUT", b.Provider.URL+"/calendar", "x")
	if v.Kind != classify.ScopeReauthRequired || !slices.Equal(v.Detail.Missing, []string{"calendar.write"}) {
		t.Errorf("got %+v", v)
	}
	b.ChallengeScopes()
	b.Provider.AnswerNext(transporttest.ProviderRateLimit(time.Second), 1)
	if _, _, v := send(t, b, "GET", b.Provider.URL, ""); v.Kind != classify.ProviderRateLimit {
		t.Errorf("got %v", v.Kind)
	}
	b.Provider.AnswerNext(transporttest.Canned("grant_revoked"), 1)
	if _, _, v := send(t, b, "GET", b.Provider.URL, ""); v.Kind.Is(classify.Backend) {
		t.Errorf("a provider passed for the backend: %v", v.Kind)
	}
	if b.Host() == b.Provider.Host() {
		t.Error("the provider has the backend's host")
	}
}

func TestProxyMode(t *testing.T) {
	b := newBackend(t)
	b.SetGrant("g", transporttest.ProxyOnly)
	proxy := func(p transporttest.ProxyCall) *classify.Envelope {
		t.Helper()
		status, text, _ := send(t, b, "POST", b.URL+"/v1/proxy", proxyBody(t, p))
		e, err := classify.Proxied([]byte(text))
		if status != 200 || err != nil {
			t.Fatalf("got %d, %s, %v", status, text, err)
		}
		return e
	}
	e := proxy(transporttest.ProxyCall{GrantID: "g"})
	if e.StatusCode != 200 || string(e.Body) != `{"method":"GET","ok":true,"path":"/"}` || e.Truncated || e.ApprovalID != "" {
		t.Errorf("got %+v", e)
	}
	proxy(transporttest.ProxyCall{GrantID: "g", Method: "POST", Path: "/send", Body: []byte("mail"), Headers: map[string]string{"x-test": "1"}})
	sent := b.Provider.Requests()[1]
	if sent.Method != "POST" || sent.URL.Path != "/send" || string(sent.Body) != "mail" || sent.Header.Get("X-Test") != "1" {
		t.Errorf("the provider got %+v", sent)
	}
	if e := b.Effects()[1]; e.Path != "/send" || string(e.Body) != "mail" || b.Acted("g") != 2 {
		t.Errorf("got %+v", e)
	}

	b.ChallengeScopes("mail.send", "mail.read")
	e = proxy(transporttest.ProxyCall{GrantID: "g"})
	if v := e.Verdict(); v.Kind != classify.ScopeReauthRequired || len(v.Detail.Missing) != 2 {
		t.Errorf("got %+v", v)
	}
	b.ChallengeScopes()

	b.Provider.AnswerNext(transporttest.Answer(302, "").Header("Location", "/elsewhere"), 1)
	if e = proxy(transporttest.ProxyCall{GrantID: "g"}); e.StatusCode != 302 {
		t.Errorf("a redirect: got %+v", e)
	}
	b.Provider.AnswerNext(transporttest.Answer(200, string(bytes.Repeat([]byte("x"), 1<<20+1))), 1)
	if e = proxy(transporttest.ProxyCall{GrantID: "g"}); !e.Truncated || len(e.Body) != 1<<20 {
		t.Errorf("a long body: truncated %v, %d bytes", e.Truncated, len(e.Body))
	}

	for name, fault := range map[string]func(){
		"reset":     func() { b.Provider.FailNext(transporttest.Reset, 1) },
		"truncated": func() { b.Provider.FailNext(transporttest.Truncated, 1) },
		"refused":   func() { b.Provider.Refuse(time.Hour) },
	} {
		fault()
		_, _, v := send(t, b, "POST", b.URL+"/v1/proxy", proxyBody(t, transporttest.ProxyCall{GrantID: "g", Method: "PATCH"}))
		if v.Kind != classify.BackendUnavailable || v.Detail.Status != 502 {
			t.Errorf("%s: got %+v", name, v)
		}
		if err := b.Provider.Reopen(); err != nil {
			t.Fatal(err)
		}
	}

	for name, body := range map[string]string{"no JSON": "{", "no grant": "{}", "no path": `{"grant_id":"g","path":"x"}`, "no method": `{"grant_id":"g","method":"a b"}`} {
		if _, _, v := send(t, b, "POST", b.URL+"/v1/proxy", body); v.Kind != classify.BackendValidation {
			t.Errorf("%s: got %+v", name, v)
		}
	}
	if _, _, v := send(t, b, "POST", b.URL+"/v1/proxy", `{"grant_id":"unknown"}`); v.Kind != classify.GrantNotFound {
		t.Errorf("unknown grant: got %v", v.Kind)
	}
}

func TestBrokenCallsAreNotCarriedOut(t *testing.T) {
	b := newBackend(t)
	b.SetGrant("g", transporttest.Active)
	req := request(t, "POST", b.URL+"/v1/grants/g/pay", "")
	req.Body = transporttest.NewBody(transporttest.Chunk("half"), transporttest.Break(errors.New("disk gone")))
	if _, err := b.Client().Do(req); err == nil {
		t.Error("got an answer")
	}
	if b.Acted("g") != 0 {
		t.Error("half a call was carried out")
	}
}

func TestBackendFaultsLeaveNothingBehind(t *testing.T) {
	b := transporttest.NewBackend()
	b.SetGrant("g", transporttest.Active)
	b.FailNext(transporttest.Stalled, 1)
	b.Provider.FailNext(transporttest.Stalled, 2)
	b.AnswerNext(transporttest.Answer(500, "").Stream(transporttest.Chunk("{"), transporttest.Stall()), 1)
	var wg sync.WaitGroup
	for _, url := range []string{b.URL, b.URL, b.Provider.URL} {
		wg.Go(func() {
			resp, err := b.Client().Get(url)
			if err == nil {
				defer resp.Body.Close()
				if _, err := io.ReadAll(resp.Body); err == nil {
					t.Error("got a whole answer")
				}
			}
		})
	}
	if err := errors.Join(b.Await(t.Context(), 2), b.Provider.Await(t.Context(), 1)); err != nil {
		t.Fatal(err)
	}
	wg.Go(func() {
		resp, err := b.Client().Post(b.URL+"/v1/proxy", "application/json", bytes.NewReader([]byte(`{"grant_id":"g"}`)))
		if err == nil {
			resp.Body.Close()
		}
	})
	if err := b.Provider.Await(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

func TestUnknownRoutes(t *testing.T) {
	b := newBackend(t)
	for _, path := range []string{"/", "/v1/approvals/none", "/v1/approvals/none/result"} {
		if status, _, v := send(t, b, "GET", b.URL+path, ""); status != http.StatusNotFound || v.Kind != classify.Backend {
			t.Errorf("%s: got %d, %v", path, status, v.Kind)
		}
	}
}
