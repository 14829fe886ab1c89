package alter

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
)

// Request is what a user is asked for.
type Request struct {
	Provider string   `json:"provider_id"`
	Grant    string   `json:"grant_id,omitempty"` // to re-authorize in place
	Scopes   []string `json:"scopes,omitempty"`   // that are missing
	Delegate bool     `json:"delegate,omitempty"` // to the agent, rather than a consent at the provider
}

// Session is a Connect session: a page on which a user consents.
type Session struct {
	ID  string `json:"session_id"`
	URL string `json:"connect_url"` // for the user to open
}

// Connect opens a session.
func (c *Client) Connect(ctx context.Context, r Request) (*Session, error) {
	// A session that nobody hears of does no harm, so an answer that got lost is asked for again.
	answer, err := c.post(transport.Idempotent(ctx), "/v1/connect/sessions", r)
	if err != nil {
		return nil, err
	}
	s := &Session{}
	if json.Unmarshal(answer.Body, s) != nil || s.ID == "" || s.URL == "" {
		return nil, classify.Verdict{Kind: classify.Backend}.Err(errors.New("alter: the backend's answer is no session"))
	}
	return s, nil
}

// Finish waits for the end of a session and returns nil once the user has consented. Else the error is one of
// *classify.ConnectDeniedError, *classify.ConnectConfigError and *classify.ConnectTimeoutError, also if ctx ends or
// Config.Patience is over; or *classify.ConnectFlowError.
func (c *Client) Finish(ctx context.Context, s *Session) error {
	err := c.poll(ctx, func(ctx context.Context) (*Answer, error) {
		answer, err := c.get(ctx, "/v1/connect/sessions/"+url.PathEscape(s.ID))
		if err != nil {
			return nil, err
		}
		var row struct {
			Status string `json:"status"`
			Error  string `json:"error"`
		}
		if json.Unmarshal(answer.Body, &row) != nil {
			return nil, classify.Verdict{Kind: classify.Backend}.Err(errors.New("alter: the backend's answer is no session"))
		}
		switch row.Status {
		case "pending":
			return answer, nil
		case "completed":
			return nil, nil //nolint:nilnil // it is over, and well
		}
		return nil, classify.Verdict{Kind: connectKind(row.Error)}.Err(nil)
	})
	if gaveUp(err) {
		return classify.Verdict{Kind: classify.ConnectTimeout}.Err(err)
	}
	return err
}

// connectKind is what a session's error code means, by the library's own table.
func connectKind(code string) classify.Kind {
	for _, row := range classify.Codes() {
		if row.Code == code && row.Kind.Is(classify.ConnectFlow) {
			return row.Kind
		}
	}
	return classify.ConnectFlow
}
