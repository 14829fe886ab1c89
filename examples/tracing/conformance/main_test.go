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

// serve runs the program with -prometheus until the test ends, and returns where it serves metrics once all stories were played.
func serve(t *testing.T, args ...string) (url, host string) {
	t.Helper()
	var out, err screen
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- program.Run(ctx, append([]string{"-prometheus", "127.0.0.1:0"}, args...), program.Console{Out: &out, Err: &err})
	}()
	t.Cleanup(func() {
		interrupt()
		if code := <-ended; code != 0 {
			t.Errorf("the program's exit code is %d, want 0\n%s", code, err.String())
		}
	})
	await(t, "the first round of stories", func() bool {
		found := serving.FindStringSubmatch(out.String())
		if found == nil || !strings.Contains(out.String(), "Round 1:") {
			return false
		}
		url, host = found[1], found[2]
		return true
	})
	return url, host
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
