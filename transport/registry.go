package transport

import (
	"sync"
	"sync/atomic"
)

// maxCircuits bounds how many keys in trouble are remembered at once.
const maxCircuits = 10_000

// registry holds the circuits of the keys that are in trouble. It is empty while all is well,
// and then costs one atomic load. The zero value is ready.
type registry struct {
	size     atomic.Int64
	mu       sync.RWMutex
	circuits map[key]*circuit
}

// empty reports whether every key is healthy.
func (r *registry) empty() bool { return r.size.Load() == 0 }

// find returns the circuit of a key, or nil if the key is healthy.
func (r *registry) find(k key) *circuit {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.circuits[k]
}

// make returns the circuit of a key, a new one if there is none. It returns nil if the registry is full of circuits
// that must not be forgotten: then the key goes without a breaker.
func (r *registry) make(k key) *circuit {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.circuits[k]; c != nil {
		return c
	}
	if len(r.circuits) >= maxCircuits && !r.evict() {
		return nil
	}
	if r.circuits == nil {
		r.circuits = make(map[key]*circuit)
	}
	c := &circuit{}
	r.circuits[k] = c
	r.size.Store(int64(len(r.circuits)))
	return c
}

// evict drops one circuit that can be spared. It looks at a few, in random order.
func (r *registry) evict() bool {
	looked := 0
	for k, c := range r.circuits {
		if c.retire(true) {
			delete(r.circuits, k)
			return true
		}
		if looked++; looked == 64 {
			break
		}
	}
	return false
}

// retire drops the circuit of a key that is healthy again.
func (r *registry) retire(k key, c *circuit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.circuits[k] == c && c.retire(false) {
		delete(r.circuits, k)
		r.size.Store(int64(len(r.circuits)))
	}
}
