// Package conformance tests the example against what it talks to: the collector's OTLP receiver, Prometheus and its parser. It is a
// module of its own so that none of them becomes a dependency of anything else.
package conformance

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/examples/tracing/internal/program"
)

func TestMain(m *testing.M) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { program.Complain(os.Stderr, err) }))
	goleak.VerifyTestMain(m)
}

// screen keeps what the program prints. It may be read while the program runs.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// run runs the program to its end.
func run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, err screen
	code = program.Run(ctx, args, program.Console{Out: &out, Err: &err})
	return code, out.String(), err.String()
}

var serving = regexp.MustCompile(`Serving (http://(\S+)/metrics)\.`)

// served is a run of the program with -prometheus.
type served struct {
	url, host string // of its metrics
	out       *screen
}

// serve runs the program with -prometheus until the test ends.
func serve(t *testing.T) *served {
	t.Helper()
	var out, err screen
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- program.Run(ctx, []string{"-prometheus", "127.0.0.1:0"}, program.Console{Out: &out, Err: &err})
	}()
	t.Cleanup(func() {
		interrupt()
		if code := <-ended; code != 0 {
			t.Errorf("the program's exit code is %d, want 0\n%s", code, err.String())
		}
	})
	s := &served{out: &out}
	await(t, "the address of the metrics", func() bool {
		found := serving.FindStringSubmatch(out.String())
		if found != nil {
			s.url, s.host = found[1], found[2]
		}
		return found != nil
	})
	return s
}

// played waits until each story was played.
func (s *served) played(t *testing.T) {
	t.Helper()
	await(t, "the end of the first round of stories", func() bool { return strings.Contains(s.out.String(), "Round 1:") })
}

// patience bounds every wait.
const patience = 30 * time.Second

// await looks again and again until something has come.
func await(t *testing.T, what string, come func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !come() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s did not come in %s", what, patience)
		}
	}
}

// get returns what a server on loopback answers with 200; ok is false if it answers anything else, or not at all.
func get(t *testing.T, url string) (body []byte, ok bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return nil, false
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return body, err == nil && resp.StatusCode == http.StatusOK
}

// freeAddress is an address on loopback that nobody listens at, for a program that cannot choose one by itself.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
