package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/policy"
)

// write prints the account of a call for people.
func (c *call) write(w io.Writer) {
	fmt.Fprintf(w, "  %s %s\n", c.Method, c.path())
	var told *verdict // the last failure
	for _, e := range c.Events {
		if e.Verdict != nil {
			told = e.Verdict
		}
		fmt.Fprintf(w, "    %s\n", e)
	}
	r := c.Result
	switch {
	case r.Reason == policy.Refused:
		fmt.Fprintf(w, "    result   refused in %s\n", short(time.Duration(r.Took)))
	case r.Error != "":
		fmt.Fprintf(w, "    result   %s, %s\n", r.Error, r.effort())
	default:
		fmt.Fprintf(w, "    result   %d %s, %s\n", r.Status, http.StatusText(r.Status), r.effort())
	}
	if told != nil {
		fmt.Fprintf(w, "    verdict  %s (%s)\n", told.Kind, told.Basis)
		fmt.Fprintf(w, "    action   %s: %s\n", told.Action, told.Todo)
	}
}

func (e event) String() string {
	switch e.What {
	case "refused":
		return fmt.Sprintf("refused  by the breaker, nothing sent; %s left", short(time.Duration(e.Left)))
	case "breaker":
		text := fmt.Sprintf("breaker  %s, was %s", e.To, e.From)
		if e.Hold > 0 {
			text += "; for " + short(time.Duration(e.Hold))
		}
		return text
	}
	status, kind := "-", "success"
	if e.Status != 0 {
		status = fmt.Sprint(e.Status)
	}
	if e.Verdict != nil {
		kind = e.Verdict.Kind.String()
	}
	text := fmt.Sprintf("try %-4d %-3s %s, after %s", e.Attempt, status, kind, short(time.Duration(e.Took)))
	if e.Reason == policy.Retrying {
		return text + "; again in " + short(time.Duration(e.Pause))
	}
	if e.Reason != policy.Succeeded {
		text += "; not again: " + e.Reason.String()
	}
	return text
}

// effort is what it took to get the result.
func (r result) effort() string {
	if r.Attempts == 1 {
		return "1 attempt, " + short(time.Duration(r.Took))
	}
	return fmt.Sprintf("%d attempts, %s, of which %s waiting", r.Attempts, short(time.Duration(r.Took)), short(time.Duration(r.Waited)))
}

// short prints a duration with three digits or so.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// writeJSON prints the accounts for programs.
func writeJSON(w io.Writer, reports []*report) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(reports)
}
