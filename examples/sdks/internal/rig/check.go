package rig

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// Attempts is [Measure] in a test.
func Attempts(t testing.TB, s SDK, f Fault, m Mode) Count {
	t.Helper()
	c, err := Measure(t.Context(), s, f, m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Want is what a test expects of an SDK whose own retries are on.
// With them off the number of attempts is the policy's, whatever the SDK.
type Want struct {
	Bare    map[Fault]int // attempts, for Unavailable, Limited and Refused
	Doubled map[Fault]int // the same, and for Open how often the SDK asks
}

// Check measures an SDK and holds the counts against want. With steadytrip plugged in and the SDK's own retries off,
// attempts are the policy's, an open breaker is asked once, a rate limit is waited for, a cancellation ends the pause,
// each attempt is the request as the SDK made it, signature included, and the SDK's own error of an answer says what it says
// without steadytrip.
func Check(t *testing.T, s SDK, want Want) {
	t.Parallel()
	t.Run("row", func(t *testing.T) {
		t.Parallel()
		row, err := MeasureAll(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if err := Print(t.Output(), []Row{row}); err != nil {
			t.Fatal(err)
		}
		for _, c := range cells {
			got := row.Of[c.Mode][c.Fault]
			if got.Err == nil {
				t.Errorf("%s, %v: succeeded", c.Fault, c.Mode)
			}
			n := got.Attempts
			if c.Fault == Open {
				if got.Attempts != 0 {
					t.Errorf("%s, %v: %d requests passed an open breaker", c.Fault, c.Mode, got.Attempts)
				}
				n = got.Calls
			}
			wanted := 1
			switch {
			case c.Mode == Bare:
				wanted = want.Bare[c.Fault]
			case c.Mode == Doubled:
				wanted = want.Doubled[c.Fault]
			case c.Fault != Open:
				wanted = c.Fault.Want()
			}
			if n != wanted {
				t.Errorf("%s, %v: %d, want %d; it took %v and returned %v", c.Fault, c.Mode, n, wanted, got.Took, got.Err)
			}
			if c.Mode == Ours && got.Calls != 1 {
				t.Errorf("%s: the SDK asked steadytrip %d times, want once", c.Fault, got.Calls)
			}
		}
		limited := row.Of[Ours][Limited]
		if atLeast := time.Duration(Limited.Want()-1) * time.Second; limited.Waited < atLeast || limited.Took < atLeast {
			t.Errorf("waited %v for a limit in a call of %v, want at least %v", limited.Waited, limited.Took, atLeast)
		}
		for _, f := range []Fault{Unavailable, Limited} {
			if s.Explain == nil {
				break
			}
			if got, bare := s.Explain(row.Of[Ours][f].Err), s.Explain(row.Of[Bare][f].Err); got == "" || got != bare {
				t.Errorf("%s: the SDK's own error is %q, without steadytrip %q; error: %v", f, got, bare, row.Of[Ours][f].Err)
			}
		}
		var refusal *transport.OpenError
		if open := row.Of[Ours][Open].Err; !errors.Is(open, transport.ErrOpen) || !errors.As(open, &refusal) || transport.TrailOf(nil, open).Reason != policy.Refused {
			t.Errorf("open: want ErrOpen, an OpenError and the trail of a refusal in the error: %v", open)
		}
		var call *transport.CallError
		if refused := row.Of[Ours][Refused].Err; !errors.As(refused, &call) {
			t.Errorf("refused: want a CallError in the error: %v", refused)
		}
	})
	t.Run("nothing fails", func(t *testing.T) {
		t.Parallel()
		for _, m := range []Mode{Bare, Doubled, Ours} {
			if c := Attempts(t, s, None, m); c.Err != nil || c.Attempts != 1 {
				t.Errorf("%v: %d attempts, error %v, want 1 and none", m, c.Attempts, c.Err)
			}
		}
	})
	t.Run("a fault of the caller's is told at once", func(t *testing.T) {
		t.Parallel()
		got := Attempts(t, s, Missing, Ours)
		if got.Err == nil || got.Attempts != 1 || got.Calls != 1 {
			t.Errorf("%d attempts, the SDK asked %d times, error %v; want one, once, and an error", got.Attempts, got.Calls, got.Err)
		}
		if s.Explain != nil {
			if got, bare := s.Explain(got.Err), s.Explain(Attempts(t, s, Missing, Bare).Err); got == "" || got != bare {
				t.Errorf("the SDK's own error is %q, without steadytrip %q", got, bare)
			}
		}
	})
	t.Run("a retry is the same request again", func(t *testing.T) {
		t.Parallel()
		c := Attempts(t, s, Once, Ours)
		if c.Err != nil || len(c.received) != Once.Want() {
			t.Fatalf("%d attempts, error %v, want %d and none", len(c.received), c.Err, Once.Want())
		}
		first, second := c.received[0], c.received[1]
		same := 0
		for _, name := range s.Fresh {
			if first.Header.Get(name) == second.Header.Get(name) {
				same++
			}
			second.Header[name] = first.Header[name]
		}
		if same > 0 && same == len(s.Fresh) {
			t.Errorf("none of %v was made anew for the second attempt", s.Fresh)
		}
		if first.Method != second.Method || first.URL.String() != second.URL.String() ||
			!reflect.DeepEqual(first.Header, second.Header) || !bytes.Equal(first.Body, second.Body) {
			t.Errorf("first %s %s %v %q,\nthen %s %s %v %q", first.Method, first.URL, first.Header, first.Body,
				second.Method, second.URL, second.Header, second.Body)
		}
		bare := Attempts(t, s, None, Bare).received[0]
		if got, want := names(first.Header), names(bare.Header); !slices.Equal(got, want) {
			t.Errorf("the fields are %v, without steadytrip %v", got, want)
		}
	})
	for _, c := range []struct {
		name  string
		fault Fault
	}{{"the caller gives up during a pause", Cancel}, {"the caller gives up while it waits for an answer", Silent}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := Attempts(t, s, c.fault, Ours)
			if got.Attempts != 1 || got.Calls != 1 || got.Took > time.Second {
				t.Errorf("%d attempts, the SDK asked %d times in %v, want 1 and once in less than a second", got.Attempts, got.Calls, got.Took)
			}
			if !errors.Is(got.Err, context.Canceled) {
				t.Errorf("the error is not context.Canceled: %v", got.Err)
			}
		})
	}
}

// names are the fields of h, sorted.
func names(h http.Header) []string { return slices.Sorted(maps.Keys(h)) }
