package transporttest

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"time"
)

// errorBody is an error of the Alter backend, as its 0.1.0 SDK shows it.
type errorBody struct {
	Error   string         `json:"error"`
	Message string         `json:"message"`
	Details map[string]any `json:"details"`
}

func (e *errorBody) json() string {
	c := *e
	if c.Details == nil {
		c.Details = map[string]any{}
	}
	text, err := json.Marshal(&c)
	if err != nil {
		panic("transporttest: Detail: " + err.Error())
	}
	return string(text)
}

// AlterError returns an error answer of the Alter backend: {"error": code, "message": message, "details": {}}.
// It panics if the status is not one of 200 to 599.
func AlterError(status int, code, message string) Response {
	r := Answer(status, "").Header("Content-Type", "application/json")
	r.canned = &errorBody{Error: code, Message: message}
	return r
}

// Canned returns the answer that the Alter backend gives with this code, which is one of those that [classify.Codes] lists.
// It carries plausible attributes, which [Response.Detail] changes: the grant "grant-1", the provider "google",
// a Retry-After of two seconds for a rate limit. It panics if the code is unknown; for such codes there is [AlterError].
//
// Alter documents the 409 of token_refresh_in_progress. The 404 of grant_not_found, the 403 of a policy violation and
// the 400 of token_expired were seen in its 0.1.0 SDK. Every other status is inferred from the meaning of the code.
// The codes of the Connect flow and of approvals may never come as the error of a request at all: their statuses
// are placeholders.
func Canned(code string) Response {
	row, ok := cannedRows[code]
	if !ok {
		panic("transporttest: Canned: unknown code " + code + ": want one of classify.Codes, or use AlterError")
	}
	r := AlterError(row.status, code, row.message)
	r.canned.Details = maps.Clone(row.details)
	if row.retryAfter > 0 {
		r = r.RetryAfter(row.retryAfter)
	}
	return r
}

// ProviderRateLimit returns a third-party API's 429, with a Retry-After if d is positive.
func ProviderRateLimit(d time.Duration) Response {
	return retryLater(Answer(http.StatusTooManyRequests, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}`), d)
}

// ProviderUnavailable returns a third-party API's 503, with a Retry-After if d is positive.
func ProviderUnavailable(d time.Duration) Response {
	return retryLater(Answer(http.StatusServiceUnavailable, `{"error":{"code":503,"status":"UNAVAILABLE"}}`), d)
}

func retryLater(r Response, d time.Duration) Response {
	if d > 0 {
		return r.RetryAfter(d)
	}
	return r
}

// ProviderUnauthorized returns a third-party API's 401: the credential is not accepted (RFC 6750, section 3.1).
func ProviderUnauthorized() Response {
	return Answer(http.StatusUnauthorized, `{"error":{"code":401,"status":"UNAUTHENTICATED"}}`).
		Header("WWW-Authenticate", `Bearer realm="api", error="invalid_token"`)
}

// ScopeChallenge returns a third-party API's 403 that asks for scopes the user has not granted (RFC 6750, section 3.1).
func ScopeChallenge(scopes ...string) Response {
	challenge := `Bearer realm="api", error="insufficient_scope"`
	if len(scopes) > 0 {
		challenge += `, scope="` + strings.Join(scopes, " ") + `"`
	}
	return Answer(http.StatusForbidden, `{"error":{"code":403,"status":"PERMISSION_DENIED"}}`).
		Header("WWW-Authenticate", challenge)
}
