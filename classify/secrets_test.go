package classify

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const canary = "CANARY-7f3a"

func TestNoErrorTextRepeatsAnAnswer(t *testing.T) {
	names := []string{
		"code", "error_code", "error", "type", "message", "detail", "grant_id", "provider_id", "account_identifiers", "app_user_ids", "policy_error",
		"required", "granted", "missing", "missing_scopes", "scope_version", "current_scope_version", "documentation_url", "approval_id", "approval_url",
		"decision_reason", canary,
	}
	var members strings.Builder
	for _, name := range names {
		fmt.Fprintf(&members, `%q:%q,`, name, canary+name)
	}
	attributes := members.String()
	h := http.Header{
		"Retry-After": {canary}, "Ratelimit": {`"` + canary + `";r=0;t=5`}, "Www-Authenticate": {`Bearer error="insufficient_scope", scope="` + canary + `"`},
		"Authorization": {canary}, canary: {canary},
	}
	check := func(v Verdict) {
		t.Helper()
		err := v.Err(nil)
		if err == nil {
			return
		}
		for _, text := range []string{err.Error(), fmt.Sprint(err), fmt.Errorf("w: %w", err).Error()} {
			if strings.Contains(text, canary) {
				t.Errorf("%v: got %q", v.Kind, text)
			}
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), canary) {
				t.Errorf("%T: got %q", e, e)
			}
		}
	}
	for _, status := range []int{400, 401, 403, 404, 409, 410, 418, 422, 429, 500, 502, 503, 599} {
		for _, row := range append(Codes(), Code{Code: canary}) {
			body := []byte(`{"code":"` + row.Code + `",` + attributes + `"details":{` + attributes + `"x":1}}`)
			o := Outcome{Host: canary, Path: "/agents/" + canary, Status: status, Header: h, Body: body}
			check((&Alter{}).Classify(o))
			check(Provider{}.Classify(o))
		}
	}
	elements := "<Type>" + canary + "</Type><Message>" + canary + "</Message><" + canary + ">" + canary + "</" + canary + "><RequestId>" + canary + "</RequestId>"
	for _, code := range append([]string{canary}, awsThrottling...) {
		inside := "<Error><Code>" + code + "</Code>" + elements + "</Error>"
		for _, body := range []string{inside, "<ErrorResponse>" + inside + "</ErrorResponse>", "<Response><Errors>" + inside + "</Errors></Response>"} {
			for _, status := range []int{400, 403, 404, 429, 503} {
				check(Provider{}.Classify(Outcome{Host: canary, Status: status, Body: []byte(body)}))
			}
		}
	}
	for _, status := range []string{"pending", "denied", "failed", canary} {
		check(ApprovalVerdict([]byte(`{"status":"` + status + `",` + attributes + `"x":1}`)))
	}
}

func TestNoErrorTextRepeatsAURL(t *testing.T) {
	secret := "https://user:" + canary + "@h.example/" + canary + "?" + canary
	u := &url.Error{Op: "Get", URL: secret, Err: errors.New("broken")}
	for k := range Kinds() {
		for _, cause := range []error{u, fmt.Errorf("w: %w", u), &url.Error{Op: "Get", URL: secret, Err: u}, errors.Join(errors.New("a"), u)} {
			err := Verdict{Kind: k}.Err(cause)
			if strings.Contains(err.Error(), canary) {
				t.Errorf("%v: got %q", k, err)
			}
			if !errors.Is(err, u) {
				t.Errorf("%v: errors.Is does not find the URL error", k)
			}
		}
	}
}

func TestNoFaultOfAnEnvelopeRepeatsIt(t *testing.T) {
	for _, body := range []string{canary, `{"status_code":"` + canary + `"}`, `{"status_code":200,"body_b64":"` + canary + `"}`, `{"status_code":200,"headers":"` + canary + `"}`} {
		if _, err := Proxied([]byte(body)); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("got %v", err)
		}
	}
}
