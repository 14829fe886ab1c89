package statuspage

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
)

var noon = time.Date(2026, 3, 1, 13, 0, 0, 250_500_000, time.FixedZone("CET", 3600))

// everything is a snapshot with something of each kind.
func everything() transport.Snapshot {
	const api = "https://api.example.com"
	refused := classify.Verdict{
		Kind: classify.PolicyRateLimit, Code: "told-code",
		Detail: &classify.Detail{Message: "told-message", GrantID: "told-grant", RateLimit: &classify.RateLimit{Policy: "told-policy"}},
	}
	return transport.Snapshot{
		Time: noon,
		Forced: []transport.ForcedStatus{
			{Key: transport.Key{Server: api}, State: transport.Open, Until: noon.Add(5 * time.Minute)},
			{Key: transport.Key{Own: "tenant-1"}, State: transport.Closed, Until: noon.Add(100 * 365 * 24 * time.Hour)},
		},
		Breakers: []transport.BreakerStatus{
			{Name: "outage", Key: transport.Key{Server: api}, State: transport.Closed, Failures: 3},
			{Name: "outage", Key: transport.Key{Server: "https://b.example"}, State: transport.Closed, Window: 32, Flying: 4,
				Verdict: classify.Verdict{Kind: classify.BackendUnavailable}},
			{Name: "rate_limit", Key: transport.Key{Server: api, Policy: "calendar"}, State: transport.Open,
				Until: noon.Add(29_750 * time.Millisecond), Held: 2, Verdict: refused},
			{Name: "rate_limit", Key: transport.Key{Server: api, Grant: "grant-1"}, State: transport.HalfOpen, Probes: 1, Verdict: refused},
			{Name: "rate_limit", Key: transport.Key{Own: "tenant-1"}, State: transport.Open, Until: noon.Add(-time.Second), Verdict: refused},
		},
		Gates: []transport.GateStatus{
			{Key: transport.Key{Server: api, Grant: "grant-1"}, Closed: true, Waiting: 7},
			{Key: transport.Key{Server: api, Grant: "grant-2"}, Waiting: 1, Flying: 4},
		},
		Budgets: []transport.BudgetStatus{
			{Key: transport.Key{}, Tokens: 0, Capacity: 3},
			{Key: transport.Key{Server: api}, Tokens: 4.30000001, Capacity: 10},
		},
	}
}

func show(t *testing.T, snap transport.Snapshot, o Options, query string) *httptest.ResponseRecorder {
	t.Helper()
	h := &handler{func() transport.Snapshot { return snap }, o}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/"+query, nil))
	if w.Code != 200 {
		t.Fatalf("%d %s, want 200", w.Code, w.Body)
	}
	return w
}

func TestJSONIsOfTheDocumentedShape(t *testing.T) {
	const want = `{"time":"2026-03-01T12:00:00.25Z",
"forced":[
{"key":"https://api.example.com","state":"open","until":"2026-03-01T12:05:00.25Z","seconds_left":300},
{"key":"tenant-1","state":"closed"}],
"breakers":[
{"name":"outage","key":"https://api.example.com","state":"closed","failures":3,"probes":0,"window":0,"in_flight":0,"held":0},
{"name":"outage","key":"https://b.example","state":"closed","failures":0,"probes":0,"window":32,"in_flight":4,"held":0,"opened_by":{"kind":"backend_unavailable","action":"retry"}},
{"name":"rate_limit","key":"https://api.example.com policy calendar","state":"open","until":"2026-03-01T12:00:30Z","seconds_left":29.75,"failures":0,"probes":0,"window":0,"in_flight":0,"held":2,"opened_by":{"kind":"policy_rate_limit","action":"wait"}},
{"name":"rate_limit","key":"https://api.example.com grant grant-1","state":"half-open","failures":0,"probes":1,"window":0,"in_flight":0,"held":0,"opened_by":{"kind":"policy_rate_limit","action":"wait"}},
{"name":"rate_limit","key":"tenant-1","state":"open","until":"2026-03-01T11:59:59.25Z","seconds_left":0,"failures":0,"probes":0,"window":0,"in_flight":0,"held":0,"opened_by":{"kind":"policy_rate_limit","action":"wait"}}],
"gates":[
{"key":"https://api.example.com grant grant-1","state":"closed","waiting":7,"in_flight":0},
{"key":"https://api.example.com grant grant-2","state":"releasing","waiting":1,"in_flight":4}],
"budgets":[
{"key":"","tokens":0,"capacity":3},
{"key":"https://api.example.com","tokens":4.3,"capacity":10}]}
`
	if got := show(t, everything(), Options{ShowKeys: true}, "").Body.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	const empty = `{"time":"2026-03-01T12:00:00.25Z",
"forced":[],
"breakers":[],
"gates":[],
"budgets":[]}
`
	if got := show(t, transport.Snapshot{Time: noon}, Options{}, "").Body.String(); got != empty {
		t.Errorf("got:\n%s\nwant:\n%s", got, empty)
	}
}

func TestTablesSayWhatApplies(t *testing.T) {
	_, got := read(t, show(t, everything(), Options{ShowKeys: true}, "?format=html").Body.String())
	want := []string{
		"Key|Breaker|State|Time left|Failures|Probes|In flight|Held|Opened by",
		"https://api.example.com|outage|closed|–|3|–|–|0|–",
		"https://b.example|outage|closed|–|0|–|4 of 32|0|backend_unavailable → retry",
		"https://api.example.com policy calendar|rate_limit|open|29 s|–|–|–|2|policy_rate_limit → wait",
		"https://api.example.com grant grant-1|rate_limit|half-open|–|–|1|–|0|policy_rate_limit → wait",
		"tenant-1|rate_limit|open|next request|–|–|–|0|policy_rate_limit → wait",
		"Key|State|Time left",
		"https://api.example.com|forced open|5 min 00 s",
		"tenant-1|forced closed|until reset",
		"Key|State|Waiting|In flight",
		"https://api.example.com grant grant-1|closed|7|0",
		"https://api.example.com grant grant-2|releasing|1|4",
		"Key|Tokens|Capacity|Share",
		"(none)|0.0|3.0|",
		"https://api.example.com|4.3|10.0|",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPageSumsUp(t *testing.T) {
	text, _ := read(t, show(t, everything(), Options{Title: "billing"}, "?format=html&refresh=7").Body.String())
	for _, want := range []string{
		"(2 open) billing", "2026-03-01 12:00:00 UTC", "Loads anew every 7 s", "2 breakers open, 1 half-open", "1 gate closed",
		"1 budget below a quarter", "2 keys forced",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
	text, rows := read(t, show(t, transport.Snapshot{Time: noon}, Options{}, "?format=html").Body.String())
	for _, want := range []string{
		"0 breakers open", "No breaker is in trouble.", "No key is forced open or closed.", "No call waits for a token's refresh.",
		"There is no retry budget yet",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the empty page does not say %q:\n%s", want, text)
		}
	}
	if len(rows) != 0 {
		t.Errorf("the empty page has rows: %q", rows)
	}
}

func TestWhatServersSaidIsNeverShown(t *testing.T) {
	for _, query := range []string{"?format=html", "?format=json"} {
		for _, o := range []Options{{}, {ShowKeys: true}} {
			if got := show(t, everything(), o, query).Body.String(); strings.Contains(got, "told-") {
				t.Errorf("%s %+v tells of the answer:\n%s", query, o, got)
			}
		}
	}
}

func TestFingerprintsStandForWhatMayBeSecret(t *testing.T) {
	r := rows{}
	tests := []struct {
		name string
		key  transport.Key
		want string // # stands for a fingerprint
	}{
		{"a server is shown", transport.Key{Server: "https://h:8443"}, "https://h:8443"},
		{"a policy is shown", transport.Key{Server: "https://h", Policy: "p"}, "https://h policy p"},
		{"a grant is not", transport.Key{Server: "https://h", Grant: "secret"}, "https://h grant #"},
		{"a key of the user's own is not", transport.Key{Own: "secret"}, "#"},
		{"nor is one that looks like a grant's", transport.Key{Own: "https://h grant secret"}, "#"},
		{"no key has no fingerprint", transport.Key{}, ""},
	}
	masks := regexp.MustCompile(`#[0-9a-f]{6}$`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := r.key(tt.key)
			if masked := masks.ReplaceAllString(got, "#"); masked != tt.want || got != r.key(tt.key) {
				t.Errorf("got %q, want %q and the same each time", got, tt.want)
			}
			if got := (rows{showKeys: true}).key(tt.key); got != tt.key.String() {
				t.Errorf("got %q, want %q", got, tt.key)
			}
		})
	}
	if a, b := fingerprint("a"), fingerprint("b"); a == b || a == "#ca9781" {
		t.Errorf("got %s and %s, want two, and not what anybody can compute", a, b)
	}
}

func TestTheWorstRowsAreShownInOrder(t *testing.T) {
	var all []transport.BudgetStatus
	for i := range 3 * maxRows {
		b := transport.BudgetStatus{Key: transport.Key{Own: fmt.Sprintf("%04d", i)}, Tokens: 1, Capacity: 3}
		if i%3 == 2 {
			b.Tokens = 0
		}
		all = append(all, b)
	}
	_, got := read(t, show(t, transport.Snapshot{Budgets: all}, Options{ShowKeys: true}, "?format=html").Body.String())
	if len(got) != maxRows+1 || got[1] != "0002|0.0|3.0|" || got[2] != "0005|0.0|3.0|" || got[maxRows] != "1499|0.0|3.0|" {
		t.Errorf("got %d rows, from %q to %q, want the %d that are empty", len(got)-1, got[1], got[len(got)-1], maxRows)
	}
}

func TestTimesLeftAreSaidAsPeopleDo(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0.0 s"},
		{4200 * time.Millisecond, "4.2 s"},
		{59999 * time.Millisecond, "59 s"},
		{90 * time.Second, "1 min 30 s"},
		{2*time.Hour + 5*time.Minute + 59*time.Second, "2 h 05 min"},
		{50 * time.Hour, "2 d 02 h"},
	} {
		seconds := tt.d.Seconds()
		if got := left(&seconds); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestPolicyAllowsTheStyleThatIsThere(t *testing.T) {
	w := show(t, everything(), Options{}, "?format=html")
	m := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(w.Body.String())
	if m == nil {
		t.Fatal("no style sheet")
	}
	sum := sha256.Sum256([]byte(m[1]))
	want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
	if strings.Contains(w.Body.String(), "style=") {
		t.Error("the page has a style attribute, which its policy does not allow")
	}
}

// read returns the text of a page and the rows of its tables, cells apart. It reports what is not well-formed, and tables
// and cells that a screen reader could not tell the meaning of.
func read(t *testing.T, page string) (text string, rows []string) {
	t.Helper()
	if !strings.HasPrefix(page, "<!DOCTYPE html>\n<html lang=\"en\">") {
		t.Errorf("starts with %.60q", page)
	}
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, []string{"meta", "link"}, xml.HTMLEntity
	var open, cells []string
	var all strings.Builder
	captions := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			attrs := map[string]string{}
			for _, a := range token.Attr {
				attrs[a.Name.Local] = a.Value
			}
			open = append(open, token.Name.Local)
			switch token.Name.Local {
			case "tr":
				cells = nil
			case "th":
				if attrs["scope"] == "" {
					t.Errorf("a head cell without scope: %v", token)
				}
				cells = append(cells, "")
			case "td":
				if attrs["data-label"] == "" {
					t.Errorf("a cell without label: %v", token)
				}
				cells = append(cells, "")
			case "table":
				captions--
			case "caption":
				captions++
			}
		case xml.EndElement:
			if n := len(open) - 1; n < 0 || open[n] != token.Name.Local {
				t.Fatalf("%s ends within %v", token.Name.Local, open)
			}
			open = open[:len(open)-1]
			if token.Name.Local == "tr" {
				rows = append(rows, strings.Join(cells, "|"))
			}
		case xml.CharData:
			if slices.Contains(open, "style") {
				continue
			}
			all.Write(token)
			if slices.Contains(open, "th") || slices.Contains(open, "td") {
				cells[len(cells)-1] += string(token)
			}
		}
	}
	if captions != 0 || len(open) > 0 {
		t.Errorf("%d tables without caption, %v left open; want none", -captions, open)
	}
	return all.String(), rows
}
