package github

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-github/v91/github"
	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 1, rig.Limited: 1, rig.Refused: 1},
		Doubled: map[rig.Fault]int{rig.Unavailable: 2, rig.Limited: 3, rig.Refused: 7, rig.Open: 1},
	})
}

// TestLimits has the ways in which GitHub says that a limit is reached. A short wait is steadytrip's, a long one the caller's;
// go-github's own memory of limits sees only what the caller sees.
func TestLimits(t *testing.T) {
	t.Parallel()
	answer := func(status int) transporttest.Response {
		return transporttest.Answer(status, string(SDK().Limited)).Header("X-Github-Request-Id", "8E2A:1F6B")
	}
	inAnHour := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	primary := answer(403).Header("X-Ratelimit-Limit", "5000").Header("X-Ratelimit-Remaining", "0").Header("X-Ratelimit-Reset", inAnHour)
	for _, c := range []struct {
		name     string
		answer   transporttest.Response
		attempts int
		again    int // attempts of a second call
		explain  string
	}{
		{"secondary, for a moment", answer(403).RetryAfter(0), 2, 1, ""},
		{"secondary, for a minute", answer(403).RetryAfter(time.Minute), 1, 0, "AbuseRateLimitError: You have exceeded a secondary rate limit."},
		{"secondary, nobody says for how long: a minute", answer(403), 1, 1, "AbuseRateLimitError: You have exceeded a secondary rate limit."},
		{"primary, for an hour", primary, 1, 0, "RateLimitError"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := SDK()
			server := transporttest.NewServer(s.Handler)
			defer server.Close()
			server.AnswerNext(c.answer, 1)
			hc, err := transport.Wrap(server.Client(), transport.Config{Policy: rig.Policy()})
			if err != nil {
				t.Fatal(err)
			}
			client, err := Client(hc, server.URL, "secret")
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = client.Repositories.Get(t.Context(), "steadytrip", "steadytrip")
			var limit *github.RateLimitError
			explained := s.Explain(err)
			if errors.As(err, &limit) {
				explained = "RateLimitError"
			}
			if got := server.Total(); got != c.attempts || explained != c.explain {
				t.Errorf("%d attempts, %q, error %v, want %d and %q", got, explained, err, c.attempts, c.explain)
			}
			_, _, err = client.Repositories.Get(t.Context(), "steadytrip", "steadytrip")
			if got := server.Total() - c.attempts; got != c.again || (err == nil) != (c.again == 1) {
				t.Errorf("then %d attempts, error %v, want %d", got, err, c.again)
			}
		})
	}
}

// TestTransport: given to WithTransport, it is inside of go-github's authentication as well.
func TestTransport(t *testing.T) {
	t.Parallel()
	server := transporttest.NewServer(SDK().Handler)
	defer server.Close()
	server.AnswerNext(transporttest.ProviderUnavailable(0), 1)
	hc, err := transport.Wrap(server.Client(), transport.Config{Policy: rig.Policy()})
	if err != nil {
		t.Fatal(err)
	}
	url := server.URL + "/"
	client, err := github.NewClient(github.WithTransport(hc.Transport), github.WithAuthToken("secret"), github.WithURLs(&url, &url))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.Repositories.Get(t.Context(), "steadytrip", "steadytrip"); err != nil {
		t.Error(err)
	}
	requests := server.Requests()
	if len(requests) != 2 {
		t.Fatalf("%d attempts, want 2", len(requests))
	}
	for _, r := range requests {
		if r.Header.Get("Authorization") != "Bearer secret" || r.Method != http.MethodGet {
			t.Errorf("attempt %d is a %s without the token", r.Number, r.Method)
		}
	}
}
