package classify

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// hostile are bodies that a server might send to do harm, or without knowing better.
var hostile = []string{
	``, `{`, `{}`, `[`, `null`, `"`, `{"`, `{"code`, `{"code"`, `{"code":`, `{"code":"`, `{"code":"a`, `{"code":"a"`, `{"code":"a\`, `{"code":"a\u`, `{"code":"\ud83d\u"}`,
	`{"code":"grant_revoked","message":"m","details":{"grant_id":"g"}}`,
	`{"error":{"detail":{"error":{"code":"deep"}}}}`,
	`{"detail":[{"loc":["a"],"msg":"m","type":"t"}]}`, `{"detail":"text"}`, `{"code":"a","code":"b","error":"c","error":{}}`,
	`{"code":NaN,"error":-Infinity,"type":1e999999}`, `{"code":[{"code":{}}],"error":[[[[]]]],"details":[1,{"a":"b"}]}`,
	`{"grant_id":1,"required":"x","granted":{},"missing":[null,1,"y"],"account_was_provided":"true","expires_at":5}`,
	"{\"code\":\"\xff\xfe\",\"\xc3\x28\":1,\"message\":\"\xed\xa0\x80\"}", "\xef\xbb\xbf\xef\xbb\xbf{}", "{\"code\":\"a\x00b\"}",
	`{"approval_id":"a","status":"pending","approval_url":"u","expires_at":"2026-01-02T03:04:05Z"}`,
	`{"status_code":404,"headers":{"a":["b"]},"body_b64":"e30="}`,
	`{"missing":[` + strings.Repeat(`"s",`, 1000) + `"s"]}`,
	strings.Repeat(`{"error":`, 1000), strings.Repeat(`[`, 1000), strings.Repeat(`{"detail":{"error":`, 300) + strings.Repeat(`}`, 600),
	`{"message":"` + strings.Repeat(`\u00e9`, 2000) + `"}`, `{"` + strings.Repeat("k", 5000) + `":1,"code":"a"}`,
	`<`, `<?`, `<!`, `<!-`, `<!--`, `<?xml`, `<a`, `<a>`, `</a>`, `<a/>`, `<a b="c">`, `<Error>`, `<Error><Code>`, `<Error><Code>SlowDown`, `<Error><Code>SlowDown</Code>`,
	`<Error><Code>SlowDown</Code><Message>m</Message></Error>`, `<?xml version="1.0" encoding="latin1"?><Error><Code>SlowDown</Code></Error>`,
	`<ErrorResponse xmlns="u"><Error><Type>Sender</Type><Code>Throttling</Code></Error></ErrorResponse>`,
	`<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>`,
	`<!DOCTYPE a [<!ENTITY b "SlowDown"><!ENTITY c "&b;&b;">]><Error><Code>&c;</Code></Error>`, `<Error><Code>&b;</Code></Error>`,
	`<Error><Code><![CDATA[SlowDown]]></Code></Error>`, "<Error><Code>\xff</Code></Error>", "<Error><Message>a\n\x00</Message></Error>",
	strings.Repeat(`<Error>`, 1000), `<Error><Message>` + strings.Repeat("\u00e9", 2000) + `</Message></Error>`, strings.Repeat(`<?a?>`, 500) + `<Error/>`,
	strings.Repeat(`{"details":`, 500), `{"error":"` + strings.Repeat("\xff", 200) + `"}`,
}

// checkVerdict holds what is promised of every verdict, whatever a server sends.
func checkVerdict(t *testing.T, v Verdict) {
	t.Helper()
	short := func(name, s string, limit int) {
		if len(s) > limit || !utf8.ValidString(s) {
			t.Errorf("%s: got %d bytes, valid %v, want at most %d of UTF-8", name, len(s), utf8.ValidString(s), limit)
		}
	}
	short("Code", v.Code, maxCode)
	if v.RetryAfter < 0 || v.RetryAfter > maxHint {
		t.Errorf("RetryAfter: got %v", v.RetryAfter)
	}
	if v.Kind != Unclassified && v.Kind != Success && !v.Kind.Failure() {
		t.Errorf("Kind: got %v", v.Kind)
	}
	d := v.Detail
	if d == nil {
		return
	}
	for name, s := range map[string]string{
		"Message": d.Message, "GrantID": d.GrantID, "ProviderID": d.ProviderID, "ScopeVersion": d.ScopeVersion,
		"CurrentScopeVersion": d.CurrentScopeVersion, "DocumentationURL": d.DocumentationURL, "ApprovalID": d.ApprovalID,
		"ApprovalURL": d.ApprovalURL, "DecisionReason": d.DecisionReason,
	} {
		short(name, s, maxMessage)
	}
	short("PolicyError", d.PolicyError, maxCode)
	for name, list := range map[string][]string{
		"AccountIdentifiers": d.AccountIdentifiers, "AppUserIDs": d.AppUserIDs, "Required": d.Required, "Granted": d.Granted, "Missing": d.Missing,
	} {
		if len(list) > maxList {
			t.Errorf("%s: got %d elements, want at most %d", name, len(list), maxList)
		}
		for _, s := range list {
			short(name, s, maxMessage)
		}
	}
	if len(d.body) > MaxBody {
		t.Errorf("body: got %d bytes, want at most %d", len(d.body), MaxBody)
	}
	if l := d.RateLimit; l != nil {
		short("RateLimit.Policy", l.Policy, maxCode)
		if l.Limit < 0 || l.Remaining < 0 || l.Reset < 0 || l.Reset > maxHint || l.Window < 0 || l.Window > maxHint {
			t.Errorf("RateLimit: got %+v", *l)
		}
	}
	d.Details()
	if err := v.Err(nil); err != nil {
		if s := err.Error(); strings.ContainsAny(s, "\n\x00") || !utf8.ValidString(s) || len(s) > 200 {
			t.Errorf("error text: got %q", s)
		}
	}
}

func FuzzClassify(f *testing.F) {
	for i, body := range hostile {
		f.Add(400+i, []byte(body), "Retry-After", "5", i%2 == 0)
	}
	f.Add(429, []byte(`{}`), "Ratelimit", `"a";r=0;t=5`, false)
	f.Add(403, []byte(`{}`), "Www-Authenticate", `Bearer error="insufficient_scope", scope="a"`, true)
	f.Fuzz(func(t *testing.T, status int, body []byte, field, value string, zipped bool) {
		body = body[:min(len(body), MaxBody)]
		h := http.Header{field: {value}}
		if zipped {
			h["Content-Encoding"] = []string{"gzip"}
		}
		o := Outcome{Status: status, Body: body, Header: h, Path: field, Time: time.Unix(1700000000, 0)}
		before := bytes.Clone(body)
		checkVerdict(t, (&Alter{}).Classify(o))
		v := Provider{}.Classify(o)
		checkVerdict(t, v)
		if v.Kind != Unclassified && !v.Kind.Is(ProviderAPI) {
			t.Errorf("Provider: got %v", v.Kind)
		}
		if !bytes.Equal(body, before) {
			t.Error("the body was changed")
		}
	})
}

func FuzzGzip(f *testing.F) {
	for _, body := range hostile {
		f.Add(gzipBytes([]byte(body)))
	}
	f.Add(gzipBytes(bytes.Repeat([]byte(`{"a":`), 1<<18))[:1000])
	h := http.Header{"Content-Encoding": {"gzip"}}
	f.Fuzz(func(t *testing.T, body []byte) {
		checkVerdict(t, (&Alter{}).Classify(Outcome{Status: 409, Body: body[:min(len(body), MaxBody)], Header: h}))
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "5", "-1", "1.5", "0.0", "5.", ".5", "1.5e3", "9223372036854775807.9", "1e9", "NaN", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994", strings.Repeat("9", 5000)} {
		f.Add(s, s, "Sun, 06 Nov 1994 08:49:37 GMT", int64(784111777))
	}
	f.Fuzz(func(t *testing.T, seconds, millis, date string, now int64) {
		h := http.Header{"Retry-After": {seconds}, "Retry-After-Ms": {millis}, "Date": {date}}
		for range 2 {
			d, ok := RetryAfter(h, time.Unix(now, 0))
			if d < 0 || d > maxHint || !ok && d != 0 {
				t.Errorf("got %v, %v", d, ok)
			}
			delete(h, "Retry-After-Ms")
		}
	})
}

func FuzzRateLimit(f *testing.F) {
	for _, s := range []string{"", `"a";r=1;t=2`, `"a,b;\"";r=1, "c";r=0`, "limit=1, remaining=0, reset=5", `";;,,==`, `a;q=9;w=-1`, strings.Repeat(`"a";r=1,`, 100)} {
		f.Add(s, s, "1")
	}
	f.Fuzz(func(t *testing.T, limit, policy, number string) {
		for _, h := range []http.Header{
			{"Ratelimit": {limit, limit}, "Ratelimit-Policy": {policy}},
			{"Ratelimit-Limit": {number}, "Ratelimit-Remaining": {number}, "Ratelimit-Reset": {limit}, "Ratelimit-Policy": {policy}},
		} {
			checkVerdict(t, Provider{}.Classify(Outcome{Status: 429, Header: h}))
		}
	})
}

func FuzzChallenge(f *testing.F) {
	for _, s := range []string{"", `Bearer error="insufficient_scope", scope="a b"`, `Basic realm="a,\"b", Bearer error=insufficient_scope`, `,,,=,="\`, `Negotiate YWJj==`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		v := Provider{}.Classify(Outcome{Status: 403, Header: http.Header{"Www-Authenticate": {value}}})
		checkVerdict(t, v)
		if v.Kind == ScopeReauthRequired && !strings.Contains(strings.ReplaceAll(value, `\`, ""), "insufficient_scope") {
			t.Errorf("got %v from %q", v.Kind, value)
		}
	})
}

func FuzzProxied(f *testing.F) {
	for _, body := range hostile {
		f.Add([]byte(body))
	}
	f.Add([]byte(`{"approval_id":"a","status_code":403,"headers":{"www-authenticate":"Bearer error=\"insufficient_scope\""},"body_b64":"e30=","body_truncated":true}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := Proxied(body)
		if err != nil {
			if e != nil || !errors.Is(err, ErrNotEnvelope) {
				t.Errorf("got %v, %v", e, err)
			}
			return
		}
		if e.StatusCode < 100 || e.StatusCode > 599 || e.Header == nil {
			t.Errorf("got %+v", e)
		}
		checkVerdict(t, e.Verdict())
		resp := e.Response(nil)
		CheckResponse(resp)
		resp.Body.Close()
	})
}

func FuzzApprovalVerdict(f *testing.F) {
	for _, body := range hostile {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v := ApprovalVerdict(body)
		checkVerdict(t, v)
		if v.Kind != Unclassified && !v.Kind.Is(Approval) {
			t.Errorf("got %v", v.Kind)
		}
	})
}

// FuzzMembers holds this package's tolerant reader against encoding/json where the latter accepts the body.
func FuzzMembers(f *testing.F) {
	for _, body := range hostile {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := make(map[string]string)
		count := 0
		for key, value := range members(body) {
			count++
			if _, twice := got[string(key)]; !twice {
				got[string(key)] = string(textBytes(value, 1<<20))
			}
			for range elements(value) {
				count++
			}
		}
		if count > len(body) {
			t.Fatalf("got %d members and elements of %d bytes", count, len(body))
		}
		want, ok := firstMembers(body)
		if !ok {
			return
		}
		for key, value := range want {
			if len(key) > maxCode {
				continue
			}
			if same := strings.ToValidUTF8(got[key], "\uFFFD"); collapse(same) != collapse(value) {
				t.Errorf("member %q: got %q, want %q", key, same, value)
			}
		}
	})
}

// collapse makes one U+FFFD of several: where encoding/json replaces every byte, this package replaces a run of them.
func collapse(s string) string {
	for strings.Contains(s, "\uFFFD\uFFFD") {
		s = strings.ReplaceAll(s, "\uFFFD\uFFFD", "\uFFFD")
	}
	return s
}

// firstMembers are the members of a valid JSON object whose keys are UTF-8, by encoding/json; of repeated members the first.
// What is no string reads as an empty one.
func firstMembers(body []byte) (map[string]string, bool) {
	if !json.Valid(body) || !isObject(body) || !utf8.Valid(body) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	all := make(map[string]string)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value any
		if d.Decode(&value) != nil {
			return nil, false
		}
		name, _ := key.(string)
		if _, twice := all[name]; !twice {
			all[name], _ = value.(string)
		}
	}
	return all, true
}

func TestABodyTruncatedAnywhereIsHarmless(t *testing.T) {
	for _, body := range hostile {
		if len(body) > 300 {
			body = body[:300]
		}
		for n := range len(body) + 1 {
			o := Outcome{Status: 403, Body: []byte(body[:n])}
			checkVerdict(t, (&Alter{}).Classify(o))
			checkVerdict(t, Provider{}.Classify(o))
			checkVerdict(t, ApprovalVerdict(o.Body))
		}
	}
}

func TestHostileBodiesTakeLinearTime(t *testing.T) {
	big := func(s string) string { return strings.Repeat(s, 100000) }
	for _, c := range []struct{ name, body string }{
		{"deep objects", big(`{"error":`)}, {"deep lists", big(`[`)}, {"deep details", big(`{"details":{"detail":`)}, {"deep in a member", `{"a":` + big(`[`)},
		{"backslashes", `{"a":"` + big(`\`)}, {"escapes", `{"message":"` + big(`\u00e9`) + `"}`}, {"members", `{` + big(`"code":"x",`) + `"a":1}`},
		{"elements", `{"missing":[` + big(`"x",`) + `1]}`}, {"elements of the wrong type", `{"missing":[` + big(`1,`) + `1]}`},
		{"many lists", `{` + big(`"missing":["a"],`) + `"a":1}`}, {"keys", `{"` + big(`k`) + `":1}`}, {"white space", big(" ")}, {"quotes", big(`"`)},
		{"elements of a document", big(`<a>`)}, {"empty elements", `<a>` + big(`<b/>`)}, {"one element's attributes", `<a ` + big(`b="c" `) + `>`}, {"comments", big(`<!---->`)},
		{"comments in an element", `<a>` + big(`<!---->`)}, {"entities", `<Error><Code>` + big(`&lt;`)}, {"an open tag", `<` + big(`a`)}, {"an open attribute", `<a b="` + big(`c`)},
		{"a type declaration", `<Error>` + big(`<!DOCTYPE [`)}, {"codes of an error", `<Error>` + big(`<Code>x</Code>`)}, {"angle brackets", big(`<`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			// The transport cuts bodies at MaxBody, a user's own classifier chain need not.
			checkVerdictButBody(t, (&Alter{}).Classify(Outcome{Status: 403, Body: []byte(c.body)}))
			checkVerdictButBody(t, Provider{}.Classify(Outcome{Status: 403, Body: []byte(c.body)}))
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("%d bytes took %v", len(c.body), took)
			}
		})
	}
	for _, field := range []string{"Retry-After", "Ratelimit", "Ratelimit-Policy", "Www-Authenticate"} {
		for _, unit := range []string{"9", `"`, `,`, `;`, `=`, `a=b,`, `a;r=1,`, `\`, ` `} {
			start := time.Now()
			h := http.Header{"Ratelimit-Remaining": {"0"}}
			h[field] = []string{big(unit)}
			checkVerdict(t, Provider{}.Classify(Outcome{Status: 403, Header: h}))
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("%s of %q took %v", field, unit, took)
			}
		}
	}
}

func checkVerdictButBody(t *testing.T, v Verdict) {
	t.Helper()
	v.Detail.body = nil
	checkVerdict(t, v)
}
