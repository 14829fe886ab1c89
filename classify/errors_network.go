package classify

// Errors below HTTP, and errors on the caller's side.

// AlterValueError says that the caller's input was rejected before anything was sent. Action: Fix.
type AlterValueError struct {
	AlterSDKError
}

// Unwrap returns the error as a *AlterSDKError.
func (e *AlterValueError) Unwrap() error { return &e.AlterSDKError }

// InvalidRequestError says that the request cannot be sent: bad URL, scheme, method, host or header. Action: Fix.
type InvalidRequestError struct {
	AlterValueError
}

// Unwrap returns the error as a *AlterValueError.
func (e *InvalidRequestError) Unwrap() error { return &e.AlterValueError }

// NetworkError says that the exchange failed below HTTP. Action: Retry.
type NetworkError struct {
	AlterSDKError
}

// Unwrap returns the error as a *AlterSDKError.
func (e *NetworkError) Unwrap() error { return &e.AlterSDKError }

// DialError says that no connection could be made; nothing was sent. Action: Retry.
type DialError struct {
	NetworkError
}

// Unwrap returns the error as a *NetworkError.
func (e *DialError) Unwrap() error { return &e.NetworkError }

// ConnectionRefusedError says that the host refused the connection; nothing was sent. Action: Retry.
type ConnectionRefusedError struct {
	DialError
}

// Unwrap returns the error as a *DialError.
func (e *ConnectionRefusedError) Unwrap() error { return &e.DialError }

// DNSError says that the name service did not answer; nothing was sent. Action: Retry.
type DNSError struct {
	DialError
}

// Unwrap returns the error as a *DialError.
func (e *DNSError) Unwrap() error { return &e.DialError }

// ConnectionLostError says that the connection ended before the answer did: reset, closed, GOAWAY, refused stream. Action: Retry.
type ConnectionLostError struct {
	NetworkError
}

// Unwrap returns the error as a *NetworkError.
func (e *ConnectionLostError) Unwrap() error { return &e.NetworkError }

// TimeoutError says that the request timed out. Action: Retry.
type TimeoutError struct {
	NetworkError
}

// Unwrap returns the error as a *NetworkError.
func (e *TimeoutError) Unwrap() error { return &e.NetworkError }

// DialTimeoutError says that the connection or its TLS handshake took too long; nothing was sent. Action: Retry.
type DialTimeoutError struct {
	TimeoutError
}

// Unwrap returns the error as a *TimeoutError.
func (e *DialTimeoutError) Unwrap() error { return &e.TimeoutError }

// DeadlineError says that the caller's own deadline passed. Action: Retry.
type DeadlineError struct {
	TimeoutError
}

// Unwrap returns the error as a *TimeoutError.
func (e *DeadlineError) Unwrap() error { return &e.TimeoutError }

// HostNotFoundError says that the host name does not exist. Action: Fix.
type HostNotFoundError struct {
	NetworkError
}

// Unwrap returns the error as a *NetworkError.
func (e *HostNotFoundError) Unwrap() error { return &e.NetworkError }

// TLSError says that the TLS handshake failed in a way that waiting cannot heal. Action: Fix.
type TLSError struct {
	NetworkError
}

// Unwrap returns the error as a *NetworkError.
func (e *TLSError) Unwrap() error { return &e.NetworkError }

// ProxyRefusedError says that the proxy refused to connect to the host. Action: Fix.
type ProxyRefusedError struct {
	NetworkError
}

// Unwrap returns the error as a *NetworkError.
func (e *ProxyRefusedError) Unwrap() error { return &e.NetworkError }

// ProtocolError says that the peer does not speak HTTP as it should. Action: Inspect.
type ProtocolError struct {
	NetworkError
}

// Unwrap returns the error as a *NetworkError.
func (e *ProtocolError) Unwrap() error { return &e.NetworkError }

// CanceledError says that the caller ended the exchange. Action: None.
type CanceledError struct {
	AlterSDKError
}

// Unwrap returns the error as a *AlterSDKError.
func (e *CanceledError) Unwrap() error { return &e.AlterSDKError }
