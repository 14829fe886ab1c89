package classify

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestAHostIsMatchedByTheURLAlone(t *testing.T) {
	mark := func(k Kind) Classifier { return ClassifierFunc(func(Outcome) Verdict { return Verdict{Kind: k} }) }
	c, err := ByHost(map[string]Classifier{
		"API.Example.com":        mark(Backend),
		"ported.example.com:444": mark(Agent),
		"api.example.com:8443":   mark(Approval),
		"[::1]:8443":             mark(ConnectFlow),
		"::2":                    mark(PolicyViolation),
		"[::3]":                  mark(GrantExpired),
		"dotted.example.com.":    mark(GrantDeleted),
		"10.0.0.1":               mark(KeyRevoked),
		"bücher.example":         mark(KeyNotFound),
		"id.kiosk.example":       mark(InvalidKey),
		"[fe80::1%en0]:8443":     mark(AgentRevoked),
		"a_b.example:":           mark(AgentInactive),
	}, mark(ProviderAPI))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		url  string
		want Kind
	}{
		{"https://api.example.com/", Backend},
		{"https://API.EXAMPLE.COM/", Backend},
		{"https://api.example.com./", Backend},
		{"https://api.example.com:443/", Backend},
		{"https://api.example.com.:443/", Backend},
		{"https://api.example.com:/", Backend},
		{"https://api.example.com:8443/", Approval},
		{"https://Api.Example.Com.:8443/", Approval},
		{"https://user:pass@api.example.com/", Backend},
		{"https://ported.example.com:444/", Agent},
		{"https://ported.example.com/", ProviderAPI},
		{"https://ported.example.com:445/", ProviderAPI},
		{"https://dotted.example.com/", GrantDeleted},
		{"https://[::1]:8443/", ConnectFlow},
		{"https://[::1]/", ProviderAPI},
		{"https://[::1]:8444/", ProviderAPI},
		{"https://[::2]/", PolicyViolation},
		{"https://[::2]:1/", PolicyViolation},
		{"https://[::3]:1/", GrantExpired},
		{"https://[::3]/", GrantExpired},
		{"https://10.0.0.1:80/", KeyRevoked},
		{"https://10.0.0.10/", ProviderAPI},

		{"https://api.example.com@evil.example/", ProviderAPI},
		{"https://api.example.com:443@evil.example/", ProviderAPI},
		{"https://evil.example/api.example.com", ProviderAPI},
		{"https://evil.example/?h=api.example.com", ProviderAPI},
		{"https://evil.example#api.example.com", ProviderAPI},
		{"https://api.example.com.evil.example/", ProviderAPI},
		{"https://evil-api.example.com/", ProviderAPI},
		{"https://x.api.example.com/", ProviderAPI},
		{"https://example.com/", ProviderAPI},
		{"https://evil.example:443/", ProviderAPI},
		{"https://[fe80::1%25en0]:8443/", AgentRevoked},
		{"https://a_b.example:8443/", AgentInactive},

		// Beyond ASCII there are letters that net/http looks up as something else than Go's lower case of them.
		{"https://Bücher.example/", KeyNotFound},
		{"https://bÜcher.example/", ProviderAPI},
		{"https://ID.KIOSK.example/", InvalidKey},
		{"https://\u0130d.kiosk.example/", ProviderAPI},
		{"https://id.\u212Aiosk.example/", ProviderAPI},
	} {
		t.Run(x.url, func(t *testing.T) {
			u, err := url.Parse(x.url)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Classify(Outcome{Host: u.Host}).Kind; got != x.want {
				t.Errorf("host %q: got %v, want %v", u.Host, got, x.want)
			}
		})
	}
	if got := c.Classify(Outcome{}).Kind; got != ProviderAPI {
		t.Errorf("no host: got %v, want %v", got, ProviderAPI)
	}
}

func TestTheHostHeaderDoesNotChooseTheClassifier(t *testing.T) {
	c, err := ForAlter(backendHost)
	if err != nil {
		t.Fatal(err)
	}
	resp := answer("GET", "https://provider.example/", 410, nil, `{"code":"grant_revoked"}`)
	resp.Request.Host = backendHost
	resp.Header.Set("Host", backendHost)
	if got := Response(resp, c).Kind; got.Is(Backend) {
		t.Errorf("got %v, want no backend kind", got)
	}
}

func TestHostsWithoutAnOpinionFallToNobody(t *testing.T) {
	c, err := ByHost(map[string]Classifier{"a.example": &Alter{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v := c.Classify(Outcome{Host: "b.example", Status: 500}); v.Kind != Unclassified {
		t.Errorf("got %v, want no opinion", v.Kind)
	}
	if v := c.Classify(Outcome{Host: "a.example", Status: 500}); v.Kind != BackendInternal {
		t.Errorf("got %v, want %v", v.Kind, BackendInternal)
	}
}

func TestByHostListsEveryFault(t *testing.T) {
	_, err := ByHost(map[string]Classifier{
		"":                     Provider{},
		"https://a.example":    Provider{},
		"user@b.example":       Provider{},
		"*.c.example":          Provider{},
		"d.example":            nil,
		"e.example":            Provider{},
		"E.Example.":           Provider{},
		"fine.example":         Provider{},
		"g.example/path?query": Provider{},
		"h.example,i.example":  Provider{},
		"j.example:https":      Provider{},
		"k.example:65536":      Provider{},
		"l.example:+80":        Provider{},
		"m.example\x00":        Provider{},
		":8443":                Provider{},
		".":                    Provider{},
		"[n.example]":          Provider{},
		"[::1":                 Provider{},
		"[[::1]]":              Provider{},
		"::zz":                 Provider{},
		"[10.0.0.1]:80":        Provider{},
		"o.example:80:80":      Provider{},
		"p.example..":          Provider{},
		"fine.example:443":     Provider{},
	}, nil)
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		"classify: ByHost: ", `host ""`, `host "https://a.example"`, `host "user@b.example"`, `host "*.c.example"`,
		`host "d.example" has no classifier`, "stands twice", `host "g.example/path?query"`,
		`host "h.example,i.example"`, `host "j.example:https"`, `host "k.example:65536"`, `host "l.example:+80"`, `host "m.example\x00"`,
		`host ":8443"`, `host "."`, `host "[n.example]"`, `host "[::1"`, `host "[[::1]]"`, `host "::zz"`, `host "[10.0.0.1]:80"`,
		`host "o.example:80:80"`, `host "p.example.."`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to contain %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "fine.example") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %q, want one line about faults alone", err)
	}
}

func TestAClassifierWithCodesOfOnesOwn(t *testing.T) {
	cfg := AlterConfig{Codes: []Code{{Code: "signature_invalid", Kind: InvalidKey, Basis: Documented}}}
	c, err := cfg.For(backendHost)
	if err != nil {
		t.Fatal(err)
	}
	if !failuresOnly(c) {
		t.Error("it has no opinion on success, and First does not know it")
	}
	for _, tc := range []struct {
		name string
		o    Outcome
		want Kind
	}{
		{"a code of one's own", Outcome{Host: backendHost, Status: 400, Body: []byte(`{"code":"signature_invalid"}`)}, InvalidKey},
		{"which is the backend's alone", Outcome{Host: "other.example", Status: 400, Body: []byte(`{"code":"signature_invalid"}`)}, ProviderRequest},
		{"the built-in codes", Outcome{Host: backendHost, Status: 410, Body: []byte(`{"code":"grant_revoked"}`)}, GrantRevoked},
		{"an error of the network", Outcome{Host: backendHost, Err: io.ErrUnexpectedEOF}, ConnectionLost},
	} {
		if got := c.Classify(tc.o).Kind; got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
	for _, tc := range []struct {
		name  string
		cfg   AlterConfig
		hosts []string
		want  string
	}{
		{"no hosts", AlterConfig{}, nil, "classify: AlterConfig.For: no host: want the hosts of the Alter backend"},
		{"faults of both", AlterConfig{Codes: []Code{{}}}, []string{"http://x"}, `host "http://x": want a host or host:port`},
		{"faults of both, the codes' too", AlterConfig{Codes: []Code{{}}}, []string{"http://x"}, "classify: AlterConfig.For: Codes[0]"},
	} {
		if c, err := tc.cfg.For(tc.hosts...); c != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, %v, want %s", tc.name, c, err, tc.want)
		}
	}
}

func TestForAlterListsEveryFault(t *testing.T) {
	for _, c := range []struct {
		name  string
		hosts []string
		want  []string
	}{
		{"no hosts", nil, []string{"classify: ForAlter: no host"}},
		{"bad hosts", []string{"", "http://x", "a.example"}, []string{"classify: ForAlter: ", `host ""`, `host "http://x"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ForAlter(c.hosts...)
			if got != nil || err == nil {
				t.Fatalf("got %v, %v, want an error", got, err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to contain %q", err, want)
				}
			}
		})
	}
}

func TestAProviderCannotForgeABackendVerdict(t *testing.T) {
	c, err := ForAlter(backendHost)
	if err != nil {
		t.Fatal(err)
	}
	const attributes = `"grant_id":"forged","provider_id":"forged","policy_error":"rate_limit_exceeded","scope_mismatch":true,` +
		`"missing_scopes":["forged"],"missing":["forged"],"required":["forged"],"granted":["forged"],"account_identifiers":["forged"],` +
		`"app_user_ids":["forged"],"approval_id":"forged","approval_url":"forged","decision_reason":"forged","scope_version":"forged",` +
		`"current_scope_version":"forged","documentation_url":"forged","expires_at":"2026-01-02T03:04:05Z","account_was_provided":true,` +
		`"scope_version_mismatch":true,"status":"denied"`
	codes := []string{"grant_id"}
	for _, row := range Codes() {
		codes = append(codes, row.Code, row.Kind.ErrorName())
	}
	for _, status := range []int{400, 401, 403, 404, 409, 410, 418, 422, 429, 500, 502, 503, 599} {
		for _, code := range codes {
			body := `{"error":"` + code + `","code":"` + code + `",` + attributes + `,"details":{` + attributes + `}}`
			o := Outcome{
				Host: "provider.example", Path: "/agents", Status: status, Body: []byte(body),
				Header: http.Header{"X-Alter-Key-Deprecated": {"true"}, "Content-Type": {"application/json"}},
			}
			v := c.Classify(o)
			if !v.Kind.Is(ProviderAPI) || v.Kind == ScopeReauthRequired {
				t.Fatalf("%d %s: got %v, want a provider's kind that needs no challenge", status, code, v.Kind)
			}
			if v.Unprocessed != (status == 429) {
				t.Fatalf("%d %s: got unprocessed %v", status, code, v.Unprocessed)
			}
			if v.Basis != Given {
				t.Fatalf("%d %s: got basis %v", status, code, v.Basis)
			}
			got := *v.Detail
			got.body, got.details = nil, nil
			if want := (Detail{Status: status}); !reflect.DeepEqual(got, want) {
				t.Fatalf("%d %s: got %+v, want nothing of the body", status, code, got)
			}
			var backend *BackendError
			if errors.As(v.Err(nil), &backend) {
				t.Fatalf("%d %s: the error is a *BackendError", status, code)
			}
		}
	}
}

func TestTheWordInsufficientScopeMeansWhatItsSpeakerMeans(t *testing.T) {
	c, err := ForAlter(backendHost)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"Www-Authenticate": {`Bearer error="insufficient_scope", scope="mail.send mail.read"`}}
	body := []byte(`{"code":"insufficient_scope"}`)

	if v := c.Classify(Outcome{Host: backendHost, Status: 403, Header: h, Body: body}); v.Kind != InsufficientScope {
		t.Errorf("from the backend: got %v, want %v", v.Kind, InsufficientScope)
	}
	v := c.Classify(Outcome{Host: "provider.example", Status: 403, Header: h, Body: body})
	if v.Kind != ScopeReauthRequired {
		t.Errorf("from a provider: got %v, want %v", v.Kind, ScopeReauthRequired)
	}
	var e *ScopeReauthRequiredError
	if !errors.As(v.Err(nil), &e) || !reflect.DeepEqual(e.MissingScopes, []string{"mail.send", "mail.read"}) || string(e.ResponseBody) != string(body) {
		t.Errorf("got %+v, want the challenge's scopes and the body", e)
	}
}
