package transporttest

import (
	"net/http"
	"time"
)

// cannedRow is what an answer has beside its code. See [Canned] on where the statuses come from.
type cannedRow struct {
	status     int
	message    string
	details    map[string]any
	retryAfter time.Duration
}

// Attributes that several answers share.
var (
	ofGrant    = map[string]any{"grant_id": "grant-1"}
	ofProvider = map[string]any{"provider_id": "google"}
	ofApproval = map[string]any{"approval_id": "approval-1"}
	ofAgent    = map[string]any{"agent_id": "agent-1"}
)

var cannedRows = map[string]cannedRow{
	"reauth_required":    {http.StatusGone, "The user must authorize again.", ofGrant, 0},
	"grant_expired":      {http.StatusGone, "The grant has expired.", ofGrant, 0},
	"connection_expired": {http.StatusGone, "The connection has expired.", ofGrant, 0},
	"grant_revoked":      {http.StatusGone, "The grant was revoked.", ofGrant, 0},
	"connection_revoked": {http.StatusGone, "The connection was revoked.", ofGrant, 0},
	"credential_revoked": {http.StatusForbidden, "The provider no longer accepts the credential.", ofGrant, 0},
	"token_expired":      {http.StatusBadRequest, "The token has expired and cannot be refreshed.", ofGrant, 0},
	"grant_deleted":      {http.StatusGone, "The grant was deleted.", ofGrant, 0},
	"connection_deleted": {http.StatusGone, "The connection was deleted.", ofGrant, 0},

	"grant_not_found":      {http.StatusNotFound, "There is no such grant.", nil, 0},
	"connection_not_found": {http.StatusNotFound, "There is no such connection.", nil, 0},
	"ambiguous_grant": {http.StatusConflict, "Several grants match the user.", map[string]any{
		"provider_id":          "google",
		"account_identifiers":  []string{"ada@example.com", "ada@example.org"},
		"account_was_provided": false,
		"app_user_ids":         []string{"0b0e2d6c-5f3e-4a83-9a53-3c0f8d3f7e11"},
	}, 0},

	"policy_violation":       {http.StatusForbidden, "A policy denied the call.", policy("outside_business_hours"), 0},
	"outside_business_hours": {http.StatusForbidden, "A policy denied the call.", policy("outside_business_hours"), 0},
	"ip_not_allowed":         {http.StatusForbidden, "A policy denied the call.", policy("ip_not_allowed"), 0},
	"rate_limit_exceeded":    {http.StatusTooManyRequests, "A policy's rate limit is used up.", policy("rate_limit_exceeded"), 2 * time.Second},

	"insufficient_scope": {http.StatusForbidden, "The key lacks a scope.", map[string]any{
		"required":               []string{"grants:read", "grants:call"},
		"granted":                []string{"grants:read"},
		"missing":                []string{"grants:call"},
		"scope_version":          "3",
		"current_scope_version":  "3",
		"scope_version_mismatch": false,
		"documentation_url":      "https://docs.example.com/scopes#grants-call",
	}, 0},
	"scope_mismatch": {http.StatusForbidden, "The grant's scopes do not cover the route.", map[string]any{
		"grant_id": "grant-1", "provider_id": "google", "scope_mismatch": true,
	}, 0},
	"scope_reauth_required": {http.StatusForbidden, "The grant's scopes do not cover the route.", map[string]any{
		"grant_id": "grant-1", "provider_id": "google", "missing_scopes": []string{"calendar.write"},
	}, 0},
	"no_delegated_grant":        {http.StatusNotFound, "No grant is delegated to the agent.", ofProvider, 0},
	"token_refresh_in_progress": {http.StatusConflict, "Another caller is refreshing the token.", ofGrant, 0},

	"hitl_grant_requires_proxy":       {http.StatusForbidden, "The grant works in proxy mode only.", ofGrant, 0},
	"restricted_grant_requires_proxy": {http.StatusForbidden, "The grant works in proxy mode only.", ofGrant, 0},
	"sibling_label_conflict":          {http.StatusConflict, "A sibling grant has the label.", ofGrant, 0},

	"invalid_key":                         {http.StatusUnauthorized, "The API key is not valid.", nil, 0},
	"key_revoked":                         {http.StatusUnauthorized, "The API key was revoked.", nil, 0},
	"agent_not_found":                     {http.StatusNotFound, "There is no such agent.", ofAgent, 0},
	"agent_inactive":                      {http.StatusForbidden, "The agent is not active.", ofAgent, 0},
	"agent_revoked":                       {http.StatusForbidden, "The agent was revoked.", ofAgent, 0},
	"agent_name_exists":                   {http.StatusConflict, "An agent has the name.", nil, 0},
	"me_requires_agent_key":               {http.StatusForbidden, "The route is for agent keys.", nil, 0},
	"key_not_found":                       {http.StatusNotFound, "There is no such key.", ofAgent, 0},
	"key_already_revoked":                 {http.StatusConflict, "The key was revoked before.", ofAgent, 0},
	"last_active_key":                     {http.StatusConflict, "The agent would be left without a key.", ofAgent, 0},
	"agent_cannot_mint_subagents":         {http.StatusForbidden, "An agent cannot create agents.", ofAgent, 0},
	"agent_scope_narrowing_not_supported": {http.StatusUnprocessableEntity, "The scopes cannot be narrowed.", ofAgent, 0},
	"idempotency_key_body_mismatch":       {http.StatusUnprocessableEntity, "The idempotency key came with another body.", nil, 0},
	"idempotency_key_agent_revoked":       {http.StatusConflict, "The idempotency key's agent was revoked.", ofAgent, 0},
	"idempotency_key_agent_inactive":      {http.StatusConflict, "The idempotency key's agent is not active.", ofAgent, 0},

	"connect_flow_error":    {http.StatusBadRequest, "The Connect flow failed.", nil, 0},
	"connect_denied":        {http.StatusForbidden, "The user declined.", ofProvider, 0},
	"access_denied":         {http.StatusForbidden, "The user declined.", ofProvider, 0},
	"connect_config_error":  {http.StatusBadRequest, "The OAuth client is misconfigured.", ofProvider, 0},
	"invalid_client":        {http.StatusUnauthorized, "The provider does not know the OAuth client.", ofProvider, 0}, // RFC 6749, section 5.2
	"redirect_uri_mismatch": {http.StatusBadRequest, "The redirect URI is not registered.", ofProvider, 0},
	"connect_timeout":       {http.StatusRequestTimeout, "The user did not finish in time.", ofProvider, 0},
	"session_expired":       {http.StatusGone, "The Connect session is over.", nil, 0},

	"provider_unauthorized": {http.StatusUnauthorized, "The provider did not accept the credential.", map[string]any{
		"grant_id": "grant-1", "provider_id": "google",
	}, 0},

	"approval_denied": {http.StatusForbidden, "The approver declined.", map[string]any{
		"approval_id": "approval-1", "decision_reason": "not this week",
	}, 0},
	"approval_expired":          {http.StatusGone, "Nobody decided in time.", ofApproval, 0},
	"approval_execution_failed": {http.StatusConflict, "The approved call failed.", ofApproval, 0},
	"approval_timeout":          {http.StatusRequestTimeout, "Nobody has decided yet.", ofApproval, 0},
}

func policy(violated string) map[string]any { return map[string]any{"policy_error": violated} }
