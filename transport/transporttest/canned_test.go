package transporttest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// outcome is what a classifier would be told of a response.
func outcome(t *testing.T, r transporttest.Response) classify.Outcome {
	t.Helper()
	resp := r.HTTP(request(t, "GET", url, ""))
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return classify.Outcome{Method: "GET", Host: "api.example.com", Path: "/", Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// typeName checks that a verdict's error has the type that its kind is named after.
func typeName(t *testing.T, v classify.Verdict) {
	t.Helper()
	if got, want := fmt.Sprintf("%T", v.Err(nil)), "*classify."+v.Kind.ErrorName(); got != want {
		t.Errorf("got error type %s, want %s", got, want)
	}
}

func TestEveryCodeHasACannedAnswer(t *testing.T) {
	var alter classify.Alter
	for _, row := range classify.Codes() {
		t.Run(row.Code, func(t *testing.T) {
			r := transporttest.Canned(row.Code)
			v := alter.Classify(outcome(t, r))
			if v.Kind != row.Kind || v.Code != row.Code || v.Basis != row.Basis {
				t.Errorf("got kind %v, code %q, basis %v, want %v, %q, %v", v.Kind, v.Code, v.Basis, row.Kind, row.Code, row.Basis)
			}
			if v.Detail.Message == "" || v.Detail.Details() == nil {
				t.Errorf("got message %q, details %v", v.Detail.Message, v.Detail.Details())
			}
			typeName(t, v)

			resp := r.HTTP(request(t, "GET", url, ""))
			classify.Response(resp, &alter)
			err := classify.CheckResponse(resp)
			if fmt.Sprintf("%T", err) != fmt.Sprintf("%T", v.Err(nil)) {
				t.Errorf("CheckResponse: got %T", err)
			}
			read(t, resp)
		})
	}
}

func TestCannedAnswersCarryTheirAttributes(t *testing.T) {
	var alter classify.Alter
	of := func(code string) error { return alter.Classify(outcome(t, transporttest.Canned(code))).Err(nil) }

	for _, code := range []string{"reauth_required", "grant_expired", "grant_revoked", "credential_revoked", "grant_deleted", "connection_revoked"} {
		var reauth *classify.ReAuthRequiredError
		if !errors.As(of(code), &reauth) || reauth.GrantID != "grant-1" {
			t.Errorf("%s: got %#v", code, reauth)
		}
	}
	var ambiguous *classify.AmbiguousGrantError
	if !errors.As(of("ambiguous_grant"), &ambiguous) || ambiguous.ProviderID != "google" || len(ambiguous.AccountIdentifiers) != 2 ||
		len(ambiguous.AppUserIDs) != 1 || ambiguous.AccountWasProvided {
		t.Errorf("got %#v", ambiguous)
	}
	var policy *classify.PolicyViolationError
	if !errors.As(of("ip_not_allowed"), &policy) || policy.PolicyError != "ip_not_allowed" {
		t.Errorf("got %#v", policy)
	}
	var scope *classify.InsufficientScopeError
	if !errors.As(of("insufficient_scope"), &scope) || !slices.Equal(scope.Missing, []string{"grants:call"}) ||
		len(scope.Required) != 2 || len(scope.Granted) != 1 || scope.ScopeVersion == "" || scope.DocumentationURL == "" {
		t.Errorf("got %#v", scope)
	}
	var delegated *classify.NoDelegatedGrantError
	if !errors.As(of("no_delegated_grant"), &delegated) || delegated.ProviderID != "google" {
		t.Errorf("got %#v", delegated)
	}
	var refresh *classify.TokenRefreshInProgressError
	if !errors.As(of("token_refresh_in_progress"), &refresh) || refresh.GrantID != "grant-1" || refresh.StatusCode != 409 {
		t.Errorf("got %#v", refresh)
	}
	var widen *classify.ScopeReauthRequiredError
	if !errors.As(of("scope_mismatch"), &widen) || widen.GrantID == "" || widen.ProviderID == "" || widen.MissingScopes != nil {
		t.Errorf("got %#v", widen)
	}
	var denied *classify.ApprovalDeniedError
	if !errors.As(of("approval_denied"), &denied) || denied.ApprovalID == "" || denied.DecisionReason == "" {
		t.Errorf("got %#v", denied)
	}
	limited := alter.Classify(outcome(t, transporttest.Canned("rate_limit_exceeded")))
	if limited.RetryAfter != 2*time.Second || limited.Action() != classify.Wait {
		t.Errorf("got %+v", limited)
	}
}

func TestDetailsRefineTheKind(t *testing.T) {
	var alter classify.Alter
	for want, r := range map[classify.Kind]transporttest.Response{
		classify.ScopeVersionMismatch: transporttest.Canned("insufficient_scope").Detail("scope_version_mismatch", true),
		classify.PolicyRateLimit:      transporttest.Canned("policy_violation").Detail("policy_error", "rate_limit_exceeded"),
		classify.BackendUnavailable:   transporttest.AlterError(503, "some_new_code", "").Detail("a", "b"),
	} {
		v := alter.Classify(outcome(t, r))
		if v.Kind != want {
			t.Errorf("got %v, want %v", v.Kind, want)
		}
		typeName(t, v)
	}
}

func TestProviderAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		r    transporttest.Response
		kind classify.Kind
		wait time.Duration
	}{
		"429":                  {transporttest.ProviderRateLimit(3 * time.Second), classify.ProviderRateLimit, 3 * time.Second},
		"429 without a hint":   {transporttest.ProviderRateLimit(0), classify.ProviderRateLimit, 0},
		"503":                  {transporttest.ProviderUnavailable(20 * time.Millisecond), classify.ProviderUnavailable, 20 * time.Millisecond},
		"401":                  {transporttest.ProviderUnauthorized(), classify.ProviderUnauthorized, 0},
		"403":                  {transporttest.ScopeChallenge("calendar.read", "calendar.write"), classify.ScopeReauthRequired, 0},
		"403 without scopes":   {transporttest.ScopeChallenge(), classify.ScopeReauthRequired, 0},
		"the backend's answer": {transporttest.Canned("token_refresh_in_progress"), classify.ProviderAPI, 0},
	} {
		t.Run(name, func(t *testing.T) {
			v := classify.Provider{}.Classify(outcome(t, c.r))
			if v.Kind != c.kind || v.RetryAfter != c.wait {
				t.Errorf("got %v after %v, want %v after %v", v.Kind, v.RetryAfter, c.kind, c.wait)
			}
			typeName(t, v)
		})
	}
	var widen *classify.ScopeReauthRequiredError
	err := classify.Provider{}.Classify(outcome(t, transporttest.ScopeChallenge("a", "b"))).Err(nil)
	if !errors.As(err, &widen) || !slices.Equal(widen.MissingScopes, []string{"a", "b"}) {
		t.Errorf("got %#v", widen)
	}
}

func TestNetworkErrorsAreOfTheirKind(t *testing.T) {
	for want, err := range map[classify.Kind]error{
		classify.ConnectionRefused: transporttest.ErrRefused,
		classify.DialTimeout:       transporttest.ErrDialTimeout,
		classify.HostNotFound:      transporttest.ErrNoSuchHost,
		classify.ConnectionLost:    transporttest.ErrReset,
	} {
		_, got := transporttest.Play(transporttest.Fail(err)).Client().Do(request(t, http.MethodGet, url, ""))
		if v := classify.Of(nil, got); v.Kind != want {
			t.Errorf("%v: got %v, want %v", err, v.Kind, want)
		}
	}
}
