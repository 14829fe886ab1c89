package classify

// Errors of third-party APIs, behind Alter or without it.

// ProviderAPIError says that a third-party API answered with a 4xx or 5xx that nothing more specific describes. Action: Inspect.
type ProviderAPIError struct {
	AlterSDKError
	ResponseBody []byte // the first bytes of the provider's answer, as they were looked at; not the whole of a long answer
}

// Unwrap returns the error as a *AlterSDKError.
func (e *ProviderAPIError) Unwrap() error { return &e.AlterSDKError }

func (e *ProviderAPIError) fill(d *Detail) {
	e.AlterSDKError.fill(d)
	e.ResponseBody = d.body
}

// ProviderUnauthorizedError says that the API did not accept the credential (401). Action: Reauthorize.
type ProviderUnauthorizedError struct {
	ProviderAPIError
}

// Unwrap returns the error as a *ProviderAPIError.
func (e *ProviderUnauthorizedError) Unwrap() error { return &e.ProviderAPIError }

// ScopeReauthRequiredError says that the API asks for scopes that the user has not granted (403). Action: Reauthorize.
type ScopeReauthRequiredError struct {
	ProviderAPIError
	GrantID       string   // the grant to re-authorize; empty if the answer did not say
	ProviderID    string   // the provider; empty if the answer did not say
	MissingScopes []string // the scopes that the provider's challenge names; nil when a pre-flight check of the backend said so
}

// Unwrap returns the error as a *ProviderAPIError.
func (e *ScopeReauthRequiredError) Unwrap() error { return &e.ProviderAPIError }

func (e *ScopeReauthRequiredError) fill(d *Detail) {
	e.ProviderAPIError.fill(d)
	e.GrantID = d.GrantID
	e.ProviderID = d.ProviderID
	e.MissingScopes = d.Missing
}

// ProviderRequestError says that the API will not serve the request as it is (400, 404, 405, 422 and their like). Action: Fix.
type ProviderRequestError struct {
	ProviderAPIError
}

// Unwrap returns the error as a *ProviderAPIError.
func (e *ProviderRequestError) Unwrap() error { return &e.ProviderAPIError }

// ProviderRateLimitError says that the API's rate limit is used up (429). Action: Wait.
type ProviderRateLimitError struct {
	ProviderAPIError
}

// Unwrap returns the error as a *ProviderAPIError.
func (e *ProviderRateLimitError) Unwrap() error { return &e.ProviderAPIError }

// ProviderUnavailableError says that the API cannot serve the request right now (408, 425, 502, 503, 504). Action: Retry.
type ProviderUnavailableError struct {
	ProviderAPIError
}

// Unwrap returns the error as a *ProviderAPIError.
func (e *ProviderUnavailableError) Unwrap() error { return &e.ProviderAPIError }

// ProviderInternalError says that the API failed while it served the request (500 and other 5xx); it may have been carried out. Action: Inspect.
type ProviderInternalError struct {
	ProviderAPIError
}

// Unwrap returns the error as a *ProviderAPIError.
func (e *ProviderInternalError) Unwrap() error { return &e.ProviderAPIError }
