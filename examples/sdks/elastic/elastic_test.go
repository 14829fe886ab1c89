package elastic

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		// It does not retry a 429. Doubled, the budget ends the retries of its last attempt.
		Bare:    map[rig.Fault]int{rig.Unavailable: 4, rig.Limited: 1, rig.Refused: 4},
		Doubled: map[rig.Fault]int{rig.Unavailable: 7, rig.Limited: 3, rig.Refused: 10, rig.Open: 4},
	})
}

// TestAttemptsOfCalls counts what arrives with steadytrip plugged in and the transport's own retries off.
func TestAttemptsOfCalls(t *testing.T) {
	search := func(ctx context.Context, client *elastictransport.Client) error {
		_, err := Search(ctx, client, strings.NewReader(query))
		return err
	}
	bulk := func(ctx context.Context, client *elastictransport.Client) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "/_bulk", strings.NewReader("{}\n"))
		if err != nil {
			return err
		}
		resp, err := client.Perform(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		return classify.CheckResponse(resp)
	}
	for _, c := range []struct {
		name   string
		call   func(context.Context, *elastictransport.Client) error
		answer http.HandlerFunc
		want   int
	}{
		{"a search is sent again after a 503", search, rig.JSON(503, unavailable), 2},
		{"and after a lost connection", search, rig.Lose, 2},
		{"and after a 429", search, rig.JSON(429, limited), 3},
		{"a bulk of documents is not sent again after a 503", bulk, rig.JSON(503, unavailable), 1},
		{"nor after a lost connection", bulk, rig.Lose, 1},
		{"but after a 429", bulk, rig.JSON(429, limited), 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, hc := rig.Serve(t, c.answer, transport.Config{})
			client, err := Client(hc.Transport, false, server.URL)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.call(t.Context(), client); err == nil {
				t.Error("the call succeeded")
			}
			if got := server.Total(); got != c.want {
				t.Errorf("%d attempts, want %d", got, c.want)
			}
		})
	}
}

// TestNodes: who retries decides whether the other node is asked.
func TestNodes(t *testing.T) {
	for _, c := range []struct {
		name       string
		own        bool
		ctx        func(context.Context) context.Context
		open       bool // the breaker of the sick node
		ok         bool
		sick, well int
	}{
		{"the chain asks the same node again", false, transport.Idempotent, false, false, 2, 0},
		{"both multiply, but reach the other node", true, transport.Idempotent, false, true, 2, 1},
		{"the transport alone asks the other node", true, transport.NoRetry, false, true, 1, 1},
		{"and leaves a node alone whose breaker is open", true, transport.NoRetry, true, true, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := policy.New(*rig.Policy())
			if err != nil {
				t.Fatal(err)
			}
			shared := transport.NewShared(p, transport.Keys{})
			sick, hc := rig.Serve(t, rig.JSON(503, unavailable), transport.Config{Shared: shared})
			well := transporttest.NewServer(Handler())
			defer well.Close()
			if c.open {
				if err := shared.ForceOpen(sick.URL, 0); err != nil {
					t.Fatal(err)
				}
			}
			client, err := Client(hc.Transport, c.own, sick.URL, well.URL) // the first one is asked first
			if err != nil {
				t.Fatal(err)
			}
			_, err = Search(c.ctx(t.Context()), client, strings.NewReader(query))
			if (err == nil) != c.ok || sick.Total() != c.sick || well.Total() != c.well {
				t.Errorf("got %v, %d requests to the sick node and %d to the other, want success %v, %d and %d",
					err, sick.Total(), well.Total(), c.ok, c.sick, c.well)
			}
			hc.CloseIdleConnections()
			if err := client.Close(t.Context()); err != nil { // it would go on to look after the sick node
				t.Error(err)
			}
		})
	}
}

// TestCompressedBodyIsSentWhole: the transport compresses into a buffer and gives a GetBody, from which each attempt reads.
func TestCompressedBodyIsSentWhole(t *testing.T) {
	queries := make(chan string, 2)
	server, hc := rig.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		plain, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		queries <- string(plain)
		if len(queries) == 1 {
			rig.JSON(503, unavailable)(w, r)
			return
		}
		Handler().ServeHTTP(w, r)
	}), transport.Config{})
	node, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client, err := elastictransport.NewClient(elastictransport.WithURLs(node), elastictransport.WithTransport(hc.Transport),
		elastictransport.WithDisableRetry(), elastictransport.WithCompression())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Search(t.Context(), client, strings.NewReader(query)); err != nil {
		t.Fatal(err)
	}
	if first, second := <-queries, <-queries; first != query || second != query {
		t.Errorf("the attempts asked %q and %q, want %q", first, second, query)
	}
}

// TestErrorOfAnAnswer: it is the chain's, with the last answer's body in it.
func TestErrorOfAnAnswer(t *testing.T) {
	server, hc := rig.Serve(t, rig.JSON(503, unavailable), transport.Config{})
	client, err := Client(hc.Transport, false, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Search(t.Context(), client, strings.NewReader(query))
	var e *classify.ProviderAPIError
	if !errors.As(err, &e) || e.StatusCode != 503 || string(e.ResponseBody) != unavailable || classify.Of(nil, err).Action() != classify.Retry {
		t.Errorf("got %v, want the 503 with its body", err)
	}
}
