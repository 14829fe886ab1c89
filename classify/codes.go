package classify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Code is a row of the code table: what a code in an error answer of the Alter backend means.
type Code struct {
	Code  string // in snake case
	Kind  Kind
	Basis Basis // Documented or Inferred
	Note  string
}

// codes is the built-in table. A row is Documented where Alter's public pages print the code itself,
// and Inferred where only the error class is documented and the code follows from its name.
var codes = []Code{
	{"reauth_required", ReAuthRequired, Inferred, ""},
	{"grant_expired", GrantExpired, Inferred, ""},
	{"connection_expired", GrantExpired, Inferred, "the name before connections became grants"},
	{"grant_revoked", GrantRevoked, Inferred, ""},
	{"connection_revoked", GrantRevoked, Inferred, "the name before connections became grants"},
	{"credential_revoked", CredentialRevoked, Inferred, ""},
	{"token_expired", CredentialRevoked, Inferred, "seen in the 0.1.0 Python SDK only"},
	{"grant_deleted", GrantDeleted, Inferred, ""},
	{"connection_deleted", GrantDeleted, Inferred, "the name before connections became grants"},
	{"grant_not_found", GrantNotFound, Inferred, ""},
	{"connection_not_found", GrantNotFound, Inferred, "the name before connections became grants"},
	{"ambiguous_grant", AmbiguousGrant, Inferred, ""},
	{"policy_violation", PolicyViolation, Inferred, "seen in the 0.1.0 Python SDK only"},
	{"outside_business_hours", PolicyViolation, Documented, "a policy_error; 0.1.0 sent it as the code"},
	{"ip_not_allowed", PolicyViolation, Documented, "a policy_error; 0.1.0 sent it as the code"},
	{"rate_limit_exceeded", PolicyRateLimit, Documented, "a policy_error; 0.1.0 sent it as the code"},
	{"insufficient_scope", InsufficientScope, Inferred, ""},
	{"scope_mismatch", ScopeReauthRequired, Inferred, "the pre-flight flag"},
	{"scope_reauth_required", ScopeReauthRequired, Inferred, ""},
	{"no_delegated_grant", NoDelegatedGrant, Inferred, ""},
	{"token_refresh_in_progress", TokenRefreshInProgress, Inferred, "the status 409 is documented"},
	{"hitl_grant_requires_proxy", RestrictedGrantRequiresProxy, Documented, ""},
	{"restricted_grant_requires_proxy", RestrictedGrantRequiresProxy, Inferred, ""},
	{"sibling_label_conflict", SiblingLabelConflict, Inferred, ""},

	{"invalid_key", InvalidKey, Documented, ""},
	{"key_revoked", KeyRevoked, Documented, ""},
	{"agent_not_found", AgentNotFound, Documented, ""},
	{"agent_inactive", AgentInactive, Documented, ""},
	{"agent_revoked", AgentRevoked, Inferred, ""},
	{"agent_name_exists", AgentNameExists, Inferred, ""},
	{"me_requires_agent_key", MeRequiresAgentKey, Inferred, ""},
	{"key_not_found", KeyNotFound, Inferred, ""},
	{"key_already_revoked", KeyAlreadyRevoked, Inferred, ""},
	{"last_active_key", LastActiveKey, Inferred, ""},
	{"agent_cannot_mint_subagents", AgentCannotMintSubagents, Inferred, ""},
	{"agent_scope_narrowing_not_supported", AgentScopeNarrowingNotSupported, Inferred, ""},
	{"idempotency_key_body_mismatch", IdempotencyKeyBodyMismatch, Inferred, ""},
	{"idempotency_key_agent_revoked", IdempotencyKeyAgentRevoked, Inferred, ""},
	{"idempotency_key_agent_inactive", IdempotencyKeyAgentInactive, Inferred, ""},

	{"connect_flow_error", ConnectFlow, Inferred, ""},
	{"connect_denied", ConnectDenied, Inferred, ""},
	{"access_denied", ConnectDenied, Inferred, "RFC 6749, section 4.1.2.1"},
	{"connect_config_error", ConnectConfig, Inferred, ""},
	{"invalid_client", ConnectConfig, Inferred, "RFC 6749, section 5.2"},
	{"redirect_uri_mismatch", ConnectConfig, Inferred, ""},
	{"connect_timeout", ConnectTimeout, Inferred, ""},
	{"session_expired", ConnectTimeout, Inferred, ""},

	{"provider_unauthorized", ProviderUnauthorized, Inferred, ""},

	{"approval_denied", ApprovalDenied, Inferred, ""},
	{"approval_expired", ApprovalExpired, Inferred, ""},
	{"approval_execution_failed", ApprovalExecutionFailed, Inferred, ""},
	{"approval_timeout", ApprovalTimeout, Inferred, ""},
}

// Codes returns the built-in code table in its own order. The caller owns the slice.
func Codes() []Code { return slices.Clone(codes) }

// codeIndex finds a row by its folded code, and by the name of the error class: "GrantRevokedError" means [GrantRevoked].
type codeIndex map[string]Code

var builtinCodes = func() codeIndex {
	index := make(codeIndex, 2*len(codes))
	for _, row := range codes {
		index[fold(row.Code)] = row
	}
	for _, row := range codes {
		class := fold(row.Kind.ErrorName())
		if _, taken := index[class]; !taken {
			index[class] = row
		}
	}
	return index
}()

// with returns the index extended and overridden by rows, and the faults of rows.
func (index codeIndex) with(rows []Code) (codeIndex, faults) {
	var found faults
	out := maps.Clone(index)
	seen := make(map[string]bool, len(rows))
	for i, row := range rows {
		key := fold(row.Code)
		switch {
		case key == "":
			found = append(found, fmt.Errorf("Codes[%d].Code is empty: want the code as the backend sends it", i))
		case len(row.Code) > maxCode:
			found = append(found, fmt.Errorf("Codes[%d].Code has %d bytes: want at most %d", i, len(row.Code), maxCode))
		case seen[key]:
			found = append(found, fmt.Errorf("Codes[%d].Code %q stands twice", i, row.Code))
		}
		if row.Kind != Success && !row.Kind.Failure() {
			found = append(found, fmt.Errorf("Codes[%d].Kind is %v: want a kind of failure or Success", i, row.Kind))
		}
		seen[key] = true
		out[key] = row
	}
	return out, found
}

// find looks up a code as it came, in any of its spellings.
func (index codeIndex) find(code []byte) (row Code, ok bool) {
	var room [maxCode]byte
	folded := room[:0]
	for _, c := range code {
		folded = append(folded, foldByte(c))
	}
	row, ok = index[string(folded)]
	return row, ok
}

// fold maps the spellings of a code to one: lower case, "-" and space as "_". Only ASCII letters have a case here.
func fold(code string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			return rune(foldByte(byte(r))) //nolint:gosec // it is less than 0x80
		}
		return r
	}, code)
}

func foldByte(c byte) byte {
	switch {
	case c == '-' || c == ' ':
		return '_'
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	}
	return c
}
