package classify

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestProxiedReadsAnEnvelope(t *testing.T) {
	long := strings.Repeat("x", 20000)
	for _, c := range []struct {
		name, body string
		want       Envelope
	}{
		{"all of it",
			`{"approval_id":"a1","status_code":201,"headers":{"content-type":"text/plain","Set-Cookie":["a=1","b=2"]},"body_b64":"` + b64("hello\x00\xff") + `","body_truncated":true}`,
			Envelope{"a1", 201, http.Header{"Content-Type": {"text/plain"}, "Set-Cookie": {"a=1", "b=2"}}, []byte("hello\x00\xff"), true}},
		{"a status alone", `{"status_code":204}`, Envelope{"", 204, http.Header{}, nil, false}},
		{"null everywhere else", `{"approval_id":null,"status_code":500,"headers":null,"body_b64":null,"body_truncated":null}`, Envelope{"", 500, http.Header{}, nil, false}},
		{"a byte order mark before it", "\xef\xbb\xbf\n" + `{"status_code":204}`, Envelope{"", 204, http.Header{}, nil, false}},
		{"headers that are no texts", `{"status_code":200,"headers":{"a":1,"b":null,"c":{},"d":["x",2],"e":[],"f":""}}`, Envelope{"", 200, http.Header{"F": {""}}, nil, false}},
		{"one header in two spellings", `{"status_code":200,"headers":{"x-a":"2","X-A":"1"}}`, Envelope{"", 200, http.Header{"X-A": {"1", "2"}}, nil, false}},
		{"a long header with quotes", `{"status_code":200,"headers":{"Link":"\"` + long + `"}}`, Envelope{"", 200, http.Header{"Link": {`"` + long}}, nil, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Proxied([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, c.want) {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
		})
	}
}

func TestProxiedRefusesWhatIsNoEnvelope(t *testing.T) {
	for _, body := range []string{
		"", " ", "null", "[]", "5", `"x"`, "{", "{}", `{"status_code":0}`, `{"status_code":99}`, `{"status_code":600}`, `{"status_code":-200}`,
		`{"status_code":"200"}`, `{"status_code":200.5}`, `{"status_code":1e400}`, `{"status_code":200,"body_b64":"***"}`, `{"status_code":200,"body_b64":5}`,
		`{"status_code":200,"headers":[]}`, `{"status_code":200} x`, `{"approval_id":"a","approval_url":"u"}`, "<html>",
		strings.Repeat(`{"a":`, 100000), strings.Repeat("[", 100000),
	} {
		e, err := Proxied([]byte(body))
		if e != nil || !errors.Is(err, ErrNotEnvelope) {
			t.Errorf("%.40q: got %v, %v, want %v", body, e, err, ErrNotEnvelope)
		}
	}
	if _, err := Proxied(make([]byte, maxEnvelope+1)); err == nil || !strings.Contains(err.Error(), "67108865 bytes") {
		t.Errorf("too large: got %v, want an error that says how large", err)
	}
}

func TestAnEnvelopeIsJudgedLikeAProvider(t *testing.T) {
	envelope := func(status int, headers, body string) string {
		return fmt.Sprintf(`{"approval_id":"ap1","status_code":%d,"headers":%s,"body_b64":%q}`, status, headers, b64(body))
	}
	for _, c := range []struct {
		name, body string
		want       Kind
	}{
		{"success", envelope(200, "{}", `{"code":"grant_revoked"}`), Unclassified},
		{"a redirect", envelope(302, "{}", ""), Unclassified},
		{"a 404", envelope(404, "{}", ""), ProviderRequest},
		{"a 429", envelope(429, `{"retry-after":"7"}`, ""), ProviderRateLimit},
		{"a backend's code in a provider's mouth", envelope(403, "{}", `{"code":"grant_revoked","grant_id":"g"}`), ProviderAPI},
		{"a challenge", envelope(403, `{"www-authenticate":"Bearer error=\"insufficient_scope\", scope=\"a\""}`, ""), ScopeReauthRequired},
		{"a body that says gzip and is none", envelope(500, `{"content-encoding":"gzip"}`, `{"message":"m"}`), ProviderInternal},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := Proxied([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			v := e.Verdict()
			if v.Kind != c.want {
				t.Errorf("got %v, want %v", v.Kind, c.want)
			}
			typed := e.Err()
			if (typed != nil) != c.want.Failure() {
				t.Fatalf("Err: got %v, want an error of %v", typed, c.want)
			}
			if typed == nil {
				return
			}
			if v.Detail.ApprovalID != "ap1" || v.Detail.GrantID != "" {
				t.Errorf("got approval %q, grant %q, want the envelope's approval and no grant", v.Detail.ApprovalID, v.Detail.GrantID)
			}
			var p *ProviderAPIError
			if !errors.As(typed, &p) || !bytes.Equal(p.ResponseBody, e.Body) {
				t.Errorf("got %+v, want the provider's body", p)
			}
			if c.want == ProviderRateLimit && v.RetryAfter != 7*time.Second {
				t.Errorf("got a hint of %v, want 7s", v.RetryAfter)
			}
		})
	}
}

func TestAnEnvelopeBecomesAResponse(t *testing.T) {
	e, err := Proxied([]byte(`{"status_code":404,"headers":{"x":"y"},"body_b64":"` + b64("gone") + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	req := answer("GET", "https://a.example/x", 200, nil, "").Request
	resp := e.Response(req)
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "gone" || resp.Body.Close() != nil {
		t.Errorf("got %q, %v, want %q", body, err, "gone")
	}
	if resp.StatusCode != 404 || resp.Status != "404 Not Found" || resp.Header.Get("X") != "y" || resp.ContentLength != 4 || resp.Request != req {
		t.Errorf("got %+v", resp)
	}
	if err := CheckResponse(e.Response(req)); Of(nil, err).Kind != ProviderRequest {
		t.Errorf("got %v, want %v", err, ProviderRequest)
	}
}

func TestApprovalVerdict(t *testing.T) {
	for _, c := range []struct {
		name, body string
		kind       Kind
		basis      Basis
		code       string
	}{
		{"pending", `{"approval_id":"a","status":"pending"}`, ApprovalPending, Documented, "pending"},
		{"approved and not yet executed", `{"approval_id":"a","status":"approved"}`, ApprovalPending, Documented, "approved"},
		{"executing", `{"status":"executing"}`, ApprovalPending, Documented, "executing"},
		{"denied", `{"status":"denied","decision_reason":"too risky"}`, ApprovalDenied, Documented, "denied"},
		{"expired", `{"status":"expired"}`, ApprovalExpired, Documented, "expired"},
		{"failed", `{"status":"failed"}`, ApprovalExecutionFailed, Documented, "failed"},
		{"in upper case", `{"status":"DENIED"}`, ApprovalDenied, Documented, "denied"},
		{"executed", `{"approval_id":"a","approval_url":"u","status":"executed"}`, Unclassified, Given, ""},
		{"the answer to a call that waits", `{"approval_id":"a","approval_url":"u","expires_at":"2026-01-02T03:04:05Z"}`, ApprovalPending, Inferred, ""},
		{"a state that nobody documents", `{"approval_id":"a","status":"Escalated"}`, Approval, Guessed, "Escalated"},
		{"a state of something else", `{"status":"ok"}`, Unclassified, Given, ""},
		{"an id alone", `{"approval_id":"a"}`, Unclassified, Given, ""},
		{"a URL alone", `{"approval_url":"u"}`, Unclassified, Given, ""},
		{"an envelope", `{"approval_id":"a","status_code":200,"headers":{},"body_b64":""}`, Unclassified, Given, ""},
		{"a state in the details is another's", `{"details":{"status":"denied"}}`, Unclassified, Given, ""},
		{"a state further in is another's", `{"error":{"status":"denied"}}`, Unclassified, Given, ""},
		{"a status of the wrong type", `{"status":1}`, Unclassified, Given, ""},
		{"nothing", ``, Unclassified, Given, ""},
		{"a list", `[{"status":"denied"}]`, Unclassified, Given, ""},
		{"a page", `<html>denied`, Unclassified, Given, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := ApprovalVerdict([]byte(c.body))
			if v.Kind != c.kind || v.Basis != c.basis || v.Code != c.code {
				t.Errorf("got %v, %v, %q, want %v, %v, %q", v.Kind, v.Basis, v.Code, c.kind, c.basis, c.code)
			}
			if v.Kind == Unclassified && v.Detail != nil {
				t.Errorf("got detail %+v, want the zero verdict", v.Detail)
			}
		})
	}
}

func TestApprovalErrorsNameTheApproval(t *testing.T) {
	v := ApprovalVerdict([]byte(`{"approval_id":"a1","status":"denied","decision_reason":"too risky","expires_at":"2026-01-02T03:04:05Z","details":{"by":"x"}}`))
	var e *ApprovalError
	if err := v.Err(nil); !errors.As(err, &e) || !errors.As(err, new(*ApprovalDeniedError)) {
		t.Fatalf("got %T, want an *ApprovalDeniedError", err)
	}
	if e.ApprovalID != "a1" || e.DecisionReason != "too risky" || e.ExpiresAt.Year() != 2026 || e.Details()["by"] != "x" {
		t.Errorf("got %+v", e)
	}
}
