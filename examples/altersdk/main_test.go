package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/examples/altersdk/internal/alter"
	"github.com/steadytrip/steadytrip/examples/altersdk/internal/loopback"
)

func TestMain(m *testing.M) {
	if os.Getenv("ALTERSDK_RUN") != "" {
		main() // the program itself, for tests that need a process
	}
	goleak.VerifyTestMain(m)
}

// played is what a run of the program came to.
type played struct {
	code     int
	out, err string
	secrets  []string // that were used meanwhile
	backends int      // whose secrets they are
}

// start runs the program, with an input that may be nil.
func start(t *testing.T, ctx context.Context, in io.Reader, args ...string) played { //nolint:revive // t comes first in helpers of tests
	t.Helper()
	if in == nil {
		in = strings.NewReader("")
	}
	var p played
	var out, errs bytes.Buffer
	p.code = run(ctx, args, console{in: in, out: &out, err: &errs, look: func(b *loopback.Backend) {
		p.secrets = append(p.secrets, secretsOf(b)...)
		p.backends++
	}})
	p.out, p.err = out.String(), errs.String()
	for _, secret := range p.secrets {
		if strings.Contains(p.out+p.err, secret) {
			t.Errorf("printed the secret %q", secret)
		}
	}
	return p
}

// secretsOf is everything that went over the wire and is nobody's business.
func secretsOf(b *loopback.Backend) []string {
	all := append([]string{key.ID, key.Secret, grant, secondGrant, account, otherAccount}, b.Tokens()...)
	for _, r := range slices.Concat(b.Requests(), b.Provider.Requests()) {
		for _, field := range []string{alter.FieldKey, alter.FieldNonce, alter.FieldSignature, alter.FieldTimestamp, "Authorization"} {
			if value := r.Header.Get(field); value != "" {
				all = append(all, value)
			}
		}
	}
	return all
}

func scriptFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "answers.txt")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// inOrder reports the first of these texts that does not come after those before it.
func inOrder(t *testing.T, got string, want ...string) {
	t.Helper()
	rest := got
	for _, w := range want {
		_, after, ok := strings.Cut(rest, w)
		if !ok {
			t.Fatalf("%q is not printed where it should be:\n%s", w, got)
		}
		rest = after
	}
}

func TestEveryStoryEndsAsToldIfAllAgree(t *testing.T) {
	t.Parallel()
	got := start(t, t.Context(), nil, "-yes")
	if got.code != exitPlayed || got.err != "" {
		t.Fatalf("exit code %d, %s\n%s", got.code, got.err, got.out)
	}
	inOrder(t, got.out,
		"retrieve: ", "GET calendar/events by retrieve", "200 OK",
		"refresh: ", "409 token_refresh_in_progress; again in", "200 OK",
		"lost: ", "connection_lost; again in", "try 2  200 success", "200 OK",
		"limit: ", "429 policy_rate_limit; again in", "200 OK",
		"revoked: ", "410 grant_revoked", "open     http://127.0.0.1:", "/connect/", "? Will they authorize calendar? yes", "200 OK",
		"scopes: ", "403 scope_reauth_required", "? Will they authorize calendar with calendar.write? yes", "200 OK",
		"delegate: ", "404 no_delegated_grant", "? Will they delegate calendar to the agent? yes", "200 OK",
		"choose: ", "409 ambiguous_grant", "? Which account? a...@example.com", "200 OK",
		"approval: ", "open     http://127.0.0.1:", "/approve/", "? Will they approve the call? yes", "200 OK",
		"hours: ", "to do    Wait until", "policy_violation (wait)",
		"narrow: ", "to do    Use a key", "insufficient_scope (widen_scope)",
		"key: ", "demo-2026 is deprecated", "200 OK", "200 OK", "to do    Mint a replacement key", "key_revoked (rotate_key)",
		"fix: ", "to do    Change the request", "grant_not_found (fix)",
		"Played 13 of 13.",
	)
	if n := strings.Count(got.out, key.Name+" is deprecated"); n != 1 {
		t.Errorf("told %d times that the key is deprecated, want once", n)
	}
	if strings.Contains(got.out, "\x1b") || strings.Contains(got.out, "FAILED") {
		t.Errorf("printed\n%q", got.out)
	}
	if got.backends != len(stories) || !slices.ContainsFunc(got.secrets, func(s string) bool { return strings.HasPrefix(s, "Bearer token-") }) {
		t.Errorf("looked for the secrets of %d stories, want all %d, tokens included", got.backends, len(stories))
	}
}

func TestTheScriptThatComesWithTheExampleAnswersEverything(t *testing.T) {
	t.Parallel()
	got := start(t, t.Context(), nil, "-script", "testdata/answers.txt")
	if got.code != exitPlayed || got.err != "" {
		t.Errorf("exit code %d, %s\n%s", got.code, got.err, got.out)
	}
	inOrder(t, got.out, "revoked: ", "> no", "> yes", "> yes", "scopes: ", "> yes", "delegate: ", "> yes", "choose: ", "> l...@example.org", "approval: ", "> yes", "Played 13 of 13.")
}

// The whole of a scripted run, byte for byte but for ports, ids and pauses.
func TestAScriptedRunHasItsTranscript(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ story, script, want string }{
		{"revoked", "# the user hesitates\nno\n1\n\nYES\n", `revoked: the user has revoked the grant; a Connect session brings it back
  call     GET calendar/events by proxy
    try 1  410 grant_revoked
  open     URL
  ? Will they authorize calendar?
    1 yes
    2 no
    3 answered in the browser
  > no
  ? There is no consent. Start a new session?
    1 yes
    2 no
  > yes
  open     URL
  ? Will they authorize calendar?
    1 yes
    2 no
    3 answered in the browser
  > yes
  answer   200 OK

Played 1 of 1.
`},
		{"choose", "2", `choose: the user has two accounts at the provider; the user says which
  call     GET calendar/events by proxy
    try 1  409 ambiguous_grant
  ? Which account?
    1 a...@example.com
    2 l...@example.org
  > l...@example.org
  answer   200 OK

Played 1 of 1.
`},
		{"approval", "no", `approval: the call waits for a person's approval; it is made once, and only its state is asked for
  call     POST calendar/events by proxy
  open     URL
  ? Will they approve the call?
    1 yes
    2 no
    3 answered in the browser
  > no
  to do    Look at the code, the message and the details of the answer.
  failed   approval_denied (inspect)

Played 1 of 1.
`},
		{"delegate", "no\nno\n", `delegate: the agent has no access to the provider; a user delegates it
  call     GET calendar/events by proxy
    try 1  404 no_delegated_grant
  open     URL
  ? Will they delegate calendar to the agent?
    1 yes
    2 no
    3 answered in the browser
  > no
  ? There is no consent. Start a new session?
    1 yes
    2 no
  > no
  failed   connect_denied (restart_connect)

Played 1 of 1.
`},
	} {
		t.Run(test.story, func(t *testing.T) {
			t.Parallel()
			got := start(t, t.Context(), nil, "-story", test.story, "-script", scriptFile(t, test.script))
			if got.code != exitPlayed || got.err != "" {
				t.Errorf("exit code %d, %s", got.code, got.err)
			}
			if text := withoutURLs(got.out); text != test.want {
				t.Errorf("got\n%s\nwant\n%s", text, test.want)
			}
		})
	}
}

func withoutURLs(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if before, _, ok := strings.Cut(line, "http://"); ok {
			lines[i] = before + "URL"
		}
	}
	return strings.Join(lines, "\n")
}

func TestExitCodesAndComplaints(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		in       string
		args     []string
		code     int
		out, err string // parts of them
	}{
		{"the list", "", []string{"-list"}, exitPlayed, "approval  the call waits", ""},
		{"help", "", []string{"-h"}, exitPlayed, "", "-script"},
		{"an unknown flag", "", []string{"-no"}, exitWrong, "", "not defined"},
		{"an unknown story", "", []string{"-story", "x"}, exitWrong, "", "-list names them"},
		{"an argument", "", []string{"x"}, exitWrong, "", "no arguments but flags"},
		{"two ways to answer", "", []string{"-yes", "-script", "x"}, exitWrong, "", "exclude each other"},
		{"a script that is not there", "", []string{"-script", "/none"}, exitWrong, "", "/none"},
		{"input that has ended", "", []string{"-story", "revoked"}, exitUnanswered, "There are no more answers. Good-bye.", ""},
		{"input that ends in between", "no\n", []string{"-story", "revoked"}, exitUnanswered, "There are no more answers. Good-bye.", ""},
		{"a script that ends too soon", "", []string{"-story", "choose", "-script", scriptFile(t, "# nothing\n")}, exitUnanswered, "Good-bye.", "no more answers"},
		{"a script with a wrong answer", "", []string{"-story", "choose", "-script", scriptFile(t, "3\n1\n")}, exitWrong, "none of them", "none of the options"},
		{"a script with an answer too many", "", []string{"-story", "choose", "-script", scriptFile(t, "1\n1\n")}, exitWrong, "Played", "more answers"},
		{"a slip that is put right", "maybe\n\n2\n", []string{"-story", "choose"}, exitPlayed, "that is none of them", ""},
		{"three slips", "a\nb\nc\n", []string{"-story", "choose"}, exitWrong, "none of them", "none of the options"},
		{"a story without questions needs no input", "", []string{"-story", "refresh"}, exitPlayed, "Played 1 of 1.", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := start(t, t.Context(), strings.NewReader(test.in), test.args...)
			if got.code != test.code || !strings.Contains(got.out, test.out) || !strings.Contains(got.err, test.err) || test.err == "" && got.err != "" {
				t.Errorf("got %d\n%s\n%s\nwant %d, %q and %q", got.code, got.out, got.err, test.code, test.out, test.err)
			}
		})
	}
}

// A story that ends otherwise than told fails the program, unless somebody in it declined.
func TestAStoryThatEndsOtherwiseFails(t *testing.T) {
	t.Parallel()
	wrong := []story{{"wrong", "a revoked grant that nobody brings back", 0, func(s *stage) {
		s.backend.Link("calendar", account, grant)
		s.backend.Revoke(key)
		s.call("proxy", read)
	}}}
	var out, errs bytes.Buffer
	code := playAll(t.Context(), wrong, agree{&out}, console{out: &out, err: &errs})
	if code != exitFailed || !strings.Contains(out.String(), "FAILED   told: success; got: key_revoked") || !strings.Contains(errs.String(), "1 of 1 stories did not end as told: wrong") {
		t.Errorf("got %d\n%s\n%s", code, &out, &errs)
	}
}

// An interrupt ends the program at once, whatever it waits for.
func TestAnInterruptEndsTheProgram(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, answer, until string
		args                []string
	}{
		{"at a question", "", "  > ", []string{"-story", "choose"}},
		{"while a page is open", "3\n", "for the page", []string{"-story", "revoked"}},
		{"while an approval is pending", "3\n", "for the page", []string{"-story", "approval"}},
		{"while the chain waits", "", "again in", []string{"-story", "refresh"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			in, answers := io.Pipe()
			defer answers.Close() // ends the goroutine that reads
			if test.answer != "" {
				go io.WriteString(answers, test.answer)
			}
			out := &watched{until: test.until, seen: cancel}
			begin := time.Now()
			code := run(ctx, test.args, console{in: in, out: out, err: io.Discard})
			if took := time.Since(begin); code != exitInterrupted || took > 5*time.Second {
				t.Errorf("got %d after %s, want %d at once", code, took, exitInterrupted)
			}
			if text := out.String(); !strings.HasSuffix(text, "\nInterrupted.\n") {
				t.Errorf("printed\n%s", text)
			}
		})
	}
}

// watched calls seen when a text was written.
type watched struct {
	mu    sync.Mutex
	text  strings.Builder
	until string
	seen  func()
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if strings.Contains(w.text.String(), w.until) {
		w.seen()
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func TestColoursAreForThoseWhoWantThem(t *testing.T) {
	t.Parallel()
	for _, paint := range []bool{false, true} {
		var out bytes.Buffer
		code := run(t.Context(), []string{"-yes", "-story", "fix"}, console{in: strings.NewReader(""), out: &out, err: io.Discard, paint: paint})
		if got := strings.Contains(out.String(), "\x1b["); code != exitPlayed || got != paint {
			t.Errorf("paint %v: got colours %v", paint, got)
		}
	}
}

// Input without an end, or without an end of a line, is no reason to go on after an interrupt: no goroutine reads on.
func TestAnInterruptEndsTheReading(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"x", "#\n"} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &watched{until: "  > ", seen: cancel}
		code := run(ctx, []string{"-story", "choose"}, console{in: endless(text), out: out, err: io.Discard})
		if cancel(); code != exitInterrupted {
			t.Errorf("%q: got %d, want %d", text, code, exitInterrupted)
		}
	}
}

// endless is a text over and over.
type endless string

func (e endless) Read(p []byte) (int, error) {
	return copy(p, strings.Repeat(string(e), len(p)/len(e))), nil
}

// The rest of a script is waited for, since it may have an answer too many, but not after an interrupt.
func TestAnInterruptEndsTheWaitForTheRestOfAScript(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, answers, err := os.Pipe() // as in -script <(...)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer answers.Close()
	name := fmt.Sprintf("/dev/fd/%d", in.Fd())
	if _, err := os.Stat(name); err != nil {
		t.Skipf("no /dev/fd here: %v", err)
	}
	if _, err := io.WriteString(answers, "1\n"); err != nil {
		t.Fatal(err)
	}
	out := &watched{until: "Played 1 of 1.", seen: cancel}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"-story", "choose", "-script", name}, console{in: strings.NewReader(""), out: out, err: io.Discard})
	}()
	select {
	case code := <-ended:
		if text := out.String(); code != exitInterrupted || !strings.HasSuffix(text, "\nInterrupted.\n") {
			t.Errorf("got %d\n%s", code, text)
		}
	case <-time.After(20 * time.Second):
		t.Error("the program goes on")
		answers.Close() // ends it
		<-ended
	}
}

// A page that is answered in the browser counts as well: here a test plays the browser.
func TestAPageMayBeAnsweredInTheBrowser(t *testing.T) {
	t.Parallel()
	in, answers := io.Pipe()
	defer answers.Close()
	out := &watched{until: "for the page"}
	out.seen = sync.OnceFunc(func() {
		_, rest, _ := strings.Cut(out.text.String(), "open     ")
		page, _, _ := strings.Cut(rest, "\n")
		go func() {
			browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			shown, err := browser.Get(page)
			if err != nil {
				t.Error(err)
				return
			}
			text, _ := io.ReadAll(shown.Body)
			shown.Body.Close()
			if !strings.Contains(string(text), "May the application use calendar, with calendar.write?") {
				t.Errorf("the page says\n%s", text)
			}
			resp, err := browser.PostForm(page, map[string][]string{"decision": {"yes"}})
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		}()
	})
	go io.WriteString(answers, "answered\n")
	code := run(t.Context(), []string{"-story", "scopes"}, console{in: in, out: out, err: io.Discard})
	if text := out.String(); code != exitPlayed || !strings.Contains(text, "200 OK") {
		t.Errorf("got %d\n%s", code, text)
	}
}

// What others have written goes to the terminal without what would steer it.
func TestForeignTextDoesNotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	evil := "\x1b]0;owned\x07\x1b[2J\r\n  answer   200 OK\u009b31m\u202e"
	var out bytes.Buffer
	p := newPrinter(&out, false)
	who := &person{ask: readLines(t.Context(), strings.NewReader("3\n1\n"), &out, "", 1), printer: p}
	if err := who.Open(t.Context(), "authorize calendar with "+evil, "http://127.0.0.1/"+evil); err != nil {
		t.Fatal(err)
	}
	if _, err := who.Choose(t.Context(), "Which "+evil, "a..."+evil, "b"); err != nil {
		t.Fatal(err)
	}
	p.event("key", "%s is deprecated", evil)
	if text := out.String(); strings.ContainsAny(text, "\x1b\x07\r\u009b\u202e") || strings.Contains(text, "\n  answer") || !strings.Contains(text, "owned") {
		t.Errorf("printed\n%q", text)
	}
}

// A script says which line is wrong, and what was wanted; and whatever is wrong with the file is said.
func TestAWrongScriptIsToldByItsLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	for _, test := range []struct {
		name, script string
		code         int
		err          []string
	}{
		{"a wrong answer", "# first\n\n maybe \n", exitWrong, []string{"answers.txt:3: ", `"maybe"`, "Which account?", "1 a...@example.com", "2 l...@example.org"}},
		{"an answer that would steer the terminal", "\x1b[2J\n", exitWrong, []string{"answers.txt:1: ", "Which account?"}},
		{"a very long answer", long + "\n1\n", exitWrong, []string{"answers.txt:1: ", "Which account?"}},
		{"too few answers", "# none\n\n", exitUnanswered, []string{"answers.txt:", "Which account?"}},
		{"too many answers", "1\n# and\nyes\nno\n", exitWrong, []string{"answers.txt:3: ", "more answers than there were questions"}},
		{"an answer with a byte order mark", "\ufeff1\r\n", exitPlayed, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := start(t, t.Context(), nil, "-story", "choose", "-script", scriptFile(t, test.script))
			if got.code != test.code || len(test.err) == 0 && got.err != "" || len(got.err) > 1000 {
				t.Errorf("got %d and %.2000q, want %d", got.code, got.err, test.code)
			}
			inOrder(t, got.err, test.err...)
			if strings.Contains(got.out+got.err, "\x1b") {
				t.Errorf("printed\n%q", got.out+got.err)
			}
		})
	}
	t.Run("a directory", func(t *testing.T) {
		t.Parallel()
		got := start(t, t.Context(), nil, "-story", "choose", "-script", t.TempDir())
		if got.code != exitWrong || !strings.Contains(got.err, "is a directory") {
			t.Errorf("got %d\n%s\n%s", got.code, got.out, got.err)
		}
	})
	t.Run("a script without a name", func(t *testing.T) {
		t.Parallel()
		if got := start(t, t.Context(), strings.NewReader("1\n"), "-story", "choose", "-script", ""); got.code != exitWrong {
			t.Errorf("got %d\n%s\n%s", got.code, got.out, got.err)
		}
	})
}
