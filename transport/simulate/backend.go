package simulate

import (
	"container/heap"
	"slices"
	"sync"
	"time"
)

// cause says what came of an attempt.
type cause uint8

const (
	served       cause = iota
	refreshing         // 409: the grant's token is being refreshed
	limited            // 429: the policy's rate limit is used up
	shed               // 503: the queue was full
	failed             // the status of a fault
	disconnected       // no connection
	lost               // the connection was lost
	gaveUp             // the client did, by its attempt timeout or its deadline
)

// reply is what the backend makes of a request, known when it arrives.
type reply struct {
	cause  cause
	at     time.Duration // when it is sent; never if the request hangs
	hangs  bool
	status int
	hint   time.Duration // until the window of a limit ends
	limit  *Fault        // that refused it
}

// backend is the backend of one simulation. All of it follows from the requests' times of arrival and their own randomness.
type backend struct {
	Backend

	faults []window

	mu      sync.Mutex
	free    time.Duration   // when it can begin to serve another, by its rate
	workers workers         // when each of them is free
	begins  []time.Duration // when those that wait will be served, in order
	used    map[use]*usage
}

// window is a fault and when it is.
type window struct {
	*Fault
	number   int
	from, to time.Duration
}

func (w *window) during(t time.Duration) bool { return w.from <= t && t < w.to }

func (w *window) concerns(key int) bool { return len(w.Keys) == 0 || slices.Contains(w.Keys, key) }

// use is what a rate limit counts.
type use struct{ fault, key int }

type usage struct {
	since  time.Duration // of the window, or when the tokens were counted
	tokens float64
}

// newBackend returns the backend of the i-th time that a scenario is played.
func newBackend(s Scenario, i int) *backend {
	b := &backend{Backend: s.Backend, faults: windows(s, i), used: map[use]*usage{}}
	b.workers = make(workers, s.Backend.Workers)
	return b
}

// windows are the faults of the i-th time that a scenario is played.
func windows(s Scenario, i int) []window {
	all := make([]window, len(s.Faults))
	for n := range s.Faults {
		f := &s.Faults[n]
		w := window{Fault: f, number: n, from: f.At, to: f.At + f.For}
		switch {
		case f.Hold.Median > 0:
			w.to = f.At + f.Hold.Quantile((float64(i)+0.5)/float64(s.repeat()))
		case f.For == 0:
			w.to = maxTime
		}
		all[n] = w
	}
	return all
}

// refuses reports whether an attempt at that time gets no connection.
func (b *backend) refuses(now time.Duration, key int, random *stream) bool {
	return b.strikes(Refuse, now, key, random) != nil
}

// strikes returns the first fault of the kind that meets the request of a key at that time; nil if none does.
func (b *backend) strikes(kind FaultKind, at time.Duration, key int, random *stream) *window {
	for i := range b.faults {
		if w := &b.faults[i]; w.Kind == kind && w.during(at) && w.concerns(key) && random.chance(w.Share) {
			return w
		}
	}
	return nil
}

// arrive takes in a request.
func (b *backend) arrive(now time.Duration, key int, random *stream) reply {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.faults {
		if w := &b.faults[i]; w.Kind == RateLimit && w.during(now) && w.concerns(key) {
			if left, ok := b.count(w, now, key); !ok {
				return reply{cause: limited, at: now, hint: left, limit: w.Fault}
			}
		}
	}
	if b.strikes(Hang, now, key, random) != nil {
		return reply{cause: gaveUp, hangs: true}
	}
	if b.Queue > 0 && b.waiting(now) >= b.Queue {
		if b.Full == Lose {
			return reply{cause: lost, at: now}
		}
		return reply{cause: shed, at: now}
	}
	return b.serve(now, key, random)
}

// serve puts a request into the queue.
func (b *backend) serve(now time.Duration, key int, random *stream) reply {
	begin := b.turn(now)
	r, work := reply{cause: served}, 1.0
	switch fail := b.strikes(Fail, now, key, random); {
	case b.strikes(Drop, now, key, random) != nil:
		r.cause = lost
	case fail != nil:
		r.cause, r.status, work = failed, fail.Status, fail.Work
	}
	if w := b.strikes(Lock, now, key, random); w != nil && w.Work == 0 {
		r.cause, work = refreshing, 0
	} else if w := b.strikes(Lock, begin, key, random); w != nil && w.Work > 0 {
		r.cause, work = refreshing, w.Work
	}
	if work == 0 {
		r.at = now
		return r
	}
	if b.Queue > 0 && begin > now {
		b.begins = append(b.begins, begin)
	}
	r.at = b.take(begin, work, random.Float64())
	return r
}

// turn returns when a request that arrives is served next.
func (b *backend) turn(now time.Duration) time.Duration {
	begin := now
	if b.Rate > 0 {
		begin = max(begin, b.free)
	}
	if len(b.workers) > 0 {
		begin = max(begin, b.workers[0])
	}
	return b.running(begin)
}

// take serves a request that takes so much of the work of another, and returns when that is done.
func (b *backend) take(begin time.Duration, work, luck float64) time.Duration {
	work *= b.slower(begin)
	end := begin
	if b.Rate > 0 {
		end = later(end, work*float64(time.Second)/b.Rate)
		b.free = end
	}
	end = later(end, work*float64(b.Latency.Quantile(luck)))
	if len(b.workers) > 0 {
		b.workers[0] = end
		heap.Fix(&b.workers, 0)
	}
	return end
}

// later returns t, at most maxTime, and so many nanoseconds, but maxTime at most.
func later(t time.Duration, nanos float64) time.Duration {
	return min(t+time.Duration(min(nanos, float64(maxTime))), maxTime)
}

// running returns when something that could begin then does: not before the backend runs.
func (b *backend) running(begin time.Duration) time.Duration {
	for again := true; again; {
		again = false
		for i := range b.faults {
			if w := &b.faults[i]; w.Kind == Stop && w.during(begin) {
				begin, again = w.to, true
			}
		}
	}
	return begin
}

// slower returns how many times as long as usual serving takes then.
func (b *backend) slower(at time.Duration) float64 {
	factor := 1.0
	for i := range b.faults {
		if w := &b.faults[i]; w.Kind == Slow && w.during(at) {
			factor *= w.Factor
		}
	}
	return factor
}

// waiting returns how many requests wait.
func (b *backend) waiting(now time.Duration) int {
	n := 0
	for n < len(b.begins) && b.begins[n] <= now {
		n++
	}
	b.begins = b.begins[n:]
	return len(b.begins)
}

// count counts a request against a limit, and returns how long until the limit allows another and whether it allows this one.
func (b *backend) count(w *window, now time.Duration, key int) (left time.Duration, ok bool) {
	u := b.used[use{w.number, key}]
	if u == nil {
		u = &usage{since: now, tokens: float64(w.Limit)}
		b.used[use{w.number, key}] = u
	}
	if w.Bucket {
		perToken := float64(w.Window) / float64(w.Limit)
		u.tokens = min(float64(w.Limit), u.tokens+float64(now-u.since)/perToken)
		u.since = now
		left = time.Duration(max(0, 1-u.tokens) * perToken)
	} else {
		if now-u.since >= w.Window {
			u.since, u.tokens = now, float64(w.Limit)
		}
		left = u.since + w.Window - now
	}
	if u.tokens < 1 {
		return left, false
	}
	u.tokens--
	return 0, true
}

// workers are when each worker is free, as a heap.
type workers []time.Duration

func (w workers) Len() int           { return len(w) }
func (w workers) Less(i, j int) bool { return w[i] < w[j] }
func (w workers) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }
func (w *workers) Push(any)          {}
func (w *workers) Pop() any          { return nil }
