package rig

import (
	"io"
	"sync/atomic"
)

// Upload is a long body that knows how far it was read before the server took in what came before. It can be read once.
// Whoever holds a body back in memory reads it to its end first; a stream is ahead by what the sockets hold.
type Upload struct {
	Size int64

	given, taken, ahead atomic.Int64
}

// Read implements [io.Reader].
func (u *Upload) Read(p []byte) (int, error) {
	given := u.given.Load()
	n := min(int64(len(p)), u.Size-given)
	if n == 0 {
		return 0, io.EOF
	}
	clear(p[:n])
	u.given.Store(given + n)
	u.ahead.Store(max(u.ahead.Load(), given+n-u.taken.Load()))
	return int(n), nil
}

// Take is what the server does with the body: it reads all of it.
func (u *Upload) Take(body io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		u.taken.Add(int64(n))
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Taken is how many bytes the server took in.
func (u *Upload) Taken() int64 { return u.taken.Load() }

// Ahead is how far the body was ahead of the server at most.
func (u *Upload) Ahead() int64 { return u.ahead.Load() }
