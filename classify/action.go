package classify

import "fmt"

// Action is the developer's next step: what to do about an exchange, rather than what went wrong in it.
// It is derived from a [Kind] and never stored beside one. The zero value is None.
type Action uint8

const (
	// None: nothing is wrong, or the caller ended the exchange; there is nothing to do.
	None Action = iota
	// Retry: a transient condition. Send the request again after a pause.
	Retry
	// Wait: a policy or a rate limit said no and may say yes later. Send the request again when it does, not sooner.
	Wait
	// Reauthorize: the user's authorization no longer covers the call. Take the user through the authorization again.
	Reauthorize
	// WidenScope: the calling key lacks a scope that the route requires. Use a key that carries it.
	WidenScope
	// Delegate: the agent has no access path to the provider. Ask a user to delegate, or issue a grant to the agent.
	Delegate
	// Choose: several grants or accounts match. Let the user pick one and name it in the next call.
	Choose
	// RotateKey: the key is unusable or about to be. Mint a replacement, deploy it, then retire the old one.
	RotateKey
	// FollowUp: an approver has the next move. Keep the approval id and ask for its state later.
	FollowUp
	// RestartConnect: the Connect flow ended without an authorization. Start a new session when the user is ready.
	RestartConnect
	// Fix: the request or the configuration is wrong. Change the code; repeating the call cannot help.
	Fix
	// Inspect: the answer has no general remedy. Look at its code, message and details.
	Inspect
)

var actions = [...]struct{ name, todo string }{
	None:           {"none", "Nothing to do."},
	Retry:          {"retry", "Send the request again after a pause."},
	Wait:           {"wait", "Wait until the policy or rate limit allows the call, then send it again."},
	Reauthorize:    {"reauthorize", "Take the user through the authorization again."},
	WidenScope:     {"widen_scope", "Use a key that carries the scopes the route requires."},
	Delegate:       {"delegate", "Ask a user to delegate access, or issue a grant to the agent."},
	Choose:         {"choose", "Let the user pick one of the matching accounts and name it in the next call."},
	RotateKey:      {"rotate_key", "Mint a replacement key, deploy it, then retire the old one."},
	FollowUp:       {"follow_up", "Keep the approval id and ask for its state later; the approver has the next move."},
	RestartConnect: {"restart_connect", "Start a new Connect session when the user is ready."},
	Fix:            {"fix", "Change the request or the configuration; repeating the call cannot help."},
	Inspect:        {"inspect", "Look at the code, the message and the details of the answer."},
}

// Actions returns every action, None first.
func Actions() []Action {
	all := make([]Action, len(actions))
	for i := range all {
		all[i] = Action(i)
	}
	return all
}

// String returns the action's name in snake case, such as "reauthorize".
func (a Action) String() string {
	if int(a) < len(actions) {
		return actions[a].name
	}
	return fmt.Sprintf("action(%d)", uint8(a))
}

// Todo returns one sentence that says what the developer does now.
func (a Action) Todo() string {
	if int(a) < len(actions) {
		return actions[a].todo
	}
	return ""
}

// MarshalText returns the action's name.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }
