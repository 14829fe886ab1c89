package transport

import (
	"errors"
	"sync"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// forced is an operator's word about a key, which goes before every breaker's own.
type forced struct {
	mu    sync.Mutex
	state State // Open or Closed
	until time.Time
}

// ForceOpen refuses all requests of a key for d, whatever they are answered: nothing is sent to it. Zero or less for d is
// until [Shared.Reset]. The key is what [Shared.Snapshot] and hooks call it: "https://api.example.com" for a server,
// or a user's own. The refusals' verdict is a [classify.PolicyViolation] with the code "forced_open".
func (s *Shared) ForceOpen(key string, d time.Duration) error { return s.forceTo(Open, key, d) }

// ForceClosed lets all requests of a key through for d, whatever they are answered, as if it had no breaker.
// Zero or less for d is until [Shared.Reset].
func (s *Shared) ForceClosed(key string, d time.Duration) error { return s.forceTo(Closed, key, d) }

// maxForce is what "until Reset" means.
const maxForce = 100 * 365 * 24 * time.Hour

func (s *Shared) forceTo(state State, name string, d time.Duration) error {
	if name == "" {
		return errors.New("transport: the key is empty: want one as Shared.Snapshot prints it")
	}
	if d <= 0 {
		d = maxForce
	}
	word := forced{state: state, until: time.Now().Add(d)}
	f := s.forced.make(key{name: name}, func() *forced { return &word })
	if f == nil {
		return errors.New("transport: too many keys are forced: reset some first")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state, f.until = state, word.until
	return nil
}

// Reset forgets what the breakers know about a key, and ends a forced state. Its requests pass as at the start.
func (s *Shared) Reset(name string) {
	if f := s.forced.find(key{name: name}); f != nil {
		f.mu.Lock()
		f.until = time.Time{}
		f.mu.Unlock()
		s.forced.drop(key{name: name}, f, (*forced).spare)
	}
	for _, b := range s.breakers {
		b.circuits.each(func(k key, c *circuit) {
			if k.String() == name {
				c.reset()
				b.circuits.drop(k, c, (*circuit).retire)
			}
		})
	}
}

// force returns the operator's word about one of the keys, if there is one.
func (s *Shared) force(keys []key) (f *forced, k key, state State) {
	if s.forced.empty() {
		return nil, key{}, Closed
	}
	for _, k := range keys {
		name := key{name: k.String()}
		f := s.forced.find(name)
		switch state, left := f.word(); {
		case left > 0:
			return f, k, state
		case f != nil:
			s.forced.drop(name, f, (*forced).spare)
		}
	}
	return nil, key{}, Closed
}

// word is the state that holds, and for how long yet.
func (f *forced) word() (State, time.Duration) {
	if f == nil {
		return Closed, 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state, max(0, time.Until(f.until))
}

func (f *forced) left() time.Duration {
	_, left := f.word()
	return left
}

// spare reports whether the operator's word no longer holds.
func (f *forced) spare() bool { return f.left() == 0 }

func (*forced) verdict() classify.Verdict {
	return classify.Verdict{Kind: classify.PolicyViolation, Code: "forced_open"}
}
