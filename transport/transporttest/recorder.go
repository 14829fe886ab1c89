package transporttest

import (
	"bytes"
	"io"
	"sync"
)

// maxKept is how much of a request's body is remembered.
const maxKept = 4 << 20

// recorder remembers what is read from a request's body, and closes it once.
// A nil recorder stands for no body.
type recorder struct {
	body io.ReadCloser

	mu     sync.Mutex // guards the rest; not held while the body reads
	kept   []byte
	size   int64
	closed bool
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.size += int64(n)
	r.kept = append(r.kept, p[:min(n, maxKept-len(r.kept))]...)
	return n, err
}

func (r *recorder) Close() error {
	r.mu.Lock()
	again := r.closed
	r.closed = true
	r.mu.Unlock()
	if again {
		return nil
	}
	return r.body.Close()
}

// state returns a copy of what was read, how much it was, and whether the body was closed.
func (r *recorder) state() (kept []byte, size int64, closed bool) {
	if r == nil {
		return nil, 0, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.kept), r.size, r.closed
}
