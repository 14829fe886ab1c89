package openai

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

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
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
	post := func(ctx context.Context, client openai.Client) error {
		_, err := Ask(ctx, client)
		return err
	}
	twice := func(ctx context.Context, client openai.Client) error { return post(transport.Idempotent(ctx), client) }
	keyed := func(ctx context.Context, client openai.Client) error {
		_, err := client.Chat.Completions.New(ctx, question, option.WithHeader("Idempotency-Key", "k"))
		return err
	}
	get := func(ctx context.Context, client openai.Client) error {
		_, err := client.Models.Get(ctx, "gpt-example")
		return err
	}
	for _, c := range []struct {
		name   string
		call   func(ctx context.Context, client openai.Client) error
		answer http.HandlerFunc
		want   int
	}{
		{"a GET is sent again after a 503", get, rig.JSON(503, unavailable), 2},
		{"and after a lost connection", get, rig.Lose, 2},
		{"a POST is not sent again after a 503", post, rig.JSON(503, unavailable), 1},
		{"nor after a lost connection", post, rig.Lose, 1},
		{"nor after a 500", post, rig.JSON(500, unavailable), 1},
		{"but after a 429, which did nothing", post, rig.JSON(429, limited, "Retry-After-Ms", "1"), 3},
		{"a POST that may be carried out twice is sent again after a 503", twice, rig.JSON(503, unavailable), 2},
		{"and after a lost connection", twice, rig.Lose, 2},
		{"a POST with an Idempotency-Key is, too", keyed, rig.JSON(503, unavailable), 2},
		{"a quota that is used up does not come back", twice, rig.JSON(429, noQuota), 1},
		{"the API says not to try again", twice, rig.JSON(503, unavailable, "X-Should-Retry", "false"), 1},
		{"the API says to try a conflict again", twice, rig.JSON(409, unavailable, "X-Should-Retry", "true"), 2},
		{"a limit that lasts longer than the policy waits", post, rig.JSON(429, limited, "Retry-After", "20"), 1},
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

// TestUsedUpQuotaIsRetriedByTheSDK is what the chain's rule for it saves.
func TestUsedUpQuotaIsRetriedByTheSDK(t *testing.T) {
	server, _ := rig.Serve(t, rig.JSON(429, noQuota), transport.Config{})
	if _, err := Ask(t.Context(), Client(server.Client(), server.URL, true)); explain(err) != "429 insufficient_quota: You exceeded your current quota." {
		t.Errorf("got %q of %v", explain(err), err)
	}
	if got := server.Total(); got != 3 {
		t.Errorf("%d attempts, want 3", got)
	}
}

func TestErrorsKeepVerdictAndTrail(t *testing.T) {
	for _, c := range []struct {
		name     string
		answer   http.HandlerFunc
		explain  string
		kind     classify.Kind
		action   classify.Action
		attempts int
	}{
		{"unavailable", rig.JSON(503, unavailable), "503 server_error: The server is overloaded or not ready yet.",
			classify.ProviderUnavailable, classify.Retry, 2},
		{"limited", rig.JSON(429, limited, "Retry-After-Ms", "1"), "429 requests: Rate limit reached for gpt-example.",
			classify.ProviderRateLimit, classify.Wait, 3},
		{"no quota", rig.JSON(429, noQuota), "429 insufficient_quota: You exceeded your current quota.",
			classify.ProviderAPI, classify.Inspect, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, hc := rig.Serve(t, c.answer, transport.Config{})
			_, err := Ask(transport.Idempotent(t.Context()), Client(hc, server.URL, false))
			var e *openai.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %T: %v, want the SDK's error", err, err)
			}
			if got := explain(err); got != c.explain {
				t.Errorf("the SDK says %q, want %q", got, c.explain)
			}
			v, trail := classify.Of(e.Response, nil), transport.TrailOf(e.Response, nil)
			if v.Kind != c.kind || v.Action() != c.action || trail.Attempts != c.attempts {
				t.Errorf("got %v, %v, %d attempts, want %v, %v, %d", v.Kind, v.Action(), trail.Attempts, c.kind, c.action, c.attempts)
			}
		})
	}
}

// TestMillisecondsOfALimitAreWaitedFor: of the two fields that the API sends, the finer one counts.
func TestMillisecondsOfALimitAreWaitedFor(t *testing.T) {
	var waited time.Duration
	server, hc := rig.Serve(t, rig.Answers(Handler(), rig.JSON(429, limited, "Retry-After-Ms", "60", "Retry-After", "1")),
		transport.Config{Hooks: transport.Hooks{Call: func(_ context.Context, i transport.CallInfo) { waited = i.Waited }}})
	if _, err := Ask(t.Context(), Client(hc, server.URL, false)); err != nil {
		t.Fatal(err)
	}
	if waited < 60*time.Millisecond || waited >= time.Second {
		t.Errorf("waited %v, want 60ms and a little", waited)
	}
}

// TestRequestTimeoutBoundsTheChain: the SDK's timeout is the deadline of all attempts, and of no use to a pause that passes it.
func TestRequestTimeoutBoundsTheChain(t *testing.T) {
	server, hc := rig.Serve(t, rig.JSON(503, unavailable), transport.Config{Policy: rig.PolicyWithPauses(time.Minute)})
	client := Client(hc, server.URL, false)
	start := time.Now()
	_, err := client.Chat.Completions.New(transport.Idempotent(t.Context()), question, option.WithRequestTimeout(30*time.Second))
	var e *openai.Error
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
			writeChunk(w, answer[0])
			select {
			case <-heard: // nothing more is sent before the first piece has arrived
				writeChunk(w, answer[1])
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
			writeChunk(w, answer[0])
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

// TestFileUploadIsSentWhole: the SDK holds the form in memory, whatever the file is read from, and each attempt sends all of it.
func TestFileUploadIsSentWhole(t *testing.T) {
	content := bytes.Repeat([]byte("a line\n"), 1<<20)
	once := func(ctx context.Context) context.Context { return ctx }
	for _, c := range []struct {
		name     string
		mark     func(context.Context) context.Context
		answer   http.HandlerFunc // in place of the first one
		attempts int
		fails    bool
	}{
		{"a limit", once, rig.JSON(429, limited, "Retry-After-Ms", "1"), 2, false},
		{"a 503, after which the file may be there", once, rig.JSON(503, unavailable), 1, true},
		{"a 503, and two such files do no harm", transport.Idempotent, rig.JSON(503, unavailable), 2, false},
		{"a lost connection, and two such files do no harm", transport.Idempotent, rig.Lose, 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, hc := rig.Serve(t, rig.Answers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				file, _, err := r.FormFile("file")
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(file)
				if err != nil || !bytes.Equal(got, content) || r.FormValue("purpose") != "batch" {
					t.Errorf("got %d bytes for %q, %v, want %d for a batch", len(got), r.FormValue("purpose"), err, len(content))
				}
				rig.JSON(200, `{"id":"file-1","object":"file"}`)(w, r)
			}), c.answer), transport.Config{})
			client := Client(hc, server.URL, false)
			file, err := client.Files.New(c.mark(t.Context()), openai.FileNewParams{
				File: io.MultiReader(bytes.NewReader(content)), Purpose: openai.FilePurposeBatch, // a reader that cannot seek
			})
			if (err != nil) != c.fails || err == nil && file.ID != "file-1" {
				t.Errorf("got %v, %v, want an error: %v", file, err, c.fails)
			}
			if server.Total() != c.attempts {
				t.Errorf("%d attempts, want %d", server.Total(), c.attempts)
			}
		})
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
	if err := client.Post(t.Context(), "upload", nil, nil, option.WithRequestBody("application/octet-stream", body)); err != nil {
		t.Fatal(err)
	}
	if body.Taken() != body.Size || body.Ahead() > body.Size/4 {
		t.Errorf("the server took in %d bytes, and the body was %d ahead of it; want %d, and a quarter of that at most", body.Taken(), body.Ahead(), body.Size)
	}
}
