package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// build builds the program.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "tune")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// ended returns the code with which a command ended.
func ended(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatal(err)
	return -1
}

func TestTheProgram(t *testing.T) {
	program := build(t)
	run := func(args ...string) (stdout, stderr string, code int) {
		t.Helper()
		var out, complaints bytes.Buffer
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Stdout, cmd.Stderr = &out, &complaints
		code = ended(t, cmd.Run())
		return out.String(), complaints.String(), code
	}

	t.Run("its code is that of the gates", func(t *testing.T) {
		args := []string{"run", "policies/orders.yaml", "scenarios/failover.yaml", "--gates", "scenarios/failover.gates", "--json"}
		stdout, stderr, code := run(args...)
		again, _, _ := run(args...)
		if code != 1 || !strings.HasPrefix(stderr, "tune: gate missed by policies/orders.yaml: want success >= 98.5%") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("code %d, complaints %q", code, stderr)
		}
		if !strings.HasPrefix(stdout, "{") || stdout != again {
			t.Errorf("the output is not the same again: %.80q and %.80q", stdout, again)
		}
	})
	t.Run("its flags are its own", func(t *testing.T) {
		stdout, stderr, code := run("--help")
		if code != 0 || stderr != "" || strings.Contains(stdout, "test.") || !strings.Contains(stdout, "tune [command]") {
			t.Errorf("code %d, complaints %q:\n%s", code, stderr, stdout)
		}
		if stdout, stderr, code := run("run", "-v"); code != 2 || stdout != "" || !strings.HasPrefix(stderr, "tune: unknown shorthand flag") {
			t.Errorf("code %d, complaints %q, output %q", code, stderr, stdout)
		}
	})
	t.Run("Ctrl-C ends it with what is known", func(t *testing.T) {
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		cmd := exec.CommandContext(t.Context(), program, "learn", "-")
		var complaints bytes.Buffer
		cmd.Stdin, cmd.Stderr = in, &complaints
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		in.Close()
		// A pipe holds less than this: when it is written the program reads, and has heard of signals.
		if _, err := io.WriteString(out, strings.Repeat("a line of somebody else\n", 1<<17)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if code := ended(t, cmd.Wait()); code != 130 || !strings.Contains(complaints.String(), "tune: interrupted: ") {
			t.Errorf("code %d, complaints %q", code, complaints.String())
		}
	})
	t.Run("a terminal sees a bar and colours", func(t *testing.T) {
		args := []string{
			"search", "policies/orders.yaml", "scenarios/failover.yaml", "--gate", "amplification < 1.05",
			"--vary", "profiles.backend_unavailable.retries=0,6",
		}
		const red, bar = "\x1b[31", "trying 2 policies"
		for _, tt := range []struct {
			environ     []string
			red, barred bool
		}{
			{[]string{"TERM=xterm"}, true, true},
			{[]string{"TERM=xterm", "NO_COLOR=1"}, false, true},
			{[]string{"TERM=dumb"}, false, true},
		} {
			cmd := exec.CommandContext(t.Context(), program, args...)
			cmd.Env = tt.environ
			tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 160})
			if err != nil {
				t.Fatal(err)
			}
			shown, _ := io.ReadAll(tty) // it ends with an error, as terminals do
			tty.Close()
			if code := ended(t, cmd.Wait()); code != 0 {
				t.Errorf("%q: code %d", tt.environ, code)
			}
			if got := bytes.Contains(shown, []byte(red)); got != tt.red {
				t.Errorf("%q: red is %t: %q", tt.environ, got, shown)
			}
			if got := bytes.Contains(shown, []byte(bar)); got != tt.barred {
				t.Errorf("%q: a bar is %t: %q", tt.environ, got, shown)
			}
		}
	})
}
