package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/steadytrip/steadytrip/classify"
)

// writeText prints the explanation for people. What a server said is printed without control characters.
func (e *explanation) writeText(w io.Writer) error {
	var b bytes.Buffer
	row := func(label string, format string, args ...any) {
		fmt.Fprintf(&b, "%-8s %s\n", label, fmt.Sprintf(format, args...))
	}
	v := e.verdict
	row("answer", "%s", strings.TrimSpace(fmt.Sprint(e.answer.proto, " ", e.answer.status, " ", http.StatusText(e.answer.status))))
	if n := len(e.answer.before); n > 0 {
		row("", "the last of %d; before it came %s", n+1, statuses(e.answer.before))
	}
	owner := "a provider's"
	if e.alter {
		owner = "the Alter backend's"
	}
	row("whose", "%s: %s", owner, e.ground)
	if e.inside != "" {
		row("inside", "%s", e.inside)
	}
	if v.Kind.Failure() {
		row("kind", "%s (*classify.%s)", v.Kind, v.Kind.ErrorName())
		row("known", "%s: %s", v.Basis, basis(v.Basis))
		row("action", "%s", v.Action())
		row("", "%s", v.Action().Todo())
	} else {
		row("kind", "none: this is no failure")
	}
	if code := e.code(); code != "" {
		row("code", "%s", code)
	}
	e.writeSaid(row)
	if v.RetryAfter > 0 {
		row("hint", "the server asks to stay away for %s", short(v.RetryAfter))
	}
	if v.Detail != nil && v.Detail.RateLimit != nil {
		row("limit", "%s", rateLimit(v.Detail.RateLimit))
	}
	e.writeRetry(row)
	for _, note := range e.notes {
		row("note", "%s", note)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// code is the code of the answer, unless it is a text that may name somebody.
func (e *explanation) code() string {
	code := e.verdict.Code
	if !e.details && !isPlain(code) {
		return "there is one, and it is no plain word (-details prints it)"
	}
	return clean(code)
}

func (e *explanation) writeSaid(row func(string, string, ...any)) {
	switch {
	case len(e.said) == 0:
	case e.details:
		label := "said"
		for _, s := range e.said {
			row(label, "%s: %s", s.name(), clean(strings.Join(s.values, ", ")))
			label = ""
		}
	default:
		names := make([]string, len(e.said))
		for i, s := range e.said {
			names[i] = s.name()
		}
		row("said", "%s (-details prints it)", strings.Join(names, ", "))
	}
}

func (e *explanation) writeRetry(row func(string, string, ...any)) {
	r := e.retry
	if r.retried {
		row("retried", "yes, %s, as %s with the default policy", r.limit, r.method)
	} else {
		row("retried", "no (%s), as %s with the default policy", r.reason, r.method)
	}
	row("", "%s", r.why)
	if len(r.pauses) > 0 {
		var pauses []string
		for _, p := range r.pauses {
			pauses = append(pauses, p.String())
		}
		if len(pauses) == maxPauses {
			pauses = append(pauses, "...")
		}
		row("pauses", "%s", strings.Join(pauses, ", "))
	}
	if r.breaker != "" {
		row("breaker", "%s", r.breaker)
	}
}

// statuses lists the last few of them.
func statuses(all []int) string {
	const most = 5
	var list []string
	if len(all) > most {
		list, all = []string{"..."}, all[len(all)-most:]
	}
	for _, status := range all {
		list = append(list, strconv.Itoa(status))
	}
	return strings.Join(list, ", ")
}

// basis says how well a kind is known.
func basis(b classify.Basis) string {
	switch b {
	case classify.Given:
		return "a standard or the status says so"
	case classify.Documented:
		return "Alter documents it"
	case classify.Inferred:
		return "it follows from Alter's naming, and is not documented"
	case classify.Guessed:
		return "no code was recognised, the status alone suggests it"
	}
	return ""
}

// clean makes a server's text safe for a terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
