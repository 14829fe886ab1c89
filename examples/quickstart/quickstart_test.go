package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// The program ends as it tells, in time, and its account has what a reader looks for.
func TestAllStoriesEndAsTold(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	var stdout, stderr bytes.Buffer
	if code := run(nil, stories, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", code, &stdout, &stderr)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("took %s, want less than 10s", took)
	}
	text := stdout.String()
	for _, want := range []string{
		"token_refresh_in_progress", "connection_refused", "policy_rate_limit", "retry_after_too_long",
		"nothing sent", "grant_revoked", "reauthorize: Take the user", "scope_reauth_required", "contacts.readonly",
		"half-open", "Ended as told: 6 of 6",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("does not print %q", want)
		}
	}
	if strings.Contains(text, "FAILED") || stderr.Len() > 0 {
		t.Errorf("printed\n%s\nand on standard error %q", text, &stderr)
	}
}

func TestEachStoryRunsAlone(t *testing.T) {
	t.Parallel()
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := run([]string{"-json", "-story", s.name}, stories, &stdout, &stderr); code != 0 {
				t.Fatalf("exit code %d\n%s\n%s", code, &stdout, &stderr)
			}
			var reports []struct {
				Story string
				OK    bool
				Calls []struct {
					Events []struct{ What string }
					Result struct{ Attempts int }
				}
				Checks []struct{ OK bool }
			}
			if err := json.Unmarshal(stdout.Bytes(), &reports); err != nil {
				t.Fatal(err)
			}
			if len(reports) != 1 || reports[0].Story != s.name || !reports[0].OK || len(reports[0].Checks) == 0 {
				t.Fatalf("reports %+v", reports)
			}
			for _, c := range reports[0].Calls {
				if len(c.Events) == 0 || c.Result.Attempts == 0 {
					t.Errorf("a call without an account: %+v", c)
				}
			}
		})
	}
}

// A story that does not end as told makes the program say so and fail; the others are played all the same.
func TestWrongExpectationFails(t *testing.T) {
	t.Parallel()
	played := false
	wrong := []story{
		{"wrong", "a revoked grant that is expected to work", func(s *stage) {
			s.backend.SetGrant(grant, transporttest.Revoked)
			c, err := s.do(http.MethodGet, s.backend.URL+"/v1/grants/calendar/events", "")
			s.check("the call succeeds", err == nil && c.status() == http.StatusOK, err)
		}},
		{"right", "nothing", func(*stage) { played = true }},
	}
	var stdout, stderr bytes.Buffer
	if code := run(nil, wrong, &stdout, &stderr); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if got, want := stdout.String(), "FAILED   told: the call succeeds; got: classify: grant_revoked"; !strings.Contains(got, want) {
		t.Errorf("printed\n%s\nwant %q in it", got, want)
	}
	if got, want := stderr.String(), "quickstart: 1 of 2 stories did not end as told: wrong\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if !played {
		t.Error("the story after it was not played")
	}

	stdout.Reset()
	if code := run([]string{"-json", "-story", "wrong"}, wrong, &stdout, &stderr); code != 1 {
		t.Errorf("exit code %d with -json, want 1", code)
	}
	var reports []struct {
		OK     bool
		Checks []check
	}
	if err := json.Unmarshal(stdout.Bytes(), &reports); err != nil || len(reports) != 1 || reports[0].OK ||
		len(reports[0].Checks) != 1 || reports[0].Checks[0].OK || reports[0].Checks[0].Got == "" {
		t.Errorf("printed %s (%v)", &stdout, err)
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
		{"the list", []string{"-list"}, 0, "refresh  another caller"},
		{"help", []string{"-h"}, 0, "-story"},
		{"an unknown story", []string{"-story", "nothing"}, 2, "want one of refresh, crowd, refused, limit, revoked, scopes"},
		{"an unknown flag", []string{"-nonsense"}, 2, "-nonsense"},
		{"an argument", []string{"refresh"}, 2, `unexpected argument "refresh"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(c.args, stories, &stdout, &stderr); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if got := stdout.String() + stderr.String(); !strings.Contains(got, c.want) {
				t.Errorf("printed %q, want %q in it", got, c.want)
			}
		})
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                        "0s",
		263 * time.Nanosecond:    "0s",
		1234 * time.Nanosecond:   "1µs",
		1567 * time.Microsecond:  "1.6ms",
		12345 * time.Microsecond: "12ms",
		4498 * time.Millisecond:  "4.5s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestStoriesHaveNamesOfTheirOwn(t *testing.T) {
	var names []string
	for _, s := range stories {
		if s.name == "" || s.title == "" || slices.Contains(names, s.name) {
			t.Errorf("story %q: want a name of its own and a title", s.name)
		}
		names = append(names, s.name)
	}
}
