package anthropic

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 3, rig.Limited: 3, rig.Refused: 3},
		Doubled: map[rig.Fault]int{rig.Unavailable: 6, rig.Limited: 9, rig.Refused: 9, rig.Open: 3},
	})
}

// TestAttemptsOfCalls counts what arrives with steadytrip plugged in and the SDK's own retries off.
func TestAttemptsOfCalls(t *testing.T) {
	post := func(ctx context.Context, client anthropic.Client) error {
		_, err := Ask(ctx, client)
		return err
	}
	twice := func(ctx context.Context, client anthropic.Client) error {
		return post(transport.Idempotent(ctx), client)
	}
	get := func(ctx context.Context, client anthropic.Client) error {
		_, err := client.Models.Get(ctx, "claude-example", anthropic.ModelGetParams{})
		return err
	}
	for _, c := range []struct {
		name   string
		call   func(ctx context.Context, client anthropic.Client) error
		answer http.HandlerFunc
		want   int
	}{
		{"a GET is sent again after a 503", get, rig.JSON(503, unavailable), 2},
		{"and after a lost connection", get, rig.Lose, 2},
		{"and when the API is overloaded", get, rig.JSON(529, overloaded), 2},
		{"a POST is not sent again after a 503", post, rig.JSON(503, unavailable), 1},
		{"nor when the API is overloaded", post, rig.JSON(529, overloaded), 1},
		{"nor if the API says to try again, for it may have acted", post, rig.JSON(529, overloaded, "X-Should-Retry", "true"), 1},
		{"nor after a lost connection", post, rig.Lose, 1},
		{"but after a 429, which did nothing", post, rig.JSON(429, limited, "Retry-After-Ms", "1"), 3},
		{"a POST that may be carried out twice is sent again after a 503", twice, rig.JSON(503, unavailable), 2},
		{"and when the API is overloaded", twice, rig.JSON(529, overloaded), 2},
		{"and after a lost connection", twice, rig.Lose, 2},
		{"a spend limit does not lift itself", twice, rig.JSON(429, spent), 1},
		{"the API says not to try again", twice, rig.JSON(529, overloaded, "X-Should-Retry", "false"), 1},
		{"a limit that lasts longer than the policy waits", post, rig.JSON(429, limited, "Retry-After", "20", "X-Should-Retry", "true"), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, hc := rig.Serve(t, c.answer, transport.Config{})
			if err := c.call(t.Context(), Client(hc, server.URL, false)); err == nil {
				t.Error("the call succeeded")
			}
			if got := server.Total(); got != c.want {
				t.Errorf("%d attempts, want %d", got, c.want)
			}
		})
	}
}

func TestErrorsKeepVerdictAndTrail(t *testing.T) {
	for _, c := range []struct {
		name     string
		answer   http.HandlerFunc
		sdk      anthropic.ErrorType
		kind     classify.Kind
		action   classify.Action
		attempts int
	}{
		{"unavailable", rig.JSON(503, unavailable), "api_error", classify.ProviderUnavailable, classify.Retry, 2},
		{"overloaded", rig.JSON(529, overloaded), "overloaded_error", classify.ProviderUnavailable, classify.Retry, 2},
		{"limited", rig.JSON(429, limited, "Retry-After-Ms", "1"), "rate_limit_error", classify.ProviderRateLimit, classify.Wait, 3},
		{"spent", rig.JSON(429, spent), "rate_limit_error", classify.ProviderAPI, classify.Inspect, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, hc := rig.Serve(t, c.answer, transport.Config{})
			_, err := Ask(transport.Idempotent(t.Context()), Client(hc, server.URL, false))
			var e *anthropic.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %T: %v, want the SDK's error", err, err)
			}
			v, trail := classify.Of(e.Response, nil), transport.TrailOf(e.Response, nil)
			if e.Type() != c.sdk || v.Kind != c.kind || v.Action() != c.action || trail.Attempts != c.attempts {
				t.Errorf("got %q, %v, %v, %d attempts, want %q, %v, %v, %d",
					e.Type(), v.Kind, v.Action(), trail.Attempts, c.sdk, c.kind, c.action, c.attempts)
			}
		})
	}
}

// TestRequestTimeoutBoundsTheChain: the SDK's timeout is the deadline of all attempts, and of no use to a pause that passes it.
func TestRequestTimeoutBoundsTheChain(t *testing.T) {
	server, hc := rig.Serve(t, rig.JSON(503, unavailable), transport.Config{Policy: rig.PolicyWithPauses(time.Minute)})
	client := Client(hc, server.URL, false)
	start := time.Now()
	_, err := client.Messages.New(transport.Idempotent(t.Context()), question, option.WithRequestTimeout(30*time.Second))
	var e *anthropic.Error
	if !errors.As(err, &e) || e.StatusCode != 503 || transport.TrailOf(e.Response, nil).Reason != policy.DeadlineTooNear || time.Since(start) > time.Second {
		t.Errorf("got %v after %v, want the 503 at once", err, time.Since(start))
	}
	if server.Total() != 1 {
		t.Errorf("%d attempts, want 1", server.Total())
	}
}

func TestStreamArrivesPieceByPiece(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	heard := make(chan struct{})
	server, hc := rig.Serve(t, rig.Answers(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			startStream(w)
			writePiece(w, answer[0])
			select {
			case <-heard: // nothing more is sent before the first piece has arrived
				writePiece(w, answer[1])
				endStream(w)
			case <-r.Context().Done():
			}
		}),
		rig.JSON(429, limited, "Retry-After-Ms", "1"),
	), transport.Config{})
	var said []string
	err := Stream(ctx, Client(hc, server.URL, false), func(s string) {
		if said = append(said, s); len(said) == 1 {
			close(heard)
		}
	})
	if err != nil || strings.Join(said, "|") != strings.Join(answer, "|") {
		t.Errorf("got %q, %v, want %q", said, err, answer)
	}
	if server.Total() != 2 {
		t.Errorf("%d attempts, want 2", server.Total())
	}
}

func TestBrokenStreamIsNotRepeated(t *testing.T) {
	for _, own := range []bool{false, true} {
		server, hc := rig.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			startStream(w)
			writePiece(w, answer[0])
			panic(http.ErrAbortHandler)
		}), transport.Config{PerCall: []transport.Middleware{transport.Resume(3)}})
		var said []string
		err := Stream(transport.Idempotent(t.Context()), Client(hc, server.URL, own), func(s string) { said = append(said, s) })
		if err == nil || len(said) != 1 || said[0] != answer[0] {
			t.Errorf("own retries %v: got %q, %v, want the first piece and an error", own, said, err)
		}
		if server.Total() != 1 {
			t.Errorf("own retries %v: %d attempts, want 1", own, server.Total())
		}
	}
}

// TestOverloadInAStreamIsNotRepeated: it is told within a 200, of which the caller may have used the beginning.
func TestOverloadInAStreamIsNotRepeated(t *testing.T) {
	server, hc := rig.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		startStream(w)
		writePiece(w, answer[0])
		writeEvent(w, "error", overloaded)
	}), transport.Config{})
	err := Stream(transport.Idempotent(t.Context()), Client(hc, server.URL, false), func(string) {})
	var e *anthropic.Error
	if !errors.As(err, &e) || e.Type() != "overloaded_error" || server.Total() != 1 {
		t.Errorf("%d attempts, %v, want 1 and an overload", server.Total(), err)
	}
}

// TestLostBody: an answer whose body breaks off is read by the SDK, behind the chain. With its own retries on it asks again.
func TestLostBody(t *testing.T) {
	for own, want := range map[bool]int{false: 1, true: 3} {
		server, hc := rig.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			rig.JSON(200, `{"id":"msg_1",`)(w, nil)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}), transport.Config{})
		_, err := Ask(transport.Idempotent(t.Context()), Client(hc, server.URL, own))
		if err == nil || server.Total() != want {
			t.Errorf("own retries %v: %d attempts, %v, want %d and an error", own, server.Total(), err, want)
		}
	}
}

// TestFileUploadIsSentWhole: the SDK holds the form in memory, whatever the file is read from, and each attempt sends all of it.
func TestFileUploadIsSentWhole(t *testing.T) {
	content := bytes.Repeat([]byte("a line\n"), 1<<20)
	server, hc := rig.Serve(t, rig.Answers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, _, err := r.FormFile("file")
		if err != nil {
			t.Error(err)
			return
		}
		if got, err := io.ReadAll(file); err != nil || !bytes.Equal(got, content) {
			t.Errorf("got %d bytes, %v, want %d", len(got), err, len(content))
		}
		rig.JSON(200, `{"id":"file_1"}`)(w, r)
	}), rig.JSON(429, limited, "Retry-After-Ms", "1")), transport.Config{})
	client := Client(hc, server.URL, false)
	file, err := client.Files.Upload(t.Context(), anthropic.FileUploadParams{
		File: anthropic.File(io.MultiReader(bytes.NewReader(content)), "lines.txt", "text/plain"), // a reader that cannot seek
	})
	if err != nil || file.ID != "file_1" || server.Total() != 2 {
		t.Errorf("got %v, %v after %d attempts, want a file after 2", file, err, server.Total())
	}
}

// TestLargeUploadIsNotBuffered: a reader that is given as the body is read while it is sent.
func TestLargeUploadIsNotBuffered(t *testing.T) {
	body := &rig.Upload{Size: 64 << 20}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := body.Take(r.Body); err != nil {
			t.Error(err)
		}
		rig.JSON(200, `{}`)(w, r)
	}))
	defer server.Close()
	hc, err := transport.Wrap(server.Client(), transport.Config{Policy: rig.Policy()})
	if err != nil {
		t.Fatal(err)
	}
	client := Client(hc, server.URL, false)
	var answer any
	if err := client.Post(t.Context(), "upload", nil, &answer, option.WithRequestBody("application/octet-stream", body)); err != nil {
		t.Fatal(err)
	}
	if body.Taken() != body.Size || body.Ahead() > body.Size/4 {
		t.Errorf("the server took in %d bytes, and the body was %d ahead of it; want %d, and a quarter of that at most", body.Taken(), body.Ahead(), body.Size)
	}
}
