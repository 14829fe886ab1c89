package loopback

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/examples/altersdk/internal/alter"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testKey = alter.Key{Name: "test", ID: "ak_test", Secret: "sk_test"}

func newBackend(t *testing.T) *Backend {
	t.Helper()
	b := New()
	b.Accept(testKey)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// signed returns a request that the backend takes, unless its nonce was seen before.
func signed(t *testing.T, method, uri, nonce, body string, at time.Time) *http.Request {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, uri, strings.NewReader(body))
	timestamp := strconv.FormatInt(at.Unix(), 10)
	req.Header.Set(alter.FieldKey, testKey.ID)
	req.Header.Set(alter.FieldTimestamp, timestamp)
	req.Header.Set(alter.FieldNonce, nonce)
	req.Header.Set(alter.FieldSignature, alter.Signature(testKey.Secret, method, uri, timestamp, nonce, sha256.Sum256([]byte(body))))
	return req
}

// Nonces are remembered for as long as their signature would be taken, and not for ever.
func TestNoncesAreForgottenWhenTheyCannotBeReplayed(t *testing.T) {
	b := newBackend(t)
	begin := time.Now()
	verify := func(nonce string, at time.Time) bool {
		_, refusal := b.verify(signed(t, http.MethodGet, "/v1/x", nonce, "", at), sha256.Sum256(nil), at)
		return refusal == nil
	}
	for i := range maxNonces {
		if !verify(fmt.Sprint("n", i), begin) {
			t.Fatalf("nonce %d is refused", i)
		}
	}
	if verify("n0", begin.Add(time.Minute)) {
		t.Error("a nonce is taken twice")
	}
	if !verify("later", begin.Add(time.Hour)) || len(b.nonces) != 1 {
		t.Errorf("%d nonces are remembered after an hour, want one", len(b.nonces))
	}
}

// A timestamp may differ from the clock in either direction, and a nonce is remembered until its timestamp is out of range.
func TestTimestampsMayDifferByTheSkew(t *testing.T) {
	b := newBackend(t)
	now := time.Now()
	verify := func(nonce string, from, at time.Time) bool {
		_, refusal := b.verify(signed(t, http.MethodGet, "/v1/x", nonce, "", from), sha256.Sum256(nil), at)
		return refusal == nil
	}
	for i, test := range []struct {
		late time.Duration
		want bool
	}{{0, true}, {-skew + time.Minute, true}, {skew - time.Minute, true}, {-skew - time.Minute, false}, {skew + time.Minute, false}} {
		if got := verify(fmt.Sprint("differs", i), now.Add(-test.late), now); got != test.want {
			t.Errorf("signed %v ago: taken %v, want %v", test.late, got, test.want)
		}
	}
	for i := range maxNonces {
		b.nonces[fmt.Sprint("other", i)] = now
	}
	ahead := now.Add(skew - time.Minute)
	last := ahead.Add(skew - time.Minute) // that it would be taken
	if !verify("ahead", ahead, now) || !verify("later", last, last) || verify("ahead", ahead, last) {
		t.Error("a request of a clock that is ahead is refused at once, or taken twice")
	}
}

func TestTheProviderAnswersToTokensOfTheBackendAlone(t *testing.T) {
	b := newBackend(t)
	b.tokens["token-1"] = true
	for token, want := range map[string]int{"": 401, "Bearer ": 401, "Bearer token-2": 401, "Bearer token-1": 200} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.Provider.URL+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", token)
		resp, err := b.Provider.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%q: got %d, want %d", token, resp.StatusCode, want)
		}
	}
}

// What the grant's route answers in place of a token comes out with its header.
func TestATokenThatIsRefusedSaysWhy(t *testing.T) {
	b := newBackend(t)
	b.Link("calendar", "ada@example.com", "grant-1")
	b.Inner.SetGrant("grant-1", transporttest.Revoked)
	w := httptest.NewRecorder()
	b.serveToken(w, httptest.NewRequestWithContext(t.Context(), "POST", "/v1/tokens", strings.NewReader(`{"provider":"calendar"}`)))
	if got := w.Header().Get("Content-Type"); w.Code != 410 || !strings.HasPrefix(got, "application/json") || !strings.Contains(w.Body.String(), "grant_revoked") {
		t.Errorf("got %d, %q, %s", w.Code, got, w.Body)
	}
}

// A page that is answered twice at once is answered once.
func TestASessionUnderDecisionIsNotDecidedAgain(t *testing.T) {
	b := newBackend(t)
	b.sessions["s"] = &session{Request: alter.Request{Provider: "calendar", Delegate: true}, status: "pending", decided: true}
	w := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/connect/s", strings.NewReader("decision=yes"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetPathValue("id", "s")
	if b.decideSession(w, req); w.Code != http.StatusNotFound || len(b.links) != 0 {
		t.Errorf("got %d and %d links, want a 404 and none", w.Code, len(b.links))
	}
}

func TestWhatThereIsNotIsNotFound(t *testing.T) {
	b := newBackend(t)
	for i, test := range []struct {
		method, uri, body string
		want              int
	}{
		{"GET", "/connect/x", "", 404},
		{"POST", "/connect/x", "decision=yes", 404},
		{"POST", "/approve/x", "decision=yes", 404},
		{"GET", "/v1/connect/sessions/x", "", 404},
		{"GET", "/v1/approvals/x", "", 404},
		{"POST", "/v1/proxy", "no JSON", 422},
		{"POST", "/v1/tokens", "no JSON", 422},
		{"POST", "/v1/connect/sessions", "{}", 422},
		{"POST", "/v1/tokens", `{"provider":"calendar"}`, 404},
	} {
		like := signed(t, test.method, test.uri, fmt.Sprint("nonce", i), test.body, time.Now())
		req, err := http.NewRequestWithContext(t.Context(), test.method, b.URL+test.uri, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = like.Header
		if strings.HasPrefix(test.body, "decision") {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := b.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != test.want {
			t.Errorf("%s %s: got %d, want %d", test.method, test.uri, resp.StatusCode, test.want)
		}
	}
}

// A session is over once it is decided, and an approval's answer leads to a page of the backend's.
func TestPagesAreAnsweredOnce(t *testing.T) {
	b := newBackend(t)
	b.Link("calendar", "ada@example.com", "grant-1")
	b.Inner.RequireApproval("grant-1")
	send := func(req *http.Request) (int, string) {
		t.Helper()
		req.URL.Scheme, req.URL.Host, req.RequestURI = "http", b.Host(), ""
		resp, err := b.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	_, opened := send(signed(t, "POST", "/v1/connect/sessions", "1", `{"provider_id":"calendar"}`, time.Now()))
	_, rest, _ := strings.Cut(opened, b.URL)
	page, _, _ := strings.Cut(rest, `"`)
	for _, want := range []int{200, 404} {
		req := httptest.NewRequestWithContext(t.Context(), "POST", page, strings.NewReader("decision=yes"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if status, _ := send(req); status != want {
			t.Errorf("got %d, want %d", status, want)
		}
	}
	status, asked := send(signed(t, "POST", "/v1/proxy", "2", `{"provider":"calendar"}`, time.Now()))
	if status != http.StatusAccepted || !strings.Contains(asked, b.URL+"/approve/approval-1") || strings.Contains(asked, b.Inner.URL) {
		t.Errorf("got %d %s, want an approval with a page of the backend's", status, asked)
	}
	if status, text := send(httptest.NewRequestWithContext(t.Context(), "GET", "/approve/approval-1", nil)); status != 200 || !strings.Contains(text, "May the application make this call?") {
		t.Errorf("got %d %s, want the page", status, text)
	}
	if got := b.Inner.Approvals(); len(got) != 1 || got[0].Status != transporttest.ApprovalPending {
		t.Errorf("looking at the page has made it %+v", got)
	}
}

// Whoever sees that a session is completed can rely on what was consented to.
func TestASessionIsCompletedOnceItsConsentIsDone(t *testing.T) {
	b := newBackend(t)
	for i := range 50 {
		provider := fmt.Sprint("provider-", i)
		id := fmt.Sprint("session-", i)
		b.mu.Lock()
		b.sessions[id] = &session{Request: alter.Request{Provider: provider, Delegate: true}, status: "pending"}
		b.mu.Unlock()
		const clients = 4 // that crowd for the backend's lock
		seen := make(chan bool, clients)
		for range clients {
			go func() {
				for {
					b.mu.Lock()
					completed := b.sessions[id].status == "completed"
					linked := slices.ContainsFunc(b.links, func(l link) bool { return l.provider == provider })
					b.mu.Unlock()
					if completed {
						seen <- linked
						return
					}
				}
			}()
		}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/connect/"+id, strings.NewReader("decision=yes"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetPathValue("id", id)
		b.decideSession(httptest.NewRecorder(), req)
		linked := true
		for range clients {
			linked = <-seen && linked
		}
		if !linked {
			t.Fatal("a session is completed, and there is no grant yet")
		}
	}
}
