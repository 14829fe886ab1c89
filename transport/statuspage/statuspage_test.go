package statuspage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/statuspage"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

const server = "https://backend.example"

// ask shows the page of s for a request.
func ask(t *testing.T, s *transport.Shared, o statuspage.Options, method, query, accept string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(t.Context(), method, "/debug/calls"+query, nil)
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	statuspage.Handler(s, o).ServeHTTP(w, req)
	return w
}

// chain is a chain on s over a script.
func chain(t *testing.T, s *transport.Shared, base http.RoundTripper) http.RoundTripper {
	t.Helper()
	alter, err := classify.ForAlter("backend.example", "other.backend.example")
	if err != nil {
		t.Fatal(err)
	}
	rt, err := transport.New(base, transport.Config{Classifier: alter, Shared: s})
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

func send(ctx context.Context, rt http.RoundTripper, url string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		panic(err)
	}
	if resp, err := rt.RoundTrip(req); err == nil {
		resp.Body.Close()
	}
}

// troubled returns what calls know when a breaker, a gate, a budget and a forced key are to be shown. It is to be called
// in a bubble, whose calls end when its context does.
func troubled(t *testing.T, keys transport.Keys) *transport.Shared {
	t.Helper()
	s := transport.NewShared(nil, keys)
	send(t.Context(), chain(t, s, transporttest.Play(transporttest.Canned("rate_limit_exceeded").Header("Retry-After", "30"))), server)
	locked := chain(t, s, transporttest.Play(transporttest.Canned("token_refresh_in_progress").Detail("grant_id", "grant-secret")).Repeat())
	ctx := transport.ForGrant(t.Context(), "grant-secret")
	for range 3 {
		go send(ctx, locked, "https://other.backend.example")
	}
	synctest.Wait()
	for name, force := range map[string]func(string, time.Duration) error{"https://down.example": s.ForceOpen, "own-secret": s.ForceClosed} {
		if err := force(name, 90*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestPageShowsWhatCallsKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := troubled(t, transport.Keys{})
		time.Sleep(10 * time.Second)
		w := ask(t, s, statuspage.Options{}, "GET", "", "text/html")
		text := tags.ReplaceAllString(w.Body.String(), " ")
		for _, want := range []string{
			"rate_limit", server, "open", "policy_rate_limit", "wait", "20 s", "https://down.example", "1 min 20 s", "steadytrip",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the page does not show %q:\n%s", want, text)
			}
		}
		for _, secret := range []string{"grant-secret", "own-secret"} {
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("the page shows %q", secret)
			}
		}
		if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
			t.Errorf("content type %q", got)
		}
		for _, bad := range []string{"<script", "http://", "src=", "@import", "url("} {
			if strings.Contains(w.Body.String(), bad) {
				t.Errorf("the page has %q, want nothing to load and nothing to run", bad)
			}
		}
	})
}

var tags = regexp.MustCompile(`(?s)<style>.*?</style>|<[^>]*>`)

func TestEmptyPageSaysSoInWords(t *testing.T) {
	w := ask(t, transport.NewShared(nil, transport.Keys{}), statuspage.Options{Title: "billing"}, "GET", "", "text/html")
	text := w.Body.String()
	if got := strings.Count(text, `class="none"`); got != 4 {
		t.Errorf("%d tables are said to be empty, want 4:\n%s", got, text)
	}
	if strings.Contains(text, "<table") || !strings.Contains(text, "<title>billing</title>") {
		t.Errorf("want no table, and the title:\n%s", text)
	}
}

// status is the JSON document, as its documentation has it.
type status struct {
	Time   time.Time `json:"time"`
	Forced []struct {
		Key, State string
		Until      time.Time
		Left       float64 `json:"seconds_left"`
	} `json:"forced"`
	Breakers []struct {
		Name, Key, State                         string
		Until                                    time.Time
		Left                                     float64 `json:"seconds_left"`
		Failures, Probes, Window, InFlight, Held int
		OpenedBy                                 struct{ Kind, Action string } `json:"opened_by"`
	} `json:"breakers"`
	Gates []struct {
		Key, State string
		Waiting    int
		InFlight   int `json:"in_flight"`
	} `json:"gates"`
	Budgets []struct {
		Key              string
		Tokens, Capacity float64
	} `json:"budgets"`
}

func decode(t *testing.T, w *httptest.ResponseRecorder) (got status) {
	t.Helper()
	if ct := w.Header().Get("Content-Type"); ct != "application/json" {
		t.Errorf("content type %q, want application/json", ct)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v in\n%s", err, w.Body)
	}
	return got
}

func TestJSONHasEveryRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := troubled(t, transport.Keys{})
		got := decode(t, ask(t, s, statuspage.Options{ShowKeys: true}, "GET", "", ""))
		if len(got.Breakers) != 1 || len(got.Gates) != 1 || len(got.Budgets) != 2 || len(got.Forced) != 2 {
			t.Fatalf("%+v: want one breaker, one gate, two budgets and two forced keys", got)
		}
		b, g := got.Breakers[0], got.Gates[0]
		if b.Name != "rate_limit" || b.Key != server || b.State != "open" || b.Left != 30 || b.Until.Sub(got.Time) != 30*time.Second ||
			b.OpenedBy.Kind != "policy_rate_limit" || b.OpenedBy.Action != "wait" {
			t.Errorf("breaker %+v", b)
		}
		if g.Key != "https://other.backend.example grant grant-secret" {
			t.Errorf("gate %+v", g)
		}
		if f := got.Forced[1]; f.Key != "own-secret" || f.State != "closed" || f.Left != 90 {
			t.Errorf("forced %+v", f)
		}
		for _, b := range got.Budgets {
			if b.Capacity != 3 || b.Tokens > 3 {
				t.Errorf("budget %+v, want at most the 3 tokens of the default", b)
			}
		}
	})
}

func TestKeysThatMayBeSecretAreFingerprints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := troubled(t, transport.Keys{Key: func(req *http.Request) string {
			if req.URL.Host == "backend.example" {
				return "tenant-secret"
			}
			return ""
		}})
		for range 2 { // the same each time
			w := ask(t, s, statuspage.Options{}, "GET", "", "")
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("shows a secret:\n%s", w.Body)
			}
			got := decode(t, w)
			masked := regexp.MustCompile(`^#[0-9a-f]{6}$`)
			if key := got.Breakers[0].Key; !masked.MatchString(key) || key != got.Budgets[len(got.Budgets)-1].Key && key != got.Budgets[0].Key {
				t.Errorf("breaker of %q and budgets %v, want one of the same fingerprint", key, got.Budgets)
			}
			grant, found := strings.CutPrefix(got.Gates[0].Key, "https://other.backend.example grant ")
			if !found || !masked.MatchString(grant) {
				t.Errorf("gate of %q, want the server and a fingerprint", got.Gates[0].Key)
			}
		}
	})
}

func TestHostileKeysAreEscaped(t *testing.T) {
	s := transport.NewShared(nil, transport.Keys{})
	for _, name := range []string{`<script>alert(1)</script>`, `"onload="x`, "\x00\xff\u202e", "https://h.example policy <b>"} {
		if err := s.ForceOpen(name, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	o := statuspage.Options{ShowKeys: true, Title: "</title><script>"}
	page := ask(t, s, o, "GET", "?format=html", "").Body.String()
	if strings.Contains(page, "<script") || strings.Contains(page, "<b>p") || strings.Contains(page, `"onload="`) {
		t.Errorf("not escaped:\n%s", page)
	}
	if got := decode(t, ask(t, s, o, "GET", "?format=json", "")); len(got.Forced) != 4 {
		t.Errorf("%d forced keys, want 4", len(got.Forced))
	}
}

func TestFormatIsNegotiated(t *testing.T) {
	s := transport.NewShared(nil, transport.Keys{})
	tests := []struct {
		name, query, accept string
		html                bool
	}{
		{"a browser", "", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
		{"a program that says nothing", "", "", false},
		{"curl", "", "*/*", false},
		{"JSON", "", "application/json", false},
		{"JSON rather than HTML", "", "text/html;q=0.5, application/json", false},
		{"HTML rather than JSON", "", "application/json;q=0.5, text/html", true},
		{"no HTML at all", "", "text/html;q=0, */*", false},
		{"any text", "", "text/*", true},
		{"nonsense", "", ";;q=x,,text/html;q=7", false},
		{"the query is louder: HTML", "?format=html", "application/json", true},
		{"the query is louder: JSON", "?format=json", "text/html", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(t, s, statuspage.Options{}, "GET", tt.query, tt.accept)
			if html := strings.HasPrefix(w.Header().Get("Content-Type"), "text/html"); html != tt.html || w.Code != 200 {
				t.Errorf("%d, HTML %v; want 200 and %v", w.Code, html, tt.html)
			}
		})
	}
}

func TestRequestsThatAreNoneOfItsBusiness(t *testing.T) {
	s := transport.NewShared(nil, transport.Keys{})
	tests := []struct {
		name, method, query string
		code                int
		text                string
	}{
		{"a POST", "POST", "", 405, "want GET or HEAD"},
		{"a DELETE", "DELETE", "", 405, "want GET or HEAD"},
		{"another format", "GET", "?format=xml", 400, "?format=html or ?format=json"},
		{"no pause between two loads", "GET", "?refresh=0", 400, "?refresh=1 to ?refresh=3600"},
		{"a refresh that is no number", "GET", "?refresh=1s", 400, "?refresh=1 to"},
		{"more than an hour", "GET", "?refresh=3601", 400, "?refresh=1 to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(t, s, statuspage.Options{}, tt.method, tt.query, "")
			if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.text) {
				t.Errorf("%d %q, want %d and %q", w.Code, w.Body, tt.code, tt.text)
			}
			if allow := w.Header().Get("Allow"); (allow == "GET, HEAD") != (tt.code == 405) {
				t.Errorf("Allow %q", allow)
			}
		})
	}
}

func TestHeadersKeepThePageToItself(t *testing.T) {
	w := ask(t, transport.NewShared(nil, transport.Keys{}), statuspage.Options{}, "GET", "?format=html&refresh=5", "")
	for field, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Refresh": "5", "Vary": "Accept",
	} {
		if got := w.Header().Get(field); got != want {
			t.Errorf("%s %q, want %q", field, got, want)
		}
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("content security policy %q", csp)
	}
}

func TestHeadHasHeadersOnly(t *testing.T) {
	w := ask(t, transport.NewShared(nil, transport.Keys{}), statuspage.Options{}, "HEAD", "?format=html", "")
	if w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Type") == "" {
		t.Errorf("%d, %d bytes, %v", w.Code, w.Body.Len(), w.Header())
	}
}

func TestPageIsCutAndJSONIsNot(t *testing.T) {
	s := transport.NewShared(nil, transport.Keys{})
	const many = 10_000
	for i := range many {
		if err := s.ForceClosed(fmt.Sprintf("key-%05d", i), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.ForceOpen("worst", time.Minute); err != nil {
		t.Fatal(err)
	}
	o := statuspage.Options{ShowKeys: true}
	page := ask(t, s, o, "GET", "?format=html", "").Body.String()
	if rows := strings.Count(page, "<tr"); rows > 510 || rows < 500 {
		t.Errorf("%d rows, want 500 and a head", rows)
	}
	if !strings.Contains(page, "worst") || !strings.Contains(page, `class="cut"`) {
		t.Error("want the one that is forced open, and how many more there are")
	}
	if got := decode(t, ask(t, s, o, "GET", "", "")); len(got.Forced) != many+1 {
		t.Errorf("%d rows of JSON, want %d", len(got.Forced), many+1)
	}
}

func TestPageIsShownWhileCallsAreMade(t *testing.T) {
	s := transport.NewShared(nil, transport.Keys{Key: func(r *http.Request) string { return r.URL.Path }})
	rt := chain(t, s, transporttest.Play(transporttest.Canned("rate_limit_exceeded").Header("Retry-After", "30")).Repeat())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 50 {
				send(t.Context(), rt, fmt.Sprintf("%s/%d-%d", server, i, j))
			}
		})
	}
	for range 20 {
		ask(t, s, statuspage.Options{}, "GET", "?format=html", "")
		decode(t, ask(t, s, statuspage.Options{}, "GET", "", ""))
	}
	wg.Wait()
	if got := decode(t, ask(t, s, statuspage.Options{}, "GET", "", "")); len(got.Breakers) != 200 {
		t.Errorf("%d breakers, want 200", len(got.Breakers))
	}
}

func TestReaderThatHasGoneEndsTheWriting(t *testing.T) {
	s := transport.NewShared(nil, transport.Keys{})
	for i := range 5000 {
		_ = s.ForceOpen(fmt.Sprint(i), time.Minute)
	}
	for _, format := range []string{"html", "json"} {
		w := &gone{}
		statuspage.Handler(s, statuspage.Options{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/?format="+format, nil))
		if w.writes > 1 {
			t.Errorf("%s: %d writes after the first failed, want none", format, w.writes-1)
		}
	}
}

// gone is a client that has gone.
type gone struct {
	header http.Header
	writes int
}

func (g *gone) Header() http.Header {
	if g.header == nil {
		g.header = http.Header{}
	}
	return g.header
}

func (*gone) WriteHeader(int) {}

func (g *gone) Write([]byte) (int, error) {
	g.writes++
	return 0, io.ErrClosedPipe
}

func TestHandlerWithoutSharedIsAMistake(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic, want one at construction")
		}
	}()
	statuspage.Handler(nil, statuspage.Options{})
}

func TestNamesGivenToForceKeepTheirSpelling(t *testing.T) {
	tests := []struct {
		name, key string
		want      transport.Key
	}{
		{"a server", "https://api.example:8443", transport.Key{Server: "https://api.example:8443"}},
		{"a grant of a server", "http://h grant g policy p", transport.Key{Server: "http://h", Grant: "g policy p"}},
		{"a policy of a server", "https://h policy p", transport.Key{Server: "https://h", Policy: "p"}},
		{"a part without name", "https://h grant ", transport.Key{Own: "https://h grant "}},
		{"a part of another kind", "https://h tenant t", transport.Key{Own: "https://h tenant t"}},
		{"a URL with a path", "https://h/secret", transport.Key{Own: "https://h/secret"}},
		{"a URL with a password", "https://u:p@h", transport.Key{Own: "https://u:p@h"}},
		{"another scheme", "tenant://t", transport.Key{Own: "tenant://t"}},
		{"a word", "tenant-1", transport.Key{Own: "tenant-1"}},
		{"a space", " ", transport.Key{Own: " "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := transport.NewShared(nil, transport.Keys{})
			if err := s.ForceOpen(tt.key, time.Minute); err != nil {
				t.Fatal(err)
			}
			got := s.Snapshot().Forced
			if len(got) != 1 || got[0].Key != tt.want || got[0].Key.String() != tt.key {
				t.Fatalf("got %+v, want %+v, spelled %q", got, tt.want, tt.key)
			}
			if s.Reset(got[0].Key.String()); len(s.Snapshot().Forced) != 0 {
				t.Error("still forced, want the name that is shown to be the one that Reset takes")
			}
		})
	}
}

// Tokens beyond what the traffic of the last window allows are lost, and are not shown as being in hand.
func TestBudgetHasNoMoreThanItsCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := transport.NewShared(nil, transport.Keys{})
		rt := chain(t, s, transporttest.Play(transporttest.Answer(200, "")).Repeat())
		for range 200 {
			send(t.Context(), rt, server)
		}
		time.Sleep(time.Hour)
		send(t.Context(), chain(t, s, transporttest.Play(transporttest.Canned("rate_limit_exceeded").Header("Retry-After", "600"))), server)
		for _, b := range s.Snapshot().Budgets {
			if b.Tokens > b.Capacity {
				t.Errorf("%v of %v tokens, want no more than the capacity", b.Tokens, b.Capacity)
			}
		}
	})
}
