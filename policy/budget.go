package policy

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Budget keeps retries to a share of the traffic that succeeds, so that they cannot keep an outage going.
// The zero value is no budget.
//
// Every success earns Ratio tokens. A retry spends its profile's Cost, and there is none while the tokens do not reach.
// The tokens in hand are at most Ratio of the requests in the last Window, and at least Min is allowed for:
// a budget starts with Min, so that a client with little traffic can retry too. Nothing is earned by waiting.
type Budget struct {
	Ratio  float64       // tokens that a success earns, and the share of the traffic that may be in hand; 0: no budget
	Min    float64       // tokens in hand at the start, and what may be in hand with little traffic
	Window time.Duration // how far back traffic counts, to a tenth of it
}

// Bucket is the tokens of one budget. It is arithmetic without a clock or a lock: the caller brings the time,
// as the duration since some fixed moment, and guards it. Get one from [Budget.Bucket].
type Bucket struct {
	budget Budget
	tokens float64
	slots  [slots]int64  // requests by tenth of the window
	sum    int64         // of the slots
	slot   int64         // the number of the tenth that is being counted
	last   time.Duration // the latest moment that the caller has brought
}

const slots = 10

// Bucket returns a full bucket.
func (b Budget) Bucket() Bucket { return Bucket{budget: b, tokens: b.Min} }

// tenth is what traffic is counted in.
func (b Budget) tenth() time.Duration { return max(b.Window/slots, 1) }

// Enabled reports whether there is a budget at all.
func (b Budget) Enabled() bool { return b.Ratio > 0 }

// Success counts a request that succeeded at now, and earns its tokens.
func (b *Bucket) Success(now time.Duration) { b.Successes(1, now) }

// Successes counts n requests that succeeded, which comes to the same as n times Success.
func (b *Bucket) Successes(n int64, now time.Duration) {
	if n <= 0 {
		return
	}
	b.count(n, now)
	b.tokens = min(b.tokens+float64(n)*b.budget.Ratio, b.Capacity())
}

// Failure counts a request that failed at now. It earns nothing.
func (b *Bucket) Failure(now time.Duration) { b.count(1, now) }

// Spend takes cost tokens at now and reports whether they were there. A retry that costs nothing always may.
func (b *Bucket) Spend(cost float64, now time.Duration) bool {
	if cost <= 0 {
		return true
	}
	b.turn(now)
	b.tokens = min(b.tokens, b.Capacity())
	if b.tokens+1e-9 < cost { // ten tenths are a whole, whatever the rounding
		return false
	}
	b.tokens -= cost
	return true
}

// Refund gives back what was spent on a retry that was never sent.
func (b *Bucket) Refund(cost float64) { b.tokens = min(b.tokens+max(cost, 0), b.Capacity()) }

// SetBudget makes the bucket follow another budget. It keeps its tokens, and the traffic that it has counted, evenly spread: all of it
// for a longer window, as large a part of it as the window is for a shorter one. One that had no budget starts with Min.
func (b *Bucket) SetBudget(budget Budget) {
	if !b.budget.Enabled() {
		b.tokens = max(b.tokens, budget.Min)
	}
	if b.budget.Window != budget.Window {
		b.respread(b.budget.tenth(), budget.tenth())
	}
	b.budget = budget
}

func (b *Bucket) respread(from, to time.Duration) {
	b.sum = int64(float64(b.sum) * min(1, float64(to)/float64(from)))
	b.slot = int64(b.last / to) // not one to come: it would be counted in until then
	for i := range int64(slots) {
		b.slots[(b.slot+1+i)%slots] = b.sum*(i+1)/slots - b.sum*i/slots
	}
}

// Tokens returns the tokens in hand.
func (b *Bucket) Tokens() float64 { return b.tokens }

// Capacity returns how many tokens may be in hand, by the traffic that was counted last.
func (b *Bucket) Capacity() float64 {
	return max(b.budget.Min, b.budget.Ratio*float64(b.sum))
}

// NextTenth returns the moment from which requests count in another tenth of the window than the one that is being counted. As long as
// the caller brings no such moment, successes may be counted later and together, if that is before any other method is called.
func (b *Bucket) NextTenth() time.Duration { return time.Duration(b.slot+1) * b.budget.tenth() }

func (b *Bucket) count(n int64, now time.Duration) {
	b.turn(now)
	b.slots[b.slot%slots] += n
	b.sum += n
}

// turn moves the window on to now. A clock that goes backwards leaves it where it is.
func (b *Bucket) turn(now time.Duration) {
	b.last = max(b.last, now)
	slot := int64(now / b.budget.tenth())
	if slot-b.slot >= slots {
		b.slots, b.sum = [slots]int64{}, 0
		b.slot = slot
	}
	for b.slot < slot {
		b.slot++
		b.sum -= b.slots[b.slot%slots]
		b.slots[b.slot%slots] = 0
	}
}

func (b Budget) write(w *strings.Builder) {
	if !b.Enabled() {
		w.WriteString("no budget\n")
		return
	}
	fmt.Fprintf(w, "Budget: Ratio %v, Min %v, Window %s\n", b.Ratio, b.Min, b.Window)
}

func (c *check) budget(b Budget) {
	if b.Ratio == 0 {
		return
	}
	if !(b.Ratio > 0 && b.Ratio <= 1) {
		c.fault("Budget.Ratio", b.Ratio, "a number from 0 to 1; 0 is no budget")
	}
	if !(b.Min >= 1 && !math.IsInf(b.Min, 1)) {
		c.fault("Budget.Min", b.Min, "at least 1, or a client with little traffic could never retry")
	}
	if b.Window < slots {
		c.fault("Budget.Window", b.Window, "more than 0s, such as 10s")
	}
}
