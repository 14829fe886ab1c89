package transport

import (
	"context"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// Hooks are told what the chain does. Each may be nil. They are called in the goroutine of the call, one after the other
// for one call and concurrently for several, never under a lock; what a hook takes in time, the call takes longer.
// They must not read, close or change the answer. Breaker is called before Attempt is told of the attempt that moved the breaker.
type Hooks struct {
	// Attempt is called after each attempt, before its answer is discarded or returned.
	Attempt func(ctx context.Context, info AttemptInfo)

	// Call is called once when a call ends, after its last attempt and whatever ended it.
	Call func(ctx context.Context, info CallInfo)

	// Refuse is called when an open breaker turns an attempt away. Nothing was sent.
	Refuse func(ctx context.Context, info RefuseInfo)

	// Wait is called when an attempt has waited at a gate or was held by a breaker, before it is sent or given up.
	Wait func(ctx context.Context, info WaitInfo)

	// Breaker is called after a breaker changed its state.
	Breaker func(ctx context.Context, info BreakerInfo)
}

// JoinHooks returns hooks that call each of the given ones in turn.
func JoinHooks(hooks ...Hooks) Hooks {
	var all Hooks
	for _, h := range hooks {
		all.Attempt = join(all.Attempt, h.Attempt)
		all.Call = join(all.Call, h.Call)
		all.Refuse = join(all.Refuse, h.Refuse)
		all.Wait = join(all.Wait, h.Wait)
		all.Breaker = join(all.Breaker, h.Breaker)
	}
	return all
}

func join[Info any](a, b func(context.Context, Info)) func(context.Context, Info) {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(ctx context.Context, info Info) {
		a(ctx, info)
		b(ctx, info)
	}
}

// AttemptInfo describes one attempt of a call.
type AttemptInfo struct {
	Request  *http.Request    // the attempt's request; read it only
	Attempt  int              // 1 for the first
	Status   int              // the answer's HTTP status; 0 if there was none
	Err      error            // the error; nil if there was an answer
	Verdict  classify.Verdict // zero for an attempt that succeeded
	Duration time.Duration    // from sending to the answer's header or the error
	Decision policy.Decision  // whether there will be another attempt, after which pause, or why not
}

// CallInfo describes a call that has ended.
type CallInfo struct {
	Request  *http.Request    // the caller's request; read it only
	Attempts int              // how many there were
	Status   int              // HTTP status of the answer that the caller gets; 0 if there is none
	Err      error            // the error that the caller gets; nil if there is an answer
	Verdict  classify.Verdict // of the last attempt
	Reason   policy.Reason    // why there was no further attempt
	Duration time.Duration    // of the whole call, up to the answer's header or the error
	Waited   time.Duration    // the part of Duration spent in pauses
}

// RefuseInfo describes an attempt that an open breaker turned away.
type RefuseInfo struct {
	Request    *http.Request    // the request that was not sent; read it only
	Key        string           // what the breaker belongs to
	Verdict    classify.Verdict // what opened the breaker
	RetryAfter time.Duration    // until it lets requests through again; 0 while it probes
}

// WaitInfo describes a wait for what another call finds out (a gate), or for a breaker to let the attempt through.
type WaitInfo struct {
	Request  *http.Request    // the attempt's request; read it only
	Key      string           // what the gate or the breaker belongs to; it may name a grant
	Verdict  classify.Verdict // what was waited for to be over: a refresh in progress, or what opened the breaker
	Duration time.Duration    // how long the wait was
	Gate     bool             // whether it was at a gate; otherwise a breaker held the attempt
	Sent     bool             // whether the attempt is sent; otherwise it was refused, or its caller gave up
}

// BreakerInfo describes a breaker's change of state.
type BreakerInfo struct {
	Name     string           // the breaker's, in the policy
	Key      string           // what the breaker belongs to
	From, To State            // before and after
	Verdict  classify.Verdict // what opened it
	Hold     time.Duration    // for how long it opened; 0 if To is not Open
}
