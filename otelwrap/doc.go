// Package otelwrap shows OpenTelemetry what a chain of package transport does: each call, each attempt, why it waited, why it
// stopped, and which action is due. It needs the OpenTelemetry API only. [New] and [Wrap] set it up in one line; [Calls],
// [Attempts] and [Hooks] are its parts, for chains made by hand; [Observe] adds what calls know together, and [LogHandler]
// the trace to log records.
//
//	caller's span
//	  call GET                 INTERNAL   one a call; why it stopped, what is due, what it waited for
//	    GET                    CLIENT     the first attempt: 503
//	    GET                    CLIENT     the second, http.request.resend_count=1: 200
//
// Nothing that is known to be a secret is in any of it: no header, no body, no error text, no name that a server made up. Of
// the request only the URL shows, redacted; a path may hold what only its user knows to be a secret. The spans have no events.
//
// # Spans
//
// An attempt's span follows the stable semantic conventions for HTTP clients, version 1.43: http.request.method (and
// _original), server.address, server.port, url.full, http.request.resend_count, network.protocol.version,
// network.peer.address, network.peer.port, http.response.status_code, error.type, and url.template with [WithTemplate]. An
// answer of 400 or more and an error are errors; the caller's own cancellation is none, nor an answer that the classifier
// calls a success. Resends are counted over retries, the hops of a redirect, and whatever a PerCall middleware sends again.
// In url.full user info and the values of [RedactedQuery] are REDACTED, and so is a grant's id that the caller or the answer
// names.
//
// Both spans end with the answer's header, or the error: what becomes of a body, and when, is up to the caller, and a span
// that waited for it might never end. Steadytrip's own attributes, of which the first five are on both spans and the rest is
// the call's:
//
//	steadytrip.kind           string    the failure's kind, such as "grant_revoked"; absent on success
//	steadytrip.action         string    what to do about it, such as "reauthorize"; absent on success
//	steadytrip.code           string    the code, if it is one of steadytrip's tables; absent otherwise
//	steadytrip.grant_id       string    with ShowGrants, if the answer names one
//	steadytrip.provider_id    string    with ShowGrants, if the answer names one
//
//	steadytrip.attempts       int       how many attempts were sent
//	steadytrip.stop_reason    string    why there was no further one: a policy.Reason, such as "exhausted"
//	steadytrip.wait.duration  double    seconds spent waiting; absent without a wait
//	steadytrip.wait.by        string[]  what it waited by: "pause", "gate", "breaker"
//	steadytrip.wait.for       string[]  the kinds of failure whose end it waited for
//	steadytrip.refused_by     string    "breaker" or "gate", if the last attempt was not sent
//	steadytrip.retry_after    double    seconds until the breaker lets requests through again
//	steadytrip.breaker.name   string    of the breaker whose state the call changed
//	steadytrip.breaker.state  string    that state, or of the breaker that refused: "open", "half-open", "closed"
//	error.type                string    if the call failed: as on the span of the last attempt
//	server.address, .port               if no attempt was sent, so that no other span tells
//
// # Metrics
//
// http.client.request.duration is stable and recorded for each attempt, over the very time of its span. It has
// http.request.method, server.address, server.port, and http.response.status_code, error.type and network.protocol.version if
// they are known. A chain makes 2000 series of it at most: 100 servers are told apart, the others are "_OTHER" with port 0;
// behind 1000 series, whatever comes in addition has no server and no protocol. The others are steadytrip's own. Their names
// are kept from 1.0 on; attributes and buckets may be added. No list has an attribute that a server or a user's key fills:
// all of them together are some hundred series.
//
//	steadytrip.client.call.duration        s             histogram       steadytrip.outcome, steadytrip.action
//	    calls, attempts and waits included; its count is the number of calls
//	steadytrip.client.call.retries         {retry}       histogram       steadytrip.outcome
//	    how often a call's request was sent again; calls without retries are not recorded
//	steadytrip.client.stops                {call}        counter         steadytrip.stop_reason
//	    calls without success, by why there was no further attempt
//	steadytrip.client.wait.duration        s             histogram       steadytrip.wait.type
//	    time spent waiting, by what: pauses once a call, the others one by one
//	steadytrip.client.refusals             {attempt}     counter         steadytrip.refused_by
//	    attempts that were not sent
//	steadytrip.client.breaker.transitions  {transition}  counter         steadytrip.breaker.name, .state, .previous_state
//
//	steadytrip.client.breaker.count        {breaker}     updowncounter   steadytrip.breaker.name, .state
//	steadytrip.client.breaker.waiting      {attempt}     updowncounter
//	steadytrip.client.gate.count           {gate}        updowncounter
//	steadytrip.client.gate.waiting         {call}        updowncounter
//	steadytrip.client.budget.tokens        {token}       gauge
//	    by Observe: breakers in trouble, closed gates, who waits for them, and the tokens of the poorest retry budget
//
// steadytrip.outcome is "success", "failure" or "canceled". error.type is a status of 400 or more as text, or else the name of a
// classify.Kind; "_OTHER" if the base panicked or broke its contract. A call that ends in a panic has a span and its
// attempts their durations, but it is in none of the metrics of calls. Of several Shareds that are observed,
// steadytrip.client.budget.tokens is that of the one looked at last.
//
// # Beside otelhttp
//
// With Options.BesideOtelhttp the CLIENT spans, the propagation and http.client.request.duration are otelhttp's. Put it into
// Config.Watch, where it sees every attempt that is sent:
//
//	cfg.Watch = []transport.Middleware{func(next http.RoundTripper) http.RoundTripper { return otelhttp.NewTransport(next) }}
//	rt, err := otelwrap.New(base, cfg, otelwrap.Options{BesideOtelhttp: true})
//
// Its spans then have http.request.resend_count, steadytrip.kind, .action and .code. With NoCallSpan in addition, otelhttp
// may as well stand outside of the chain: its one span gets all that there is to tell. As the base, within the chain, it
// starts its spans where nobody can add to them.
//
// # Cost
//
// As long as no provider is installed a call costs three allocations, with no-op providers one, where otelhttp costs 20 and
// 18. With the SDK, the spans of the call and of one attempt together take fewer allocations and no more time than otelhttp's
// one span. The module in the folder conformance measures both in one run, and holds all that is said here by test.
package otelwrap
