package classify

import (
	"errors"
	"net/url"
	"strconv"
)

// failure is what every error of the tree offers to this package, by embedding AlterSDKError.
type failure interface {
	error
	root() *AlterSDKError
	fill(d *Detail)
}

// AlterSDKError is the root of the error tree: every failure that steadytrip classifies is one, Alter's or not.
// Each kind's error embeds its parent's, so errors.As with a parent's type catches every error below it:
//
//	var reauth *classify.ReAuthRequiredError
//	if errors.As(err, &reauth) { ... reauth.GrantID ... }
//
// The text of an error names its kind, the HTTP status and the next step, and never repeats what stood in an answer.
// Of a transport error it is that error's own text, without the URL.
type AlterSDKError struct {
	StatusCode int    // the HTTP status; 0 if there was no answer
	Message    string // the server's own message, at most 1 KiB; not part of Error()
	Cause      error  // the transport's error; nil for errors made from an answer

	verdict Verdict
}

// Verdict returns the verdict that the error stands for.
func (e *AlterSDKError) Verdict() Verdict { return e.verdict }

// Details returns the answer's "details" member, decoded, or nil if there was none. Every call decodes anew.
func (e *AlterSDKError) Details() map[string]any { return e.verdict.Detail.Details() }

// Error names the kind, the status and the next step, or the cause of a transport error.
func (e *AlterSDKError) Error() string {
	text := "classify: " + e.verdict.Kind.String()
	if e.Cause != nil {
		return text + ": " + causeText(e.Cause)
	}
	if e.StatusCode != 0 {
		text += " (HTTP " + strconv.Itoa(e.StatusCode) + ")"
	}
	if todo := e.verdict.Action().Todo(); todo != "" {
		text += ": " + todo
	}
	return text
}

// causeText is the text of err, unless a *url.Error below it would print the URL with its query.
func causeText(err error) string {
	var u *url.Error
	if !errors.As(err, &u) {
		return err.Error()
	}
	if u.Err == nil {
		return "request failed"
	}
	return causeText(u.Err)
}

// Unwrap returns the transport's error.
func (e *AlterSDKError) Unwrap() error { return e.Cause }

// Timeout reports whether the exchange timed out; net/url and net/http ask for it.
func (e *AlterSDKError) Timeout() bool {
	return e.verdict.Kind.Is(Timeout) || isTimeout(e.Cause)
}

// Temporary reports what the transport's error says of itself, for callers that still ask.
func (e *AlterSDKError) Temporary() bool {
	var t interface{ Temporary() bool }
	return errors.As(e.Cause, &t) && t.Temporary()
}

// ErrorType returns the kind's name: a low-cardinality identifier for telemetry.
func (e *AlterSDKError) ErrorType() string { return e.verdict.Kind.String() }

func (e *AlterSDKError) root() *AlterSDKError { return e }

func (e *AlterSDKError) fill(d *Detail) {
	e.StatusCode = d.Status
	e.Message = d.Message
}
