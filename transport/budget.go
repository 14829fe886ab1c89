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

// bucket is a policy.Bucket behind a lock.
type bucket struct {
	mu   sync.Mutex
	b    policy.Bucket
	last time.Duration // when it was used last
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
	exact, own := bs.keys.own(req)
	if !own {
		exact = exactHostKey(req)
	}
	if b := bs.kept.find(exact); b != nil {
		return b
	}
	return bs.make(req, exact, own, rule)
}

// make returns the bucket of a key that is looked up for the first time.
func (bs *budgets) make(req *http.Request, exact key, own bool, rule *policy.Budget) *bucket {
	fresh := func() *bucket { return &bucket{b: rule.Bucket()} }
	k := exact
	if !own {
		k = hostKey(req)
	}
	b := bs.kept.make(k, fresh)
	if b != nil && k != exact {
		bs.kept.make(exact, func() *bucket { return b })
	}
	if b == nil {
		return &bs.shared
	}
	return b
}

// lock locks a bucket, by the rule in force. It reports false, and does not, if there is no bucket, or no budget any more.
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
	b.b.SetBudget(*rule)
	return true
}

// settle counts an attempt that began at start, since the epoch. Whatever shows that the server is well earns: an answer that says
// no to this request does, one that asks for a later try does not.
func (bs *budgets) settle(b *bucket, v classify.Verdict, start time.Duration) {
	if !bs.lock(b) {
		return
	}
	defer b.mu.Unlock()
	b.last = max(b.last, start)
	switch a := v.Action(); {
	case a == classify.Retry || a == classify.Wait || v.Kind.Is(classify.Network):
		b.b.Failure(start)
	default:
		b.b.Success(start)
	}
}

// spend pays for a retry at now, since the epoch, and reports whether the budget reaches.
func (bs *budgets) spend(b *bucket, cost float64, now time.Duration) bool {
	if !bs.lock(b) {
		return true
	}
	defer b.mu.Unlock()
	return b.b.Spend(cost, now)
}

// refund takes back the payment for a retry that was not sent.
func (bs *budgets) refund(b *bucket, cost float64) {
	if !bs.lock(b) {
		return
	}
	defer b.mu.Unlock()
	b.b.Refund(cost)
}
