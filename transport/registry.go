package transport

import (
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxKeys      = 16 * 1024 // how many keys a registry remembers
	skipWhenFull = 100       // how many further keys go without before a full shard is looked through again
	maxLook      = 64        // how many values of a shard are looked at, at once
	sweepEvery   = time.Second
)

// registry holds what is shared by the calls of a key, in shards, so that calls of different keys do not wait for each other.
// It is bounded: when a shard is full, a value that can be spared makes room. Looking a key up allocates nothing.
type registry[V any] struct {
	spare func(*V) bool // whether a value may be forgotten; it is then never used again

	seed   maphash.Seed
	epoch  time.Time
	swept  atomic.Int64 // when sweep looked last, since the epoch
	size   atomic.Int64
	shards [16]shard[V]
	hot    [256]atomic.Pointer[entry[V]] // of the shards, found last: looking there needs neither a lock nor a good hash
}

type shard[V any] struct {
	skip   atomic.Int32 // how many makes are refused unseen, since the shard was found full
	mu     sync.RWMutex
	values map[key]*entry[V]
}

type entry[V any] struct {
	key   key
	value *V
}

func newRegistry[V any](spare func(*V) bool) *registry[V] {
	return &registry[V]{spare: spare, seed: maphash.MakeSeed(), epoch: time.Now()}
}

// empty reports whether there is no value at all: one atomic load.
func (r *registry[V]) empty() bool { return r.size.Load() == 0 }

func (r *registry[V]) shard(k key) *shard[V] {
	return &r.shards[maphash.Comparable(r.seed, k)%uint64(len(r.shards))]
}

// find returns the value of a key, or nil.
func (r *registry[V]) find(k key) *V {
	hot := &r.hot[quickHash(k.name, k.part)%uint64(len(r.hot))]
	if e := hot.Load(); e != nil && e.key == k {
		return e.value
	}
	return r.look(k, hot)
}

// findWhole is find for the key of a server, or of the user's own, without the cost of making it.
func (r *registry[V]) findWhole(scheme, name string) *V {
	hot := &r.hot[quickHash(name, "")%uint64(len(r.hot))]
	if e := hot.Load(); e != nil && e.key.name == name && e.key.scheme == scheme && e.key.sort == whole {
		return e.value
	}
	return r.find(key{scheme: scheme, name: name})
}

// look is find for a key that was not found last.
func (r *registry[V]) look(k key, hot *atomic.Pointer[entry[V]]) *V {
	s := r.shard(k)
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.values[k]
	if e == nil {
		return nil
	}
	hot.Store(e) // under the lock that it takes to forget it
	return e.value
}

// forget drops the entry of a shard that is locked.
func (r *registry[V]) forget(s *shard[V], e *entry[V]) {
	delete(s.values, e.key)
	r.hot[quickHash(e.key.name, e.key.part)%uint64(len(r.hot))].CompareAndSwap(e, nil)
}

// make returns the value of a key, a fresh one if there is none. It returns nil if the key's shard is full of values
// that cannot be spared.
func (r *registry[V]) make(k key, fresh func() *V) *V {
	s := r.shard(k)
	if s.skip.Load() > 0 {
		if v := r.find(k); v != nil {
			return v
		}
		if s.skip.Add(-1) >= 0 {
			return nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.values[k]; e != nil {
		return e.value
	}
	if len(s.values) >= maxKeys/len(r.shards) && r.thin(s, 1, r.spare) == 0 {
		s.skip.Store(skipWhenFull)
		return nil
	}
	if s.values == nil {
		s.values = make(map[key]*entry[V])
	}
	e := &entry[V]{k, fresh()}
	s.values[k] = e
	r.size.Add(1)
	return e.value
}

// thin drops up to n values of a shard that may go, as gone says. It looks at a few, in random order.
func (r *registry[V]) thin(s *shard[V], n int, gone func(*V) bool) (dropped int) {
	looked := 0
	for _, e := range s.values {
		if looked == maxLook || dropped == n {
			break
		}
		looked++
		if gone(e.value) {
			r.forget(s, e)
			dropped++
		}
	}
	r.size.Add(-int64(dropped))
	return dropped
}

// sweep drops values that may go, as gone says. It looks at a few of each shard, and only if it has not done so for a while.
func (r *registry[V]) sweep(now time.Time, gone func(*V) bool) {
	if r.empty() {
		return
	}
	last, since := r.swept.Load(), int64(now.Sub(r.epoch))
	if since-last < int64(sweepEvery) || !r.swept.CompareAndSwap(last, since) {
		return
	}
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		r.thin(s, maxLook, gone)
		s.mu.Unlock()
	}
}

// each calls f for every value, under no lock.
func (r *registry[V]) each(f func(k key, v *V)) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.RLock()
		values := maps.Clone(s.values)
		s.mu.RUnlock()
		for k, e := range values {
			f(k, e.value)
		}
	}
}

// drop forgets the value of a key, if it is still this one and gone says that it may go.
func (r *registry[V]) drop(k key, v *V, gone func(*V) bool) {
	s := r.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.values[k]; e != nil && e.value == v && gone(v) {
		r.forget(s, e)
		r.size.Add(-1)
	}
}
