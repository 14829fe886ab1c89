package azure

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 4, rig.Limited: 4, rig.Refused: 4},
		Doubled: map[rig.Fault]int{rig.Unavailable: 7, rig.Limited: 12, rig.Refused: 7, rig.Open: 1},
	})
}

// TestBody: the SDK lets net/http read a body again, and so a PUT is repeated, with the signature that it has.
func TestBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		answer  transporttest.Response
		atLeast time.Duration // between the attempts
	}{
		{"a busy server", transporttest.Answer(503, string(SDK().Unavailable)).Header("X-Ms-Error-Code", "ServerBusy"), 0},
		{"its patience in milliseconds", transporttest.Answer(429, string(SDK().Limited)).Header("X-Ms-Retry-After-Ms", "50"), 50 * time.Millisecond},
		{"a passing error of its own", transporttest.Answer(500, "").Header("X-Ms-Error-Code", "OperationTimedOut"), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := transporttest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(http.StatusNoContent)
			}))
			defer server.Close()
			server.AnswerNext(c.answer, 1)
			hc, err := transport.Wrap(server.Client(), transport.Config{Policy: rig.Policy()})
			if err != nil {
				t.Fatal(err)
			}
			client, err := Client(server.URL, Options(hc))
			if err != nil {
				t.Fatal(err)
			}
			entity := []byte(`{"PartitionKey":"de","RowKey":"1","Name":"Ada"}`)
			if _, err := client.UpsertEntity(t.Context(), entity, &aztables.UpsertEntityOptions{UpdateMode: aztables.UpdateModeReplace}); err != nil {
				t.Error(err)
			}
			requests := server.Requests()
			if len(requests) != 2 {
				t.Fatalf("%d attempts, want 2", len(requests))
			}
			first, second := requests[0], requests[1]
			if first.Method != http.MethodPut || !bytes.Contains(second.Body, []byte(`"Ada"`)) || first.Header.Get("Authorization") != second.Header.Get("Authorization") {
				t.Errorf("first %s %q, then %s %q", first.Method, first.Body, second.Method, second.Body)
			}
			if got := second.Time.Sub(first.Time); got < c.atLeast {
				t.Errorf("%v between the attempts, want %v at least", got, c.atLeast)
			}
		})
	}
}
