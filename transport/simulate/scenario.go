package simulate

import (
	"slices"
	"time"
)

// Scenario is what a policy is put through, as plain data: who calls, what answers, and what goes wrong when.
// [Parse] reads one from YAML or JSON, [Ready] has some that are ready to be used, and [Scenario.Validate] finds what is wrong
// with one.
//
// All times count from the start of the simulation.
type Scenario struct {
	Name      string        `json:"name,omitempty"`
	About     string        `json:"about,omitempty"`     // what it shows, in a line
	Seed      uint64        `json:"seed,omitempty"`      // of all randomness: arrivals, delays, who meets a fault, jitter
	Duration  time.Duration `json:"duration"`            // for how long calls begin; those under way at the end are waited for
	Repeat    int           `json:"repeat,omitempty"`    // how often it is played, each time with other randomness, and counted together; 0: once
	Processes int           `json:"processes,omitempty"` // over how many processes the calls are spread, each with a transport.Shared of its own; 0: one
	Traffic   []Traffic     `json:"traffic"`             // who calls; at least one
	Backend   Backend       `json:"backend,omitzero"`    // what answers
	Faults    []Fault       `json:"faults,omitempty"`    // what goes wrong
}

// TrafficKind says how calls arrive.
type TrafficKind string

const (
	// Open: at Rate, at random moments (a Poisson process), whatever becomes of the calls before.
	Open TrafficKind = "open"
	// Burst: Calls of them at random moments within Within, from Start on, and again after every Every.
	Burst TrafficKind = "burst"
	// Closed: from Clients that each wait for an answer, think for Think, and call again.
	Closed TrafficKind = "closed"
	// Recorded: at the moments that Arrivals lists.
	Recorded TrafficKind = "recorded"
)

// Traffic is a source of calls. A field that its Kind does not name must be zero.
type Traffic struct {
	Name string        `json:"name,omitempty"`
	Kind TrafficKind   `json:"kind"`
	From time.Duration `json:"from,omitempty"` // when it begins
	To   time.Duration `json:"to,omitempty"`   // when it ends; 0: with the scenario

	Rate     float64         `json:"rate,omitempty"`     // open: calls a second, over all processes
	Steps    []Step          `json:"steps,omitempty"`    // open: changes of the rate, in the order of time
	Even     bool            `json:"even,omitempty"`     // open: more evenly spaced: gaps of half to one and a half times the mean
	Calls    int             `json:"calls,omitempty"`    // burst: how many
	Within   time.Duration   `json:"within,omitempty"`   // burst: over how long they are spread
	Every    time.Duration   `json:"every,omitempty"`    // burst: how long after a burst's start the next one starts; 0: there is one
	Clients  int             `json:"clients,omitempty"`  // closed: how many
	Think    Delay           `json:"think,omitzero"`     // closed: between an answer and the next call
	Arrivals []time.Duration `json:"arrivals,omitempty"` // recorded: when, in the order of time

	Method      string        `json:"method,omitempty"`       // of the requests, which have no body; empty: GET
	Deadline    time.Duration `json:"deadline,omitempty"`     // how long a caller waits for an answer, retries included; 0: for as long as it takes
	Keys        Keys          `json:"keys,omitzero"`          // what the calls are about
	NamesGrant  bool          `json:"names_grant,omitempty"`  // whether callers name their grant, by transport.ForGrant
	NamesPolicy bool          `json:"names_policy,omitempty"` // whether callers name their policy, by a key function
}

// Step is a change of the rate.
type Step struct {
	At   time.Duration `json:"at"`
	Rate float64       `json:"rate"` // calls a second from then on; 0: none
}

// Keys are the grants that calls are about. Each grant is used under a policy of its own, so that both have the same number.
// The zero value is grant 0 for all calls.
type Keys struct {
	Count int     `json:"count,omitempty"` // how many there are; 0 is 1
	First int     `json:"first,omitempty"` // the number of the first
	Hot   float64 `json:"hot,omitempty"`   // the share of calls that the first gets; 0: as much as the others
}

// Backend is what answers. The zero value answers at once, and is never too busy.
//
// It takes requests in the order in which they arrive. What its clients have given up on it serves all the same, as
// backends do: that is what makes an outage outlast its cause.
type Backend struct {
	RTT    time.Duration `json:"rtt,omitempty"`    // to the backend and back
	Spread float64       `json:"spread,omitempty"` // how far a round trip strays from RTT: 0.2 is up to a fifth, either way

	Rate    float64 `json:"rate,omitempty"`    // requests that it begins to serve in a second, evenly spaced; 0: any number
	Workers int     `json:"workers,omitempty"` // requests that it serves at once; 0: any number
	Latency Delay   `json:"latency,omitzero"`  // how long serving a request takes

	Queue int           `json:"queue,omitempty"` // requests that may wait to be served; 0: any number
	Full  FullQueue     `json:"full,omitempty"`  // what becomes of a request that finds the queue full; empty: Shed
	Hint  time.Duration `json:"hint,omitempty"`  // the Retry-After of a request that is shed, in whole seconds; 0: none

	// AttemptTimeout is how long clients wait for the answer to an attempt, by transport.AttemptTimeout. 0: for as long as it takes.
	AttemptTimeout time.Duration `json:"attempt_timeout,omitempty"`

	// Plain backends answer as any HTTP API, and the chain's classifier is classify.Default. Others are Alter's,
	// whose answers have codes, and the classifier is classify.ForAlter.
	Plain bool `json:"plain,omitempty"`
}

// FullQueue says what becomes of a request that finds the queue full.
type FullQueue string

const (
	// Shed: it is answered with a 503.
	Shed FullQueue = "shed"
	// Lose: its connection is lost.
	Lose FullQueue = "lose"
)

// FaultKind says what goes wrong.
type FaultKind string

const (
	// Lock: the token of the grants is being refreshed: their requests are answered with a 409.
	Lock FaultKind = "lock"
	// Stop: nothing is served; requests wait.
	Stop FaultKind = "stop"
	// Slow: serving takes Factor times as long.
	Slow FaultKind = "slow"
	// Fail: a Share of the requests is answered with Status instead of being served.
	Fail FaultKind = "fail"
	// Refuse: a Share of the attempts gets no connection. That takes a round trip, and nothing is sent.
	Refuse FaultKind = "refuse"
	// Hang: a Share of the requests gets no answer at all.
	Hang FaultKind = "hang"
	// Drop: a Share of the requests is served, and the connection is lost before the answer.
	Drop FaultKind = "drop"
	// RateLimit: of each policy's requests, Limit are served in a Window; the others are answered with a 429 at once.
	// A window begins with the first request after the one before. With Bucket there are no windows, but tokens:
	// Limit of them at the start and at most, and as many again over each Window.
	RateLimit FaultKind = "rate_limit"
)

// Fault is something that goes wrong for a while. A field that its Kind does not name must be zero.
type Fault struct {
	Name string        `json:"name,omitempty"`
	Kind FaultKind     `json:"kind"`
	At   time.Duration `json:"at,omitempty"`   // when it begins
	For  time.Duration `json:"for,omitempty"`  // for how long; 0: until the end, or for Hold
	Keys []int         `json:"keys,omitempty"` // the numbers of the grants and policies that it concerns; none: all

	// Hold is how long a lock lasts. If the scenario is played n times, the i-th of them takes the quantile (i-1/2)/n:
	// all of the distribution is met, and a single time meets the median.
	Hold Delay `json:"hold,omitzero"`

	Factor float64       `json:"factor,omitempty"` // slow: above 1
	Share  float64       `json:"share,omitempty"`  // fail, refuse, hang, drop: which part, up to 1; 0 is 1
	Status int           `json:"status,omitempty"` // fail: 400 to 599
	Work   float64       `json:"work,omitempty"`   // lock, fail: how much of the work of a served request such an answer is, up to 1; 0: it comes at once
	Limit  int           `json:"limit,omitempty"`  // rate_limit: at least 1
	Window time.Duration `json:"window,omitempty"` // rate_limit: at least a second
	Bucket bool          `json:"bucket,omitempty"` // rate_limit: tokens instead of windows
	Hint   bool          `json:"hint,omitempty"`   // rate_limit: whether a Retry-After tells when the window ends, in whole seconds
	Fields bool          `json:"fields,omitempty"` // rate_limit: whether RateLimit fields tell the policy, its limit and its window
}

func (s Scenario) repeat() int    { return max(s.Repeat, 1) }
func (s Scenario) processes() int { return max(s.Processes, 1) }

// Times returns the scenario with its traffic multiplied: the rates, the calls of bursts and the clients.
// Recorded arrivals stay as they are.
func (s Scenario) Times(factor float64) Scenario {
	all := make([]Traffic, len(s.Traffic))
	for i, t := range s.Traffic {
		t.Rate *= factor
		t.Calls = scaled(t.Calls, factor)
		t.Clients = scaled(t.Clients, factor)
		t.Steps = slices.Clone(t.Steps)
		for j := range t.Steps {
			t.Steps[j].Rate *= factor
		}
		all[i] = t
	}
	s.Traffic = all
	return s
}

func scaled(n int, factor float64) int {
	if n == 0 {
		return 0
	}
	return max(1, int(float64(n)*factor+0.5))
}
