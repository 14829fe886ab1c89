// Package policyfile reads a [policy.Set] from a YAML or JSON file and from environment variables, writes one, and watches a file.
//
// It is a package of its own so that who uses package policy does not compile a YAML library.
//
//	set, err := policyfile.Load("policy.yaml")
//	if err != nil {
//		return err // every mistake in the file, a line each: file:line:column: field is value: want ...
//	}
//	set, err = policyfile.Env(set, "STEADYTRIP", os.Environ())
//
// A file says what differs from the set that it starts from. This one has every kind of field:
//
//	# default, interactive, batch or agent: the sets of package policy. none: an empty one. Nothing said is default.
//	extends: default
//
//	max_attempts: 20 # of a call, the first one included
//	max_elapsed: 30s # from the start of a call to the end of its last pause; 0s is no bound
//
//	profiles:
//	  timeout: # a kind of failure, as classify.Kind prints it
//	    retries: 2
//	  connection_refused:
//	    retries: unlimited # until max_elapsed
//	    immediate: true    # the first one without a pause
//	    initial: 50ms      # the first pause
//	    max: 1s            # the longest pause
//	    multiplier: 1.5    # growth from one to the next
//	    jitter: 0.3        # by as much down or up; full: anything up to the whole pause
//	    max_elapsed: 20s   # from the first failure of this kind to the end of a pause
//	    max_retry_after: 5s # the longest hint of a server that is waited for
//	    long_hint: clamp   # stop, clamp or honour: what to do about a longer one
//	    cost: 0.5          # tokens of the budget that a retry spends
//	  provider_rate_limit: null # no profile: as if nobody had set one
//
//	budget: # null: no limit
//	  ratio: 0.2  # tokens that a success earns
//	  min: 5      # tokens in hand at the start
//	  window: 20s # how far back traffic counts
//
//	breakers: # the list says which there are; null: none
//	  - name: rate_limit # the default has one of this name: it changes in one field
//	    hold: 3s         # a request waits for its turn instead of being refused
//	  - name: outage
//	    kinds: [backend_unavailable, provider_unavailable, network]
//	    failures: 6  # in a row
//	    open: 5s     # without a hint
//	    jitter: 0.2  # upward only
//	    max_open: 1m # the longest hint
//	    probes: 1    # requests at once to find out
//	    window: 32   # requests in flight at most while it closes; 0: no bound
//
//	gate: # null: none
//	  window: 16 # requests in flight at most after a refresh
//	  probe:     # the profile of the one call that asks; null: no gate
//	    max: 500ms
//
// The rules are few:
//
//   - A field that is not there stays as it was. There is no other default.
//   - A profile that the set does not have starts from the one that its kind uses without it: that of its nearest
//     ancestor, if time can heal the kind (see [policy.Set.Profile]), whether the file or the set has it. So "timeout: {retries: 2}" is
//     the profile of network with two retries. null removes a profile, after which the ancestor's applies;
//     retries: 0 makes one that never retries.
//   - A list is the list. Breakers that it does not name are gone; one of the same name as in the set keeps what is not said.
//   - null is none, for profiles, budget, breakers, gate and probe. A name with nothing behind it is a mistake.
//   - Durations are texts with a unit (ns, us, ms, s, m, h), numbers are decimal, and neither stands for the other.
//   - Nothing else: no unknown field, no field twice, no second document, no alias, no merge key, no tag.
//
// [Schema] describes all that to editors: docs/policy.schema.json is a copy of it. A first line of
// "# yaml-language-server: $schema=..." in YAML, or a field "$schema" in JSON, tells an editor where it is.
package policyfile
