// Package rig measures what an SDK does about failures, alone and with steadytrip plugged in: a loopback server plays its API,
// a fault makes it misbehave, and what arrives there is counted.
package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// Fault says how the server misbehaves. But for Once, it goes on for as long as it is asked.
type Fault string

// The faults.
const (
	None        Fault = "none"    // it does not
	Once        Fault = "once"    // it answers 503 to the first request only
	Unavailable Fault = "503"     // it answers 503
	Missing     Fault = "404"     // it answers 404, with the body of a 503
	Limited     Fault = "429"     // it answers 429 with a Retry-After: of 1 second in mode Ours, else of 0
	Refused     Fault = "refused" // nobody listens
	Open        Fault = "open"    // steadytrip's breaker is open; not in mode Bare
	Cancel      Fault = "cancel"  // it answers 503, and the caller gives up during the pause after it; in mode Ours only
	Silent      Fault = "silent"  // it does not answer, and the caller gives up; in mode Ours only
)

// Mode says who retries.
type Mode int

// The modes.
const (
	Bare    Mode = iota // the SDK, as it does by default, without steadytrip
	Doubled             // the SDK, as it does by default, around steadytrip
	Ours                // steadytrip; the SDK's own retries are off
)

// String returns the mode in lower case.
func (m Mode) String() string { return [...]string{"bare", "doubled", "ours"}[m] }

// SDK is an SDK to be measured.
type SDK struct {
	Name      string
	Plug, Off string // the line that plugs steadytrip in, and what switches the SDK's own retries off; "" if it has none

	// Handler speaks enough of the API for Call to succeed.
	Handler http.Handler
	// Call builds the SDK's client on hc and makes one idempotent API call. If own is true the SDK retries as often as it does
	// by default; only its pauses may be set shorter. Otherwise its own retries are off.
	Call func(ctx context.Context, hc *http.Client, url string, own bool) error

	// Sign is what signs each attempt, next to the network; Fresh are the fields that may differ between attempts then. Default: nothing.
	Sign  transport.Middleware
	Fresh []string

	// Unavailable and Limited are the bodies of a 503 and of a 429, as the API writes them, and Header the fields beside them.
	Unavailable, Limited []byte
	Header               http.Header
	// Explain returns what the SDK's own error type says of an error answer; "" if err is none. Nil if it has no such type.
	Explain func(err error) string
}

// Count is what a call came to.
type Count struct {
	Attempts int           // requests that arrived; of a server that does not listen, dials
	Calls    int           // how often the SDK asked steadytrip
	Waited   time.Duration // in steadytrip's pauses
	Took     time.Duration // from the call to its end
	Err      error         // what the SDK returned

	received []transporttest.Received // the attempts, as the server saw them
}

// Resolution is what is worth showing of a duration.
const Resolution = time.Millisecond

// pause is how long a pause of the policy takes, unless the server asks for a longer one.
const pause = 2 * time.Millisecond

// Policy is [policy.Default] with shorter pauses.
func Policy() *policy.Set { return PolicyWithPauses(pause) }

// PolicyWithPauses is [policy.Default] with pauses of that length, unless the server asks for a longer one.
func PolicyWithPauses(pause time.Duration) *policy.Set {
	s := policy.Default()
	for k, p := range s.Profiles {
		p.Initial, p.Max, p.Jitter = pause, pause, 0
		s.Profiles[k] = p
	}
	return &s
}

// Want is how many attempts the policy alone makes of an idempotent call.
func (f Fault) Want() int {
	s := policy.Default()
	switch f {
	case Open:
		return 0
	case Unavailable, Once:
		return 1 + s.Profiles[classify.ProviderUnavailable].Retries
	case Limited:
		return 1 + s.Profiles[classify.ProviderRateLimit].Retries
	case Refused: // the budget ends it
		return 1 + int(s.Budget.Min/s.Profiles[classify.Dial].Cost)
	case None, Missing, Cancel, Silent:
	}
	return 1
}

// handler returns what the server does; with cancel the caller gives up.
func (s SDK) handler(f Fault, m Mode, cancel context.CancelFunc) http.Handler {
	fail := func(status int, body []byte, retryAfter string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			switch {
			case bytes.HasPrefix(body, []byte("{")):
				w.Header().Set("Content-Type", "application/json")
			case bytes.HasPrefix(body, []byte("<")):
				w.Header().Set("Content-Type", "application/xml")
			}
			maps.Copy(w.Header(), s.Header)
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(status)
			_, _ = w.Write(body)
		})
	}
	switch f {
	case Unavailable, Cancel:
		return fail(http.StatusServiceUnavailable, s.Unavailable, "")
	case Missing:
		return fail(http.StatusNotFound, s.Unavailable, "")
	case Limited:
		if m == Ours {
			return fail(http.StatusTooManyRequests, s.Limited, "1")
		}
		return fail(http.StatusTooManyRequests, s.Limited, "0")
	case Once:
		var asked atomic.Bool
		failing := fail(http.StatusServiceUnavailable, s.Unavailable, "")
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// What nobody reads of a body is not remembered.
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			if asked.Swap(true) {
				s.Handler.ServeHTTP(w, r)
				return
			}
			failing.ServeHTTP(w, r)
		})
	case Silent:
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // or else it is not noticed that the caller has gone
			cancel()
			<-r.Context().Done()
		})
	case None, Refused, Open:
	}
	return s.Handler
}

// Measure makes the SDK's call once. The error says why there is nothing to count; that of the call is in the Count.
func Measure(ctx context.Context, s SDK, f Fault, m Mode) (Count, error) {
	if m == Bare && f == Open || m != Ours && (f == Cancel || f == Silent) {
		return Count{}, fmt.Errorf("rig: no fault %q in mode %v", f, m)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := transporttest.NewServer(s.handler(f, m, cancel))
	var dials atomic.Int64
	base := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
	defer base.CloseIdleConnections()
	url := server.URL
	if f == Refused {
		addr, leave, err := nobody()
		if err != nil {
			return Count{}, errors.Join(err, server.Close())
		}
		defer leave()
		url = "http://" + addr
	}

	var c Count
	var calls, waited atomic.Int64
	hc := &http.Client{Transport: transport.Chain(base, s.Sign)}
	if m != Bare {
		set := Policy()
		hooks := transport.Hooks{Call: func(_ context.Context, i transport.CallInfo) {
			calls.Add(1)
			waited.Add(int64(i.Waited))
		}}
		if f == Cancel {
			set = PolicyWithPauses(time.Minute)
			hooks.Attempt = func(_ context.Context, i transport.AttemptInfo) {
				if i.Decision.Retry() {
					time.AfterFunc(20*time.Millisecond, cancel)
				}
			}
		}
		p, err := policy.New(*set)
		if err != nil {
			return c, errors.Join(err, server.Close())
		}
		shared := transport.NewShared(p, transport.Keys{})
		if f == Open {
			if err := shared.ForceOpen(server.URL, time.Minute); err != nil {
				return c, errors.Join(err, server.Close())
			}
		}
		if hc, err = transport.Wrap(hc, transport.Config{Shared: shared, Hooks: hooks}); err != nil {
			return c, errors.Join(err, server.Close())
		}
	}

	start := time.Now()
	c.Err = s.Call(ctx, hc, url, m != Ours)
	c.Took = time.Since(start)
	c.Calls, c.Waited = int(calls.Load()), time.Duration(waited.Load())
	c.Attempts, c.received = server.Total(), server.Requests()
	if f == Refused {
		c.Attempts = int(dials.Load())
	}
	base.CloseIdleConnections()
	return c, server.Close()
}

// nobody returns an address at which nobody listens, and nobody begins to until leave is called: that of the calling end of a connection.
// The port of a server that was closed may be given to another one.
func nobody() (addr string, leave func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // listening on loopback does not wait
	if err != nil {
		return "", nil, err
	}
	conn, err := net.Dial("tcp", l.Addr().String()) //nolint:noctx // nor does calling there
	if err != nil {
		return "", nil, errors.Join(err, l.Close())
	}
	return conn.LocalAddr().String(), func() {
		_ = conn.Close()
		_ = l.Close()
	}, nil
}
