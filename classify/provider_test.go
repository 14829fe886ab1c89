package classify

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestProviderStatuses(t *testing.T) {
	want := map[int]Kind{
		401: ProviderUnauthorized, 429: ProviderRateLimit,
		408: ProviderUnavailable, 425: ProviderUnavailable, 502: ProviderUnavailable, 503: ProviderUnavailable, 504: ProviderUnavailable,
		511: ProviderAPI,
	}
	for _, s := range []int{400, 404, 405, 406, 410, 411, 413, 414, 415, 416, 417, 422, 426, 428, 431, 501, 505} {
		want[s] = ProviderRequest
	}
	for status := 400; status < 700; status++ {
		kind := want[status]
		if kind == Unclassified {
			if kind = ProviderAPI; status >= 500 {
				kind = ProviderInternal
			}
		}
		v := Provider{}.Classify(Outcome{Status: status})
		if v.Kind != kind || v.Basis != Given || v.Unprocessed != (status == 429) {
			t.Errorf("%d: got %v, %v, unprocessed %v, want %v", status, v.Kind, v.Basis, v.Unprocessed, kind)
		}
	}
}

func TestProvidersKeepTheirCodeAndMessage(t *testing.T) {
	v := Provider{}.Classify(Outcome{Status: 400, Body: []byte(`{"error":{"code":"Bad-Thing","message":"m"},"details":{"a":1}}`)})
	if v.Code != "Bad-Thing" || v.Detail.Message != "m" || v.Detail.Details()["a"] != 1.0 {
		t.Errorf("got %q, %q, %v", v.Code, v.Detail.Message, v.Detail.Details())
	}
}

func TestScopeChallenges(t *testing.T) {
	many := strings.Repeat("s ", 500)
	for _, c := range []struct {
		name   string
		fields []string
		scopes []string
		found  bool
	}{
		{"none", nil, nil, false},
		{"an empty list", []string{}, nil, false},
		{"an empty field", []string{""}, nil, false},
		{"another error", []string{`Bearer error="invalid_token", scope="a"`}, nil, false},
		{"no scopes", []string{`Bearer error="insufficient_scope"`}, []string{}, true},
		{"scopes", []string{`Bearer realm="r", error="insufficient_scope", scope="a b"`}, []string{"a", "b"}, true},
		{"scopes before the error", []string{`Bearer scope="a b", error="insufficient_scope"`}, []string{"a", "b"}, true},
		{"scopes separated by commas", []string{`Bearer error="insufficient_scope", scope="a,b, c"`}, []string{"a", "b", "c"}, true},
		{"tokens instead of strings", []string{`Bearer error=insufficient_scope, scope=a`}, []string{"a"}, true},
		{"spaces around the equals sign", []string{`Bearer error = "insufficient_scope", scope = "a"`}, []string{"a"}, true},
		{"names in upper case", []string{`BEARER ERROR="insufficient_scope", SCOPE="a"`}, []string{"a"}, true},
		{"another scheme", []string{`DPoP error="insufficient_scope", scope="a"`}, []string{"a"}, true},
		{"a challenge before it", []string{`Basic realm="x", Bearer error="insufficient_scope", scope="a"`}, []string{"a"}, true},
		{"a challenge after it", []string{`Bearer error="insufficient_scope", scope="a", Basic realm="x", scope="no"`}, []string{"a"}, true},
		{"a bare scheme before it", []string{`Negotiate, Bearer error="insufficient_scope", scope="a"`}, []string{"a"}, true},
		{"a token68 before it", []string{`Negotiate YWJj==, Bearer error="insufficient_scope", scope="a"`}, []string{"a"}, true},
		{"scopes of another challenge do not count", []string{`Bearer scope="no", DPoP error="insufficient_scope"`}, []string{}, true},
		{"in the second field", []string{`Basic realm="x"`, `Bearer error="insufficient_scope", scope="a"`}, []string{"a"}, true},
		{"commas in strings", []string{`Bearer realm="a, error=\"insufficient_scope\"", error="invalid_token"`}, nil, false},
		{"escaped quotes", []string{`Bearer realm="\"", error="insufficient_scope", scope="a\"b"`}, []string{`a"b`}, true},
		{"an open string", []string{`Bearer error="insufficient_scope", scope="a b`}, []string{`"a`, "b"}, true},
		{"in a realm", []string{`Bearer realm="insufficient_scope"`}, nil, false},
		{"in the description", []string{`Bearer error_description="error=insufficient_scope"`}, nil, false},
		{"in another case", []string{`Bearer error="Insufficient_Scope"`}, nil, false},
		{"too many scopes", []string{`Bearer error="insufficient_scope", scope="` + many + `"`}, strings.Fields(many)[:100], true},
		{"a scope too long", []string{`Bearer error="insufficient_scope", scope="` + strings.Repeat("x", 5000) + `"`}, []string{strings.Repeat("x", 1024)}, true},
		{"a scope that is no UTF-8", []string{"Bearer error=\"insufficient_scope\", scope=\"a\xff\""}, []string{"a\uFFFD"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{"Www-Authenticate": c.fields}
			scopes, found := missingScopes(h)
			if !slices.Equal(scopes, c.scopes) || (scopes == nil) != (c.scopes == nil) || found != c.found {
				t.Errorf("got %q, %v, want %q, %v", scopes, found, c.scopes, c.found)
			}
			want := ProviderAPI
			if c.found {
				want = ScopeReauthRequired
			}
			if v := (Provider{}).Classify(Outcome{Status: 403, Header: h}); v.Kind != want || !slices.Equal(v.Detail.Missing, c.scopes) {
				t.Errorf("403: got %v, %q, want %v, %q", v.Kind, v.Detail.Missing, want, c.scopes)
			}
			if v := (Provider{}).Classify(Outcome{Status: 401, Header: h}); v.Kind != ProviderUnauthorized || v.Detail.Missing != nil {
				t.Errorf("401: got %v, %q, want %v", v.Kind, v.Detail.Missing, ProviderUnauthorized)
			}
		})
	}
}

func TestHintsOfAnAnswer(t *testing.T) {
	used := http.Header{"Ratelimit": {`"p";r=0;t=7`}}
	for _, c := range []struct {
		name   string
		status int
		h      http.Header
		want   time.Duration
	}{
		{"none", 503, nil, 0},
		{"Retry-After", 503, http.Header{"Retry-After": {"3"}}, 3 * time.Second},
		{"Retry-After before the window", 429, http.Header{"Retry-After": {"3"}, "Ratelimit": used["Ratelimit"]}, 3 * time.Second},
		{"Retry-After of zero before the window", 429, http.Header{"Retry-After": {"0"}, "Ratelimit": used["Ratelimit"]}, 0},
		{"a window that is used up", 429, used, 7 * time.Second},
		{"a window that is used up, unavailable", 503, used, 7 * time.Second},
		{"a window that is used up, beside another failure", 404, used, 0},
		{"a window with some left", 429, http.Header{"Ratelimit": {`"p";r=1;t=7`}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, by := range []Classifier{Provider{}, &Alter{}} {
				if got := by.Classify(Outcome{Status: c.status, Header: c.h}).RetryAfter; got != c.want {
					t.Errorf("%T: got %v, want %v", by, got, c.want)
				}
			}
		})
	}
}
