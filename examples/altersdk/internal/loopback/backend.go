// Package loopback is the other side of the example: package transporttest's backend, and before it what that one lacks:
// signatures that are checked, grants that are found by provider and account, tokens, and pages on which a user consents or approves.
package loopback

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// maxBody is how much of a request or an answer is read.
const maxBody = 4 << 20

// Backend is a backend on 127.0.0.1, to which clients talk. It serves, to requests that are signed as [alter.Signature] tells,
//
//	POST /v1/proxy                     a call of a provider, for a grant or for whatever grant the provider and the account name
//	POST /v1/tokens                    a token for the provider
//	POST /v1/connect/sessions          a new session
//	GET  /v1/connect/sessions/{id}     what became of it
//	     /v1/...                       what transporttest.Backend serves, approvals above all
//
// and to browsers the pages of sessions and approvals. A Backend may be used by many goroutines at once.
type Backend struct {
	*transporttest.Server                        // takes orders to fail on the way to clients
	Provider              *transporttest.Server  // the provider's API: it answers to tokens that the backend handed out
	Inner                 *transporttest.Backend // has the grants, policies, refresh locks, approvals and what the provider asks for

	mu       sync.Mutex // guards the rest
	keys     map[string]*key
	nonces   map[string]time.Time // and when they were seen
	links    []link
	sessions map[string]*session
	tokens   map[string]bool
}

// link says that a grant is about a provider's account.
type link struct{ provider, account, grant string }

// New starts a backend. Close it after use.
func New() *Backend {
	b := &Backend{
		Inner:    transporttest.NewBackend(),
		keys:     make(map[string]*key),
		nonces:   make(map[string]time.Time),
		sessions: make(map[string]*session),
		tokens:   make(map[string]bool),
	}
	inner := b.forward(b.Inner.Server)
	api := http.NewServeMux()
	api.Handle("POST /v1/proxy", b.resolved(inner))
	api.HandleFunc("POST /v1/tokens", b.serveToken)
	api.HandleFunc("POST /v1/connect/sessions", b.openSession)
	api.HandleFunc("GET /v1/connect/sessions/{id}", b.serveSession)
	api.Handle("/v1/", inner)
	mux := http.NewServeMux()
	mux.Handle("/v1/", b.signed(api))
	mux.HandleFunc("GET /connect/{id}", b.showSession)
	mux.HandleFunc("POST /connect/{id}", b.decideSession)
	mux.HandleFunc("GET /approve/{id}", b.showApproval)
	mux.HandleFunc("POST /approve/{id}", b.decideApproval)
	b.Server = transporttest.NewServer(mux)
	b.Provider = transporttest.NewServer(b.authorized(b.forward(b.Inner.Provider)))
	return b
}

// Close ends the backend and all behind it.
func (b *Backend) Close() error {
	err := b.Server.Close()
	if failed := b.Provider.Close(); err == nil {
		err = failed
	}
	if failed := b.Inner.Close(); err == nil {
		err = failed
	}
	return err
}

// Link makes a grant the one for an account at a provider, and lets it work.
func (b *Backend) Link(provider, account, grant string) {
	b.mu.Lock()
	b.links = append(b.links, link{provider, account, grant})
	b.mu.Unlock()
	b.Inner.SetGrant(grant, transporttest.Active)
}

// Tokens returns the tokens that were handed out.
func (b *Backend) Tokens() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]string, 0, len(b.tokens))
	for token := range b.tokens {
		all = append(all, token)
	}
	return all
}

// forward passes requests on to a server behind this one. Where an answer names that server's pages, it names the backend's instead.
func (b *Backend) forward(to *transporttest.Server) *httputil.ReverseProxy {
	target, err := url.Parse(to.URL)
	if err != nil {
		panic("loopback: " + err.Error())
	}
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: to.Client().Transport,
		ErrorLog:  log.New(io.Discard, "", 0),
		ModifyResponse: func(resp *http.Response) error {
			body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
			resp.Body.Close()
			body = bytes.ReplaceAll(body, []byte(to.URL+"/approve/"), []byte(b.URL+"/approve/"))
			resp.Body = io.NopCloser(bytes.NewReader(body))
			resp.ContentLength = int64(len(body))
			resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return err
		},
	}
}

// wireCall is what a call of a provider says beside the call itself, which is a transporttest.ProxyCall.
type wireCall struct {
	transporttest.ProxyCall
	Provider string `json:"provider"`
	Account  string `json:"account"`
}

// resolved finds the grant of a call, and passes the call on with it.
func (b *Backend) resolved(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call, refusal := b.resolve(r)
		if refusal != nil {
			refusal.ServeHTTP(w, r)
			return
		}
		body, err := json.Marshal(call.ProxyCall)
		if err != nil {
			panic("loopback: " + err.Error())
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		next.ServeHTTP(w, r)
	})
}

// resolve reads a call and finds its grant, or says why there is none.
func (b *Backend) resolve(r *http.Request) (wireCall, *transporttest.Response) {
	var call wireCall
	if json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&call) != nil {
		refusal := transporttest.Answer(http.StatusUnprocessableEntity, `{"detail":[{"loc":["body"],"msg":"want a call","type":"value_error"}]}`)
		return call, &refusal
	}
	if call.GrantID != "" {
		return call, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var accounts []string
	for _, l := range b.links {
		if l.provider == call.Provider && (call.Account == "" || l.account == call.Account) {
			accounts, call.GrantID = append(accounts, l.account), l.grant
		}
	}
	switch len(accounts) {
	case 0:
		refusal := transporttest.Canned("no_delegated_grant").Detail("provider_id", call.Provider)
		return call, &refusal
	case 1:
		return call, nil
	}
	refusal := transporttest.Canned("ambiguous_grant").Detail("provider_id", call.Provider).
		Detail("account_identifiers", accounts).Detail("account_was_provided", call.Account != "").Detail("app_user_ids", []string{})
	return call, &refusal
}

// serveToken hands out a token, if a call on the grant would be carried out.
func (b *Backend) serveToken(w http.ResponseWriter, r *http.Request) {
	call, refusal := b.resolve(r)
	if refusal != nil {
		refusal.ServeHTTP(w, r)
		return
	}
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, b.Inner.URL+"/v1/grants/"+url.PathEscape(call.GrantID)+"/token", nil)
	if err != nil {
		panic("loopback: " + err.Error())
	}
	resp, err := b.Inner.Client().Do(ask)
	if err != nil {
		http.Error(w, "no answer", http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, io.LimitReader(resp.Body, maxBody)) // nobody is left to tell
		return
	}
	token := "token-" + randomText()
	b.mu.Lock()
	b.tokens[token] = true
	b.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 300})
}

// authorized lets requests with a token of the backend's pass.
func (b *Backend) authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		b.mu.Lock()
		known := b.tokens[token]
		b.mu.Unlock()
		if !known {
			transporttest.ProviderUnauthorized().ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, status int, members map[string]any) {
	text, err := json.Marshal(members)
	if err != nil {
		panic("loopback: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // nobody is left to tell
}
