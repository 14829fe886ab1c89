// Package learn reads logs of package transport, and fits the numbers that a scenario needs.
package learn

import (
	"slices"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// Log is what a log tells.
//
// Its lines have no number of the call that they are about. A call is put together by method, host and moments: each line has
// its own moment and how long what it tells of took, so that it says when the attempt or the call began.
type Log struct {
	Lines   int // all of them
	Ours    int // that transport.LogHooks wrote
	Trails  int // transport.Trail values, in JSON
	Foreign int // JSON of others, and empty lines
	NotJSON int
	TooLong int // longer than MaxLine

	Retries int // lines that tell of an attempt that was followed by another: level Debug has them
	Lost    int // of them, and ends of calls, those whose call could not be found

	// Holds is how long grants were locked while their token was refreshed: from the first refusal to the middle between the last one
	// and the request after it. Of calls that were refused at the same time the first counts: the others came later into the same refresh.
	Holds  Series
	Joined int // calls that were refused in a refresh that counts already
	Longer int // refreshes that outlasted the call that met them first: they are not in Holds

	// Latency is how long attempts took that were answered as they should, in calls that had been tried before.
	Latency Series

	Waits  Series             // how long calls waited at a gate for a refresh
	Failed map[string]*Series // how long attempts took that failed, by kind

	open     []*call
	episodes map[string]*episode // by host
	now      time.Time           // of the last line
}

func newLog() *Log {
	return &Log{Failed: make(map[string]*Series), episodes: make(map[string]*episode)}
}

const (
	near     = 50 * time.Millisecond // how far moments of one thing may be apart
	maxOpen  = 4096                  // calls whose end is awaited
	maxAge   = 10 * time.Minute      // of such a call
	maxKinds = 256                   // of failures and of hosts; there are fewer in good logs
)

var refreshing = classify.TokenRefreshInProgress.String()

// kinds are the kinds that attempts fail with.
var kinds = func() map[string]bool {
	all := map[string]bool{classify.Unclassified.String(): true}
	for k := range classify.Kinds() {
		all[k.String()] = true
	}
	return all
}()

// call is one whose end has not been read yet.
type call struct {
	method, host string
	start        time.Time     // of the first attempt
	next         time.Time     // of the next attempt, unless it waits at a gate
	attempts     int           // that failed
	took         time.Duration // all of them together
	seen         time.Time
	refused      [2]time.Time // the first and the last refusal for a refresh; zero: none
	free         time.Time    // the start of the attempt after the last refusal; zero: not known
}

// record reads a line, and reports whether transport.LogHooks wrote it.
func (l *Log) record(r *record) bool {
	switch r.Msg {
	case "attempt failed, trying again", "call succeeded after retries", "call failed after retries", "call failed", "attempt waited":
		if r.Kind == "" || r.Time.IsZero() || r.Duration < 0 {
			return false
		}
	case "breaker refused an attempt", "breaker changed its state":
		l.Ours++
		return true
	default:
		return false
	}
	l.Ours++
	l.advance(r.Time)
	switch r.Msg {
	case "attempt failed, trying again":
		l.retry(r)
	case "attempt waited":
		if r.Kind == refreshing {
			l.Waits.add(time.Duration(r.Duration))
		}
	default:
		l.end(r)
	}
	return true
}

// advance forgets what is too old. If time goes back, another process wrote what follows.
func (l *Log) advance(now time.Time) {
	if now.Before(l.now.Add(-time.Minute)) {
		l.finish()
	}
	l.now = now
	for len(l.open) > 0 && (len(l.open) > maxOpen || now.Sub(l.open[0].seen) > maxAge) {
		l.open = slices.Delete(l.open, 0, 1)
		l.Lost++
	}
}

// retry reads of an attempt that failed and is followed by another.
func (l *Log) retry(r *record) {
	l.Retries++
	l.failed(r.Kind, time.Duration(r.Duration))
	began := r.Time.Add(-time.Duration(r.Duration))
	var c *call
	if r.Attempt == 1 {
		c = &call{method: r.Method, host: r.Host, start: began}
		l.open = append(l.open, c)
	} else if c = l.find(r, began, func(c *call) time.Time { return c.next }, r.Attempt-1); c == nil {
		l.Lost++
		return
	}
	c.attempts, c.took, c.seen, c.next = r.Attempt, c.took+time.Duration(r.Duration), r.Time, r.Time.Add(time.Duration(r.Pause))
	switch {
	case r.Kind == refreshing:
		if c.refused[0].IsZero() {
			c.refused[0] = r.Time
		}
		c.refused[1], c.free = r.Time, time.Time{}
	case !c.refused[0].IsZero() && c.free.IsZero():
		c.free = began
	}
}

// end reads of the end of a call.
func (l *Log) end(r *record) {
	began, start := r.Time.Add(-time.Duration(r.Duration)), func(c *call) time.Time { return c.start }
	c := l.find(r, began, start, r.Attempts-1)
	last := c != nil // whether an attempt has come after those that are known
	if c == nil {
		c = l.find(r, began, start, r.Attempts)
	}
	if c == nil {
		if r.Attempts > 1 {
			l.Lost++
			l.drop(l.find(r, began, start, -1))
		}
		return
	}
	l.drop(c)
	took := time.Duration(r.Duration-r.Waited) - c.took
	if last && r.Msg == "call succeeded after retries" {
		l.Latency.add(took)
	}
	if c.refused[0].IsZero() {
		return
	}
	free := c.free
	if free.IsZero() && last && r.Kind != refreshing {
		free = r.Time.Add(-took)
	}
	l.locked(c.host, c.refused, free, r.Time)
}

// find returns the call of a line: that of its host and method with the given number of attempts, any if that is -1, which is nearest
// to a moment; nil if none is near.
func (l *Log) find(r *record, at time.Time, moment func(*call) time.Time, attempts int) *call {
	var best *call
	least := near + 1
	for _, c := range l.open {
		if c.host != r.Host || c.method != r.Method || attempts >= 0 && c.attempts != attempts {
			continue
		}
		if d := moment(c).Sub(at).Abs(); d < least {
			best, least = c, d
		}
	}
	return best
}

func (l *Log) drop(c *call) {
	if i := slices.Index(l.open, c); i >= 0 {
		l.open = slices.Delete(l.open, i, i+1)
	}
}

func (l *Log) failed(kind string, d time.Duration) {
	if !kinds[kind] { // it would be printed, and nobody knows what it says
		return
	}
	s := l.Failed[kind]
	if s == nil {
		if len(l.Failed) >= maxKinds {
			return
		}
		s = &Series{}
		l.Failed[kind] = s
	}
	s.add(d)
}

// episode is calls on a host that were refused at the same time.
type episode struct {
	start, end time.Time     // of all of them
	hold       time.Duration // as the first one met it
	locked     bool          // the first one ended before the lock did
}

// locked notes a call that was refused at the given times and ended at end. free is when it sent the attempt that was not refused;
// zero if there was none.
func (l *Log) locked(host string, refused [2]time.Time, free, end time.Time) {
	e := &episode{start: refused[0], end: end, locked: free.IsZero()}
	if !e.locked {
		e.hold = refused[1].Add(max(free.Sub(refused[1]), 0) / 2).Sub(refused[0])
	}
	switch known := l.episodes[host]; {
	case known == nil && len(l.episodes) >= maxKinds:
		l.finish()
		l.episodes[host] = e
	case known == nil:
		l.episodes[host] = e
	case e.start.After(known.end):
		l.over(known)
		l.episodes[host] = e
	default:
		l.Joined++
		known.end = later(known.end, e.end)
		if e.start.Before(known.start) {
			known.start, known.hold, known.locked = e.start, e.hold, e.locked
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (l *Log) over(e *episode) {
	if e.locked {
		l.Longer++
		return
	}
	l.Holds.add(e.hold)
}

// finish notes what is known, and forgets what is not.
func (l *Log) finish() {
	for host, e := range l.episodes {
		l.over(e)
		delete(l.episodes, host)
	}
	l.Lost += len(l.open)
	l.open = nil
}

// trail reads what a call went through. A trail has no moment of its own: at is that of its line, if it has one, at the end of the call.
func (l *Log) trail(t trail, at time.Time) {
	l.Trails++
	for _, r := range t.Records {
		switch {
		case r.Verdict.Kind != classify.Unclassified.String():
			l.failed(r.Verdict.Kind, r.Duration)
		case r.Status > 0 && r.Status < 400:
			l.Latency.add(r.Duration)
		}
	}
	if t.Attempts > len(t.Records) {
		return // the first ones are not known
	}
	first := -1
	past := t.Waited // what the call waited for, without the pauses that are passed below
	var refused [2]time.Duration
	var clock, free time.Duration // since the call began; free is 0 if it was not
	for i, r := range t.Records {
		start := clock
		clock += r.Duration
		switch {
		case r.Verdict.Kind == refreshing:
			if first < 0 {
				first, refused[0] = i, clock
			}
			refused[1], free = clock, 0
		case first >= 0 && free == 0:
			free = start
		}
		pause := r.Pause
		if i == len(t.Records)-2 {
			pause = past // the last wait, at a gate perhaps, is what is left of them
		}
		clock, past = clock+pause, past-pause
	}
	if first < 0 {
		return
	}
	if at.IsZero() { // nobody knows what was at the same time
		hold := time.Duration(0)
		if free > 0 {
			hold = (refused[1]+free)/2 - refused[0]
		}
		l.over(&episode{hold: hold, locked: free == 0})
		return
	}
	moment := func(d time.Duration) time.Time { return at.Add(d - clock) }
	var unlocked time.Time
	if free > 0 {
		unlocked = moment(free)
	}
	l.locked("", [2]time.Time{moment(refused[0]), moment(refused[1])}, unlocked, at)
}
