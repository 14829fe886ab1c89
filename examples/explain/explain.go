package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// question is what the answer alone does not tell.
type question struct {
	host         string
	alter        []string // hosts of the Alter backend
	alterBackend bool     // it is the Alter backend's answer, whatever the host
	method, path string
	idempotent   bool
	details      bool
}

// fill takes what the user did not say from the request that curl -v printed.
func (q *question) fill(a *asked) {
	if a != nil {
		q.host, q.method, q.path = first(q.host, a.host), first(q.method, a.method), first(q.path, a.path)
		q.idempotent = q.idempotent || a.idempotent
	}
	q.method = first(q.method, http.MethodGet)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// request is the request that the answer belongs to.
func (q *question) request() *http.Request {
	req := &http.Request{
		Method: q.method,
		URL:    &url.URL{Scheme: "https", Host: q.host, Path: q.path},
		Header: http.Header{},
	}
	if q.idempotent {
		req.Header.Set("Idempotency-Key", "given")
	}
	return req
}

// explanation is everything there is to say about an answer.
type explanation struct {
	answer  *answer
	alter   bool   // whether it is the Alter backend's
	ground  string // why
	inside  string // what the body of a 2xx holds
	verdict classify.Verdict
	said    []saying
	retry   retry
	details bool // print what the server said
	notes   []string
}

// explain judges the answer as a client would that is wrapped by package transport, and asks the default policy.
func explain(a *answer, q question) (*explanation, error) {
	q.fill(a.asked)
	alter, ground, err := whose(q)
	if err != nil {
		return nil, err
	}
	e := &explanation{answer: a, alter: alter, ground: ground, details: q.details, notes: a.notes}
	var classifier classify.Classifier = classify.Provider{}
	if alter {
		classifier = &classify.Alter{}
	}
	seen := classify.Response(a.response(q.request()), classifier) //nolint:bodyclose // the body is in memory
	e.verdict = seen
	if alter && 200 <= a.status && a.status < 300 {
		e.lookInside(a.body, q.path)
	}
	e.said = sayings(e.verdict.Detail)
	e.retry = e.decide(seen, policy.ReplayOf(q.request()), q.method)
	e.remark(a)
	return e, nil
}

// response is the answer as net/http would hand it over.
func (a *answer) response(req *http.Request) *http.Response {
	return &http.Response{
		StatusCode:    a.status,
		Header:        a.header,
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       req,
	}
}

// whose says whether the answer is the Alter backend's, and why: by the host, and never by what the answer says.
func whose(q question) (alter bool, ground string, err error) {
	switch {
	case q.alterBackend:
		return true, "-alter-backend says so", nil
	case len(q.alter) == 0:
		return false, "no host of the Alter backend is named (-alter, -alter-backend)", nil
	case q.host == "":
		return false, "", fmt.Errorf("-alter names the hosts of the Alter backend, and nobody says which host answered: add -host, or use -alter-backend")
	}
	hosts := map[string]classify.Classifier{}
	for _, host := range q.alter {
		hosts[host] = classify.ClassifierFunc(func(classify.Outcome) classify.Verdict {
			return classify.Verdict{Kind: classify.Success}
		})
	}
	judge, err := classify.ByHost(hosts, nil)
	if err != nil {
		return false, "", fmt.Errorf("-alter: %w", err)
	}
	if judge.Classify(classify.Outcome{Host: q.host}).Kind == classify.Success {
		return true, q.host + " is one of its hosts", nil
	}
	return false, q.host + " is none of the Alter backend's hosts", nil
}

// lookInside reads the body of a 2xx of the Alter backend, which may hold a provider's error or an approval.
func (e *explanation) lookInside(body []byte, path string) {
	if envelope, err := classify.Proxied(body); err == nil {
		e.inside = fmt.Sprintf("proxy-mode envelope: the provider answered %d", envelope.StatusCode)
		if envelope.Truncated {
			e.notes = append(e.notes, "The Alter backend cut the provider's body.")
		}
		e.verdict = envelope.Verdict()
		return
	}
	v := classify.ApprovalVerdict(body)
	if v.Kind.Failure() && (v.Detail.ApprovalID != "" || strings.Contains(path, "approval")) {
		e.inside = "approval: the call is not carried out, or failed"
		if v.Kind == classify.ApprovalPending {
			e.inside = "approval: the approver has not decided, or the call is still running"
		}
		e.verdict = v
	}
}

// remark notes what is easily overlooked.
func (e *explanation) remark(a *answer) {
	note := func(text string) { e.notes = append(e.notes, text) }
	switch {
	case a.status < 200:
		note("This is an interim answer: the final one is missing.")
	case 300 <= a.status && a.status < 400:
		note("An http.Client follows redirects by itself; each hop is a call of its own.")
	case a.status >= 400 && len(bytes.TrimSpace(a.body)) > 0 && a.header.Get("Content-Encoding") == "" && !isObject(a.body):
		note("The body is no JSON object: status and header alone were judged.")
	}
	for _, name := range [...]string{"Retry-After", "Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if _, ok := classify.RetryAfter(a.header, time.Now()); !ok && a.header.Get(name) != "" {
			note(name + " is no hint: want whole seconds (or milliseconds), or a date to come.")
		}
	}
	if !e.alter && isAlterCode(e.verdict.Code) {
		note("The Alter backend has this code, too. If it answered, add -alter-backend.")
	}
	if envelope, err := classify.Proxied(a.body); !e.alter && a.status < 300 && err == nil && (envelope.ApprovalID != "" || len(envelope.Body) > 0) {
		note("The body looks like a proxy-mode envelope. If the Alter backend answered, add -alter-backend.")
	}
	if e.alter && strings.EqualFold(a.header.Get("X-Alter-Key-Deprecated"), "true") {
		note("The call used a deprecated API key: mint a replacement, deploy it, then retire the old one.")
	}
}

func isObject(body []byte) bool {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	return bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
}

func isAlterCode(code string) bool {
	for _, row := range classify.Codes() {
		if strings.EqualFold(row.Code, code) {
			return true
		}
	}
	return false
}

// saying is one thing that the server said.
type saying struct {
	what, many string // its name, and that of several
	values     []string
}

// sayings lists what the server said that helps to act on it.
func sayings(d *classify.Detail) []saying {
	if d == nil {
		return nil
	}
	expires := ""
	if !d.ExpiresAt.IsZero() {
		expires = d.ExpiresAt.UTC().Format(time.RFC3339)
	}
	named := ""
	if d.AccountWasProvided {
		named = "yes"
	}
	var all []saying
	for _, s := range [...]saying{
		{"message", "", []string{d.Message}},
		{"grant", "", []string{d.GrantID}},
		{"provider", "", []string{d.ProviderID}},
		{"policy", "", []string{d.PolicyError}},
		{"account choice", "account choices", d.AccountIdentifiers},
		{"call named an account", "", []string{named}},
		{"user", "users", d.AppUserIDs},
		{"missing scope", "missing scopes", d.Missing},
		{"required scope", "required scopes", d.Required},
		{"granted scope", "granted scopes", d.Granted},
		{"key's scope version", "", []string{d.ScopeVersion}},
		{"current scope version", "", []string{d.CurrentScopeVersion}},
		{"documentation", "", []string{d.DocumentationURL}},
		{"approval", "", []string{d.ApprovalID}},
		{"approval page", "", []string{d.ApprovalURL}},
		{"approval expires", "", []string{expires}},
		{"decision's reason", "", []string{d.DecisionReason}},
	} {
		if len(s.values) > 0 && s.values[0] != "" {
			all = append(all, s)
		}
	}
	return all
}

// name is what was said, without saying it: "message", "2 account choices".
func (s saying) name() string {
	if s.many == "" {
		return s.what
	}
	return count(len(s.values), s.what, s.many)
}

// isPlain reports whether a code is an identifier, rather than a text that may name somebody.
func isPlain(code string) bool {
	for i := 0; i < len(code); i++ {
		c := code[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_-.:/", c) >= 0) {
			return false
		}
	}
	return len(code) <= 64
}

// rateLimit describes the RateLimit fields.
func rateLimit(l *classify.RateLimit) string {
	text := strconv.FormatInt(l.Remaining, 10) + " requests left"
	if l.Limit > 0 {
		text += " of " + strconv.FormatInt(l.Limit, 10)
	}
	if l.Window > 0 {
		text += " per " + short(l.Window)
	}
	if l.Reset > 0 {
		text += ", the window ends in " + short(l.Reset)
	}
	return text
}
