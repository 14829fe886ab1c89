package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGolden(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(c.args, strings.NewReader(c.text), &stdout, &stderr); code != 0 || stderr.Len() > 0 {
				t.Fatalf("exit code %d, standard error %q; want 0 and nothing", code, &stderr)
			}
			got := strings.TrimSpace("# "+strings.Join(c.args, " ")) + "\n" + stdout.String()
			file := filepath.Join("testdata", strings.ReplaceAll(c.name, " ", "-")+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("printed\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// Nothing that a server said is printed without -details, beyond codes that are plain words.
func TestNamesNobodyWithoutDetails(t *testing.T) {
	text := crlf("HTTP/1.1 409 Conflict\n\n") + `{"code":"SECRET person","message":"SECRET","details":{"grant_id":"SECRET","provider_id":"SECRET",` +
		`"account_identifiers":["SECRET"],"app_user_ids":["SECRET"],"policy_error":"SECRET","missing":["SECRET"],"required":["SECRET"],` +
		`"granted":["SECRET"],"scope_version":"SECRET","documentation_url":"SECRET","approval_id":"SECRET","approval_url":"SECRET",` +
		`"decision_reason":"SECRET"}}`
	for _, args := range [][]string{{"-alter-backend"}, {}, {"-alter-backend", "-json"}} {
		var stdout, stderr bytes.Buffer
		if code := run(args, strings.NewReader(text), &stdout, &stderr); code != 0 {
			t.Fatalf("%v: exit code %d: %s", args, code, &stderr)
		}
		if strings.Contains(stdout.String(), "SECRET") {
			t.Errorf("%v: printed what the server said:\n%s", args, &stdout)
		}
	}
}

func TestJSONIsOneObject(t *testing.T) {
	for _, c := range cases {
		var stdout, stderr bytes.Buffer
		if code := run(append(slices.Clone(c.args), "-json"), strings.NewReader(c.text), &stdout, &stderr); code != 0 {
			t.Fatalf("%s: exit code %d: %s", c.name, code, &stderr)
		}
		var object map[string]any
		if err := json.Unmarshal(stdout.Bytes(), &object); err != nil {
			t.Errorf("%s: %v in\n%s", c.name, err, &stdout)
		}
	}
}

func TestWhatIsNoResponseEndsInOneLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		name, text string
		args       []string
		want       string
	}{
		{"nothing", "", nil, "it is empty"},
		{"blanks", " \r\n\n", nil, "it is empty"},
		{"a body alone", `{"error":"grant_revoked"}`, nil, "a body alone"},
		{"a page alone", "<html>\nHTTP error 404", nil, "a body alone"},
		{"a request", "GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n", nil, "a request"},
		{"an error of curl", "curl: (7) Failed to connect to api.example.com port 443\n", nil, "an error of curl"},
		{"curl -v without an answer", "* Trying 192.0.2.1...\n> GET / HTTP/1.1\n* Empty reply\ncurl: (52) Empty reply from server\n", nil, "an error of curl"},
		{"binary", "\x00\x01\x02", nil, "want a status line"},
		{"a status that is none", "HTTP/1.1 42 Almost\r\n\r\n", nil, "want a status line"},
		{"a missing file", "", []string{file}, "no such file"},
		{"two files", "", []string{"a", "b"}, "2 files"},
		{"an unknown flag", "", []string{"-nonsense"}, "-nonsense"},
		{"another policy", "", []string{"-policy", "mine"}, "want default"},
		{"a host that is none", "HTTP/1.1 200 OK\n\n", []string{"-host", "api example com"}, "-host"},
		{"a backend's host that is none", "HTTP/1.1 200 OK\n\n", []string{"-host", "a", "-alter", "http://a"}, "-alter"},
		{"a backend and nobody who answered", "HTTP/1.1 200 OK\n\n", []string{"-alter", "a"}, "add -host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(c.args, strings.NewReader(c.text), &stdout, &stderr); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			got := stderr.String()
			if !strings.HasPrefix(got, "explain: ") || strings.Count(got, "\n") != 1 || !strings.Contains(got, c.want) {
				t.Errorf("printed %q, want one line with %q", got, c.want)
			}
			if stdout.Len() > 0 {
				t.Errorf("printed %q on standard output", &stdout)
			}
		})
	}
}

func TestFileAndDash(t *testing.T) {
	text := "HTTP/1.1 404 Not Found\n\n"
	file := filepath.Join(t.TempDir(), "answer.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ arg, stdin string }{{file, ""}, {"-", text}} {
		var stdout, stderr bytes.Buffer
		if code := run([]string{c.arg}, strings.NewReader(c.stdin), &stdout, &stderr); code != 0 {
			t.Errorf("%s: exit code %d: %s", c.arg, code, &stderr)
		}
		if !strings.Contains(stdout.String(), "provider_request") {
			t.Errorf("%s: printed\n%s", c.arg, &stdout)
		}
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-h"}, nil, &stdout, &stderr); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if !strings.Contains(stderr.String(), "curl -si") || !strings.Contains(stderr.String(), "-alter-backend") {
		t.Errorf("printed %q", &stderr)
	}
}

func TestLongInputIsCut(t *testing.T) {
	text := "HTTP/1.1 410 Gone\n\n{\"error\":\"grant_deleted\",\"message\":\"" + strings.Repeat("x", 2*maxInput)
	in := strings.NewReader(text)
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-alter-backend"}, in, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	if read := len(text) - in.Len(); read > maxInput+1 {
		t.Errorf("read %d bytes, want %d at most", read, maxInput+1)
	}
	for _, want := range []string{"grant_deleted", "Only the first"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("printed\n%s\nwant %q in it", &stdout, want)
		}
	}
}
