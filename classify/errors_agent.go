package classify

// Errors of managing agents and their keys.

// AgentError says that managing an agent or its keys failed. Action: Inspect.
type AgentError struct {
	BackendError
	Code string // the stable code, such as "agent_not_found"; switch on it, not on the message
}

// Unwrap returns the error as a *BackendError.
func (e *AgentError) Unwrap() error { return &e.BackendError }

func (e *AgentError) fill(d *Detail) {
	e.BackendError.fill(d)
	e.Code = e.verdict.Code
}

// InvalidKeyError says that the API key is not valid. Action: RotateKey.
type InvalidKeyError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *InvalidKeyError) Unwrap() error { return &e.AgentError }

// AgentNotFoundError says that there is no agent of that id. Action: Fix.
type AgentNotFoundError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *AgentNotFoundError) Unwrap() error { return &e.AgentError }

// AgentNameExistsError says that an agent of that name exists. Action: Fix.
type AgentNameExistsError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *AgentNameExistsError) Unwrap() error { return &e.AgentError }

// MeRequiresAgentKeyError says that the route answers to agent keys only. Action: Fix.
type MeRequiresAgentKeyError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *MeRequiresAgentKeyError) Unwrap() error { return &e.AgentError }

// KeyRevokedError says that the API key was revoked. Action: RotateKey.
type KeyRevokedError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *KeyRevokedError) Unwrap() error { return &e.AgentError }

// AgentInactiveError says that the agent is deactivated. Action: Inspect.
type AgentInactiveError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *AgentInactiveError) Unwrap() error { return &e.AgentError }

// AgentRevokedError says that the agent was revoked. Action: Inspect.
type AgentRevokedError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *AgentRevokedError) Unwrap() error { return &e.AgentError }

// KeyNotFoundError says that there is no key of that id. Action: Fix.
type KeyNotFoundError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *KeyNotFoundError) Unwrap() error { return &e.AgentError }

// KeyAlreadyRevokedError says that the key was revoked before. Action: Inspect.
type KeyAlreadyRevokedError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *KeyAlreadyRevokedError) Unwrap() error { return &e.AgentError }

// LastActiveKeyError says that revoking would leave the agent without a key. Action: RotateKey.
type LastActiveKeyError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *LastActiveKeyError) Unwrap() error { return &e.AgentError }

// AgentCannotMintSubagentsError says that agents cannot create agents. Action: Fix.
type AgentCannotMintSubagentsError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *AgentCannotMintSubagentsError) Unwrap() error { return &e.AgentError }

// AgentScopeNarrowingNotSupportedError says that an agent's scopes cannot be narrowed this way. Action: Fix.
type AgentScopeNarrowingNotSupportedError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *AgentScopeNarrowingNotSupportedError) Unwrap() error { return &e.AgentError }

// IdempotencyKeyBodyMismatchError says that the idempotency key was used with another body. Action: Fix.
type IdempotencyKeyBodyMismatchError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *IdempotencyKeyBodyMismatchError) Unwrap() error { return &e.AgentError }

// IdempotencyKeyAgentRevokedError says that the idempotency key belongs to an agent that was revoked. Action: Fix.
type IdempotencyKeyAgentRevokedError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *IdempotencyKeyAgentRevokedError) Unwrap() error { return &e.AgentError }

// IdempotencyKeyAgentInactiveError says that the idempotency key belongs to an agent that is deactivated. Action: Inspect.
type IdempotencyKeyAgentInactiveError struct {
	AgentError
}

// Unwrap returns the error as a *AgentError.
func (e *IdempotencyKeyAgentInactiveError) Unwrap() error { return &e.AgentError }
