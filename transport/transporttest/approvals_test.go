package transporttest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// look asks for the row of an approval.
func look(t *testing.T, b *transporttest.Backend, id string) (row map[string]any, kind classify.Kind) {
	t.Helper()
	status, text, _ := send(t, b, "GET", b.URL+"/v1/approvals/"+id, "")
	if err := json.Unmarshal([]byte(text), &row); err != nil || status != 200 {
		t.Fatalf("got %d, %s, %v", status, text, err)
	}
	return row, classify.ApprovalVerdict([]byte(text)).Kind
}

func TestApprovalsFollowTheirScript(t *testing.T) {
	for name, c := range map[string]struct {
		script []transporttest.ApprovalStatus
		kinds  []classify.Kind // of one look more than the script has
		acted  int
	}{
		"executed": {
			[]transporttest.ApprovalStatus{transporttest.ApprovalPending, transporttest.ApprovalApproved, transporttest.ApprovalExecuting, transporttest.ApprovalExecuted},
			[]classify.Kind{classify.ApprovalPending, classify.ApprovalPending, classify.ApprovalPending, classify.Unclassified, classify.Unclassified}, 1,
		},
		"denied":  {[]transporttest.ApprovalStatus{transporttest.ApprovalDenied}, []classify.Kind{classify.ApprovalDenied, classify.ApprovalDenied}, 0},
		"expired": {[]transporttest.ApprovalStatus{transporttest.ApprovalExpired}, []classify.Kind{classify.ApprovalExpired, classify.ApprovalExpired}, 0},
		"failed": {
			[]transporttest.ApprovalStatus{transporttest.ApprovalApproved, transporttest.ApprovalFailed},
			[]classify.Kind{classify.ApprovalPending, classify.ApprovalExecutionFailed, classify.ApprovalExecutionFailed}, 0,
		},
		"no script": {nil, []classify.Kind{classify.ApprovalPending}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			b.RequireApproval("g", c.script...)
			status, text, _ := send(t, b, "POST", b.URL+"/v1/grants/g/pay", "10")
			v := classify.ApprovalVerdict([]byte(text))
			if status != 202 || v.Kind != classify.ApprovalPending || v.Detail.ApprovalID != "approval-1" || v.Detail.ApprovalURL == "" || v.Detail.ExpiresAt.IsZero() {
				t.Fatalf("got %d, %s", status, text)
			}
			var kinds []classify.Kind
			for range c.kinds {
				_, kind := look(t, b, "approval-1")
				kinds = append(kinds, kind)
			}
			if !slices.Equal(kinds, c.kinds) {
				t.Errorf("got %v, want %v", kinds, c.kinds)
			}
			if got := b.Acted("g"); got != c.acted {
				t.Errorf("carried out %d times, want %d", got, c.acted)
			}
			if got, _, _ := send(t, b, "GET", b.URL+"/v1/approvals/approval-1/result", ""); (got == 200) != (c.acted == 1) {
				t.Errorf("the result: got %d", got)
			}
		})
	}
}

func TestAnApprovalNeverGoesBack(t *testing.T) {
	b := newBackend(t)
	b.RequireApproval("g", transporttest.ApprovalPending, transporttest.ApprovalApproved, transporttest.ApprovalDenied)
	for i := range 100 {
		id := fmt.Sprintf("approval-%d", i+1)
		send(t, b, "POST", b.URL+"/v1/grants/g/pay", "10")
		var looks sync.WaitGroup
		for range 6 { // more than there are states
			looks.Go(func() { look(t, b, id) })
		}
		looks.Wait()
		if row, _ := look(t, b, id); row["status"] != "denied" {
			t.Fatalf("%s ended as %v, want denied", id, row["status"])
		}
	}
}

func TestApprovalsDecidedByTheTest(t *testing.T) {
	b := newBackend(t)
	b.RequireApproval("g", transporttest.ApprovalPending)
	body := proxyBody(t, transporttest.ProxyCall{GrantID: "g", Path: "/send"})
	for range 2 {
		if status, _, _ := send(t, b, "POST", b.URL+"/v1/proxy", body); status != 202 {
			t.Fatalf("got %d", status)
		}
	}
	if !b.Decide("approval-1", transporttest.ApprovalDenied, "not this week") || b.Decide("approval-9", transporttest.ApprovalDenied, "") {
		t.Error("Decide mistook an approval")
	}
	row, _ := look(t, b, "approval-1")
	if row["status"] != "denied" || row["decision_reason"] != "not this week" || row["decided_at"] == nil || row["executed_at"] != nil ||
		row["has_result"] != false || row["expires_at"] == nil {
		t.Errorf("got %v", row)
	}
	if row, _ := look(t, b, "approval-2"); row["status"] != "pending" || row["decided_at"] != nil || row["decision_reason"] != nil {
		t.Errorf("got %v", row)
	}

	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { b.Decide("approval-2", transporttest.ApprovalExecuted, "fine") })
	}
	wg.Wait()
	row, _ = look(t, b, "approval-2")
	if row["status"] != "executed" || row["has_result"] != true || row["executed_at"] == nil {
		t.Errorf("got %v", row)
	}
	_, text, _ := send(t, b, "GET", b.URL+"/v1/approvals/approval-2/result", "")
	e, err := classify.Proxied([]byte(text))
	if err != nil || e.ApprovalID != "approval-2" || e.StatusCode != 200 {
		t.Errorf("got %s, %v", text, err)
	}
	if b.Acted("g") != 1 || b.Effects()[0].ApprovalID != "approval-2" || b.Provider.Count("GET", "/send") != 1 {
		t.Errorf("carried out %d times: %+v", b.Acted("g"), b.Effects())
	}
	want := []transporttest.Approval{
		{ID: "approval-1", GrantID: "g", Status: transporttest.ApprovalDenied, Reason: "not this week"},
		{ID: "approval-2", GrantID: "g", Status: transporttest.ApprovalExecuted, Reason: "fine"},
	}
	if got := b.Approvals(); !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}

	b.WaiveApproval("g")
	if status, _, _ := send(t, b, "POST", b.URL+"/v1/proxy", body); status != 200 || b.Acted("g") != 2 {
		t.Errorf("waived: got %d", status)
	}
}

func TestApprovedCallOnARevokedGrantFails(t *testing.T) {
	b := newBackend(t)
	b.RequireApproval("g", transporttest.ApprovalExecuted)
	send(t, b, "POST", b.URL+"/v1/grants/g/pay", "10")
	b.SetGrant("g", transporttest.Revoked)
	if row, kind := look(t, b, "approval-1"); kind != classify.ApprovalExecutionFailed || b.Acted("g") != 0 {
		t.Errorf("got %v, carried out %d times", row, b.Acted("g"))
	}
}

func TestRefusalsComeBeforeApprovals(t *testing.T) {
	b := newBackend(t)
	b.RequireApproval("g")
	b.SetGrant("g", transporttest.Revoked)
	if got := callGrant(t, b); got != classify.GrantRevoked || len(b.Approvals()) != 0 {
		t.Errorf("got %v, %d approvals", got, len(b.Approvals()))
	}
}
