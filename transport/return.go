package transport

import (
	"net/http"

	"github.com/steadytrip/steadytrip/classify"
)

// ReturnErrors turns answers that are failures into errors: of a call that ended in one the caller gets the typed error that
// [classify.CheckResponse] makes of it, with the trail, and no answer. It is the opposite of [AnswerRefusals], and belongs outside
// of [Retry], in [Config].PerCall.
//
// It is for code of one's own that would check every answer anyway. It breaks the contract of [http.RoundTripper], which wants an answer
// of any status to be an answer: SDKs read their errors from answers, and must not have it. An http.Client wraps the error
// in a *url.Error, in which errors.As finds the typed one.
//
// If which is not nil, only the verdicts that it says yes to are turned into errors; it is asked about failures alone. The answer's body is
// discarded, so that its connection can be used again; what the verdict knows of it stays, see [classify.Detail].
func ReturnErrors(which func(v classify.Verdict) bool) Middleware {
	return func(next http.RoundTripper) http.RoundTripper { return &returning{inner{next}, which} }
}

type returning struct {
	inner
	which func(classify.Verdict) bool
}

var _ http.RoundTripper = (*returning)(nil)

func (r *returning) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		if resp != nil {
			discard(req, resp) // an answer beside an error is none
		}
		return nil, err
	}
	if resp == nil || succeeded(req, resp) {
		return resp, nil
	}
	kept := false
	defer func() {
		if !kept {
			discard(req, resp)
		}
	}()
	v := verdictOf(req, resp)
	kept = v == nil || !v.Kind.Failure() || r.which != nil && !r.which(*v)
	if kept {
		attach(resp, v)
		return resp, nil
	}
	err = v.Err(nil)
	if trail, ok := trailOf(resp, nil); ok {
		err = trail.onError(err)
	}
	return nil, err
}
