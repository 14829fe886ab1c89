package classify

import (
	"encoding/json"
	"time"
)

// Verdict is what an outcome means. The zero value means "no opinion".
type Verdict struct {
	Kind  Kind  // the node of the failure tree
	Basis Basis // how well the kind is known

	// Unprocessed says that the peer is known not to have acted on the request: it was refused before anything ran,
	// or it was never sent. Even a POST may be sent again then.
	Unprocessed bool

	// Code is the code that the answer carried: as the code table spells it if it is known, else as it came,
	// at most 128 bytes. It is empty if there was none.
	// For network errors it is steadytrip's own name for the cause, such as "connection_reset".
	Code string

	// RetryAfter is how long the server asked callers to stay away; 0 if it did not.
	RetryAfter time.Duration

	// Detail holds what else the answer said; nil if it said nothing. It may name people and accounts,
	// and so is left out where a verdict is marshalled.
	Detail *Detail `json:"-"`
}

// Action returns what the developer should do: the kind's action.
func (v Verdict) Action() Action { return v.Kind.Action() }

// Err returns the verdict as the error of its kind, with cause reachable by errors.Is and errors.As,
// or nil if the verdict is no failure. A nil cause is allowed.
func (v Verdict) Err(cause error) error {
	if !v.Kind.Failure() {
		return nil
	}
	f := v.Kind.row().new()
	root := f.root()
	root.verdict = v
	root.Cause = cause
	d := v.Detail
	if d == nil {
		d = &noDetail
	}
	f.fill(d)
	return f
}

var noDetail Detail

// Basis says how well a verdict's kind is known. The zero value is Given: by a type, a status or a header
// whose meaning a standard or net/http fixes, or by the user's own classifier.
type Basis uint8

const (
	// Given: a standard, a Go type or the user says so.
	Given Basis = iota
	// Documented: Alter, or the provider that a [Rule] is about, documents the code or the status.
	Documented
	// Inferred: the code follows from Alter's naming but is not documented.
	Inferred
	// Guessed: no code was recognised; the status alone suggests the kind.
	Guessed
)

// String returns the basis in lower case.
func (b Basis) String() string {
	switch b {
	case Given:
		return "given"
	case Documented:
		return "documented"
	case Inferred:
		return "inferred"
	case Guessed:
		return "guessed"
	}
	return "unknown"
}

// MarshalText returns the basis in lower case.
func (b Basis) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// Detail is what an answer said beyond its kind. It is shared by everyone who holds the verdict: read it, do not change it.
// Its texts come from the server and may name people, accounts and grants; steadytrip prints none of them.
type Detail struct {
	Status  int    // the HTTP status
	Message string // the server's message, at most 1 KiB

	GrantID    string
	ProviderID string

	AccountIdentifiers []string // accounts that match an ambiguous grant
	AccountWasProvided bool     // whether the call named an account already
	AppUserIDs         []string // users with matching delegations

	PolicyError string // the violated policy

	Required            []string // scopes that the route requires
	Granted             []string // scopes that the key has
	Missing             []string // scopes that are missing; nil if the answer did not say
	ScopeVersion        string   // catalog version that the key was minted against
	CurrentScopeVersion string   // catalog version of the server
	DocumentationURL    string   // where the scope is documented

	ScopeVersionMismatch bool // whether the missing scope exists only at the server's version

	ApprovalID     string
	ApprovalURL    string
	DecisionReason string
	ExpiresAt      time.Time // when an approval's window closes

	RateLimit *RateLimit // what the RateLimit header fields said; nil without them

	details []byte // the "details" member, raw JSON; may be cut
	body    []byte // the bytes that were looked at
}

// Details returns the answer's "details" member, decoded, or nil if there was none or it was cut short.
// Every call decodes anew.
func (d *Detail) Details() map[string]any {
	var m map[string]any
	if d == nil || len(d.details) == 0 || json.Unmarshal(d.details, &m) != nil {
		return nil
	}
	return m
}

// RateLimit is what an answer's RateLimit header fields advertise (draft-ietf-httpapi-ratelimit-headers):
// of several policies, the one with the least remaining.
type RateLimit struct {
	Policy    string        // the policy's name; empty if the fields name none
	Limit     int64         // requests allowed in a window; 0 if not said
	Remaining int64         // requests left in the window
	Reset     time.Duration // until the window ends; 0 if not said
	Window    time.Duration // the window's length; 0 if not said
}
