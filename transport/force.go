package transport

import (
	"errors"
	"sync"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// forced is an operator's word about a key, which goes before every breaker's own.
type forced struct {
	mu      sync.Mutex
	state   State // Open or Closed
	until   time.Time
	retired bool // no longer in the registry
}

// word is what an operator says at a moment. The zero value is nothing.
type word struct {
	state State // Open or Closed
	left  time.Duration
}

func (w word) holds() bool  { return w.left > 0 }
func (w word) closed() bool { return w.holds() && w.state == Closed }

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
	until := time.Now().Add(d)
	for said := false; !said; { // one that is forgotten in this very moment is made anew
		f := s.forced.make(key{name: name}, func() *forced { return &forced{} })
		if f == nil {
			return errors.New("transport: too many keys are forced: reset some first")
		}
		said = f.say(state, until)
	}
	for _, b := range s.rules.Load().breakers {
		b.circuits.each(func(k key, c *circuit) {
			if k.String() == name || k.of(whole, "").String() == name {
				c.dismiss() // they see for themselves what was said
			}
		})
	}
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
	for _, b := range s.rules.Load().breakers {
		b.circuits.each(func(k key, c *circuit) {
			if k.String() == name {
				c.reset()
				b.circuits.drop(k, c, (*circuit).retire)
			}
		})
	}
}

// force returns what an operator says about the keys. That one of them is open goes before that another is closed.
func (s *Shared) force(keys []key) (said word, about key) {
	if s.forced.empty() {
		return word{}, key{}
	}
	for _, k := range keys {
		name := key{name: k.String()}
		f := s.forced.find(name)
		if f == nil {
			continue
		}
		switch w := f.word(); {
		case !w.holds():
			s.forced.drop(name, f, (*forced).spare)
		case !said.holds() || w.state == Open && said.state == Closed:
			said, about = w, k
		}
	}
	return said, about
}

// say changes the operator's word. It reports false if it is no longer in the registry.
func (f *forced) say(state State, until time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.retired {
		f.state, f.until = state, until
	}
	return !f.retired
}

func (f *forced) word() word {
	f.mu.Lock()
	defer f.mu.Unlock()
	return word{f.state, max(0, time.Until(f.until))}
}

// spare marks the operator's word as gone if it no longer holds, and reports whether it is.
func (f *forced) spare() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.retired = f.retired || !time.Now().Before(f.until)
	return f.retired
}

// verdict is that of the refusals.
func (word) verdict() classify.Verdict {
	return classify.Verdict{Kind: classify.PolicyViolation, Code: "forced_open"}
}
