package nethttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 1, rig.Limited: 1, rig.Refused: 1},
		Doubled: map[rig.Fault]int{rig.Unavailable: 2, rig.Limited: 3, rig.Refused: 7, rig.Open: 1},
	})
}

func TestTimeoutOfTheClient(t *testing.T) {
	for _, byContext := range []bool{false, true} {
		t.Run(fmt.Sprintf("ends a call that gets no answer, as a deadline of the context does: %v", byContext), func(t *testing.T) {
			t.Parallel()
			server, hc := rig.Serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), transport.Config{})
			ctx := t.Context()
			if byContext {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
			} else {
				hc.Timeout = 50 * time.Millisecond
			}
			start := time.Now()
			_, err := Get(ctx, hc, server.URL)
			var timeout interface{ Timeout() bool }
			if !errors.As(err, &timeout) || !timeout.Timeout() || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > time.Second {
				t.Errorf("got %v after %v, want a timeout within a second", err, time.Since(start))
			}
			var call *transport.CallError
			if byContext && !errors.As(err, &call) { // with Timeout it depends on which of two timers is first
				t.Errorf("the error has no trail: %v", err)
			}
			if server.Total() != 1 {
				t.Errorf("%d attempts, want 1", server.Total())
			}
		})
	}
	t.Run("hands back the answer at once when a pause does not fit", func(t *testing.T) {
		t.Parallel()
		server, hc := rig.Serve(t, rig.JSON(503, `{"why":"repairs"}`), transport.Config{Policy: rig.PolicyWithPauses(time.Minute)})
		hc.Timeout = 20 * time.Second
		start := time.Now()
		resp, err := hc.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if resp.StatusCode != 503 || string(body) != `{"why":"repairs"}` || err != nil || time.Since(start) > time.Second {
			t.Errorf("got %d %q, %v after %v, want the 503 within a second", resp.StatusCode, body, err, time.Since(start))
		}
		if trail := transport.TrailOf(resp, nil); trail.Reason != policy.DeadlineTooNear {
			t.Errorf("it stopped for %v, want %v", trail.Reason, policy.DeadlineTooNear)
		}
	})
	t.Run("ends a body that stalls", func(t *testing.T) {
		t.Parallel()
		server, hc := rig.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "2")
			_, _ = io.WriteString(w, "a")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}), transport.Config{})
		hc.Timeout = 50 * time.Millisecond
		start := time.Now()
		body, err := Get(t.Context(), hc, server.URL)
		var timeout interface{ Timeout() bool }
		if string(body) != "a" || !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(start) > time.Second {
			t.Errorf("got %q, %v after %v, want one byte and a timeout", body, err, time.Since(start))
		}
	})
}

// TestErrorOfTheNetwork: what net/http returns is all there, and the chain's knowledge beside it.
func TestErrorOfTheNetwork(t *testing.T) {
	server, hc := rig.Serve(t, http.NotFoundHandler(), transport.Config{})
	server.Refuse(time.Hour)
	_, err := Get(t.Context(), hc, server.URL)
	var outer *url.Error
	var op *net.OpError
	var typed *classify.NetworkError
	if !errors.As(err, &outer) || outer.Op != "Get" || !errors.As(err, &op) || op.Op != "dial" || !errors.As(err, &typed) {
		t.Errorf("got %v, want *url.Error, *net.OpError and *classify.NetworkError", err)
	}
	if v := classify.Of(nil, err); v.Kind != classify.ConnectionRefused || v.Action() != classify.Retry {
		t.Errorf("got %v, %v, want %v, %v", v.Kind, v.Action(), classify.ConnectionRefused, classify.Retry)
	}
}

// TestErrorOfAnAnswer: it is the chain's, with the last answer's body in it.
func TestErrorOfAnAnswer(t *testing.T) {
	server, hc := rig.Serve(t, rig.JSON(503, `{"why":"repairs"}`), transport.Config{})
	_, err := Get(t.Context(), hc, server.URL)
	var e *classify.ProviderAPIError
	if !errors.As(err, &e) || e.StatusCode != 503 || string(e.ResponseBody) != `{"why":"repairs"}` || classify.Of(nil, err).Action() != classify.Retry {
		t.Errorf("got %v, want the 503 with its body", err)
	}
}
