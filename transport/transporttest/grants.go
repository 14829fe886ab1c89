package transporttest

import (
	"fmt"
	"time"
)

// GrantState is what a [Backend] says of a grant.
type GrantState uint8

const (
	// Active: the grant works.
	Active GrantState = iota
	// Revoked: grant_revoked.
	Revoked
	// Expired: grant_expired.
	Expired
	// CredentialRevoked: credential_revoked.
	CredentialRevoked
	// Deleted: grant_deleted.
	Deleted
	// NotFound: grant_not_found, as for a grant that was never named.
	NotFound
	// Ambiguous: ambiguous_grant.
	Ambiguous
	// NotDelegated: no_delegated_grant.
	NotDelegated
	// ProxyOnly: hitl_grant_requires_proxy, unless the call comes in proxy mode.
	ProxyOnly
)

var grantStates = [...]struct{ name, code string }{
	Active:            {"active", ""},
	Revoked:           {"revoked", "grant_revoked"},
	Expired:           {"expired", "grant_expired"},
	CredentialRevoked: {"credential_revoked", "credential_revoked"},
	Deleted:           {"deleted", "grant_deleted"},
	NotFound:          {"not_found", "grant_not_found"},
	Ambiguous:         {"ambiguous", "ambiguous_grant"},
	NotDelegated:      {"not_delegated", "no_delegated_grant"},
	ProxyOnly:         {"proxy_only", "hitl_grant_requires_proxy"},
}

// String returns the state's name in snake case.
func (g GrantState) String() string {
	if int(g) < len(grantStates) {
		return grantStates[g].name
	}
	return fmt.Sprintf("grant_state(%d)", uint8(g))
}

// grant is what the backend knows of a grant. Its fields are guarded by the backend.
type grant struct {
	state     GrantState
	locked    time.Time     // until when the refresh lock is held
	refresh   time.Duration // the next call refreshes the token, which takes so long
	stale     bool          // whether it has to
	approvals []ApprovalStatus
	needs     bool // an approval
}

// SetGrant sets the state of a grant, which may be new. It panics if the state is unknown.
func (b *Backend) SetGrant(id string, state GrantState) {
	if int(state) >= len(grantStates) {
		panic("transporttest: SetGrant: unknown state " + state.String())
	}
	b.change(id, func(g *grant) { g.state = state })
}

// HoldRefresh lets somebody else refresh the grant's token for d from now on: calls are answered with
// token_refresh_in_progress until d is over, or [Backend.ReleaseRefresh] is called. A grant of that id is made if there is none.
func (b *Backend) HoldRefresh(id string, d time.Duration) {
	b.change(id, func(g *grant) { g.locked = time.Now().Add(d) })
}

// ReleaseRefresh ends the refresh of the grant's token.
func (b *Backend) ReleaseRefresh(id string) {
	b.change(id, func(g *grant) { g.locked = time.Time{} })
}

// ExpireToken makes the grant's next call refresh the token, which takes d. That call is carried out when the token
// is fresh; meanwhile others are answered with token_refresh_in_progress. A grant of that id is made if there is none.
func (b *Backend) ExpireToken(id string, d time.Duration) {
	b.change(id, func(g *grant) { g.stale, g.refresh = true, d })
}

// change changes a grant, which is made if there is none.
func (b *Backend) change(id string, to func(*grant)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.grants[id]
	if g == nil {
		g = &grant{}
		b.grants[id] = g
	}
	to(g)
}

// grantRefusal is the answer to a call on a grant that does not work. The caller holds mu.
func (b *Backend) grantRefusal(c call) *Response {
	g := b.grants[c.grant]
	if g == nil {
		g = &grant{state: NotFound}
	}
	if g.state == Active || g.state == ProxyOnly && c.proxy {
		return nil
	}
	r := Canned(grantStates[g.state].code)
	if _, has := r.canned.Details["grant_id"]; has {
		r = r.Detail("grant_id", c.grant)
	}
	return &r
}

// lockRefusal is the answer while the grant's token is refreshed; otherwise it says how long the caller has to refresh it.
// The caller holds mu.
func (b *Backend) lockRefusal(id string, now time.Time) (*Response, time.Duration) {
	g := b.grants[id]
	if now.Before(g.locked) {
		r := Canned("token_refresh_in_progress").Detail("grant_id", id)
		return &r, 0
	}
	if !g.stale {
		return nil, 0
	}
	g.stale = false
	g.locked = now.Add(g.refresh)
	return nil, g.refresh
}
