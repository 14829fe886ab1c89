package main

import (
	"encoding/json"
	"io"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// report is an explanation as JSON.
type report struct {
	Proto    string              `json:"proto"`
	Status   int                 `json:"status"`
	Before   []int               `json:"before,omitempty"` // statuses of the answers before it
	Whose    string              `json:"whose"`            // "alter" or "provider"
	WhoseWhy string              `json:"whose_why"`
	Inside   string              `json:"inside,omitempty"`
	Verdict  verdictReport       `json:"verdict"`
	Said     []string            `json:"said,omitempty"`
	Details  map[string][]string `json:"details,omitempty"` // with -details
	Retry    retryReport         `json:"retry"`
	Notes    []string            `json:"notes,omitempty"`
}

type verdictReport struct {
	Kind         classify.Kind   `json:"kind"`
	Error        string          `json:"error,omitempty"` // the type in package classify
	Basis        classify.Basis  `json:"basis"`
	Action       classify.Action `json:"action"`
	Todo         string          `json:"todo"`
	Code         string          `json:"code,omitempty"` // without -details only if it is a plain word
	Unprocessed  bool            `json:"unprocessed"`
	RetryAfterMS int64           `json:"retry_after_ms,omitempty"`
}

type retryReport struct {
	Method  string        `json:"method"`
	Retried bool          `json:"retried"`
	Reason  policy.Reason `json:"reason"`
	Why     string        `json:"why"`
	Profile string        `json:"profile,omitempty"`
	Limit   string        `json:"limit,omitempty"`
	Pauses  []pauseReport `json:"pauses,omitempty"` // the first of them
	Breaker string        `json:"breaker,omitempty"`
}

type pauseReport struct {
	MinMS int64 `json:"min_ms"`
	MaxMS int64 `json:"max_ms"`
}

// writeJSON prints the explanation for programs.
func (e *explanation) writeJSON(w io.Writer) error {
	v, r := e.verdict, e.retry
	out := report{
		Proto: e.answer.proto, Status: e.answer.status, Before: e.answer.before,
		Whose: "provider", WhoseWhy: e.ground, Inside: e.inside,
		Verdict: verdictReport{
			Kind: v.Kind, Error: v.Kind.ErrorName(), Basis: v.Basis, Action: v.Action(), Todo: v.Action().Todo(),
			Unprocessed: v.Unprocessed, RetryAfterMS: v.RetryAfter.Milliseconds(),
		},
		Retry: retryReport{
			Method: r.method, Retried: r.retried, Reason: r.reason, Why: r.why, Limit: r.limit, Breaker: r.breaker,
		},
		Notes: e.notes,
	}
	if e.alter {
		out.Whose = "alter"
	}
	if e.details || isPlain(v.Code) {
		out.Verdict.Code = v.Code
	}
	for _, s := range e.said {
		out.Said = append(out.Said, s.name())
		if e.details {
			if out.Details == nil {
				out.Details = map[string][]string{}
			}
			out.Details[s.what] = s.values
		}
	}
	if r.profile != classify.Unclassified {
		out.Retry.Profile = r.profile.String()
	}
	for _, p := range r.pauses {
		out.Retry.Pauses = append(out.Retry.Pauses, pauseReport{
			p.min.Round(time.Millisecond).Milliseconds(), p.max.Round(time.Millisecond).Milliseconds(),
		})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}
