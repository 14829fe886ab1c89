package simulate

import "time"

// Result is what came of a scenario that was played with a policy. The names of its fields in JSON are stable;
// times are in nanoseconds there.
type Result struct {
	Scenario string        `json:"scenario"`
	Seed     uint64        `json:"seed"`
	Duration time.Duration `json:"duration_ns"` // of one time that it was played
	Played   int           `json:"played"`      // how often

	Calls     int            `json:"calls"`
	Succeeded int            `json:"succeeded"` // calls with an answer below 400
	Success   float64        `json:"success"`   // their share
	Goodput   float64        `json:"goodput"`   // calls that succeed in a second
	Reasons   map[string]int `json:"reasons"`   // failed calls by why there was no further attempt, a policy.Reason
	Kinds     map[string]int `json:"kinds"`     // failed calls by their last failure, a classify.Kind

	Attempts      int     `json:"attempts"`      // that were sent
	Amplification float64 `json:"amplification"` // attempts for each call
	Answers       Answers `json:"answers"`       // attempts by what came of them
	Refused       int     `json:"refused"`       // attempts that the backend refused for being too many: its rate limits and its full queue
	ByBreaker     int     `json:"by_breaker"`    // calls that a breaker refused in the process itself
	ByGate        int     `json:"by_gate"`       // calls that were told at a gate what another had found out, or waited there in vain
	PeakInFlight  int     `json:"peak_in_flight"`

	Latency    Quantiles `json:"latency"`      // of calls that succeeded
	TimeToFail Quantiles `json:"time_to_fail"` // of calls that failed
	Waited     Quantiles `json:"waited"`       // time spent in pauses and at gates, by calls that had any
	Extra      Quantiles `json:"extra"`        // from the end of the faults to the answers that came then, of calls begun before

	Faults    []Window `json:"faults"`    // when they were, the last time the scenario was played
	Before    Phase    `json:"before"`    // the first fault's start
	During    Phase    `json:"during"`    // from then to the last one's end
	After     Phase    `json:"after"`     // that
	Aftermath Phase    `json:"aftermath"` // the 30 seconds after that
	Recovery  Recovery `json:"recovery"`

	Hot     Group   `json:"hot"`     // calls on the first of the grants, 0
	Others  Group   `json:"others"`  // calls on all others
	Traffic []Group `json:"traffic"` // calls by where they came from

	Timeline []Second `json:"timeline"`

	// FaultsEnd is the time line around the end of the faults, finer: from 1 s before the end of the last one to 2 s after it, in rows of
	// 50 ms. If the scenario was played repeatedly each time is shifted by its own end. It is empty if no fault ended before the scenario did.
	FaultsEnd []Interval `json:"faults_end"`
}

// Answers counts attempts by what came of them.
type Answers struct {
	Served       int `json:"served"`       // answered as they should
	Refreshing   int `json:"refreshing"`   // 409: the grant's token is being refreshed
	RateLimited  int `json:"rate_limited"` // 429: the policy's rate limit is used up
	Shed         int `json:"shed"`         // 503: the queue is full
	Failed       int `json:"failed"`       // with the status of a fault
	Disconnected int `json:"disconnected"` // no connection
	Lost         int `json:"lost"`         // the connection was lost
	GaveUp       int `json:"gave_up"`      // the client did not wait for an answer: timeout or deadline
}

// Quantiles say how long something took.
type Quantiles struct {
	Count int           `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Max   time.Duration `json:"max_ns"`

	// Curve has every twentieth part of the distribution, from the shortest to the longest; none if Count is 0.
	Curve []time.Duration `json:"curve_ns"`
}

// Window is when a fault was.
type Window struct {
	Name string        `json:"name"` // the fault's own, else its kind
	From time.Duration `json:"from_ns"`
	To   time.Duration `json:"to_ns"`
}

// Phase is a part of the time. Faults that last for all of it do not divide it; without others all of it is before.
type Phase struct {
	Length        time.Duration `json:"length_ns"`     // of one time that the scenario was played, on average
	Calls         int           `json:"calls"`         // that began in it
	Succeeded     int           `json:"succeeded"`     // of them, then or later
	Success       float64       `json:"success"`       // their share; 0 without calls
	Attempts      int           `json:"attempts"`      // that were sent in it, whenever their calls began
	Amplification float64       `json:"amplification"` // attempts for each call; 0 without calls
	Goodput       float64       `json:"goodput"`       // calls that succeed in a second
}

// Recovery says how long the faults lasted beyond their end.
type Recovery struct {
	State RecoveryState `json:"state"`

	// After is how long after the end of the faults that was, if State is Recovered: the median, if the scenario was played repeatedly.
	After   time.Duration `json:"after_ns"`
	Longest time.Duration `json:"longest_ns"` // of all the times that it was played
}

// RecoveryState says whether there was a recovery.
type RecoveryState string

const (
	// Unknown: there was no fault that ended before the scenario did.
	Unknown RecoveryState = "unknown"
	// Recovered: from some moment on, at least 99 % of the calls that began within any two seconds succeeded.
	Recovered RecoveryState = "recovered"
	// Never: that was not so until the end, at least once.
	Never RecoveryState = "never"
)

// Group is a part of the calls.
type Group struct {
	Name      string  `json:"name"`
	Calls     int     `json:"calls"`
	Succeeded int     `json:"succeeded"`
	Success   float64 `json:"success"` // 0 without calls
	Attempts  int     `json:"attempts"`
	Refused   int     `json:"refused"` // attempts that the backend refused for being too many
}

// Second is a row of the time line. If the scenario was played repeatedly the rows are sums.
type Second struct {
	At             int     `json:"at"`              // the second's number, from 0
	Offered        int     `json:"offered"`         // calls that began
	Sent           int     `json:"sent"`            // attempts
	Succeeded      int     `json:"succeeded"`       // calls that ended so
	Failed         int     `json:"failed"`          // calls that ended so
	Refused        int     `json:"refused"`         // attempts that the backend refused for being too many
	RefusedLocally int     `json:"refused_locally"` // calls that a breaker or a gate refused
	InFlight       int     `json:"in_flight"`       // attempts under way at its start
	Open           int     `json:"open"`            // breakers that were open at its start
	HalfOpen       int     `json:"half_open"`       // breakers that were probing
	Held           int     `json:"held"`            // attempts that waited at a breaker
	Waiting        int     `json:"waiting"`         // calls that waited at a gate
	Tokens         float64 `json:"tokens"`          // in the retry budgets
}

// Interval is a row of the time line around the end of the faults: 50 ms. The rows are sums of those times that the scenario was played in which
// the faults ended before it did.
type Interval struct {
	At             time.Duration `json:"at_ns"`           // when it starts, from the end of the faults on; below 0 before that
	Played         int           `json:"played"`          // times that the scenario was played and had begun before the interval ended
	Offered        int           `json:"offered"`         // calls that began
	Sent           int           `json:"sent"`            // attempts
	Succeeded      int           `json:"succeeded"`       // calls that ended so
	Failed         int           `json:"failed"`          // calls that ended so
	Refused        int           `json:"refused"`         // attempts that the backend refused for being too many
	RefusedLocally int           `json:"refused_locally"` // calls that a breaker or a gate refused
	InFlight       int           `json:"in_flight"`       // attempts under way at its start
}
