package classify

// Errors of the Connect flow, in which a user authorizes.

// ConnectFlowError says that the Connect flow failed. Action: RestartConnect.
type ConnectFlowError struct {
	AlterSDKError
}

// Unwrap returns the error as a *AlterSDKError.
func (e *ConnectFlowError) Unwrap() error { return &e.AlterSDKError }

// ConnectDeniedError says that the user declined on the provider's consent screen. Action: RestartConnect.
type ConnectDeniedError struct {
	ConnectFlowError
}

// Unwrap returns the error as a *ConnectFlowError.
func (e *ConnectDeniedError) Unwrap() error { return &e.ConnectFlowError }

// ConnectConfigError says that the OAuth client is misconfigured. Action: Fix.
type ConnectConfigError struct {
	ConnectFlowError
}

// Unwrap returns the error as a *ConnectFlowError.
func (e *ConnectConfigError) Unwrap() error { return &e.ConnectFlowError }

// ConnectTimeoutError says that the user did not finish within the session's lifetime. Action: RestartConnect.
type ConnectTimeoutError struct {
	ConnectFlowError
}

// Unwrap returns the error as a *ConnectFlowError.
func (e *ConnectTimeoutError) Unwrap() error { return &e.ConnectFlowError }
