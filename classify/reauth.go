package classify

import "net/http"

// Reauthorization is what an application needs to send its user through the authorization again.
type Reauthorization struct {
	GrantID    string   // the grant to re-authorize; empty if the answer did not say
	ProviderID string   // the provider; empty if the answer did not say
	Scopes     []string // the scopes that are missing; nil if the grant itself is what ended
}

// NeedsReauthorization reports whether the exchange is worth re-authorizing for, from what RoundTrip
// or http.Client.Do returned, and with which grant and scopes. It looks at the verdict as [Of] does,
// and judges an answer without one with [Default].
func NeedsReauthorization(resp *http.Response, err error) (Reauthorization, bool) {
	var v Verdict
	if err != nil {
		v = Of(nil, err)
	} else {
		v = judged(resp)
	}
	if v.Action() != Reauthorize {
		return Reauthorization{}, false
	}
	var r Reauthorization
	if d := v.Detail; d != nil {
		r = Reauthorization{d.GrantID, d.ProviderID, d.Missing}
	}
	return r, true
}
