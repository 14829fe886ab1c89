package classify

// Errors of the Alter backend: what the caller's keys, grants and policies allow.

// BackendError says that the Alter backend returned an error that nothing more specific describes. Action: Inspect.
type BackendError struct {
	AlterSDKError
}

// Unwrap returns the error as a *AlterSDKError.
func (e *BackendError) Unwrap() error { return &e.AlterSDKError }

// BackendUnavailableError says that the backend, or a gateway before it, answered 502, 503 or 504. Action: Retry.
type BackendUnavailableError struct {
	BackendError
}

// Unwrap returns the error as a *BackendError.
func (e *BackendUnavailableError) Unwrap() error { return &e.BackendError }

// BackendInternalError says that the backend answered with another 5xx; the call may have been carried out. Action: Inspect.
type BackendInternalError struct {
	BackendError
}

// Unwrap returns the error as a *BackendError.
func (e *BackendInternalError) Unwrap() error { return &e.BackendError }

// BackendValidationError says that the backend listed the fields of the request that are not valid. Action: Fix.
type BackendValidationError struct {
	BackendError
}

// Unwrap returns the error as a *BackendError.
func (e *BackendValidationError) Unwrap() error { return &e.BackendError }

// ReAuthRequiredError says that the user must re-authorize through Connect. Action: Reauthorize.
type ReAuthRequiredError struct {
	BackendError
	GrantID string // the grant to re-authorize; empty if the answer did not say
}

// Unwrap returns the error as a *BackendError.
func (e *ReAuthRequiredError) Unwrap() error { return &e.BackendError }

func (e *ReAuthRequiredError) fill(d *Detail) {
	e.BackendError.fill(d)
	e.GrantID = d.GrantID
}

// GrantExpiredError says that the grant's lifetime is over. Action: Reauthorize.
type GrantExpiredError struct {
	ReAuthRequiredError
}

// Unwrap returns the error as a *ReAuthRequiredError.
func (e *GrantExpiredError) Unwrap() error { return &e.ReAuthRequiredError }

// GrantRevokedError says that the grant was revoked. Action: Reauthorize.
type GrantRevokedError struct {
	ReAuthRequiredError
}

// Unwrap returns the error as a *ReAuthRequiredError.
func (e *GrantRevokedError) Unwrap() error { return &e.ReAuthRequiredError }

// CredentialRevokedError says that the provider's credential behind the grant no longer works; the grant keeps its id. Action: Reauthorize.
type CredentialRevokedError struct {
	ReAuthRequiredError
}

// Unwrap returns the error as a *ReAuthRequiredError.
func (e *CredentialRevokedError) Unwrap() error { return &e.ReAuthRequiredError }

// GrantDeletedError says that the grant was deleted. Action: Reauthorize.
type GrantDeletedError struct {
	ReAuthRequiredError
}

// Unwrap returns the error as a *ReAuthRequiredError.
func (e *GrantDeletedError) Unwrap() error { return &e.ReAuthRequiredError }

// GrantNotFoundError says that there is no grant of that id. Action: Fix.
type GrantNotFoundError struct {
	BackendError
}

// Unwrap returns the error as a *BackendError.
func (e *GrantNotFoundError) Unwrap() error { return &e.BackendError }

// AmbiguousGrantError says that several grants match the user's token. Action: Choose.
type AmbiguousGrantError struct {
	BackendError
	ProviderID         string   // the provider whose grants matched
	AccountIdentifiers []string // the matching accounts, to show to the user
	AccountWasProvided bool     // whether the call named an account already
	AppUserIDs         []string // the users with matching delegations, for agents
}

// Unwrap returns the error as a *BackendError.
func (e *AmbiguousGrantError) Unwrap() error { return &e.BackendError }

func (e *AmbiguousGrantError) fill(d *Detail) {
	e.BackendError.fill(d)
	e.ProviderID = d.ProviderID
	e.AccountIdentifiers = d.AccountIdentifiers
	e.AccountWasProvided = d.AccountWasProvided
	e.AppUserIDs = d.AppUserIDs
}

// PolicyViolationError says that a policy denied the call; it may allow it later. Action: Wait.
type PolicyViolationError struct {
	BackendError
	PolicyError string // the violated policy, such as "outside_business_hours"; an open set
}

// Unwrap returns the error as a *BackendError.
func (e *PolicyViolationError) Unwrap() error { return &e.BackendError }

func (e *PolicyViolationError) fill(d *Detail) {
	e.BackendError.fill(d)
	e.PolicyError = d.PolicyError
}

// PolicyRateLimitError says that a policy's rate limit is used up. Action: Wait.
type PolicyRateLimitError struct {
	PolicyViolationError
}

// Unwrap returns the error as a *PolicyViolationError.
func (e *PolicyRateLimitError) Unwrap() error { return &e.PolicyViolationError }

// InsufficientScopeError says that the calling key lacks a scope that the route requires. Action: WidenScope.
type InsufficientScopeError struct {
	BackendError
	Required             []string // the scopes that the route requires
	Granted              []string // the scopes that the key has
	Missing              []string // required less granted
	ScopeVersion         string   // the catalog version that the key was minted against
	CurrentScopeVersion  string   // the catalog version of the server
	ScopeVersionMismatch bool     // whether the missing scope exists only at the server's version
	DocumentationURL     string   // where the scope is documented
}

// Unwrap returns the error as a *BackendError.
func (e *InsufficientScopeError) Unwrap() error { return &e.BackendError }

func (e *InsufficientScopeError) fill(d *Detail) {
	e.BackendError.fill(d)
	e.Required = d.Required
	e.Granted = d.Granted
	e.Missing = d.Missing
	e.ScopeVersion = d.ScopeVersion
	e.CurrentScopeVersion = d.CurrentScopeVersion
	e.ScopeVersionMismatch = d.ScopeVersionMismatch
	e.DocumentationURL = d.DocumentationURL
}

// ScopeVersionMismatchError says that the missing scope exists only in a newer catalog than the key's. Action: RotateKey.
type ScopeVersionMismatchError struct {
	InsufficientScopeError
}

// Unwrap returns the error as a *InsufficientScopeError.
func (e *ScopeVersionMismatchError) Unwrap() error { return &e.InsufficientScopeError }

// NoDelegatedGrantError says that the agent has no access path to the provider. Action: Delegate.
type NoDelegatedGrantError struct {
	BackendError
	ProviderID string // the provider that the agent cannot reach
}

// Unwrap returns the error as a *BackendError.
func (e *NoDelegatedGrantError) Unwrap() error { return &e.BackendError }

func (e *NoDelegatedGrantError) fill(d *Detail) {
	e.BackendError.fill(d)
	e.ProviderID = d.ProviderID
}

// TokenRefreshInProgressError says that another caller is refreshing the grant's token; nothing was carried out. Action: Retry.
type TokenRefreshInProgressError struct {
	BackendError
	GrantID string // the grant whose token is being refreshed; empty if the answer did not say
}

// Unwrap returns the error as a *BackendError.
func (e *TokenRefreshInProgressError) Unwrap() error { return &e.BackendError }

func (e *TokenRefreshInProgressError) fill(d *Detail) {
	e.BackendError.fill(d)
	e.GrantID = d.GrantID
}

// RestrictedGrantRequiresProxyError says that the grant may be used in proxy mode only. Action: Fix.
type RestrictedGrantRequiresProxyError struct {
	BackendError
}

// Unwrap returns the error as a *BackendError.
func (e *RestrictedGrantRequiresProxyError) Unwrap() error { return &e.BackendError }

// SiblingLabelConflictError says that the label is taken by a sibling grant. Action: Fix.
type SiblingLabelConflictError struct {
	BackendError
}

// Unwrap returns the error as a *BackendError.
func (e *SiblingLabelConflictError) Unwrap() error { return &e.BackendError }
