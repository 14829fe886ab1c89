// Package classify says what a failed HTTP exchange means: which kind of failure it is, and from that what the developer
// should do about it.
//
// An [Outcome] is what happened, as plain data. A [Classifier] turns it into a [Verdict]: a [Kind], which is a node of the
// failure tree, whether the peer is known not to have acted, how long it asked to be left alone, and what else it said.
// The [Action] follows from the kind. The branches of the tree and what they ask for, where their leaves do not ask for
// something more fitting:
//
//	alter_sdk           inspect
//	├── alter_value     fix
//	├── backend         inspect
//	├── connect_flow    restart_connect
//	├── provider_api    inspect
//	├── approval        follow_up
//	├── network         retry
//	└── canceled        none
//
// The example of [Kinds] prints the whole tree. Each kind has an error type, such as [*GrantRevokedError], which embeds
// the type of its parent: errors.As with a parent's type catches everything below it.
//
// # Whose answer it is
//
// [Alter] takes the codes in a body at their word and is for the backend's own hosts. [Provider] is for any other API,
// goes by the status, the header and a table of [Rule]s about known APIs, and lets no body name a failure of the backend. [ByHost] chooses between them by the host of the request's URL,
// so that no answer can pass for another host's. [NetErrors] judges transport errors by their types. [ForAlter] puts
// them together; [Default] is the same without the backend. A classifier of your own stands before them in [First].
//
// # How a verdict comes back
//
// A response stays a response, whatever its status. Its verdict rides on it, and an error's is inside it:
//
//	RoundTrip ──> resp ── Response or Attach ──> resp, its Request a copy that carries the verdict ──> Of, CheckResponse
//	          └─> err ─── Classify, then Err ──> *GrantRevokedError, *TimeoutError, ... ─────────────> Of, errors.As
//
// [Response] looks at the beginning of an error body and puts it back: what the caller reads afterwards is what the server
// sent, errors included. [CheckResponse] makes the typed error at the edge, where the caller asks for one. Answers
// without an opinion carry nothing.
//
// Some failures come inside a success: see [Proxied] and [ApprovalVerdict].
//
// # What is kept of an answer
//
// Nothing that a server writes is trusted or unbounded: at most [MaxBody] bytes are looked at, codes are cut to 128 bytes
// and other texts to 1 KiB, lists to 100 elements, pauses to 100 years. No error's text repeats anything of an answer.
package classify
