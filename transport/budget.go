package transport

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

// budgets are the retry budgets of a chain, one for each key.
type budgets struct {
	keys   *Keys
	epoch  time.Time
	rule   atomic.Pointer[policy.Budget] // in force; one that is not enabled does not limit anything
	kept   *registry[bucket]
	shared bucket // of the keys for which there is no room
}

// bucket is a policy.Bucket behind a lock. Most successes do not take it: by the same rule, and within a tenth of its window, they are
// only added up, until somebody who takes it counts them first of all.
type bucket struct {
	more atomic.Int64 // successes that b is yet to count; in another cache line than rule and until, which change once in a tenth

	mu   sync.Mutex
	b    policy.Bucket
	last time.Duration // when it was used last, to a tenth of the window

	rule  atomic.Pointer[policy.Budget] // that b follows
	until atomic.Int64                  // when its next tenth begins, since the epoch
}

func newBudgets(rule policy.Budget, keys *Keys) *budgets {
	bs := &budgets{keys: keys, epoch: time.Now(), shared: bucket{b: rule.Bucket()}}
	bs.rule.Store(&rule)
	bs.kept = newRegistry(bs.idle)
	return bs
}

// idle reports whether a bucket saw no traffic for a window, so that a fresh one is as good. What a fresh one would have more,
// at most Min tokens, is the price of forgetting.
func (bs *budgets) idle(b *bucket) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	bs.fold(b)
	return bs.now()-b.last > bs.rule.Load().Window
}

func (bs *budgets) now() time.Duration { return time.Since(bs.epoch) }

// of returns the bucket that a request belongs to; nil if there is no budget. Other spellings of a host find its bucket under a
// key of their own, so that looking it up allocates nothing.
func (bs *budgets) of(req *http.Request) *bucket {
	rule := bs.rule.Load()
	if !rule.Enabled() {
		return nil
	}
	scheme, name := bs.exact(req)
	if b := bs.kept.findWhole(scheme, name); b != nil {
		return b
	}
	return bs.make(key{scheme: scheme, name: name}, rule)
}

// exact is the user's key of a request, or else the server that it goes to, as its URL spells it.
func (bs *budgets) exact(req *http.Request) (scheme, name string) {
	if req.URL == nil {
		return "", ""
	}
	if bs.keys.Key != nil {
		if name := bs.keys.Key(req); name != "" {
			return "", name
		}
	}
	return req.URL.Scheme, req.URL.Host
}

// make returns the bucket of a key that is looked up for the first time.
func (bs *budgets) make(exact key, rule *policy.Budget) *bucket {
	k := exact.canonical()
	b := bs.kept.make(k, func() *bucket { return &bucket{b: rule.Bucket()} })
	if b != nil && k != exact {
		bs.kept.make(exact, func() *bucket { return b })
	}
	if b == nil {
		return &bs.shared
	}
	return b
}

// lock locks a bucket, with all counted, by the rule in force. It reports false, and does not, if there is no bucket, or no budget
// any more.
func (bs *budgets) lock(b *bucket) bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	rule := bs.rule.Load() // as it is under the lock, so that a bucket changes once
	if !rule.Enabled() {
		b.mu.Unlock()
		return false
	}
	bs.fold(b)
	if b.rule.Load() != rule {
		b.b.SetBudget(*rule)
		b.until.Store(int64(b.b.NextTenth())) // first: who sees the rule goes by its tenth
		b.rule.Store(rule)
	}
	return true
}

func (b *bucket) unlock() {
	b.until.Store(int64(b.b.NextTenth()))
	b.mu.Unlock()
}

// fold counts what was only added up, in a bucket that is locked. When the last of it began is known to a tenth of the window.
func (bs *budgets) fold(b *bucket) {
	n := b.more.Swap(0)
	if n == 0 {
		return
	}
	now := min(bs.now(), b.b.NextTenth()-1)
	b.b.Successes(n, now)
	b.last = max(b.last, now)
}

// settle counts an attempt that began at start, since the epoch. Whatever shows that the server is well earns: an answer that says
// no to this request does, one that asks for a later try does not.
func (bs *budgets) settle(b *bucket, v classify.Verdict, start time.Duration) {
	if a := v.Action(); a != classify.Retry && a != classify.Wait && !v.Kind.Is(classify.Network) {
		bs.succeed(b, start)
		return
	}
	if bs.lock(b) {
		defer b.unlock()
		b.last = max(b.last, start)
		b.b.Failure(start)
	}
}

// succeed counts an attempt that succeeded, without the lock if it can. If somebody takes that in between, it is as if this one had
// come later.
func (bs *budgets) succeed(b *bucket, start time.Duration) {
	if b != nil && bs.rule.Load() == b.rule.Load() && int64(start) < b.until.Load() {
		b.more.Add(1)
		return
	}
	if bs.lock(b) {
		defer b.unlock()
		b.last = max(b.last, start)
		b.b.Success(start)
	}
}

// spend pays for a retry at now, since the epoch, and reports whether the budget reaches.
func (bs *budgets) spend(b *bucket, cost float64, now time.Duration) bool {
	if !bs.lock(b) {
		return true
	}
	defer b.unlock()
	return b.b.Spend(cost, now)
}

// refund takes back the payment for a retry that was not sent.
func (bs *budgets) refund(b *bucket, cost float64) {
	if !bs.lock(b) {
		return
	}
	defer b.unlock()
	b.b.Refund(cost)
}
