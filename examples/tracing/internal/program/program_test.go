package program

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestMain(m *testing.M) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { Complain(os.Stderr, err) }))
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

// program is a run of the program that has ended.
type program struct {
	code     int
	out, err string
}

// play runs the program, and checks that it prints no secret.
func play(t *testing.T, stories []story, args ...string) program {
	t.Helper()
	var stdout, stderr screen
	code := run(t.Context(), args, stories, Console{&stdout, &stderr, false, 0})
	p := program{code, stdout.String(), stderr.String()}
	checkNoSecret(t, p.out+p.err)
	return p
}

func checkNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"must-not-show", "calendar", "billing", "contacts", "lunch"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q was printed:\n%s", secret, text)
		}
	}
}

// The tree of every story has what a reader looks for, and the crowd is summed up.
func TestAllStoriesEndAsTold(t *testing.T) {
	t.Parallel()
	p := play(t, stories)
	if p.code != 0 || p.err != "" {
		t.Fatalf("exit code %d\n%s\nand on standard error\n%s", p.code, p.out, p.err)
	}
	for _, want := range []string{
		"story success", "call GET", "trace ", "kind=token_refresh_in_progress action=retry", "call POST ×100", "wait.by=gate",
		"kind=connection_refused", "resend_count=1", "stop_reason=retry_after_too_long", "call GET ×3", "refused_by=breaker",
		"breaker.state=open", "breaker.state=closed", "kind=grant_revoked action=reauthorize", " 302", "Ended as told: 6 of 6",
	} {
		if !strings.Contains(p.out, want) {
			t.Errorf("printed\n%s\nwant %q in it", p.out, want)
		}
	}
	if strings.Contains(p.out, "\x1b") {
		t.Errorf("printed escape sequences to what is no terminal:\n%q", p.out)
	}
	if n := strings.Count(p.out, "\n"); n > 100 {
		t.Errorf("printed %d lines, want 100 at most", n)
	}
}

// What -json prints are whole traces: each span but one has a parent that is printed, too.
func TestEachStoryIsOneTrace(t *testing.T) {
	t.Parallel()
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := play(t, stories, "-json", "-log", "-story", s.name)
			if p.code != 0 {
				t.Fatalf("exit code %d\n%s", p.code, p.err)
			}
			spans := map[string]spanLine{}
			for text := range strings.Lines(p.out) {
				var line spanLine
				if err := json.Unmarshal([]byte(text), &line); err != nil {
					t.Fatalf("%v in %q", err, text)
				}
				spans[line.SpanID] = line
			}
			roots := 0
			for _, line := range spans {
				parent, known := spans[line.ParentID]
				switch {
				case line.ParentID == "":
					roots++
					if got, want := line.Name, "story "+s.name; got != want {
						t.Errorf("the root is %q, want %q", got, want)
					}
				case !known:
					t.Errorf("span %+v has a parent that is not there", line)
				case line.TraceID != parent.TraceID:
					t.Errorf("span %+v is in another trace than its parent", line)
				case line.Kind == "client" && !strings.HasPrefix(parent.Name, "call "):
					t.Errorf("attempt %+v stands under %q, want a call", line, parent.Name)
				}
			}
			if roots != 1 || len(spans) < 3 {
				t.Errorf("%d spans with %d roots, want one trace of 3 at least", len(spans), roots)
			}
			if strings.Contains(p.err, "msg=") && !strings.Contains(p.err, "trace_id="+anyOf(spans).TraceID) {
				t.Errorf("logged without the trace's id:\n%s", p.err)
			}
		})
	}
}

func anyOf(spans map[string]spanLine) spanLine {
	for _, line := range spans {
		return line
	}
	return spanLine{}
}

// A story that does not end as told makes the program say so and fail; the others are played all the same.
func TestWrongExpectationFails(t *testing.T) {
	t.Parallel()
	played := false
	wrong := []story{
		{"wrong", "a revoked grant that is expected to work", func(s *stage) {
			s.backend.SetGrant("calendar", transporttest.Revoked)
			r := s.do(http.MethodGet, "calendar", s.events("calendar")+"?access_token="+token)
			s.check("the call succeeds", r.err == nil, r)
		}},
		{"right", "nothing", func(*stage) { played = true }},
	}
	p := play(t, wrong)
	if p.code != 1 || !played {
		t.Errorf("exit code %d, the other story was played: %v; want 1, true", p.code, played)
	}
	want := "tracing: wrong: told: the call succeeds; got: 410 grant_revoked, 1 attempts, not_retryable\n" +
		"tracing: 1 of 2 stories did not end as told: wrong\n"
	if p.err != want {
		t.Errorf("printed %q, want %q", p.err, want)
	}
	if !strings.Contains(p.out, "error") {
		t.Errorf("the tree shows no error:\n%s", p.out)
	}
}

func TestInterruptEndsTheStory(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	endless := []story{{"endless", "waits", func(s *stage) {
		cancel()
		s.wait(patience)
		s.check("it comes to its end", s.ctx.Err() == nil, s.ctx.Err())
	}}}
	var stdout, stderr screen
	begin := time.Now()
	code := run(ctx, nil, endless, Console{&stdout, &stderr, false, 0})
	if took := time.Since(begin); code != 1 || took > patience/2 {
		t.Errorf("exit code %d after %s, want 1 at once", code, took)
	}
	if got, want := stderr.String(), "tracing: interrupted\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		code int
		want string // on standard output or standard error
	}{
		{"the list", []string{"-list"}, 0, "refresh  a token"},
		{"help", []string{"-h"}, 0, "-prometheus"},
		{"an unknown story", []string{"-story", "nothing"}, 2, "want one of success, refresh, refused, limit, revoked, redirect"},
		{"an unknown flag", []string{"-nonsense"}, 2, "-nonsense"},
		{"an argument", []string{"refresh"}, 2, `unexpected argument "refresh"`},
		{"a collector without a scheme", []string{"-otlp", "localhost:4318"}, 2, "want one such as http://localhost:4318"},
		{"a collector by another protocol", []string{"-otlp", "grpc://localhost:4317"}, 2, "not the URL of a server"},
		{"a collector that is no URL", []string{"-otlp", "http://[::1"}, 2, "not a URL"},
		{"a collector with a password, which is not repeated", []string{"-otlp", "http://me:must-not-show@localhost"}, 2, "OTEL_EXPORTER_OTLP_HEADERS"},
		{"a collector with a query, which is not repeated", []string{"-otlp", "http://localhost?key=must-not-show"}, 2, "a query or fragment"},
		{"an address without a port", []string{"-prometheus", "localhost"}, 2, "is no address"},
		{"an address with an impossible port", []string{"-prometheus", ":99999"}, 2, "has no port"},
		{"a time with nothing to serve", []string{"-for", "3s"}, 2, "want -prometheus with it"},
		{"a time that is over", []string{"-prometheus", ":0", "-for", "0s"}, 2, "no time to play for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := play(t, stories, c.args...)
			if p.code != c.code {
				t.Errorf("exit code %d, want %d", p.code, c.code)
			}
			if got := p.out + p.err; !strings.Contains(got, c.want) {
				t.Errorf("printed %q, want %q in it", got, c.want)
			}
		})
	}
}

func TestStoriesHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	var names []string
	for _, s := range stories {
		if s.name == "" || s.title == "" || slices.Contains(names, s.name) {
			t.Errorf("story %q: want a name of its own and a title", s.name)
		}
		names = append(names, s.name)
	}
}

// The commands of the README are ones that the program understands.
func TestCommandsOfTheReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile("`go run \\. ([^`]+)`").FindAllStringSubmatch(string(text), -1)
	if len(commands) < 5 {
		t.Errorf("%d commands were found, want 5 at least", len(commands))
	}
	for _, c := range commands {
		if _, err := parse(strings.Fields(c[1]), stories, os.Stderr); err != nil {
			t.Errorf("go run . %s: %v", c[1], err)
		}
	}
}
