package hmac

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("secret")

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 1, rig.Limited: 1, rig.Refused: 1},
		Doubled: map[rig.Fault]int{rig.Unavailable: 2, rig.Limited: 3, rig.Refused: 7, rig.Open: 1},
	})
}

// TestWhereTheSignatureBelongs: the server takes the first attempt's nonce and fails, and only a new signature passes after that.
func TestWhereTheSignatureBelongs(t *testing.T) {
	sign := Sign("key-1", secret)
	for _, fault := range []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"a 503", rig.JSON(503, `{}`)},
		{"a 429", rig.JSON(429, `{}`)},
		{"a lost connection", rig.Lose},
	} {
		for _, c := range []struct {
			name     string
			cfg      transport.Config
			outside  bool
			attempts int
			code     string // of the refusal
		}{
			{"for each attempt", transport.Config{PerAttempt: []transport.Middleware{sign}}, false, 2, ""},
			{"once for the call", transport.Config{PerCall: []transport.Middleware{sign}}, false, 2, "replayed"},
			{"around the chain", transport.Config{}, true, 2, "replayed"},
		} {
			t.Run(fault.name+", signed "+c.name, func(t *testing.T) {
				t.Parallel()
				server, hc := rig.Serve(t, &Guard{Key: "key-1", Secret: secret, Next: rig.Answers(Notes(), fault.answer)}, c.cfg)
				if c.outside {
					hc.Transport = sign(hc.Transport)
				}
				err := Put(t.Context(), hc, server.URL, "a note")
				if server.Total() != c.attempts {
					t.Errorf("%d attempts, want %d", server.Total(), c.attempts)
				}
				if c.code == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				var e *classify.ProviderUnauthorizedError
				if !errors.As(err, &e) || e.Verdict().Code != c.code || e.Verdict().Action() != classify.Reauthorize {
					t.Errorf("got %v, want a 401, %s", err, c.code)
				}
			})
		}
	}
}

// TestManyCalls: nonces and bodies do not get mixed up.
func TestManyCalls(t *testing.T) {
	const n = 50
	var failed [n]bool // each note fails once
	set := rig.Policy()
	set.Budget = policy.Budget{} // half of the requests are retries here
	server, hc := rig.Serve(t, &Guard{Key: "key-1", Secret: secret, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note, err := io.ReadAll(r.Body)
		i, err2 := strconv.Atoi(string(note))
		if err := errors.Join(err, err2); err != nil {
			t.Error(err)
			return
		}
		if !failed[i] {
			failed[i] = true
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})}, transport.Config{Policy: set, PerAttempt: []transport.Middleware{Sign("key-1", secret)}})
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- Put(t.Context(), hc, server.URL, strconv.Itoa(i)) }()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if server.Total() != 2*n {
		t.Errorf("%d attempts, want %d", server.Total(), 2*n)
	}
}

// TestGuard: what it refuses, and that a signature is good for one request only.
func TestGuard(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		times  int
		want   int
		code   string
	}{
		{"a signed request", func(*http.Request) {}, 1, 204, ""},
		{"a replay", func(*http.Request) {}, 2, 401, "replayed"},
		{"no signature", func(r *http.Request) { r.Header.Del(fieldSignature) }, 1, 401, "bad_signature"},
		{"another body", func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("b")), 1
		}, 1, 401, "bad_signature"},
		{"another path", func(r *http.Request) { r.URL.Path = "/notes/2" }, 1, 401, "bad_signature"},
		{"another nonce", func(r *http.Request) { r.Header.Set(fieldNonce, "n") }, 1, 401, "bad_signature"},
		{"another key", func(r *http.Request) { r.Header.Set(fieldKey, "key-2") }, 1, 401, "bad_signature"},
		{"an old request", func(r *http.Request) {
			at := strconv.FormatInt(time.Now().Add(-2*window).Unix(), 10)
			r.Header.Set(fieldTime, at)
			resign(r, at)
		}, 1, 401, "stale"},
		{"a time that is none", func(r *http.Request) {
			r.Header.Set(fieldTime, "noon")
			resign(r, "noon")
		}, 1, 401, "stale"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, _ := rig.Serve(t, &Guard{Key: "key-1", Secret: secret, Next: Notes()}, transport.Config{})
			var signed *http.Request
			capture := Sign("key-1", secret)(capturing(func(r *http.Request) { signed = r }))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/notes/1", strings.NewReader("a"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := capture.RoundTrip(req); !errors.Is(err, errCaptured) {
				t.Fatal(err)
			}
			c.change(signed)
			var status int
			var body []byte
			for range c.times {
				resp, err := server.Client().Do(signed)
				if err != nil {
					t.Fatal(err)
				}
				status = resp.StatusCode
				if body, err = io.ReadAll(resp.Body); err != nil {
					t.Error(err)
				}
				resp.Body.Close()
				signed.Body, _ = signed.GetBody()
			}
			if status != c.want || c.code != "" && !bytes.Contains(body, []byte(`"`+c.code+`"`)) {
				t.Errorf("got %d %s, want %d %s", status, body, c.want, c.code)
			}
		})
	}
}

// resign signs a request that has all fields.
func resign(r *http.Request, at string) {
	r.Header.Set(fieldSignature, hex.EncodeToString(signature(secret, r, at, r.Header.Get(fieldNonce), r.Header.Get(fieldDigest))))
}

var errCaptured = errors.New("captured")

// capturing is a base that keeps the request and sends nothing.
type capturing func(*http.Request)

func (c capturing) RoundTrip(r *http.Request) (*http.Response, error) {
	c(r)
	return nil, errCaptured
}

// TestUnreadableBody: what cannot be read twice is neither signed nor sent, and is closed.
func TestUnreadableBody(t *testing.T) {
	server, hc := rig.Serve(t, Notes(), transport.Config{PerAttempt: []transport.Middleware{Sign("key-1", secret)}})
	closed := make(chan struct{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/notes/1", closing{strings.NewReader("a"), closed})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hc.Do(req); !errors.Is(err, ErrUnreadable) || server.Total() != 0 {
		t.Errorf("got %v, %d attempts, want %v and none", err, server.Total(), ErrUnreadable)
	}
	select {
	case <-closed:
	default:
		t.Error("the body is still open")
	}
}

type closing struct {
	io.Reader
	closed chan struct{}
}

func (c closing) Close() error {
	close(c.closed)
	return nil
}

// TestCancelDuringThePause is answered at once.
func TestCancelDuringThePause(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server, hc := rig.Serve(t, rig.JSON(429, `{}`, "Retry-After", "3"), transport.Config{
		PerAttempt: []transport.Middleware{Sign("key-1", secret)},
		Hooks:      transport.Hooks{Attempt: func(context.Context, transport.AttemptInfo) { time.AfterFunc(10*time.Millisecond, cancel) }},
	})
	start := time.Now()
	if err := Put(ctx, hc, server.URL, "a note"); !errors.Is(err, context.Canceled) || time.Since(start) > time.Second {
		t.Errorf("got %v after %v, want a cancellation within a second", err, time.Since(start))
	}
}

// TestErrorOfAnAnswer: it is the chain's, with the last answer's body in it.
func TestErrorOfAnAnswer(t *testing.T) {
	server, hc := rig.Serve(t, rig.JSON(503, `{"why":"repairs"}`), transport.Config{})
	err := Put(t.Context(), hc, server.URL, "a note")
	var e *classify.ProviderAPIError
	if !errors.As(err, &e) || e.StatusCode != 503 || string(e.ResponseBody) != `{"why":"repairs"}` || classify.Of(nil, err).Action() != classify.Retry {
		t.Errorf("got %v, want the 503 with its body", err)
	}
}
