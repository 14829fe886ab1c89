package classify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
)

// Some answers of the Alter backend look like success and are not: a status of 2xx around a provider's error,
// or around an approval that nobody has given yet. The transport does not read such bodies; whoever does
// can hand them to Proxied and ApprovalVerdict.

// maxEnvelope bounds what Proxied decodes.
const maxEnvelope = 64 << 20

// ErrNotEnvelope says that a body is no proxy-mode envelope.
var ErrNotEnvelope = errors.New("classify: not a proxy-mode envelope: want an object with a status_code of 100 to 599")

// Envelope is the answer of a provider inside a 2xx of the Alter backend in proxy mode.
type Envelope struct {
	ApprovalID string
	StatusCode int         // the provider's status
	Header     http.Header // the provider's header; never nil
	Body       []byte      // the provider's body, decoded
	Truncated  bool        // the backend cut the body
}

// Proxied reads a proxy-mode envelope. The error wraps [ErrNotEnvelope] if body is something else,
// such as the pending approval that [ApprovalVerdict] reads.
func Proxied(body []byte) (*Envelope, error) {
	if len(body) > maxEnvelope {
		return nil, fmt.Errorf("classify: proxy-mode envelope of %d bytes: want at most %d", len(body), maxEnvelope)
	}
	var wire struct {
		ApprovalID string                     `json:"approval_id"`
		StatusCode int                        `json:"status_code"`
		Headers    map[string]json.RawMessage `json:"headers"`
		Body       []byte                     `json:"body_b64"`
		Truncated  bool                       `json:"body_truncated"`
	}
	if err := json.Unmarshal(objectStart(body), &wire); err != nil || wire.StatusCode < 100 || wire.StatusCode > 599 {
		// The decoder's own words may quote the body, which is nobody's business.
		return nil, ErrNotEnvelope
	}
	e := &Envelope{clip([]byte(wire.ApprovalID), maxMessage), wire.StatusCode, make(http.Header, len(wire.Headers)), wire.Body, wire.Truncated}
	for _, name := range slices.Sorted(maps.Keys(wire.Headers)) {
		raw := wire.Headers[name]
		var value string
		var values []string
		if json.Unmarshal(raw, &value) == nil && !bytes.Equal(raw, []byte("null")) {
			values = []string{value}
		} else if json.Unmarshal(raw, &values) != nil {
			continue
		}
		for _, value := range values {
			e.Header.Add(name, value)
		}
	}
	return e, nil
}

// Verdict judges the provider's answer, as [Provider] does. The zero verdict means that there is nothing wrong with it.
func (e *Envelope) Verdict() Verdict {
	v := Provider{}.Classify(Outcome{Status: e.StatusCode, Header: e.Header, Body: e.Body[:min(len(e.Body), MaxBody)]})
	if v.Detail != nil {
		v.Detail.ApprovalID = e.ApprovalID
	}
	return v
}

// Err returns the provider's answer as a typed error, or nil if there is nothing wrong with it.
func (e *Envelope) Err() error { return e.Verdict().Err(nil) }

// Response returns the provider's answer as a response to req, for code that expects one.
func (e *Envelope) Response(req *http.Request) *http.Response {
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", e.StatusCode, http.StatusText(e.StatusCode)),
		StatusCode: e.StatusCode,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        e.Header,
		Body:          io.NopCloser(bytes.NewReader(e.Body)),
		ContentLength: int64(len(e.Body)),
		Request:       req,
	}
}

// ApprovalVerdict judges the body of an approval: a row of the approvals route, by its status, or the answer to a call that waits
// for one, by its fields. The zero verdict means that the approved call was executed, or that body is no approval at all;
// an approval in a state that nobody documents is of kind [Approval] and keeps the state as its Code.
// Call [Verdict.Err] for the typed error; its ApprovalID is what to ask for later.
func ApprovalVerdict(body []byte) Verdict {
	r := reading{detail: &Detail{}}
	r.read(body[:min(len(body), MaxBody)], nil)
	v := Verdict{Basis: Documented, Detail: r.detail, Code: fold(r.status)}
	switch v.Code {
	case "pending", "approved", "executing":
		v.Kind = ApprovalPending
	case "denied":
		v.Kind = ApprovalDenied
	case "expired":
		v.Kind = ApprovalExpired
	case "failed":
		v.Kind = ApprovalExecutionFailed
	case "executed":
		return Verdict{}
	default:
		switch {
		case r.detail.ApprovalID == "":
			return Verdict{}
		case r.status != "":
			v.Kind, v.Basis, v.Code = Approval, Guessed, r.status
		case r.detail.ApprovalURL != "":
			v.Kind, v.Basis = ApprovalPending, Inferred
		default:
			return Verdict{}
		}
	}
	return v
}
