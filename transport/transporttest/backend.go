package transporttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// maxEffects is how many carried-out calls a backend remembers.
const maxEffects = 10_000

// Backend is a loopback server that behaves like the Alter backend, with a third-party API, its Provider, on a port of its own.
// It serves
//
//	ANY  /v1/grants/{id}/{path...}     a call on a grant
//	POST /v1/proxy                     a call of the provider, carried out by the backend; see ProxyCall
//	GET  /v1/approvals/{id}            the state of an approval
//	GET  /v1/approvals/{id}/result     the answer to the approved call, once it was executed
//
// These routes are this package's own: Alter's are not public. The grants are those that [Backend.SetGrant] names;
// any other is not found. A call is carried out only if nothing stands against it; these are looked at in this order:
// the key's scopes, the grant's state, policies, the refresh lock, approvals. What was carried out is in [Backend.Effects].
// A call that repeats the Idempotency-Key of one that was carried out gets that one's answer, and has no further effect.
//
// Both servers take orders to fail, see [Server]. Time is real time. Make a Backend with [NewBackend]; it may be used
// by many goroutines at once.
type Backend struct {
	*Server
	Provider *Server // answers 200 to everything, unless told otherwise

	mu        sync.Mutex // guards the rest
	grants    map[string]*grant
	limits    []*limit
	advertise bool
	required  []string // scopes that calls require
	granted   []string // scopes that the key has
	missing   []string // scopes that the provider asks for
	approvals []*approval
	effects   []Effect
	acted     map[string]int
	total     int
	keys      map[string]*idempotent
}

// NewBackend starts a backend and its provider. It panics if it cannot listen on 127.0.0.1. Close it after use.
func NewBackend() *Backend {
	b := &Backend{
		grants: make(map[string]*grant),
		acted:  make(map[string]int),
		keys:   make(map[string]*idempotent),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/grants/{id}/{path...}", b.serveCall)
	mux.HandleFunc("POST /v1/proxy", b.serveProxy)
	mux.HandleFunc("GET /v1/approvals/{id}", b.serveApproval)
	mux.HandleFunc("GET /v1/approvals/{id}/result", b.serveResult)
	b.Server = NewServer(mux)
	b.Provider = NewServer(http.HandlerFunc(b.serveProvider))
	return b
}

// Close closes the backend and its provider.
func (b *Backend) Close() error {
	err := b.Server.Close()
	if failed := b.Provider.Close(); err == nil {
		err = failed
	}
	return err
}

// Classifier returns the classifier for this backend's host, and for its provider as for any other API.
func (b *Backend) Classifier() classify.Classifier {
	c, err := classify.ForAlter(b.Host())
	if err != nil {
		panic("transporttest: " + err.Error())
	}
	return c
}

// DeprecateKey says whether answers carry the field "X-Alter-Key-Deprecated: true" from now on.
func (b *Backend) DeprecateKey(on bool) {
	if on {
		b.SetHeader("X-Alter-Key-Deprecated", "true")
	} else {
		b.SetHeader("X-Alter-Key-Deprecated")
	}
}

// RequireKeyScopes makes every call require these scopes of the key, or none. See [Backend.GrantKeyScopes].
func (b *Backend) RequireKeyScopes(scopes ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.required = slices.Clone(scopes)
}

// GrantKeyScopes sets the scopes that the key has; none at first.
func (b *Backend) GrantKeyScopes(scopes ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.granted = slices.Clone(scopes)
}

// keyRefusal is the answer to a key that lacks a scope. The caller holds mu.
func (b *Backend) keyRefusal() *Response {
	lacks := slices.DeleteFunc(slices.Clone(b.required), func(s string) bool { return slices.Contains(b.granted, s) })
	if len(lacks) == 0 {
		return nil
	}
	r := Canned("insufficient_scope").
		Detail("required", b.required).Detail("granted", append([]string{}, b.granted...)).Detail("missing", lacks)
	return &r
}

// call is a request on a grant.
type call struct {
	grant  string
	method string
	path   string
	header http.Header // for the provider
	body   []byte
	key    string // of idempotency
	proxy  bool
}

// Effect is a call that a [Backend] carried out.
type Effect struct {
	Number         int // 1 for the first
	Time           time.Time
	GrantID        string
	Method         string
	Path           string // below the grant; in proxy mode, at the provider
	Body           []byte
	IdempotencyKey string
	ApprovalID     string // of the approval that allowed the call; empty if it needed none
}

// idempotent is the call that an idempotency key stands for.
type idempotent struct {
	call
	done   chan struct{} // closed when there is an answer
	answer Response
}

// Effects returns the calls that were carried out, in their order: the newest 5000 at least.
func (b *Backend) Effects() []Effect {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.effects)
}

// Acted returns how many calls on the grant were carried out.
func (b *Backend) Acted(grantID string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acted[grantID]
}

func (b *Backend) serveCall(w http.ResponseWriter, r *http.Request) {
	c := call{grant: r.PathValue("id"), method: r.Method, path: "/" + r.PathValue("path"), body: bodyOf(r), key: keyOf(r.Header)}
	b.handle(r.Context(), c).ServeHTTP(w, r)
}

// handle answers a call.
func (b *Backend) handle(ctx context.Context, c call) Response {
	if answer := b.refusal(ctx, c); answer != nil {
		return *answer
	}
	if answer := b.askApproval(c); answer != nil {
		return *answer
	}
	return b.carryOut(ctx, c, "")
}

// refusal returns why the call is not carried out, or nil. If the token has to be refreshed first, it does that.
func (b *Backend) refusal(ctx context.Context, c call) *Response {
	b.mu.Lock()
	answer := b.keyRefusal()
	if answer == nil {
		answer = b.grantRefusal(c)
	}
	if answer == nil {
		answer = b.policyRefusal(c.grant, time.Now())
	}
	if answer != nil {
		b.mu.Unlock()
		return answer
	}
	answer, refresh := b.lockRefusal(c.grant, time.Now())
	b.mu.Unlock()
	if refresh > 0 {
		timer := time.NewTimer(refresh)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			panic(http.ErrAbortHandler)
		}
	}
	return answer
}

// carryOut carries the call out, unless its idempotency key says that it was before.
func (b *Backend) carryOut(ctx context.Context, c call, approval string) Response {
	b.mu.Lock()
	before := b.keys[c.key]
	if c.key != "" && before != nil {
		b.mu.Unlock()
		return before.repeat(ctx, c)
	}
	once := &idempotent{call: c, done: make(chan struct{})}
	if c.key != "" && len(b.keys) < maxEffects {
		b.keys[c.key] = once
	}
	b.total++
	b.acted[c.grant]++
	if len(b.effects) == maxEffects {
		b.effects = slices.Clone(b.effects[maxEffects/2:])
	}
	b.effects = append(b.effects, Effect{b.total, time.Now(), c.grant, c.method, c.path, c.body, c.key, approval})
	once.answer = object(http.StatusOK, map[string]any{"grant_id": c.grant, "method": c.method, "path": c.path, "effect": b.total})
	b.mu.Unlock()

	if c.proxy {
		once.answer = b.askProvider(ctx, c, approval)
	}
	close(once.done)
	return once.answer
}

// repeat answers a call that comes with a known idempotency key.
func (once *idempotent) repeat(ctx context.Context, c call) Response {
	if once.grant != c.grant || once.method != c.method || once.path != c.path || !bytes.Equal(once.body, c.body) {
		return Canned("idempotency_key_body_mismatch")
	}
	select {
	case <-once.done:
		return once.answer
	case <-ctx.Done():
		panic(http.ErrAbortHandler)
	}
}

// object returns a JSON answer.
func object(status int, members map[string]any) Response {
	text, err := json.Marshal(members)
	if err != nil {
		panic(fmt.Sprintf("transporttest: %v", err))
	}
	return Answer(status, string(text))
}

func keyOf(h http.Header) string {
	if key := h.Get("Idempotency-Key"); key != "" {
		return key
	}
	return h.Get("X-Idempotency-Key")
}
