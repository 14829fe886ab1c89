// Package transport carries out, on a chain of ordinary http.RoundTrippers, what package policy decides about
// what package classify found:
//
//	caller
//	  | PerCall...      the user's own, once a call
//	  | Retry           asks the policy: again, and when, or why not
//	  | Break           keeps attempts away from a key that a policy has closed
//	  | Watch...        the user's own, once an attempt that is sent, with its verdict: tracing
//	  | Classify        judges the answer; the verdict rides back on it
//	  | PerAttempt...   the user's own, once an attempt: signing, authentication, tracing
//	  v base            http.DefaultTransport, or any other
//
// [New] builds this chain, [Wrap] puts it around an http.Client, and each part is a [Middleware] that serves alone.
// Further ones are added where they are wanted: [AttemptTimeout], [ProveUnsent] and [CountRetries] to PerAttempt,
// [IdempotencyKey], [Buffer] and [Resume] to PerCall.
//
// The chain keeps the contract of http.RoundTripper to the letter. An answer of any status is a response and no error,
// also when the retries are used up; its body reads as the server sent it. The caller's request is not changed,
// and its body is closed on every path. Of an error of the base, errors.Is and errors.As find everything they would find
// without the chain; on top of it stand the error type of its kind, such as *classify.TimeoutError, and a [*CallError] with the [Trail].
//
// As long as nothing fails, and without hooks, the chain starts no goroutine, and allocates nothing for requests whose body is in memory,
// cannot be read again, or is none.
package transport
