package loopback

import (
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"strings"

	"github.com/steadytrip/steadytrip/examples/altersdk/internal/alter"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// session is a Connect session.
type session struct {
	alter.Request
	status, failure string
	decided         bool // perhaps not done yet
}

// page asks a person for a yes or a no.
var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.}}</title>
<body style="font: 1.1rem sans-serif; max-width: 30rem; margin: 4rem auto">
<h1 style="font-size: 1.3rem">{{.}}</h1>
<form method="post"><button name="decision" value="yes">Yes</button> <button name="decision" value="no">No</button></form>
<p>Then go back to the terminal.</p>
`))

func (b *Backend) openSession(w http.ResponseWriter, r *http.Request) {
	s := &session{status: "pending"}
	if json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&s.Request) != nil || s.Provider == "" {
		transporttest.Answer(http.StatusUnprocessableEntity, `{"detail":[{"loc":["body","provider_id"],"msg":"missing","type":"value_error"}]}`).ServeHTTP(w, r)
		return
	}
	id := randomText()
	b.mu.Lock()
	b.sessions[id] = s
	b.mu.Unlock()
	writeJSON(w, http.StatusCreated, map[string]any{"session_id": id, "connect_url": b.URL + "/connect/" + id})
}

func (b *Backend) serveSession(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	s := b.sessions[r.PathValue("id")]
	var row map[string]any
	if s != nil {
		row = map[string]any{"status": s.status, "error": s.failure}
	}
	b.mu.Unlock()
	if row == nil {
		http.NotFound(w, r)
		return
	}
	writeJSON(w, http.StatusOK, row)
}

// EndSessions ends the sessions that are open with an error code.
func (b *Backend) EndSessions(code string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions {
		if s.status == "pending" {
			s.status, s.failure = "failed", code
		}
	}
}

func (b *Backend) showSession(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	s := b.sessions[r.PathValue("id")]
	b.mu.Unlock()
	if s == nil {
		http.NotFound(w, r)
		return
	}
	question := "May the application use " + s.Provider + "?"
	if len(s.Scopes) > 0 {
		question = "May the application use " + s.Provider + ", with " + strings.Join(s.Scopes, ", ") + "?"
	}
	ask(w, question)
}

func (b *Backend) decideSession(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	s := b.sessions[r.PathValue("id")]
	open := s != nil && s.status == "pending" && !s.decided
	if open {
		s.decided = true
	}
	b.mu.Unlock()
	if !open {
		http.NotFound(w, r)
		return
	}
	status, failure := "failed", "access_denied"
	if isYes(r) {
		b.consented(s.Request) // before anybody is told
		status, failure = "completed", ""
	}
	b.mu.Lock()
	s.status, s.failure = status, failure
	b.mu.Unlock()
	thank(w)
}

// consented does what the user has consented to.
func (b *Backend) consented(r alter.Request) {
	if r.Delegate {
		b.Link(r.Provider, "", "grant-"+randomText())
		return
	}
	if len(r.Scopes) > 0 {
		b.Inner.ChallengeScopes()
	}
	b.mu.Lock()
	var grants []string
	for _, l := range b.links {
		if l.provider == r.Provider && (r.Grant == "" || l.grant == r.Grant) {
			grants = append(grants, l.grant)
		}
	}
	b.mu.Unlock()
	for _, grant := range grants {
		b.Inner.SetGrant(grant, transporttest.Active)
	}
}

func (b *Backend) showApproval(w http.ResponseWriter, _ *http.Request) {
	ask(w, "May the application make this call?")
}

func (b *Backend) decideApproval(w http.ResponseWriter, r *http.Request) {
	status, reason := transporttest.ApprovalExecuted, ""
	if !isYes(r) {
		status, reason = transporttest.ApprovalDenied, "not this week"
	}
	if !b.Inner.Decide(r.PathValue("id"), status, reason) {
		http.NotFound(w, r)
		return
	}
	thank(w)
}

func isYes(r *http.Request) bool { return r.PostFormValue("decision") == "yes" }

func ask(w http.ResponseWriter, question string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, question) // nobody is left to tell
}

func thank(w http.ResponseWriter) {
	_, _ = io.WriteString(w, "Thank you. Go back to the terminal.\n") // nobody is left to tell
}
