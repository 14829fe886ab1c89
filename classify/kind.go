package classify

import (
	"fmt"
	"iter"
)

// Kind is a node of the failure tree: what an exchange came to. Each kind but Unclassified and Success has
// one error type, named after it ([GrantRevoked] and [*GrantRevokedError]), and the two trees are the same tree.
// The kind says what to do about it: see [Kind.Action]. The zero value is Unclassified.
//
// The names follow the error classes that Alter documents for its SDKs; kinds marked "steadytrip's own" refine them
// where a transport has to tell cases apart.
type Kind uint8

const (
	// Unclassified: nobody has an opinion. A verdict of this kind is the zero verdict.
	Unclassified Kind = iota
	// Success: a classifier states that the exchange did not fail, whatever its status.
	Success
	// AlterSDK: any failure; the root of the tree.
	AlterSDK
	// AlterValue: the caller's input was rejected before anything was sent.
	AlterValue
	// InvalidRequest: the request cannot be sent: bad URL, scheme, method, host or header (steadytrip's own).
	InvalidRequest
	// Backend: the Alter backend returned an error that nothing more specific describes.
	Backend
	// BackendUnavailable: the backend, or a gateway before it, answered 502, 503 or 504 (steadytrip's own).
	BackendUnavailable
	// BackendInternal: the backend answered with another 5xx; the call may have been carried out (steadytrip's own).
	BackendInternal
	// BackendValidation: the backend listed the fields of the request that are not valid (steadytrip's own).
	BackendValidation
	// ReAuthRequired: the user must re-authorize through Connect.
	ReAuthRequired
	// GrantExpired: the grant's lifetime is over.
	GrantExpired
	// GrantRevoked: the grant was revoked.
	GrantRevoked
	// CredentialRevoked: the provider's credential behind the grant no longer works; the grant keeps its id.
	CredentialRevoked
	// GrantDeleted: the grant was deleted.
	GrantDeleted
	// GrantNotFound: there is no grant of that id.
	GrantNotFound
	// AmbiguousGrant: several grants match the user's token.
	AmbiguousGrant
	// PolicyViolation: a policy denied the call; it may allow it later.
	PolicyViolation
	// PolicyRateLimit: a policy's rate limit is used up (steadytrip's own).
	PolicyRateLimit
	// InsufficientScope: the calling key lacks a scope that the route requires.
	InsufficientScope
	// ScopeVersionMismatch: the missing scope exists only in a newer catalog than the key's (steadytrip's own).
	ScopeVersionMismatch
	// NoDelegatedGrant: the agent has no access path to the provider.
	NoDelegatedGrant
	// TokenRefreshInProgress: another caller is refreshing the grant's token; nothing was carried out.
	TokenRefreshInProgress
	// RestrictedGrantRequiresProxy: the grant may be used in proxy mode only.
	RestrictedGrantRequiresProxy
	// SiblingLabelConflict: the label is taken by a sibling grant.
	SiblingLabelConflict
	// Agent: managing an agent or its keys failed.
	Agent
	// InvalidKey: the API key is not valid.
	InvalidKey
	// AgentNotFound: there is no agent of that id.
	AgentNotFound
	// AgentNameExists: an agent of that name exists.
	AgentNameExists
	// MeRequiresAgentKey: the route answers to agent keys only.
	MeRequiresAgentKey
	// KeyRevoked: the API key was revoked.
	KeyRevoked
	// AgentInactive: the agent is deactivated.
	AgentInactive
	// AgentRevoked: the agent was revoked.
	AgentRevoked
	// KeyNotFound: there is no key of that id.
	KeyNotFound
	// KeyAlreadyRevoked: the key was revoked before.
	KeyAlreadyRevoked
	// LastActiveKey: revoking would leave the agent without a key.
	LastActiveKey
	// AgentCannotMintSubagents: agents cannot create agents.
	AgentCannotMintSubagents
	// AgentScopeNarrowingNotSupported: an agent's scopes cannot be narrowed this way.
	AgentScopeNarrowingNotSupported
	// IdempotencyKeyBodyMismatch: the idempotency key was used with another body.
	IdempotencyKeyBodyMismatch
	// IdempotencyKeyAgentRevoked: the idempotency key belongs to an agent that was revoked.
	IdempotencyKeyAgentRevoked
	// IdempotencyKeyAgentInactive: the idempotency key belongs to an agent that is deactivated.
	IdempotencyKeyAgentInactive
	// ConnectFlow: the Connect flow failed.
	ConnectFlow
	// ConnectDenied: the user declined on the provider's consent screen.
	ConnectDenied
	// ConnectConfig: the OAuth client is misconfigured.
	ConnectConfig
	// ConnectTimeout: the user did not finish within the session's lifetime.
	ConnectTimeout
	// ProviderAPI: a third-party API answered with a 4xx or 5xx that nothing more specific describes.
	ProviderAPI
	// ProviderUnauthorized: the API did not accept the credential (401).
	ProviderUnauthorized
	// ScopeReauthRequired: the API asks for scopes that the user has not granted (403).
	ScopeReauthRequired
	// ProviderRequest: the API will not serve the request as it is (400, 404, 405, 422 and their like) (steadytrip's own).
	ProviderRequest
	// ProviderRateLimit: the API's rate limit is used up (429) (steadytrip's own).
	ProviderRateLimit
	// ProviderUnavailable: the API cannot serve the request right now (408, 425, 502, 503, 504) (steadytrip's own).
	ProviderUnavailable
	// ProviderInternal: the API failed while it served the request (500 and other 5xx); it may have been carried out (steadytrip's own).
	ProviderInternal
	// Approval: the call depends on a human approval.
	Approval
	// ApprovalPending: nobody has decided yet, or the approved call is still running (steadytrip's own).
	ApprovalPending
	// ApprovalDenied: the approver said no.
	ApprovalDenied
	// ApprovalExpired: nobody decided within the window; issue the call anew, or widen the window.
	ApprovalExpired
	// ApprovalTimeout: the caller stopped waiting; the approval may still be pending.
	ApprovalTimeout
	// ApprovalExecutionFailed: the call was approved but failed when it was carried out.
	ApprovalExecutionFailed
	// Network: the exchange failed below HTTP.
	Network
	// Dial: no connection could be made; nothing was sent (steadytrip's own).
	Dial
	// ConnectionRefused: the host refused the connection; nothing was sent (steadytrip's own).
	ConnectionRefused
	// DNS: the name service did not answer; nothing was sent (steadytrip's own).
	DNS
	// ConnectionLost: the connection ended before the answer did: reset, closed, GOAWAY, refused stream (steadytrip's own).
	ConnectionLost
	// Timeout: the request timed out.
	Timeout
	// DialTimeout: the connection or its TLS handshake took too long; nothing was sent (steadytrip's own).
	DialTimeout
	// Deadline: the caller's own deadline passed (steadytrip's own).
	Deadline
	// HostNotFound: the host name does not exist (steadytrip's own).
	HostNotFound
	// TLS: the TLS handshake failed in a way that waiting cannot heal (steadytrip's own).
	TLS
	// ProxyRefused: the proxy refused to connect to the host (steadytrip's own).
	ProxyRefused
	// Protocol: the peer does not speak HTTP as it should (steadytrip's own).
	Protocol
	// Canceled: the caller ended the exchange (steadytrip's own).
	Canceled
)

type kindRow struct {
	name   string // snake case, stable: used in policy files and telemetry
	class  string // the error type, without the pointer
	parent Kind
	action Action
	new    func() failure
}

// kinds is the failure tree: one row gives a kind its name, its error type, its parent and its action.
var kinds = [...]kindRow{
	Unclassified:                    {name: "unclassified"},
	Success:                         {name: "success"},
	AlterSDK:                        {"alter_sdk", "AlterSDKError", Unclassified, Inspect, func() failure { return new(AlterSDKError) }},
	AlterValue:                      {"alter_value", "AlterValueError", AlterSDK, Fix, func() failure { return new(AlterValueError) }},
	InvalidRequest:                  {"invalid_request", "InvalidRequestError", AlterValue, Fix, func() failure { return new(InvalidRequestError) }},
	Backend:                         {"backend", "BackendError", AlterSDK, Inspect, func() failure { return new(BackendError) }},
	BackendUnavailable:              {"backend_unavailable", "BackendUnavailableError", Backend, Retry, func() failure { return new(BackendUnavailableError) }},
	BackendInternal:                 {"backend_internal", "BackendInternalError", Backend, Inspect, func() failure { return new(BackendInternalError) }},
	BackendValidation:               {"backend_validation", "BackendValidationError", Backend, Fix, func() failure { return new(BackendValidationError) }},
	ReAuthRequired:                  {"reauth_required", "ReAuthRequiredError", Backend, Reauthorize, func() failure { return new(ReAuthRequiredError) }},
	GrantExpired:                    {"grant_expired", "GrantExpiredError", ReAuthRequired, Reauthorize, func() failure { return new(GrantExpiredError) }},
	GrantRevoked:                    {"grant_revoked", "GrantRevokedError", ReAuthRequired, Reauthorize, func() failure { return new(GrantRevokedError) }},
	CredentialRevoked:               {"credential_revoked", "CredentialRevokedError", ReAuthRequired, Reauthorize, func() failure { return new(CredentialRevokedError) }},
	GrantDeleted:                    {"grant_deleted", "GrantDeletedError", ReAuthRequired, Reauthorize, func() failure { return new(GrantDeletedError) }},
	GrantNotFound:                   {"grant_not_found", "GrantNotFoundError", Backend, Fix, func() failure { return new(GrantNotFoundError) }},
	AmbiguousGrant:                  {"ambiguous_grant", "AmbiguousGrantError", Backend, Choose, func() failure { return new(AmbiguousGrantError) }},
	PolicyViolation:                 {"policy_violation", "PolicyViolationError", Backend, Wait, func() failure { return new(PolicyViolationError) }},
	PolicyRateLimit:                 {"policy_rate_limit", "PolicyRateLimitError", PolicyViolation, Wait, func() failure { return new(PolicyRateLimitError) }},
	InsufficientScope:               {"insufficient_scope", "InsufficientScopeError", Backend, WidenScope, func() failure { return new(InsufficientScopeError) }},
	ScopeVersionMismatch:            {"scope_version_mismatch", "ScopeVersionMismatchError", InsufficientScope, RotateKey, func() failure { return new(ScopeVersionMismatchError) }},
	NoDelegatedGrant:                {"no_delegated_grant", "NoDelegatedGrantError", Backend, Delegate, func() failure { return new(NoDelegatedGrantError) }},
	TokenRefreshInProgress:          {"token_refresh_in_progress", "TokenRefreshInProgressError", Backend, Retry, func() failure { return new(TokenRefreshInProgressError) }},
	RestrictedGrantRequiresProxy:    {"restricted_grant_requires_proxy", "RestrictedGrantRequiresProxyError", Backend, Fix, func() failure { return new(RestrictedGrantRequiresProxyError) }},
	SiblingLabelConflict:            {"sibling_label_conflict", "SiblingLabelConflictError", Backend, Fix, func() failure { return new(SiblingLabelConflictError) }},
	Agent:                           {"agent", "AgentError", Backend, Inspect, func() failure { return new(AgentError) }},
	InvalidKey:                      {"invalid_key", "InvalidKeyError", Agent, RotateKey, func() failure { return new(InvalidKeyError) }},
	AgentNotFound:                   {"agent_not_found", "AgentNotFoundError", Agent, Fix, func() failure { return new(AgentNotFoundError) }},
	AgentNameExists:                 {"agent_name_exists", "AgentNameExistsError", Agent, Fix, func() failure { return new(AgentNameExistsError) }},
	MeRequiresAgentKey:              {"me_requires_agent_key", "MeRequiresAgentKeyError", Agent, Fix, func() failure { return new(MeRequiresAgentKeyError) }},
	KeyRevoked:                      {"key_revoked", "KeyRevokedError", Agent, RotateKey, func() failure { return new(KeyRevokedError) }},
	AgentInactive:                   {"agent_inactive", "AgentInactiveError", Agent, Inspect, func() failure { return new(AgentInactiveError) }},
	AgentRevoked:                    {"agent_revoked", "AgentRevokedError", Agent, Inspect, func() failure { return new(AgentRevokedError) }},
	KeyNotFound:                     {"key_not_found", "KeyNotFoundError", Agent, Fix, func() failure { return new(KeyNotFoundError) }},
	KeyAlreadyRevoked:               {"key_already_revoked", "KeyAlreadyRevokedError", Agent, Inspect, func() failure { return new(KeyAlreadyRevokedError) }},
	LastActiveKey:                   {"last_active_key", "LastActiveKeyError", Agent, RotateKey, func() failure { return new(LastActiveKeyError) }},
	AgentCannotMintSubagents:        {"agent_cannot_mint_subagents", "AgentCannotMintSubagentsError", Agent, Fix, func() failure { return new(AgentCannotMintSubagentsError) }},
	AgentScopeNarrowingNotSupported: {"agent_scope_narrowing_not_supported", "AgentScopeNarrowingNotSupportedError", Agent, Fix, func() failure { return new(AgentScopeNarrowingNotSupportedError) }},
	IdempotencyKeyBodyMismatch:      {"idempotency_key_body_mismatch", "IdempotencyKeyBodyMismatchError", Agent, Fix, func() failure { return new(IdempotencyKeyBodyMismatchError) }},
	IdempotencyKeyAgentRevoked:      {"idempotency_key_agent_revoked", "IdempotencyKeyAgentRevokedError", Agent, Fix, func() failure { return new(IdempotencyKeyAgentRevokedError) }},
	IdempotencyKeyAgentInactive:     {"idempotency_key_agent_inactive", "IdempotencyKeyAgentInactiveError", Agent, Inspect, func() failure { return new(IdempotencyKeyAgentInactiveError) }},
	ConnectFlow:                     {"connect_flow", "ConnectFlowError", AlterSDK, RestartConnect, func() failure { return new(ConnectFlowError) }},
	ConnectDenied:                   {"connect_denied", "ConnectDeniedError", ConnectFlow, RestartConnect, func() failure { return new(ConnectDeniedError) }},
	ConnectConfig:                   {"connect_config", "ConnectConfigError", ConnectFlow, Fix, func() failure { return new(ConnectConfigError) }},
	ConnectTimeout:                  {"connect_timeout", "ConnectTimeoutError", ConnectFlow, RestartConnect, func() failure { return new(ConnectTimeoutError) }},
	ProviderAPI:                     {"provider_api", "ProviderAPIError", AlterSDK, Inspect, func() failure { return new(ProviderAPIError) }},
	ProviderUnauthorized:            {"provider_unauthorized", "ProviderUnauthorizedError", ProviderAPI, Reauthorize, func() failure { return new(ProviderUnauthorizedError) }},
	ScopeReauthRequired:             {"scope_reauth_required", "ScopeReauthRequiredError", ProviderAPI, Reauthorize, func() failure { return new(ScopeReauthRequiredError) }},
	ProviderRequest:                 {"provider_request", "ProviderRequestError", ProviderAPI, Fix, func() failure { return new(ProviderRequestError) }},
	ProviderRateLimit:               {"provider_rate_limit", "ProviderRateLimitError", ProviderAPI, Wait, func() failure { return new(ProviderRateLimitError) }},
	ProviderUnavailable:             {"provider_unavailable", "ProviderUnavailableError", ProviderAPI, Retry, func() failure { return new(ProviderUnavailableError) }},
	ProviderInternal:                {"provider_internal", "ProviderInternalError", ProviderAPI, Inspect, func() failure { return new(ProviderInternalError) }},
	Approval:                        {"approval", "ApprovalError", AlterSDK, FollowUp, func() failure { return new(ApprovalError) }},
	ApprovalPending:                 {"approval_pending", "ApprovalPendingError", Approval, FollowUp, func() failure { return new(ApprovalPendingError) }},
	ApprovalDenied:                  {"approval_denied", "ApprovalDeniedError", Approval, Inspect, func() failure { return new(ApprovalDeniedError) }},
	ApprovalExpired:                 {"approval_expired", "ApprovalExpiredError", Approval, Inspect, func() failure { return new(ApprovalExpiredError) }},
	ApprovalTimeout:                 {"approval_timeout", "ApprovalTimeoutError", Approval, FollowUp, func() failure { return new(ApprovalTimeoutError) }},
	ApprovalExecutionFailed:         {"approval_execution_failed", "ApprovalExecutionFailedError", Approval, Inspect, func() failure { return new(ApprovalExecutionFailedError) }},
	Network:                         {"network", "NetworkError", AlterSDK, Retry, func() failure { return new(NetworkError) }},
	Dial:                            {"dial", "DialError", Network, Retry, func() failure { return new(DialError) }},
	ConnectionRefused:               {"connection_refused", "ConnectionRefusedError", Dial, Retry, func() failure { return new(ConnectionRefusedError) }},
	DNS:                             {"dns", "DNSError", Dial, Retry, func() failure { return new(DNSError) }},
	ConnectionLost:                  {"connection_lost", "ConnectionLostError", Network, Retry, func() failure { return new(ConnectionLostError) }},
	Timeout:                         {"timeout", "TimeoutError", Network, Retry, func() failure { return new(TimeoutError) }},
	DialTimeout:                     {"dial_timeout", "DialTimeoutError", Timeout, Retry, func() failure { return new(DialTimeoutError) }},
	Deadline:                        {"deadline", "DeadlineError", Timeout, Retry, func() failure { return new(DeadlineError) }},
	HostNotFound:                    {"host_not_found", "HostNotFoundError", Network, Fix, func() failure { return new(HostNotFoundError) }},
	TLS:                             {"tls", "TLSError", Network, Fix, func() failure { return new(TLSError) }},
	ProxyRefused:                    {"proxy_refused", "ProxyRefusedError", Network, Fix, func() failure { return new(ProxyRefusedError) }},
	Protocol:                        {"protocol", "ProtocolError", Network, Inspect, func() failure { return new(ProtocolError) }},
	Canceled:                        {"canceled", "CanceledError", AlterSDK, None, func() failure { return new(CanceledError) }},
}

// Kinds yields every kind of failure, parents before their children. Unclassified and Success are not among them.
func Kinds() iter.Seq[Kind] {
	return func(yield func(Kind) bool) {
		for k := AlterSDK; int(k) < len(kinds); k++ {
			if !yield(k) {
				return
			}
		}
	}
}

func (k Kind) row() *kindRow {
	if int(k) < len(kinds) {
		return &kinds[k]
	}
	return &kinds[Unclassified]
}

// Failure reports whether k is a node of the failure tree, rather than Unclassified or Success.
func (k Kind) Failure() bool { return k > Success && int(k) < len(kinds) }

// Action returns what the developer should do about a failure of kind k.
func (k Kind) Action() Action { return k.row().action }

// Parent returns the kind that k refines, and Unclassified for the root and for kinds outside the tree.
func (k Kind) Parent() Kind { return k.row().parent }

// Is reports whether k is ancestor or one of its descendants.
func (k Kind) Is(ancestor Kind) bool {
	for k != ancestor {
		if k = k.Parent(); k == Unclassified {
			return false
		}
	}
	return true
}

// ErrorName returns the name of the error type that stands for k, such as "GrantRevokedError".
// It is empty for Unclassified and Success.
func (k Kind) ErrorName() string { return k.row().class }

// String returns the kind's name in snake case, such as "grant_revoked". The names are stable.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k].name
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// MarshalText returns the kind's name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText sets k to the kind of that name, as [Kind.String] prints it.
func (k *Kind) UnmarshalText(text []byte) error {
	for i := range kinds {
		if kinds[i].name == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("classify: unknown kind %q: want a name such as %q or %q", text, Timeout, TokenRefreshInProgress)
}
