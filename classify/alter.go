package classify

import (
	"fmt"
	"net/http"
	"strings"
)

// Alter classifies the answers of the Alter backend, by their code first and by their status where no code is known.
// Use it for the backend's own hosts only, see [ByHost] and [ForAlter]: it takes the answer at its word.
// The zero value uses the built-in code table. It has no opinion on transport errors and on statuses below 400.
type Alter struct {
	codes   codeIndex
	refresh func(o Outcome) bool
}

// AlterConfig changes how [Alter] reads answers: [NewAlter] makes one, [AlterConfig.For] a client's whole classifier.
// The zero value changes nothing.
type AlterConfig struct {
	// Codes extends the code table and overrides rows of the same code.
	Codes []Code

	// BareRefresh names the exchanges whose 409, if it carries no known code, means that a token refresh is in progress.
	// Such an answer counts as unprocessed, so that even a POST is sent again: name only routes on which
	// a 409 can mean nothing else. Default: none, a 409 without a known code is never repeated.
	BareRefresh func(o Outcome) bool
}

// NewAlter returns a classifier for the Alter backend. The error lists every fault of cfg.
func NewAlter(cfg AlterConfig) (*Alter, error) {
	alter, found := cfg.alter()
	if len(found) > 0 {
		return nil, fmt.Errorf("classify: AlterConfig: %w", found)
	}
	return alter, nil
}

// alter returns the classifier, and the faults of cfg.
func (cfg AlterConfig) alter() (*Alter, faults) {
	index, found := builtinCodes.with(cfg.Codes)
	return &Alter{codes: index, refresh: cfg.BareRefresh}, found
}

// Classify implements [Classifier].
func (a *Alter) Classify(o Outcome) Verdict {
	if o.Err != nil || o.Status < 400 {
		return Verdict{}
	}
	index := builtinCodes
	var refresh func(Outcome) bool
	if a != nil {
		refresh = a.refresh
		if a.codes != nil {
			index = a.codes
		}
	}
	r := reading{detail: &Detail{Status: o.Status, RateLimit: rateLimit(o.Header)}}
	r.read(decoded(o.Body, o.Header), index)

	v := Verdict{Code: r.code, RetryAfter: answerHint(o, r.detail.RateLimit), Detail: r.detail}
	switch {
	case r.known:
		v.Kind, v.Basis = r.row.Kind, r.row.Basis
	case refresh != nil && o.Status == http.StatusConflict && refresh(o):
		v.Kind, v.Basis = TokenRefreshInProgress, Given
	default:
		v.Kind, v.Basis = alterByStatus(o, &r)
	}
	refine(&v, &r)
	v.Unprocessed = refused(v, o.Status)
	return v
}

// refused reports whether an answer says that the call was turned away before anything ran. A kind that is only guessed
// proves it with a 429 alone, and a status of 500 or more never does: the call may have got as far as the provider.
func refused(v Verdict, status int) bool {
	switch {
	case status >= 500:
		return false
	case v.Kind.Is(TokenRefreshInProgress):
		return true
	}
	return v.Kind.Is(PolicyViolation) && (v.Basis != Guessed || status == http.StatusTooManyRequests)
}

// refine moves a verdict to the more specific kind that the answer's attributes call for, and names the violated policy.
func refine(v *Verdict, r *reading) {
	switch v.Kind {
	case InsufficientScope:
		if r.detail.ScopeVersionMismatch {
			v.Kind = ScopeVersionMismatch
		}
	case PolicyViolation:
		if r.detail.PolicyError == "" && r.code != "policy_violation" {
			r.detail.PolicyError = r.code
		}
		if fold(r.detail.PolicyError) == "rate_limit_exceeded" {
			v.Kind = PolicyRateLimit
		}
	case PolicyRateLimit:
		keep(&r.detail.PolicyError, "rate_limit_exceeded")
	}
}

// alterByStatus is the fallback for answers without a known code.
func alterByStatus(o Outcome, r *reading) (Kind, Basis) {
	switch {
	case r.detail.PolicyError != "" && (o.Status == http.StatusForbidden || o.Status == http.StatusTooManyRequests):
		return PolicyViolation, Inferred
	case r.scopeMismatch && o.Status == http.StatusForbidden:
		return ScopeReauthRequired, Inferred
	case r.code != "" && o.Status < 500 && isAgentRoute(o.Path):
		return Agent, Inferred
	case r.validation && o.Status < 500:
		return BackendValidation, Guessed
	}
	switch o.Status {
	case http.StatusUnauthorized:
		return InvalidKey, Guessed
	case http.StatusForbidden:
		if r.flat {
			return PolicyViolation, Guessed
		}
	case http.StatusNotFound:
		if r.json {
			return GrantNotFound, Guessed
		}
	case http.StatusGone:
		return ReAuthRequired, Guessed
	case http.StatusTooManyRequests:
		return PolicyRateLimit, Guessed
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return BackendUnavailable, Given
	}
	if o.Status >= 500 {
		return BackendInternal, Given
	}
	return Backend, Given
}

// isAgentRoute reports whether path manages agents or their keys.
func isAgentRoute(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "agents" || segment == "keys" {
			return true
		}
	}
	return false
}
