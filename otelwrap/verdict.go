package otelwrap

import (
	"errors"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
)

// The attributes of spans that are steadytrip's own.
const (
	keyKind        = attribute.Key("steadytrip.kind")
	keyAction      = attribute.Key("steadytrip.action")
	keyCode        = attribute.Key("steadytrip.code")
	keyGrant       = attribute.Key("steadytrip.grant_id")
	keyProvider    = attribute.Key("steadytrip.provider_id")
	keyAttempts    = attribute.Key("steadytrip.attempts")
	keyStop        = attribute.Key("steadytrip.stop_reason")
	keyWaited      = attribute.Key("steadytrip.wait.duration")
	keyWaitedBy    = attribute.Key("steadytrip.wait.by")
	keyWaitType    = attribute.Key("steadytrip.wait.type")
	keyWaitedFor   = attribute.Key("steadytrip.wait.for")
	keyRefusedBy   = attribute.Key("steadytrip.refused_by")
	keyRetryAfter  = attribute.Key("steadytrip.retry_after")
	keyBreaker     = attribute.Key("steadytrip.breaker.name")
	keyState       = attribute.Key("steadytrip.breaker.state")
	keyStateBefore = attribute.Key("steadytrip.breaker.previous_state")
	keyOutcome     = attribute.Key("steadytrip.outcome")
)

// verdictOf is the verdict that came back. What no classifier inside has judged is judged by the caller's context and
// the error's type, or by its status alone.
func verdictOf(req *http.Request, resp *http.Response, err error) classify.Verdict {
	if err == nil {
		return classify.Of(resp, nil)
	}
	if over := transport.Ended(req); over != nil {
		var judged *classify.AlterSDKError
		if !errors.As(err, &judged) {
			return classify.NetErrors{}.Classify(classify.Outcome{Err: err, ContextErr: over})
		}
	}
	return classify.Of(nil, err)
}

// errorType is error.type, for a status of 0 if there was no answer; empty if the exchange did not end with an error. The
// caller's own cancellation is none, nor is an answer that the classifier calls a success, nor one that says that an approval
// is pending.
func errorType(status int, v classify.Verdict, err error) string {
	switch {
	case err != nil && v.Kind == classify.Canceled:
		return ""
	case err != nil && v.Kind.Failure():
		return v.Kind.String()
	case err != nil || status == 0:
		return other
	case v.Kind == classify.Success:
		return ""
	case status >= 400 || status < 100:
		return strconv.Itoa(status)
	case v.Kind.Failure() && v.Kind != classify.ApprovalPending:
		return v.Kind.String()
	}
	return ""
}

// appendVerdict appends what spans say of a verdict.
func (t *telemetry) appendVerdict(set []attribute.KeyValue, v classify.Verdict, err error) []attribute.KeyValue {
	if !v.Kind.Failure() {
		return set
	}
	set = append(set, keyKind.String(v.Kind.String()), keyAction.String(v.Action().String()))
	if ownCode(v, err) {
		set = append(set, keyCode.String(v.Code))
	}
	if d := v.Detail; d != nil && t.showGrants {
		if d.GrantID != "" {
			set = append(set, keyGrant.String(d.GrantID))
		}
		if d.ProviderID != "" {
			set = append(set, keyProvider.String(d.ProviderID))
		}
	}
	return set
}

// ownCode reports whether the verdict's code is a word of steadytrip's: of the code table, or of its own for an exchange
// without an answer. What a server made up stays out of telemetry.
func ownCode(v classify.Verdict, err error) bool {
	if knownCodes[v.Code] {
		return true
	}
	local := v.Kind.Is(classify.Network) || v.Kind.Is(classify.InvalidRequest) || v.Kind.Is(classify.Canceled)
	return local && err != nil && v.Detail == nil && v.Code != ""
}

var knownCodes = func() map[string]bool {
	known := map[string]bool{"forced_open": true}
	for _, row := range classify.Codes() {
		known[row.Code] = true
	}
	return known
}()

func statusOf(resp *http.Response) int {
	if resp == nil {
		return 0
	}
	return resp.StatusCode
}
