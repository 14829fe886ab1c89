package classify

import (
	"net/http"
	"time"
)

// Provider classifies the answers of any HTTP API: by what RFC 9110, RFC 6585 and RFC 6750 say of the status and the header,
// and then by the first rule for a known API that fits, see [Rule]. It has no opinion on transport errors and on statuses
// below 400. The zero value uses the built-in [Rules]; [NewProvider] puts others before them.
//
// It hardly believes a body: a code in it has a say only where a rule asks for it, and can only choose among [ProviderAPI]
// and the kinds below it. A provider cannot pass for the Alter backend, and no body makes an answer unprocessed.
// Else a body's code is just kept as the verdict's Code.
//
// A 429 counts as unprocessed: a rate limiter that answers it has turned the request away. So does what a rule's
// Unprocessed says.
//
// The verdict's RetryAfter comes from the first of these that the answer has: what [RetryAfter] reads; on a 429 or a 503
// the RateLimit fields, if the limit is used up; the field that the rule names as its Reset. Else it is the rule's Wait.
type Provider struct {
	rules *ruleSet // nil means the built-in ones
}

// Classify implements [Classifier].
func (p Provider) Classify(o Outcome) Verdict {
	if o.Err != nil || o.Status < 400 {
		return Verdict{}
	}
	body := decoded(o.Body, o.Header)
	r := reading{detail: &Detail{}}
	if start := objectStart(body); isXML(start) {
		r.readXML(start)
	} else {
		r.read(body, nil)
	}
	limit := rateLimit(o.Header)
	// Of the body's attributes none is the provider's to set.
	*r.detail = Detail{Status: o.Status, Message: r.detail.Message, RateLimit: limit, details: r.detail.details, body: body}
	v := Verdict{
		Kind:       providerByStatus(o.Status),
		Code:       r.code,
		RetryAfter: answerHint(o, limit),
		Detail:     r.detail,
	}
	if o.Status == http.StatusForbidden {
		if scopes, ok := missingScopes(o.Header); ok {
			v.Kind = ScopeReauthRequired
			v.Detail.Missing = scopes
		}
	}
	rules := p.rules
	if rules == nil {
		rules = builtinRules
	}
	rule, code := rules.match(o.Status, o.Header, o.Time, body)
	if rule != nil {
		rule.apply(&v, code, o.Header, o.Time)
	}
	v.Unprocessed = v.Kind == ProviderRateLimit && (o.Status == http.StatusTooManyRequests || rule != nil && rule.Unprocessed)
	return v
}

func providerByStatus(status int) Kind {
	switch status {
	case http.StatusUnauthorized:
		return ProviderUnauthorized
	case http.StatusTooManyRequests:
		return ProviderRateLimit
	case http.StatusRequestTimeout, http.StatusTooEarly,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return ProviderUnavailable
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable,
		http.StatusGone, http.StatusLengthRequired, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong,
		http.StatusUnsupportedMediaType, http.StatusRequestedRangeNotSatisfiable, http.StatusExpectationFailed,
		http.StatusUnprocessableEntity, http.StatusUpgradeRequired, http.StatusPreconditionRequired,
		http.StatusRequestHeaderFieldsTooLarge, http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return ProviderRequest
	}
	if status >= 500 && status != http.StatusNetworkAuthenticationRequired {
		return ProviderInternal
	}
	return ProviderAPI
}

// answerHint is how long the answer asks callers to stay away: its Retry-After, which takes precedence,
// or the end of the window of a rate limit that is used up, if that is what a 429 or a 503 is about.
func answerHint(o Outcome, limit *RateLimit) time.Duration {
	if d, ok := RetryAfter(o.Header, o.Time); ok {
		return d
	}
	if limit != nil && limit.Remaining == 0 &&
		(o.Status == http.StatusTooManyRequests || o.Status == http.StatusServiceUnavailable) {
		return limit.Reset
	}
	return 0
}
