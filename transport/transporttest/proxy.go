package transporttest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
)

// maxProxied is how much of a provider's body an envelope holds.
const maxProxied = 1 << 20

// ProxyCall is the body of a POST to /v1/proxy: a call that the backend makes of its provider. The answer is a 200 around
// the provider's: {"approval_id", "status_code", "headers", "body_b64", "body_truncated"}, with at most 1 MiB of its body;
// or a 502 if the provider did not answer.
type ProxyCall struct {
	GrantID string            `json:"grant_id"`
	Method  string            `json:"method,omitempty"` // empty means GET
	Path    string            `json:"path,omitempty"`   // at the provider; empty means /
	Headers map[string]string `json:"headers,omitempty"`
	Body    []byte            `json:"body_b64,omitempty"`
}

// ChallengeScopes makes the provider answer every request with a 403 that asks for these scopes, or stops that if there are none.
func (b *Backend) ChallengeScopes(scopes ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.missing = slices.Clone(scopes)
}

func (b *Backend) serveProvider(w http.ResponseWriter, r *http.Request) {
	readAll(r)
	b.mu.Lock()
	missing := b.missing
	b.mu.Unlock()
	answer := object(http.StatusOK, map[string]any{"ok": true, "method": r.Method, "path": r.URL.Path})
	if len(missing) > 0 {
		answer = ScopeChallenge(missing...)
	}
	answer.ServeHTTP(w, r)
}

func (b *Backend) serveProxy(w http.ResponseWriter, r *http.Request) {
	body := bodyOf(r)
	var p ProxyCall
	if json.Unmarshal(body, &p) != nil || p.GrantID == "" || p.Path != "" && !strings.HasPrefix(p.Path, "/") {
		Answer(http.StatusUnprocessableEntity, `{"detail":[{"loc":["body"],"msg":"want a ProxyCall","type":"value_error"}]}`).ServeHTTP(w, r)
		return
	}
	c := call{grant: p.GrantID, method: p.Method, path: p.Path, header: http.Header{}, body: p.Body, key: keyOf(r.Header), proxy: true}
	if c.method == "" {
		c.method = http.MethodGet
	}
	if c.path == "" {
		c.path = "/"
	}
	for name, value := range p.Headers {
		c.header.Set(name, value)
	}
	b.handle(r.Context(), c).ServeHTTP(w, r)
}

// askProvider makes the call of the provider and returns its answer in an envelope.
func (b *Backend) askProvider(ctx context.Context, c call, approval string) Response {
	unreachable := AlterError(http.StatusBadGateway, "provider_unreachable", "The provider did not answer.")
	req, err := http.NewRequestWithContext(ctx, c.method, b.Provider.URL+c.path, bytes.NewReader(c.body))
	if err != nil {
		return Answer(http.StatusUnprocessableEntity, `{"detail":[{"loc":["body"],"msg":"cannot be sent","type":"value_error"}]}`)
	}
	req.Header = c.header.Clone()
	resp, err := b.Provider.client.Transport.RoundTrip(req) // a redirect is an answer like any other
	if err != nil {
		return unreachable
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProxied+1))
	if err != nil {
		return unreachable
	}
	headers := make(map[string]string, len(resp.Header))
	for name, values := range resp.Header {
		headers[name] = strings.Join(values, ", ")
	}
	return object(http.StatusOK, map[string]any{
		"approval_id":    textOrNull(approval),
		"status_code":    resp.StatusCode,
		"headers":        headers,
		"body_b64":       base64.StdEncoding.EncodeToString(body[:min(len(body), maxProxied)]),
		"body_truncated": len(body) > maxProxied,
	})
}

// bodyOf reads the request's body, of which it returns the first 4 MiB. If the client is gone, nothing is carried out.
func bodyOf(r *http.Request) []byte {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxKept))
	if err == nil {
		_, err = io.Copy(io.Discard, r.Body)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return body
}
