package program

import (
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

var serving = regexp.MustCompile(`Serving (http://\S+/metrics)\.`)

// The program serves metrics while it plays, and ends when it is told to.
func TestMetricsAreServedUntilInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var stdout, stderr screen
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"-prometheus", ":0", "-story", "revoked"}, stories, Console{&stdout, &stderr, false, 0})
	}()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()

	var url, text string
	await(t, func() bool {
		if found := serving.FindStringSubmatch(stdout.String()); found != nil {
			url = found[1]
		}
		return url != ""
	})
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Errorf("serves %s, want loopback where no host is named", url)
	}
	await(t, func() bool {
		text = get(t, client, url)
		return strings.Contains(text, "steadytrip_client_call_duration_seconds_count") && strings.Contains(stdout.String(), "Round 1: 1 of 1")
	})
	for _, want := range []string{
		`steadytrip_action="reauthorize"`, "http_client_request_duration_seconds_bucket", "steadytrip_client_budget_tokens",
		`target_info{service_name="steadytrip-tracing"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("serves\n%s\nwant %q in it", text, want)
		}
	}
	checkNoSecret(t, text)

	interrupt()
	if got := <-code; got != 0 || stderr.String() != "" {
		t.Errorf("exit code %d, want 0\n%s", got, stderr.String())
	}
	if _, err := client.Get(url); err == nil {
		t.Error("metrics are served after the end")
	}
}

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", resp.StatusCode, err)
	}
	return string(body)
}

// await looks again and again until something has come.
func await(t *testing.T, come func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !come() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("it did not come in 20s")
		}
	}
}

func TestServingEndsWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	p := play(t, stories, "-prometheus", "localhost:0", "-for", "50ms", "-json", "-story", "success")
	if p.code != 0 || strings.Contains(p.out, "Serving") || !strings.Contains(p.err, "Serving") {
		t.Errorf("exit code %d, want 0, and remarks beside the JSON, not within it\n%s\n%s", p.code, p.out, p.err)
	}
}

func TestAddressInUseIsTold(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p := play(t, stories, "-prometheus", taken.Addr().String())
	if p.code != 1 || !strings.Contains(p.err, "cannot serve metrics") || !strings.Contains(p.err, taken.Addr().String()) {
		t.Errorf("exit code %d, printed %q; want 1 and to be told the address", p.code, p.err)
	}
}

// A story that fails while metrics are served is told at once, and by the exit code at the end.
func TestFailureWhileServingIsToldInTheEnd(t *testing.T) {
	t.Parallel()
	wrong := []story{{"wrong", "fails", func(s *stage) { s.check("nothing", false, "something") }}}
	p := play(t, wrong, "-prometheus", ":0", "-for", "50ms")
	if p.code != 1 || !strings.Contains(p.err, "tracing: wrong: told: nothing; got: something\n") {
		t.Errorf("exit code %d, printed %q; want 1 and the fault", p.code, p.err)
	}
}
