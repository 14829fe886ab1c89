// Package alter is a small client in the manner of Alter's SDKs, built on steadytrip. It is not Alter's: the routes and the
// signature are this example's own, the failures and what to do about them are those that Alter documents.
//
//	Loop      does what a failure asks for (a consent, a delegation, a choice, an approval), then calls again
//	Client    makes a call: by Proxy through the backend, or by Retrieve with a token that the backend hands out
//	transport waits and repeats where that is all it takes, and signs each attempt anew
package alter

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

const (
	attemptTimeout = 30 * time.Second // for the header of an answer, as in Alter's SDKs
	maxBody        = 8 << 20          // of an answer
)

// Config says whom a [Client] talks to.
type Config struct {
	URL       string            // the backend's, without a path
	Providers map[string]string // the API of each provider, for [Client.Retrieve]
	Key       Key

	// Base sends the requests. Default: [http.DefaultTransport].
	Base http.RoundTripper

	// Policy and Hooks are those of transport.Config.
	Policy *policy.Set
	Hooks  transport.Hooks

	// Deprecated is told the name of a key that is about to end: once for each key, in the goroutine of the call that hears
	// of it first. Default: nobody is told.
	Deprecated func(ctx context.Context, name string)

	// Every is how often the state of an approval or of a session is asked for, and Patience for how long.
	// Default: 2 seconds and 5 minutes, as in Alter's SDKs.
	Every, Patience time.Duration
}

// Client makes calls of providers on behalf of users. It may be used by many goroutines at once.
type Client struct {
	cfg  Config
	keys keyring
	http *http.Client
}

// Call is a call of a provider's API.
type Call struct {
	Provider string // such as "calendar"
	Grant    string // the grant to use; if it is empty, the provider and the user decide
	Account  string // which of the user's accounts, if there are several
	User     string // whose delegation, if an agent has several
	Method   string // empty means GET
	Path     string // at the provider; begins with a slash
	Body     []byte
}

// Answer is what a provider answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// New returns a client. The error says what is wrong with cfg.
func New(cfg Config) (*Client, error) {
	backend, err := url.Parse(cfg.URL)
	if err != nil || backend.Host == "" {
		return nil, errors.New("alter: Config.URL is no URL of a backend")
	}
	cfg.URL = strings.TrimSuffix(cfg.URL, "/")
	cfg.Every = cmp.Or(cfg.Every, 2*time.Second)
	cfg.Patience = cmp.Or(cfg.Patience, 5*time.Minute)
	classifier, err := classifierFor(backend.Host)
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg}
	c.keys.deprecated = cfg.Deprecated
	c.UseKey(cfg.Key)
	c.cfg.Key = Key{} // fmt prints what is in unexported fields, and does not ask it for a String
	// A redirect is an answer: nothing with a key or a token in it goes where somebody points.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http, err = transport.Wrap(&http.Client{Transport: cfg.Base, CheckRedirect: stay}, transport.Config{
		Classifier: classifier,
		Policy:     cfg.Policy,
		Hooks:      cfg.Hooks,
		PerAttempt: []transport.Middleware{
			transport.ProveUnsent(), // a call that never left is made again, whatever its method
			transport.AttemptTimeout(attemptTimeout),
			c.keys.sign(backend.Host),
		},
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// classifierFor is classify.ForAlter with the codes of the signature, which are this example's own.
func classifierFor(host string) (classify.Classifier, error) {
	return classify.AlterConfig{Codes: []classify.Code{
		{Code: "signature_invalid", Kind: classify.InvalidKey, Basis: classify.Documented, Note: "signed with another secret"},
		// net/http itself sends a GET a second time if its answer gets lost on a connection that was in use before. The backend
		// knows that signature: this is a lost connection, after which a GET may be made again and a POST may have been carried out.
		{Code: "request_replayed", Kind: classify.ConnectionLost, Basis: classify.Documented, Note: "signed once and sent twice"},
		{Code: "timestamp_out_of_range", Kind: classify.BackendValidation, Basis: classify.Documented, Note: "signed long ago, or by a clock that is wrong"},
	}}.For(host)
}

// UseKey replaces the key: attempts from now on are signed with it.
func (c *Client) UseKey(key Key) { c.keys.key.Store(&key) }

// Close closes the connections of Config.Base that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// wireCall is a call as the backend takes it.
type wireCall struct {
	Provider string            `json:"provider,omitempty"`
	GrantID  string            `json:"grant_id,omitempty"`
	Account  string            `json:"account,omitempty"`
	User     string            `json:"app_user_id,omitempty"`
	Method   string            `json:"method,omitempty"`
	Path     string            `json:"path,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"`
	Body     []byte            `json:"body_b64,omitempty"`
}

// Proxy has the backend make the call. If it waits for an approval, the error is a *classify.ApprovalPendingError: the call was
// made and must not be made again, see [Client.Await]. Every other failure is its typed error as well, the provider's included.
//
// Whatever the call's method is, it is a POST to the backend, and is not repeated when it may have arrived: even a GET may
// have asked for an approval, and once more would ask for a second.
func (c *Client) Proxy(ctx context.Context, call Call) (*Answer, error) {
	if err := call.check(); err != nil {
		return nil, err
	}
	wire := wireCall{call.Provider, call.Grant, call.Account, call.User, call.Method, call.Path, nil, call.Body}
	if len(call.Body) > 0 {
		wire.Headers = map[string]string{"Content-Type": "application/json"}
	}
	answer, err := c.post(of(ctx, call), "/v1/proxy", wire)
	if err != nil {
		return nil, err
	}
	return unwrap(answer)
}

// unwrap takes the provider's answer out of that of the backend in proxy mode.
func unwrap(answer *Answer) (*Answer, error) {
	envelope, err := classify.Proxied(answer.Body)
	if err != nil {
		if pending := classify.ApprovalVerdict(answer.Body).Err(nil); pending != nil {
			return nil, pending
		}
		return nil, classify.Verdict{Kind: classify.Backend}.Err(err)
	}
	if err := envelope.Err(); err != nil {
		return nil, err
	}
	return &Answer{envelope.StatusCode, envelope.Header, envelope.Body}, nil
}

// Retrieve asks the backend for a token and calls the provider with it. The token is used once and not kept.
func (c *Client) Retrieve(ctx context.Context, call Call) (*Answer, error) {
	if err := call.check(); err != nil {
		return nil, err
	}
	api, ok := c.cfg.Providers[call.Provider]
	if !ok {
		return nil, classify.Verdict{Kind: classify.AlterValue}.Err(errors.New("alter: no API is known for the provider"))
	}
	ctx = of(ctx, call)
	// Two tokens do no harm, so an answer that got lost is asked for again.
	answer, err := c.post(transport.Idempotent(ctx), "/v1/tokens", wireCall{Provider: call.Provider, GrantID: call.Grant, Account: call.Account, User: call.User})
	if err != nil {
		return nil, err
	}
	var token struct {
		Value string `json:"access_token"`
	}
	if json.Unmarshal(answer.Body, &token) != nil || token.Value == "" {
		return nil, classify.Verdict{Kind: classify.Backend}.Err(errors.New("alter: the backend's answer has no token"))
	}
	req, err := newRequest(ctx, cmp.Or(call.Method, http.MethodGet), strings.TrimSuffix(api, "/")+call.Path, call.Body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token.Value)
	return c.do(req)
}

// check refuses a path that could name another host once it stands behind the provider's.
func (c Call) check() error {
	if c.Path != "" && !strings.HasPrefix(c.Path, "/") {
		return classify.Verdict{Kind: classify.AlterValue}.Err(errors.New("alter: Call.Path does not begin with a slash"))
	}
	return nil
}

// of says which grant the requests of a context are about, if that is known, so that they need not ask what others found out.
func of(ctx context.Context, call Call) context.Context {
	if call.Grant == "" {
		return ctx
	}
	return transport.ForGrant(ctx, call.Grant)
}

func (c *Client) get(ctx context.Context, path string) (*Answer, error) {
	req, err := newRequest(ctx, http.MethodGet, c.cfg.URL+path, nil)
	if err != nil {
		return nil, err
	}
	return c.do(req)
}

func (c *Client) post(ctx context.Context, path string, body any) (*Answer, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := newRequest(ctx, http.MethodPost, c.cfg.URL+path, text)
	if err != nil {
		return nil, err
	}
	return c.do(req)
}

func newRequest(ctx context.Context, method, target string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body)) // has a GetBody: it can be signed and sent again
	if err != nil {
		return nil, classify.Verdict{Kind: classify.InvalidRequest}.Err(errors.New("alter: the call has no valid method or path"))
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// do sends a request and reads the answer. This is the edge at which a failing answer becomes the typed error.
func (c *Client) do(req *http.Request) (*Answer, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err // the URL is nobody's business
		}
		return nil, err
	}
	defer resp.Body.Close()
	if err := classify.CheckResponse(resp); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, broken(req, err)
	}
	if len(body) > maxBody {
		return nil, classify.Verdict{Kind: classify.Protocol}.Err(fmt.Errorf("alter: the answer is longer than %d bytes", maxBody))
	}
	return &Answer{resp.StatusCode, resp.Header, body}, nil
}

// broken is the typed error of a body that broke off.
func broken(req *http.Request, err error) error {
	return classify.Default().Classify(classify.Outcome{Method: req.Method, Host: req.URL.Host, Err: err, ContextErr: transport.Ended(req)}).Err(err)
}
