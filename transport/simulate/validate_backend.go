package simulate

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

func (c *checker) backend(b Backend) {
	c.time("Backend.RTT", b.RTT)
	c.share("Backend.Spread", b.Spread)
	c.rate("Backend.Rate", b.Rate)
	c.number("Backend.Workers", b.Workers, 0, mostWorkers)
	c.delay("Backend.Latency", b.Latency)
	c.number("Backend.Queue", b.Queue, 0, mostCalls)
	word(c, "Backend.Full", b.Full, "", Shed, Lose)
	c.time("Backend.Hint", b.Hint)
	c.time("Backend.AttemptTimeout", b.AttemptTimeout)
	if b.Queue == 0 && b.Full != "" {
		c.flaw("Backend.Full", fmt.Sprintf("%q", b.Full), "nothing: a queue without a bound is never full")
	}
	if b.Hint > 0 && (b.Queue == 0 || b.Full == Lose) {
		c.flaw("Backend.Hint", b.Hint.String(), "0s, because nothing is shed")
	}
}

// faultFields are the fields that each kind of fault has of its own, beside those that all have.
var (
	everyFault  = []string{"Name", "Kind", "At", "For"}
	faultFields = map[FaultKind][]string{
		Lock:      {"Keys", "Hold", "Work"},
		Stop:      nil,
		Slow:      {"Factor"},
		Fail:      {"Keys", "Share", "Status", "Work"},
		Refuse:    {"Keys", "Share"},
		Hang:      {"Keys", "Share"},
		Drop:      {"Keys", "Share"},
		RateLimit: {"Keys", "Limit", "Window", "Bucket", "Hint", "Fields"},
	}
)

func (c *checker) fault(owner string, f *Fault, plain bool) {
	c.line(owner+".Name", f.Name)
	c.time(owner+".At", f.At)
	c.time(owner+".For", f.For)
	if !word(c, owner+".Kind", f.Kind, Lock, Stop, Slow, Fail, Refuse, Hang, Drop, RateLimit) {
		return
	}
	c.uses(owner, f, string(f.Kind), slices.Concat(everyFault, faultFields[f.Kind])...)
	for i, k := range f.Keys {
		c.number(fmt.Sprintf("%s.Keys[%d]", owner, i), k, 0, mostWorkers)
	}
	c.share(owner+".Share", f.Share)
	c.share(owner+".Work", f.Work)
	switch f.Kind {
	case Lock:
		c.delay(owner+".Hold", f.Hold)
		if f.Hold.Median > 0 && f.For > 0 {
			c.flaw(owner+".For", f.For.String(), "0s beside a Hold, which says how long it lasts")
		}
		if plain {
			c.flaw(owner+".Kind", `"lock"`, "another one: a plain backend has no tokens to refresh")
		}
	case Stop:
		if f.For == 0 {
			c.flaw(owner+".For", "0s", "an end, or nothing would ever be served again; refuse and hang need none")
		}
	case Slow:
		if !(f.Factor > 1 && f.Factor <= 1e6) {
			c.flaw(owner+".Factor", fmt.Sprint(f.Factor), "more than 1, at most 1000000")
		}
	case Fail:
		if f.Status < http.StatusBadRequest || f.Status > 599 {
			c.flaw(owner+".Status", fmt.Sprint(f.Status), "400 to 599")
		}
	case RateLimit:
		c.number(owner+".Limit", f.Limit, 1, mostCalls)
		c.within(owner+".Window", f.Window, time.Second, longestRun)
		if f.Fields && f.Window%time.Second != 0 {
			c.flaw(owner+".Window", f.Window.String(), "whole seconds, because the RateLimit fields have no others")
		}
	case Refuse, Hang, Drop:
	}
}
