// Package otelwrap shows OpenTelemetry what a chain of package transport does.
//
// [Hooks] writes the outcome of each call on the span that is active in the call's context, such as the one that otelhttp
// or a server handler has started. It needs the OpenTelemetry API only. Where no span records, a call that succeeds at once
// costs two allocations, since the chain then tells of every call.
//
// The attributes, none of which repeats what a server wrote or names a grant, an account or a key:
//
//	steadytrip.kind         the failure's kind, such as "grant_revoked"; absent on success
//	steadytrip.action       what to do about it, such as "reauthorize"; absent on success
//	steadytrip.code         the code, if it is one of steadytrip's tables; absent otherwise
//	steadytrip.attempts     how many attempts the call took
//	steadytrip.stop_reason  why there was no further one, such as "exhausted"
//	steadytrip.wait_ms      the time spent in pauses, in milliseconds; absent without one
package otelwrap
