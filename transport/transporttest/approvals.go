package transporttest

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// ApprovalStatus is the status of an approval, as its row has it. The values are those that Alter documents.
type ApprovalStatus string

// The statuses of an approval. The last four are final.
const (
	ApprovalPending   ApprovalStatus = "pending"
	ApprovalApproved  ApprovalStatus = "approved"
	ApprovalExecuting ApprovalStatus = "executing"
	ApprovalExecuted  ApprovalStatus = "executed"
	ApprovalDenied    ApprovalStatus = "denied"
	ApprovalExpired   ApprovalStatus = "expired"
	ApprovalFailed    ApprovalStatus = "failed"
)

// approvalWindow is how long an approver has, by the row's expires_at. Nothing happens when it is over: the test decides.
const approvalWindow = 15 * time.Minute

// approval is a call that waits for its approval. Its fields are guarded by the backend.
type approval struct {
	Approval
	call     call
	script   []ApprovalStatus // the statuses of the next looks
	asked    time.Time
	decided  time.Time
	executed time.Time
	running  bool      // the call is being carried out
	result   *Response // its answer
}

// Approval is what is known of an approval.
type Approval struct {
	ID      string
	GrantID string
	Status  ApprovalStatus
	Reason  string // of the decision
}

// RequireApproval makes calls on the grant wait for an approval: they are answered 202 with approval_id and approval_url
// and are not carried out. An approval is pending at first; every look at its row moves it to the next of these statuses,
// and it stays at the last. Without statuses it waits for [Backend.Decide]. The call is carried out, once, when the
// approval becomes executed; if the grant does not work by then, the approval becomes failed instead.
// A grant of that id is made if there is none.
func (b *Backend) RequireApproval(grantID string, statuses ...ApprovalStatus) {
	b.change(grantID, func(g *grant) { g.needs, g.approvals = true, slices.Clone(statuses) })
}

// WaiveApproval ends [Backend.RequireApproval].
func (b *Backend) WaiveApproval(grantID string) {
	b.change(grantID, func(g *grant) { g.needs, g.approvals = false, nil })
}

// Approvals returns every approval, in the order in which they were asked for.
func (b *Backend) Approvals() []Approval {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]Approval, len(b.approvals))
	for i, a := range b.approvals {
		all[i] = a.Approval
	}
	return all
}

// Decide moves an approval to a status, with the approver's reason, and drops what is left of its script.
// What executed means is told at [Backend.RequireApproval]. It reports whether there is such an approval.
func (b *Backend) Decide(approvalID string, status ApprovalStatus, reason string) bool {
	b.mu.Lock()
	a := b.approval(approvalID)
	if a == nil {
		b.mu.Unlock()
		return false
	}
	a.script = nil
	a.Reason = reason
	execute := b.move(a, status)
	b.mu.Unlock()
	if execute {
		b.execute(context.Background(), a)
	}
	return true
}

// approval finds an approval; nil if there is none. The caller holds mu.
func (b *Backend) approval(id string) *approval {
	i := slices.IndexFunc(b.approvals, func(a *approval) bool { return a.ID == id })
	if i < 0 {
		return nil
	}
	return b.approvals[i]
}

// move gives an approval its next status, and reports whether its call is to be carried out. The caller holds mu.
func (b *Backend) move(a *approval, status ApprovalStatus) (execute bool) {
	if status == ApprovalExecuted && !a.running && b.grantRefusal(a.call) != nil {
		status = ApprovalFailed
	}
	a.Status = status
	if a.decided.IsZero() && status != ApprovalPending && status != ApprovalExpired {
		a.decided = time.Now()
	}
	execute = status == ApprovalExecuted && !a.running
	a.running = a.running || execute
	return execute
}

// execute carries out the call of an approval.
func (b *Backend) execute(ctx context.Context, a *approval) {
	answer := b.carryOut(ctx, a.call, a.ID)
	b.mu.Lock()
	defer b.mu.Unlock()
	a.executed, a.result = time.Now(), &answer
}

// askApproval is the answer to a call that needs an approval, or nil.
func (b *Backend) askApproval(c call) *Response {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.grants[c.grant]
	if g == nil || !g.needs {
		return nil
	}
	now := time.Now()
	a := &approval{
		Approval: Approval{ID: "approval-" + strconv.Itoa(len(b.approvals)+1), GrantID: c.grant, Status: ApprovalPending},
		call:     c,
		script:   slices.Clone(g.approvals),
		asked:    now,
	}
	b.approvals = append(b.approvals, a)
	r := object(http.StatusAccepted, map[string]any{
		"approval_id":  a.ID,
		"approval_url": b.URL + "/approve/" + a.ID,
		"expires_at":   a.expires(),
	})
	return &r
}

func (a *approval) expires() string { return a.asked.Add(approvalWindow).UTC().Format(time.RFC3339) }

// serveApproval answers with the row, after it has moved on.
func (b *Backend) serveApproval(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	a := b.approval(r.PathValue("id"))
	if a == nil {
		b.mu.Unlock()
		http.NotFound(w, r)
		return
	}
	status := a.Status
	if len(a.script) > 0 {
		status, a.script = a.script[0], a.script[1:]
	}
	execute := b.move(a, status)
	b.mu.Unlock()
	if execute {
		b.execute(r.Context(), a)
	}

	b.mu.Lock()
	row := object(http.StatusOK, map[string]any{
		"approval_id":     a.ID,
		"grant_id":        a.GrantID,
		"status":          a.Status,
		"expires_at":      a.expires(),
		"decided_at":      timeOrNull(a.decided),
		"decision_reason": textOrNull(a.Reason),
		"executed_at":     timeOrNull(a.executed),
		"has_result":      a.result != nil,
	})
	b.mu.Unlock()
	row.ServeHTTP(w, r)
}

// serveResult answers as the approved call was answered.
func (b *Backend) serveResult(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	a := b.approval(r.PathValue("id"))
	var result *Response
	if a != nil {
		result = a.result
	}
	b.mu.Unlock()
	if result == nil {
		http.NotFound(w, r)
		return
	}
	result.ServeHTTP(w, r)
}

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
