package classify_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"

	"github.com/steadytrip/steadytrip/classify"
)

func ExampleCheckResponse() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
		io.WriteString(w, `{"message":"slow down"}`)
	}))
	defer api.Close()

	resp, err := http.Get(api.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()

	err = classify.CheckResponse(resp)
	var limit *classify.ProviderRateLimitError
	if errors.As(err, &limit) {
		fmt.Println(limit.Verdict().Action(), limit.Verdict().RetryAfter)
	}
	fmt.Println(err)

	body, _ := io.ReadAll(resp.Body) // nothing of the body is missing
	fmt.Println(string(body))
	// Output:
	// wait 30s
	// classify: provider_rate_limit (HTTP 429): Wait until the policy or rate limit allows the call, then send it again.
	// {"message":"slow down"}
}

func ExampleForAlter() {
	classifier, err := classify.ForAlter("backend.example.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	body := []byte(`{"error":"grant_revoked","details":{"grant_id":"g-17"}}`)

	// The same words mean something from the backend, and nothing from anybody else.
	for _, host := range []string{"backend.example.com", "calendar.example.net"} {
		v := classifier.Classify(classify.Outcome{Host: host, Status: http.StatusGone, Body: body})
		fmt.Println(host, v.Kind, v.Action())
	}
	// Output:
	// backend.example.com grant_revoked reauthorize
	// calendar.example.net provider_request fix
}

func ExampleOf() {
	err := error(&url.Error{Op: "Get", URL: "https://h.example/", Err: &net.OpError{
		Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED,
	}})
	v := classify.Of(nil, err)
	fmt.Println(v.Kind, v.Action())
	fmt.Println("never sent:", v.Unprocessed)
	// Output:
	// connection_refused retry
	// never sent: true
}

func ExampleNetErrors() {
	v := classify.NetErrors{}.Classify(classify.Outcome{Err: io.ErrUnexpectedEOF})
	fmt.Println(v.Kind, v.Code, v.Unprocessed)

	// The typed error keeps the transport's own within reach.
	err := v.Err(io.ErrUnexpectedEOF)
	var network *classify.NetworkError
	fmt.Println(errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF))
	// Output:
	// connection_lost connection_closed false
	// true true
}

func ExampleProxied() {
	// The backend's own status was 200; the provider's is inside.
	envelope, err := classify.Proxied([]byte(`{
		"approval_id": "ap-1",
		"status_code": 403,
		"headers": {"www-authenticate": "Bearer error=\"insufficient_scope\", scope=\"calendar.write\""},
		"body_b64": "e30="
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var scope *classify.ScopeReauthRequiredError
	if errors.As(envelope.Err(), &scope) {
		fmt.Println(scope.StatusCode, scope.MissingScopes, scope.Verdict().Action())
	}
	// Output: 403 [calendar.write] reauthorize
}

func ExampleApprovalVerdict() {
	for _, body := range []string{
		`{"approval_id":"ap-1","approval_url":"https://approve.example.com/ap-1"}`,
		`{"approval_id":"ap-1","status":"denied","decision_reason":"not on a Friday"}`,
		`{"approval_id":"ap-1","status":"executed"}`,
	} {
		v := classify.ApprovalVerdict([]byte(body))
		var denied *classify.ApprovalDeniedError
		if errors.As(v.Err(nil), &denied) {
			fmt.Println(v.Kind, v.Action(), denied.DecisionReason)
			continue
		}
		fmt.Println(v.Kind, v.Action())
	}
	// Output:
	// approval_pending follow_up
	// approval_denied inspect not on a Friday
	// unclassified none
}

func ExampleNewAlter() {
	alter, err := classify.NewAlter(classify.AlterConfig{Codes: []classify.Code{
		{Code: "quiet_hours", Kind: classify.PolicyViolation, Note: "seen in our tenant"},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	byHost, err := classify.ByHost(map[string]classify.Classifier{"backend.example.com": alter}, classify.Provider{})
	if err != nil {
		fmt.Println(err)
		return
	}
	classifier := classify.First(classify.NetErrors{}, byHost)

	v := classifier.Classify(classify.Outcome{
		Host: "backend.example.com", Status: http.StatusForbidden, Body: []byte(`{"code":"Quiet-Hours"}`),
	})
	fmt.Println(v.Kind, v.Code, v.Action())
	// Output: policy_violation quiet_hours wait
}

func ExampleNeedsReauthorization() {
	resp := &http.Response{
		StatusCode: http.StatusForbidden,
		Header:     http.Header{"Www-Authenticate": {`Bearer error="insufficient_scope", scope="mail.send"`}},
		Body:       http.NoBody,
	}
	if r, ok := classify.NeedsReauthorization(resp, nil); ok {
		fmt.Println("ask the user for", r.Scopes)
	}
	// Output: ask the user for [mail.send]
}

// The failure tree: every kind with its action.
func ExampleKinds() {
	for k := range classify.Kinds() {
		depth := 0
		for p := k.Parent(); p != classify.Unclassified; p = p.Parent() {
			depth++
		}
		fmt.Printf("%-44s %s\n", strings.Repeat("  ", depth)+k.String(), k.Action())
	}
	// Output:
	// alter_sdk                                    inspect
	//   alter_value                                fix
	//     invalid_request                          fix
	//   backend                                    inspect
	//     backend_unavailable                      retry
	//     backend_internal                         inspect
	//     backend_validation                       fix
	//     reauth_required                          reauthorize
	//       grant_expired                          reauthorize
	//       grant_revoked                          reauthorize
	//       credential_revoked                     reauthorize
	//       grant_deleted                          reauthorize
	//     grant_not_found                          fix
	//     ambiguous_grant                          choose
	//     policy_violation                         wait
	//       policy_rate_limit                      wait
	//     insufficient_scope                       widen_scope
	//       scope_version_mismatch                 rotate_key
	//     no_delegated_grant                       delegate
	//     token_refresh_in_progress                retry
	//     restricted_grant_requires_proxy          fix
	//     sibling_label_conflict                   fix
	//     agent                                    inspect
	//       invalid_key                            rotate_key
	//       agent_not_found                        fix
	//       agent_name_exists                      fix
	//       me_requires_agent_key                  fix
	//       key_revoked                            rotate_key
	//       agent_inactive                         inspect
	//       agent_revoked                          inspect
	//       key_not_found                          fix
	//       key_already_revoked                    inspect
	//       last_active_key                        rotate_key
	//       agent_cannot_mint_subagents            fix
	//       agent_scope_narrowing_not_supported    fix
	//       idempotency_key_body_mismatch          fix
	//       idempotency_key_agent_revoked          fix
	//       idempotency_key_agent_inactive         inspect
	//   connect_flow                               restart_connect
	//     connect_denied                           restart_connect
	//     connect_config                           fix
	//     connect_timeout                          restart_connect
	//   provider_api                               inspect
	//     provider_unauthorized                    reauthorize
	//     scope_reauth_required                    reauthorize
	//     provider_request                         fix
	//     provider_rate_limit                      wait
	//     provider_unavailable                     retry
	//     provider_internal                        inspect
	//   approval                                   follow_up
	//     approval_pending                         follow_up
	//     approval_denied                          inspect
	//     approval_expired                         inspect
	//     approval_timeout                         follow_up
	//     approval_execution_failed                inspect
	//   network                                    retry
	//     dial                                     retry
	//       connection_refused                     retry
	//       dns                                    retry
	//     connection_lost                          retry
	//     timeout                                  retry
	//       dial_timeout                           retry
	//       deadline                               retry
	//     host_not_found                           fix
	//     tls                                      fix
	//     proxy_refused                            fix
	//     protocol                                 inspect
	//   canceled                                   none
}
