package simulate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// TestAPlainProgramCanSimulate builds one and looks at all it writes.
func TestAPlainProgramCanSimulate(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", program, "./testdata/program").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(args ...string) (stdout, stderr string, code int) {
		t.Helper()
		var out, complaints bytes.Buffer
		cmd := exec.Command(program, args...)
		cmd.Stdout, cmd.Stderr = &out, &complaints
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return out.String(), complaints.String(), cmd.ProcessState.ExitCode()
	}
	t.Run("its output is its own, and the result that of a test", func(t *testing.T) {
		stdout, stderr, code := run("-scenario", "restart")
		if stderr != "" || code != 0 {
			t.Fatalf("code %d, complaints %q", code, stderr)
		}
		var got simulate.Result
		if err := json.Unmarshal([]byte(stdout), &got); err != nil {
			t.Fatalf("%v: %q", err, stdout)
		}
		s, err := simulate.Find("restart")
		if err != nil {
			t.Fatal(err)
		}
		if want := simulate.Run(t, s, policy.Default()); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
	t.Run("so are its flags and its code", func(t *testing.T) {
		stdout, stderr, code := run("usage")
		if code != 3 || stderr != "" || strings.Contains(stdout, "test.") || !strings.Contains(stdout, "-scenario name") {
			t.Errorf("code %d, output %q, complaints %q", code, stdout, stderr)
		}
	})
	t.Run("and what it says of a fault", func(t *testing.T) {
		stdout, stderr, code := run("-scenario", "meltdown")
		if code != 1 || stdout != "" || !strings.HasPrefix(stderr, `simulate: there is no scenario "meltdown"`) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("code %d, output %q, complaints %q", code, stdout, stderr)
		}
	})
	t.Run("a panic is one", func(t *testing.T) {
		stdout, stderr, code := run("panic")
		if code != 2 || stdout != "" || !strings.HasPrefix(stderr, "panic: bang\n\ngoroutine ") || strings.Contains(stderr, "FAIL") {
			t.Errorf("code %d, output %q, complaints %q", code, stdout, stderr)
		}
	})
	t.Run("a panic in a simulation is an error", func(t *testing.T) {
		stdout, stderr, code := run("-scenario", "restart", "inside")
		if code != 1 || stdout != "" || !strings.HasPrefix(stderr, "simulate: panic: bang\n") {
			t.Errorf("code %d, output %q, complaints %q", code, stdout, stderr)
		}
	})
	t.Run("a goroutine that ends is no success", func(t *testing.T) {
		if stdout, stderr, code := run("exit"); code != 2 || stdout+stderr != "" {
			t.Errorf("code %d, output %q, complaints %q", code, stdout, stderr)
		}
	})
}
