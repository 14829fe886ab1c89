package classify

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const backendHost = "backend.example.com"

// answer is a response as an http.Transport would return it.
func answer(method, rawURL string, status int, h http.Header, body string) *http.Response {
	u, err := url.Parse(rawURL)
	if err != nil {
		panic(err)
	}
	if h == nil {
		h = http.Header{}
	}
	return &http.Response{
		StatusCode: status, Header: h, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
		Request: &http.Request{Method: method, URL: u, Header: http.Header{}},
	}
}

// judge runs an answer of the backend through Alter.Classify, and through Response and CheckResponse.
// The two must agree.
func judge(t *testing.T, status int, path, body string) Verdict {
	t.Helper()
	v := (&Alter{}).Classify(Outcome{Host: backendHost, Path: path, Status: status, Body: []byte(body)})

	c, err := ForAlter(backendHost)
	if err != nil {
		t.Fatal(err)
	}
	resp := answer(http.MethodPost, "https://"+backendHost+path, status, nil, body)
	if got := Response(resp, c); got.Kind != v.Kind || got.Code != v.Code || got.Basis != v.Basis || got.Unprocessed != v.Unprocessed {
		t.Errorf("Response: got %v %q %v %v, want %v %q %v %v",
			got.Kind, got.Code, got.Basis, got.Unprocessed, v.Kind, v.Code, v.Basis, v.Unprocessed)
	}
	if got, want := reflect.TypeOf(CheckResponse(resp)), reflect.TypeOf(v.Err(nil)); got != want {
		t.Errorf("CheckResponse: got %v, want %v", got, want)
	}
	if got, err := io.ReadAll(resp.Body); string(got) != body || err != nil {
		t.Errorf("body afterwards: got %q, %v, want %q", got, err, body)
	}
	return v
}

func TestEveryCodeMeansItsKindInEverySpelling(t *testing.T) {
	kinds := make(map[Kind]bool)
	for _, row := range Codes() {
		t.Run(row.Code, func(t *testing.T) {
			kinds[row.Kind] = true
			if row.Basis != Documented && row.Basis != Inferred {
				t.Errorf("got basis %v, want documented or inferred", row.Basis)
			}
			for _, spelling := range []string{
				row.Code, strings.ToUpper(row.Code), strings.ReplaceAll(row.Code, "_", "-"), strings.ReplaceAll(row.Code, "_", " "),
				strings.ToUpper(row.Code[:1]) + row.Code[1:],
			} {
				for _, body := range []string{
					`{"error":%q,"message":"m","details":{}}`, `{"code":%q}`, `{"error_code":%q}`, `{"type":%q}`,
					`{"detail":{"code":%q}}`, `{"error":{"code":%q}}`, `{"detail":{"error":{"type":%q}}}`, `{"error":{"detail":{"error":%q}}}`,
					"\xef\xbb\xbf \r\n{\"message\":\"m\",\"details\":{\"a\":[1,{}]},\"code\":%q}",
				} {
					v := judge(t, http.StatusBadRequest, "/v1/x", fmt.Sprintf(body, spelling))
					if v.Kind != row.Kind && v.Kind.Parent() != row.Kind || v.Code != row.Code || v.Basis != row.Basis {
						t.Errorf(body+": got %v, %q, %v, want %v, %q, %v",
							spelling, v.Kind, v.Code, v.Basis, row.Kind, row.Code, row.Basis)
					}
				}
			}
		})
	}
	for k := range Kinds() {
		inFamily := k.Is(Agent) || k.Is(ReAuthRequired) || k.Is(ConnectFlow)
		if inFamily && k != Agent && !kinds[k] {
			t.Errorf("%v has no code", k)
		}
	}
}

func TestTheClassNameIsACodeToo(t *testing.T) {
	for _, c := range []struct {
		code string
		want Kind
	}{
		{"GrantRevokedError", GrantRevoked}, {"ReAuthRequiredError", ReAuthRequired}, {"grantexpirederror", GrantExpired},
		{"LastActiveKeyError", LastActiveKey}, {"TokenRefreshInProgressError", TokenRefreshInProgress},
		{"PolicyViolationError", PolicyViolation}, {"ConnectFlowError", ConnectFlow},
	} {
		t.Run(c.code, func(t *testing.T) {
			v := judge(t, http.StatusForbidden, "/", fmt.Sprintf(`{"code":%q}`, c.code))
			if v.Kind != c.want || v.Code == c.code {
				t.Errorf("got %v, %q, want %v and the table's code", v.Kind, v.Code, c.want)
			}
		})
	}
}

func TestFallbacksByStatus(t *testing.T) {
	const page = "<html><body>Forbidden</body></html>"
	for _, c := range []struct {
		name        string
		status      int
		path, body  string
		kind        Kind
		basis       Basis
		code        string
		unprocessed bool
	}{
		{"401 without a code", 401, "/", `{}`, InvalidKey, Guessed, "", false},
		{"401 with an unknown code", 401, "/", `{"error":"nope"}`, InvalidKey, Guessed, "nope", false},
		{"403 with an explicit policy error", 403, "/", `{"policy_error":"quiet_hours"}`, PolicyViolation, Inferred, "", true},
		{"403 with a policy error in the details", 403, "/", `{"message":"m","details":{"policy_error":"quiet_hours"}}`, PolicyViolation, Inferred, "", true},
		{"403 with the policy error rate_limit_exceeded", 403, "/", `{"policy_error":"rate_limit_exceeded"}`, PolicyRateLimit, Inferred, "", true},
		{"403 with a flat unknown error", 403, "/", `{"error":"quiet_hours","message":"m"}`, PolicyViolation, Guessed, "quiet_hours", false},
		{"403 with an error beside a code", 403, "/", `{"error":"Forbidden","code":"odd"}`, Backend, Given, "odd", false},
		{"403 with an unknown nested error", 403, "/", `{"error":{"code":"odd"}}`, Backend, Given, "odd", false},
		{"403 with a page", 403, "/", page, Backend, Given, "", false},
		{"403 with nothing", 403, "/", "", Backend, Given, "", false},
		{"403 with the pre-flight flag", 403, "/", `{"scope_mismatch":true,"grant_id":"g"}`, ScopeReauthRequired, Inferred, "", false},
		{"403 with the pre-flight flag denied", 403, "/", `{"scope_mismatch":false}`, Backend, Given, "", false},
		{"404 with the backend's JSON", 404, "/", `{"message":"no such grant"}`, GrantNotFound, Guessed, "", false},
		{"404 with a page", 404, "/", page, Backend, Given, "", false},
		{"404 with JSON that is no error answer", 404, "/", `{"hello":"world"}`, Backend, Given, "", false},
		{"409 without a code", 409, "/", `{"message":"conflict"}`, Backend, Given, "", false},
		{"409 with an unknown code", 409, "/", `{"code":"odd"}`, Backend, Given, "odd", false},
		{"409 with nothing", 409, "/", "", Backend, Given, "", false},
		{"410", 410, "/", "", ReAuthRequired, Guessed, "", false},
		{"429 without a code", 429, "/", "", PolicyRateLimit, Guessed, "", true},
		{"429 with a flat unknown error", 429, "/", `{"error":"odd"}`, PolicyRateLimit, Guessed, "odd", true},
		{"429 with another policy error", 429, "/", `{"policy_error":"ip_not_allowed"}`, PolicyViolation, Inferred, "", true},
		{"502", 502, "/", page, BackendUnavailable, Given, "", false},
		{"503", 503, "/", "", BackendUnavailable, Given, "", false},
		{"504", 504, "/", "", BackendUnavailable, Given, "", false},
		{"500", 500, "/", `{"detail":"Internal Server Error"}`, BackendInternal, Given, "", false},
		{"501", 501, "/", "", BackendInternal, Given, "", false},
		{"599", 599, "/", "", BackendInternal, Given, "", false},
		{"400 without a code", 400, "/", "", Backend, Given, "", false},
		{"418", 418, "/", "", Backend, Given, "", false},
		{"422 with a list of fields", 422, "/", `{"detail":[{"loc":["body","x"],"msg":"m","type":"missing"}]}`, BackendValidation, Guessed, "", false},
		{"500 with a list", 500, "/", `{"detail":[1]}`, BackendInternal, Given, "", false},
		{"503 with a list", 503, "/", `{"detail":[1]}`, BackendUnavailable, Given, "", false},
		{"422 with a text", 422, "/", `{"detail":"m"}`, Backend, Given, "", false},
		{"an unknown code on an agents route", 400, "/v1/agents/a1", `{"code":"odd"}`, Agent, Inferred, "odd", false},
		{"an unknown code on a keys route", 409, "/v1/keys", `{"code":"odd"}`, Agent, Inferred, "odd", false},
		{"an unknown code on a route that only sounds like it", 409, "/v1/keystore/useragents", `{"code":"odd"}`, Backend, Given, "odd", false},
		{"no code on an agents route", 404, "/v1/agents/a1", `{"message":"m"}`, GrantNotFound, Guessed, "", false},
		{"503 on an agents route", 503, "/v1/agents", `{"code":"odd"}`, BackendUnavailable, Given, "odd", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judge(t, c.status, c.path, c.body)
			if v.Kind != c.kind || v.Basis != c.basis || v.Code != c.code || v.Unprocessed != c.unprocessed {
				t.Errorf("got %v, %v, %q, unprocessed %v, want %v, %v, %q, unprocessed %v",
					v.Kind, v.Basis, v.Code, v.Unprocessed, c.kind, c.basis, c.code, c.unprocessed)
			}
			if v.Detail == nil || v.Detail.Status != c.status {
				t.Errorf("got detail %+v, want status %d", v.Detail, c.status)
			}
		})
	}
}

func TestAnUnknownCodeIsNeverDocumented(t *testing.T) {
	for status := 400; status < 600; status++ {
		for _, path := range []string{"/", "/agents"} {
			for _, body := range []string{
				`{"code":"brand_new"}`, `{"error":"brand_new"}`, `{"error":{"code":"brand_new"}}`,
				`{"error":"brand_new","policy_error":"p"}`, `{"code":"brand_new","scope_mismatch":true}`,
			} {
				v := (&Alter{}).Classify(Outcome{Status: status, Path: path, Body: []byte(body)})
				if v.Code != "brand_new" || v.Basis == Documented || !v.Kind.Failure() {
					t.Fatalf("%d %s %s: got %v, %q, %v", status, path, body, v.Kind, v.Code, v.Basis)
				}
			}
		}
	}
}

func TestReadingABody(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, c := range []struct {
		name, body string
		kind       Kind
		code       string
		message    string
	}{
		{"a known code wins over an earlier unknown one", `{"code":"odd","error":"grant_revoked"}`, GrantRevoked, "grant_revoked", ""},
		{"a known code below wins over an unknown one above", `{"code":"odd","detail":{"code":"grant_revoked"}}`, GrantRevoked, "grant_revoked", ""},
		{"of known codes the outermost wins", `{"code":"grant_expired","detail":{"code":"grant_revoked"}}`, GrantExpired, "grant_expired", ""},
		{"of known codes of a level, code wins over type", `{"type":"grant_revoked","code":"grant_expired"}`, GrantExpired, "grant_expired", ""},
		{"of unknown codes the first kind of member wins", `{"type":"t","error":"e","error_code":"ec","code":"c"}`, Backend, "c", ""},
		{"error_code stands before error", `{"type":"t","error":"e","error_code":"ec"}`, Backend, "ec", ""},
		{"a code of the third level below is out of reach", `{"error":{"detail":{"error":{"code":"grant_revoked"}}}}`, Backend, "", ""},
		{"a code in a list is out of reach", `{"error":[{"code":"grant_revoked"}]}`, Backend, "", ""},
		{"a code in the details is out of reach", `{"details":{"code":"grant_revoked"}}`, Backend, "", ""},
		{"a code in a text is out of reach", `{"message":"grant_revoked"}`, Backend, "", "grant_revoked"},
		{"a code in the list form of detail is out of reach", `{"detail":["grant_revoked"]}`, BackendValidation, "", ""},
		{"detail as a text is the message", `{"detail":"not like this"}`, Backend, "", "not like this"},
		{"message stands before detail", `{"message":"a","detail":"b"}`, Backend, "", "a"},
		{"a number is no code", `{"code":403,"error":"odd"}`, Backend, "odd", ""},
		{"null, true, lists and objects are no codes", `{"code":null,"error_code":true,"error":[],"type":{}}`, Backend, "", ""},
		{"an empty code is none", `{"code":"","error":"odd"}`, Backend, "odd", ""},
		{"escapes are decoded", `{"\u0063ode":"grant\u005frevoked","message":"a\nb\u00e9\ud83d\ude00"}`, GrantRevoked, "grant_revoked", "a\nbé😀"},
		{"every escape is known", `{"message":"\"\\\/\b\f\n\r\t\u0041"}`, Backend, "", "\"\\/\b\f\n\r\tA"},
		{"bytes that begin no character are one U+FFFD", `{"message":"` + strings.Repeat("\x80", 2000) + `"}`, Backend, "", "\uFFFD"},
		{"an escape that the string's end cuts", `{"message":"a\`, Backend, "", ""},
		{"broken escapes become U+FFFD", `{"message":"\x\u12\ud83d!\udc00\ud83d\u0041"}`, Backend, "", "\uFFFD\uFFFD12\uFFFD!\uFFFD\uFFFDA"},
		{"the first of repeated members wins", `{"code":"grant_revoked","code":"grant_expired"}`, GrantRevoked, "grant_revoked", ""},
		{"invalid UTF-8 makes another code", "{\"code\":\"grant\xff_revoked\"}", Backend, "grant\uFFFD_revoked", ""},
		{"the Kelvin sign is no K", "{\"code\":\"\u212aEY_REVOKED\"}", Backend, "\u212aEY_REVOKED", ""},
		{"a long code is cut", `{"code":"` + long + `"}`, Backend, long[:128], ""},
		{"a long message is cut", `{"message":"` + long + `"}`, Backend, "", long[:1024]},
		{"a long message with an escape is cut", `{"message":"\n` + long + `"}`, Backend, "", "\n" + long[:1023]},
		{"a message of escapes is cut", `{"message":"` + strings.Repeat(`\u00e9`, 5000) + `"}`, Backend, "", strings.Repeat("é", 512)},
		{"a character is not split", `{"message":"` + strings.Repeat("x", 1023) + `é"}`, Backend, "", strings.Repeat("x", 1023)},
		{"a body cut short tells its beginning", `{"code":"grant_revoked","message":"unfin`, GrantRevoked, "grant_revoked", ""},
		{"a code cut short is none", `{"code":"grant_revo`, Backend, "", ""},
		{"an object cut short tells its beginning", `{"error":{"code":"grant_revoked","x":`, GrantRevoked, "grant_revoked", ""},
		{"JSON that ends in garbage tells its beginning", `{"code":"grant_revoked" oops`, GrantRevoked, "grant_revoked", ""},
		{"a member without a colon ends it", `{"a" 1,"code":"grant_revoked"}`, Backend, "", ""},
		{"a member without a value ends it", `{"a":,"code":"grant_revoked"}`, Backend, "", ""},
		{"an unquoted member ends it", `{a:1,"code":"grant_revoked"}`, Backend, "", ""},
		{"a list is no error answer", `[{"code":"grant_revoked"}]`, Backend, "", ""},
		{"a text is no error answer", `"grant_revoked"`, Backend, "", ""},
		{"nothing", ``, Backend, "", ""},
		{"white space", " \n\t", Backend, "", ""},
		{"a page", `<html>{"code":"grant_revoked"}</html>`, Backend, "", ""},
		{"NaN and Infinity are passed over", `{"a":NaN,"b":-Infinity,"code":"grant_revoked"}`, GrantRevoked, "grant_revoked", ""},
		{"quotes and brackets in texts are text", `{"a":"}{][\"","code":"grant_revoked"}`, GrantRevoked, "grant_revoked", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judge(t, http.StatusBadRequest, "/", c.body)
			if v.Kind != c.kind || v.Code != c.code || v.Detail.Message != c.message {
				t.Errorf("got %v, %q, %q, want %v, %q, %q", v.Kind, v.Code, v.Detail.Message, c.kind, c.code, c.message)
			}
		})
	}
}

func TestAttributesAreReadFromTheRootAndTheDetails(t *testing.T) {
	attributes := `"grant_id":"g1","provider_id":7,"account_identifiers":["a","b",3,""],"account_was_provided":true,` +
		`"app_user_ids":"u1","required":["x","y"],"granted":["x"],"missing":["y"],"scope_version":12,"current_scope_version":"13",` +
		`"scope_version_mismatch":true,"documentation_url":"https://d","approval_id":"ap","approval_url":"https://a","decision_reason":"r",` +
		`"expires_at":"2026-01-02T03:04:05.5Z"`
	want := Detail{
		Status: 400, GrantID: "g1", ProviderID: "7", AccountIdentifiers: []string{"a", "b"}, AccountWasProvided: true, AppUserIDs: []string{"u1"},
		Required: []string{"x", "y"}, Granted: []string{"x"}, Missing: []string{"y"}, ScopeVersion: "12", CurrentScopeVersion: "13",
		ScopeVersionMismatch: true, DocumentationURL: "https://d", ApprovalID: "ap", ApprovalURL: "https://a", DecisionReason: "r",
		ExpiresAt: time.Date(2026, 1, 2, 3, 4, 5, 5e8, time.UTC),
	}
	for _, c := range []struct{ name, body string }{
		{"at the root", `{"error":"odd",` + attributes + `}`},
		{"in the details", `{"error":"odd","details":{` + attributes + `}}`},
		{"beside a nested code", `{"detail":{"code":"odd",` + attributes + `}}`},
		{"in nested details", `{"error":{"detail":{"code":"odd","details":{` + attributes + `}}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judge(t, http.StatusBadRequest, "/", c.body)
			got := *v.Detail
			got.details, got.body = nil, nil
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestAttributesOfTheWrongTypeAreNone(t *testing.T) {
	names := []string{
		"grant_id", "provider_id", "account_identifiers", "account_was_provided", "app_user_ids", "policy_error", "required", "granted",
		"missing", "missing_scopes", "scope_version", "current_scope_version", "scope_version_mismatch", "documentation_url",
		"scope_mismatch", "approval_id", "approval_url", "decision_reason", "expires_at", "status", "message", "code", "error", "error_code", "type",
	}
	for _, value := range []string{"null", "{}", "[]", "[[]]", "[null]", `{"a":{"b":[]}}`, "false", `""`, "tru", `[1,2]`} {
		for _, name := range names {
			body := fmt.Sprintf(`{%q:%s,"details":{%q:%s}}`, name, value, name, value)
			v := (&Alter{}).Classify(Outcome{Status: 400, Body: []byte(body)})
			got := *v.Detail
			got.details, got.body = nil, nil
			if want := (Detail{Status: 400}); !reflect.DeepEqual(got, want) || v.Kind != Backend || v.Code != "" {
				t.Errorf("%s: got %v, %q, %+v, want nothing", body, v.Kind, v.Code, got)
			}
		}
	}
}

func TestTheViolatedPolicyIsNamed(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		kind   Kind
		policy string
	}{
		{"0.1.0 sent it as the error", 403, `{"error":"outside_business_hours","message":"m","details":{}}`, PolicyViolation, "outside_business_hours"},
		{"0.1.0 sent the rate limit as the error", 403, `{"error":"rate_limit_exceeded","message":"m","details":{}}`, PolicyRateLimit, "rate_limit_exceeded"},
		{"an attribute names it", 403, `{"error":"policy_violation","details":{"policy_error":"ip_not_allowed"}}`, PolicyViolation, "ip_not_allowed"},
		{"an attribute names the rate limit", 403, `{"code":"policy_violation","policy_error":"rate-limit-exceeded"}`, PolicyRateLimit, "rate-limit-exceeded"},
		{"nobody names it", 403, `{"error":"policy_violation"}`, PolicyViolation, ""},
		{"the class name alone", 403, `{"error":"PolicyViolationError"}`, PolicyViolation, ""},
		{"an unknown flat error", 403, `{"error":"quiet_hours"}`, PolicyViolation, "quiet_hours"},
		{"a bare 429", 429, ``, PolicyRateLimit, "rate_limit_exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judge(t, c.status, "/", c.body)
			var e *PolicyViolationError
			if !errors.As(v.Err(nil), &e) {
				t.Fatalf("%v is no *PolicyViolationError", v.Kind)
			}
			if v.Kind != c.kind || e.PolicyError != c.policy {
				t.Errorf("got %v, %q, want %v, %q", v.Kind, e.PolicyError, c.kind, c.policy)
			}
		})
	}
}

func TestAScopeThatOnlyANewerCatalogHasAsksForANewKey(t *testing.T) {
	v := judge(t, 403, "/", `{"code":"insufficient_scope","details":{"missing":["x"],"scope_version_mismatch":true}}`)
	if v.Kind != ScopeVersionMismatch || v.Action() != RotateKey {
		t.Errorf("got %v, %v, want %v, %v", v.Kind, v.Action(), ScopeVersionMismatch, RotateKey)
	}
}

func TestOnlyRefusalsBelow500AreUnprocessed(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   bool
	}{
		{"a refresh in progress", 409, `{"code":"token_refresh_in_progress"}`, true},
		{"a policy denial", 403, `{"code":"policy_violation"}`, true},
		{"a rate limit", 429, `{"code":"rate_limit_exceeded"}`, true},
		{"a guessed rate limit", 429, ``, true},
		{"a guessed policy denial", 403, `{"error":"odd"}`, false},
		{"a refresh in progress around a failure", 500, `{"code":"token_refresh_in_progress"}`, false},
		{"a policy denial from a gateway", 502, `{"code":"policy_violation"}`, false},
		{"a revoked grant", 410, `{"code":"grant_revoked"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := judge(t, c.status, "/", c.body).Unprocessed; got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestAlterHasNoOpinionOnErrorsAndSuccess(t *testing.T) {
	body := []byte(`{"code":"grant_revoked"}`)
	for _, o := range []Outcome{
		{}, {Status: 200, Body: body}, {Status: 204}, {Status: 302, Body: body}, {Status: 304}, {Status: 399, Body: body},
		{Err: errors.New("x"), Body: body}, {Err: errors.New("x"), Status: 500},
	} {
		for _, c := range []Classifier{&Alter{}, (*Alter)(nil), Provider{}} {
			if v := c.Classify(o); !reflect.DeepEqual(v, Verdict{}) {
				t.Errorf("%T.Classify(%+v): got %+v, want no opinion", c, o, v)
			}
		}
	}
	if v := (*Alter)(nil).Classify(Outcome{Status: 400, Body: body}); v.Kind != GrantRevoked {
		t.Errorf("nil *Alter: got %v, want %v", v.Kind, GrantRevoked)
	}
}

func TestOwnCodesExtendAndOverrideTheTable(t *testing.T) {
	a, err := NewAlter(AlterConfig{Codes: []Code{
		{Code: "Quiet-Hours", Kind: PolicyViolation},
		{Code: "grant_revoked", Kind: GrantNotFound, Basis: Documented},
		{Code: "fine", Kind: Success},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code, want string
		kind       Kind
		basis      Basis
	}{
		{"quiet_hours", "Quiet-Hours", PolicyViolation, Given},
		{"QUIET HOURS", "Quiet-Hours", PolicyViolation, Given},
		{"grant_revoked", "grant_revoked", GrantNotFound, Documented},
		{"grant_expired", "grant_expired", GrantExpired, Inferred},
		{"fine", "fine", Success, Given},
	} {
		v := a.Classify(Outcome{Status: 403, Body: fmt.Appendf(nil, `{"code":%q}`, c.code)})
		if v.Kind != c.kind || v.Code != c.want || v.Basis != c.basis {
			t.Errorf("%q: got %v, %q, %v, want %v, %q, %v", c.code, v.Kind, v.Code, v.Basis, c.kind, c.want, c.basis)
		}
	}
	if v := judge(t, 403, "/", `{"code":"grant_revoked"}`); v.Kind != GrantRevoked {
		t.Errorf("the built-in table changed: got %v, want %v", v.Kind, GrantRevoked)
	}
}

func TestABareConflictIsARefreshWhereTheUserSaysSo(t *testing.T) {
	a, err := NewAlter(AlterConfig{BareRefresh: func(o Outcome) bool { return strings.HasPrefix(o.Path, "/token") }})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		status int
		path   string
		body   string
		want   Kind
	}{
		{"on the route", 409, "/token/1", "", TokenRefreshInProgress},
		{"on the route with an unknown code", 409, "/token/1", `{"code":"odd"}`, TokenRefreshInProgress},
		{"on the route with a known code", 409, "/token/1", `{"code":"ambiguous_grant"}`, AmbiguousGrant},
		{"on another route", 409, "/grants", "", Backend},
		{"with another status", 400, "/token/1", "", Backend},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := a.Classify(Outcome{Status: c.status, Path: c.path, Body: []byte(c.body)})
			if v.Kind != c.want || v.Unprocessed != (c.want == TokenRefreshInProgress) {
				t.Errorf("got %v, unprocessed %v, want %v", v.Kind, v.Unprocessed, c.want)
			}
		})
	}
}

func TestNewAlterListsEveryFault(t *testing.T) {
	a, err := NewAlter(AlterConfig{Codes: []Code{
		{Code: "", Kind: GrantRevoked},
		{Code: "a", Kind: Unclassified},
		{Code: strings.Repeat("b", 129), Kind: GrantRevoked},
		{Code: "c-d", Kind: GrantRevoked},
		{Code: "C_D", Kind: Kind(250)},
	}})
	if a != nil || err == nil {
		t.Fatalf("got %v, %v, want an error", a, err)
	}
	for _, want := range []string{
		"classify: AlterConfig: ", "Codes[0].Code is empty", "Codes[1].Kind is unclassified", "Codes[2].Code has 129 bytes",
		`Codes[4].Code "C_D" stands twice`, "Codes[4].Kind is kind(250)",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to contain %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("got %q, want one line", err)
	}
	var list interface{ Unwrap() []error }
	if !errors.As(err, &list) || len(list.Unwrap()) != 5 {
		t.Errorf("got %v, want 5 faults to be reachable", err)
	}
}

func TestCodesBelongToTheCaller(t *testing.T) {
	Codes()[0].Kind = TLS
	if Codes()[0].Kind == TLS {
		t.Error("the table can be changed from outside")
	}
	seen := make(map[string]bool)
	for _, row := range Codes() {
		if seen[fold(row.Code)] || row.Code != fold(row.Code) || len(row.Code) > maxCode {
			t.Errorf("code %q stands twice or is not folded", row.Code)
		}
		seen[fold(row.Code)] = true
	}
}

func TestFirstAsksInTurn(t *testing.T) {
	var asked []string
	as := func(name string, v Verdict) Classifier {
		return ClassifierFunc(func(Outcome) Verdict { asked = append(asked, name); return v })
	}
	v := First(nil, as("a", Verdict{}), as("b", Verdict{Kind: Success}), as("c", Verdict{Kind: TLS})).Classify(Outcome{})
	if v.Kind != Success || !slices.Equal(asked, []string{"a", "b"}) {
		t.Errorf("got %v after asking %v, want %v after a and b", v.Kind, asked, Success)
	}
	if v := First().Classify(Outcome{Status: 500}); v.Kind != Unclassified {
		t.Errorf("got %v from nobody, want no opinion", v.Kind)
	}
}

// What an answer does not say takes no room.
func TestEmptyTextsTakeNoRoom(t *testing.T) {
	room := func(body string) float64 {
		o := Outcome{Status: 403, Body: []byte(body)}
		return testing.AllocsPerRun(100, func() { new(Alter).Classify(o) })
	}
	if got, want := room(`{"message":null,"detail":"","grant_id":[],"required":{}}`), room(`{}`); got != want {
		t.Errorf("%v allocations, want %v as of an empty answer", got, want)
	}
}
