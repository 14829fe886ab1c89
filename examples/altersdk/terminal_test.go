//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal is the program at a terminal of its own.
type terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File
	out  *watched
	seen chan struct{}
	read chan struct{} // closed when the terminal is
}

// atTerminal starts the program at a terminal, and waits until it has printed the text.
func atTerminal(t *testing.T, env, until string, args ...string) *terminal {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "ALTERSDK_RUN=1", "TERM=xterm-256color", env)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	x := &terminal{t: t, cmd: cmd, tty: tty, seen: make(chan struct{}, 1), read: make(chan struct{})}
	x.out = &watched{until: until, seen: func() {
		select {
		case x.seen <- struct{}{}:
		default:
		}
	}}
	go func() {
		defer close(x.read)
		_, _ = io.Copy(x.out, tty) // ends when the program has
	}()
	t.Cleanup(func() { tty.Close() })
	select {
	case <-x.seen:
	case <-x.read:
		t.Fatalf("the program ended:\n%s", x.out)
	case <-time.After(30 * time.Second):
		t.Fatalf("%q is not printed:\n%q", until, x.out)
	}
	return x
}

// end types the keys, waits for the end of the program, and returns its exit code and what it printed.
func (x *terminal) end(keys string) (code int, text string) {
	x.t.Helper()
	if _, err := io.WriteString(x.tty, keys); err != nil {
		x.t.Fatal(err)
	}
	_ = x.cmd.Wait() // the exit code says it all
	<-x.read
	return x.cmd.ProcessState.ExitCode(), x.out.String()
}

// At a terminal an option is picked with the arrow keys.
func TestAtATerminalAnOptionIsPickedByArrow(t *testing.T) {
	t.Parallel()
	code, text := atTerminal(t, "", "l...@example.org", "-story", "choose").end("\x1b[B\r")
	if code != exitPlayed || !strings.Contains(text, "? Which account? l...@example.org") || !strings.Contains(text, "200 OK") {
		t.Errorf("got %d\n%s", code, text)
	}
	if strings.Contains(text, account) || strings.Contains(text, otherAccount) {
		t.Error("printed an account")
	}
	if !strings.Contains(text, "\x1b[32m200 OK") {
		t.Error("the answer is not green")
	}
}

func TestAtATerminalCtrlCEndsTheProgram(t *testing.T) {
	t.Parallel()
	code, text := atTerminal(t, "", "l...@example.org", "-story", "choose").end("\x03")
	if code != exitInterrupted || !strings.Contains(text, "Interrupted.") {
		t.Errorf("got %d\n%s", code, text)
	}
}

func TestAtATerminalNoColorIsHeeded(t *testing.T) {
	t.Parallel()
	code, text := atTerminal(t, "NO_COLOR=1", "l...@example.org", "-story", "choose").end("\r")
	if code != exitPlayed || strings.Contains(text, "\x1b[32m") || strings.Contains(text, "\x1b[38;") {
		t.Errorf("got %d\n%q", code, text)
	}
}

// A signal ends the program where standard input is no terminal, and the Read of it goes on.
func TestASignalEndsTheProgram(t *testing.T) {
	t.Parallel()
	in, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer answers.Close()
	asked := make(chan struct{})
	out := &watched{until: "  > ", seen: sync.OnceFunc(func() { close(asked) })}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-story", "choose")
	cmd.Env, cmd.Stdin, cmd.Stdout = append(os.Environ(), "ALTERSDK_RUN=1"), in, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code says it all
	if code, text := cmd.ProcessState.ExitCode(), out.String(); code != exitInterrupted || !strings.HasSuffix(text, "\nInterrupted.\n") {
		t.Errorf("got %d\n%s", code, text)
	}
}
