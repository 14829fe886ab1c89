// Package statuspage shows what a [transport.Shared] knows, as a page for people and as JSON for programs: which breakers are in
// trouble and why, at which gates calls wait for a token's refresh, how far the retry budgets reach, and what an operator has forced.
//
// # Mounting
//
// The page tells which servers a process calls and how they fare. It has no authentication of its own: mount it where only
// operators get, on a listener of its own or behind a handler that asks who is there, and never bare on a public listener.
//
//	shared := transport.NewShared(nil, transport.Keys{})
//	client, err := transport.Wrap(&http.Client{}, transport.Config{Shared: shared})
//	...
//	admin := http.NewServeMux()
//	admin.Handle("/debug/calls", statuspage.Handler(shared, statuspage.Options{}))
//	err = http.ListenAndServe("127.0.0.1:6060", admin)
//
// It only reads, holds up no call, and is free while nobody looks. Breakers, gates and budgets are changed by
// [transport.Shared.ForceOpen] and its like, not here.
//
// # Secrets
//
// A grant's id, and what a user's key function made of a request, may be secret or name a person. They are shown as fingerprints,
// such as "https://api.example.com grant #3fa9c1": the same for the same text as long as the process runs, and of no use to find the
// text. Servers and policies are shown by name. [Options].ShowKeys shows all as they are. What a server said,
// the messages and details of its answers, is never shown.
//
// A name given to ForceOpen or ForceClosed is taken for a server's if it is spelled like one.
//
// # JSON
//
// One object, which lists everything there is. Durations are seconds, times are RFC 3339 in UTC, and states, kinds and actions are
// called by their names. Fields may be added; those that are here stay.
//
//	{
//	  "time": "2026-03-01T12:00:00.25Z",
//	  "forced": [{
//	    "key": "https://api.example.com", // a key of the user's own, a server, or its grant or policy
//	    "state": "open",                  // or "closed"
//	    "until": "2026-03-01T12:05:00Z",  // left out if it is until Reset
//	    "seconds_left": 299.75            // left out with until
//	  }],
//	  "breakers": [{
//	    "name": "refusals",               // the breaker's, in the policy
//	    "key": "https://api.example.com policy calendar",
//	    "state": "open",                  // or "half-open", or "closed" while failures are counted or requests are let back in
//	    "until": "2026-03-01T12:00:30Z",  // when it begins to probe; left out unless it is open
//	    "seconds_left": 29.75,            // left out with until; 0 if the next request is a probe
//	    "failures": 0,                    // in a row, while it is closed
//	    "probes": 0,                      // under way, while it is half-open
//	    "window": 0,                      // bound on the requests in flight while it closes; 0 if there is none
//	    "in_flight": 0,                   // of those
//	    "held": 2,                        // attempts that wait for their turn
//	    "opened_by": {                    // what opened it last; left out if nothing did
//	      "kind": "policy_rate_limit",    // of the failure
//	      "action": "wait"                // that it calls for
//	    }
//	  }],
//	  "gates": [{
//	    "key": "https://api.example.com grant #3fa9c1",
//	    "state": "closed",                // one call asks for the others; or "releasing": those who waited are being sent
//	    "waiting": 7,
//	    "in_flight": 0                    // sent and without an answer
//	  }],
//	  "budgets": [{
//	    "key": "https://api.example.com",
//	    "tokens": 4.5,                    // in hand; a retry spends them
//	    "capacity": 10                    // at most
//	  }]
//	}
package statuspage
