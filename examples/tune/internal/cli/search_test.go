package cli_test

import (
	"context"
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/examples/tune/internal/cli"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

type searched struct {
	Combinations, Contradictions int
	Trials                       []struct {
		Name           string
		Current, Front bool
		Missed         []string
		Values         map[string]string
		Metrics        map[string]float64
	}
}

const retries = "profiles.backend_unavailable.retries=0,6"

func TestSearchKeepsWhatNoOtherBeats(t *testing.T) {
	s := decode[searched](t, drive(t, "search", orders, small, "--vary", retries, "--json").stdout)
	if s.Combinations != 2 || len(s.Trials) != 2 {
		t.Fatalf("got %d combinations, %d trials: want 2, the policy at hand being one", s.Combinations, len(s.Trials))
	}
	none, six := s.Trials[0], s.Trials[1]
	if none.Current || !six.Current || !none.Front || !six.Front || none.Values["profiles.backend_unavailable.retries"] != "0" {
		t.Errorf("got %+v and %+v", none, six)
	}
	if none.Metrics["amplification"] >= six.Metrics["amplification"] || none.Metrics["success"] >= six.Metrics["success"] {
		t.Errorf("retries cost and help: got %v and %v", none.Metrics, six.Metrics)
	}
	// By two metrics that both get worse with retries, only one is left.
	s = decode[searched](t, drive(t, "search", orders, small, "--vary", retries, "--axes", "amplification,fail_p99", "--json").stdout)
	if !s.Trials[0].Front || s.Trials[1].Front {
		t.Errorf("got %+v", s.Trials)
	}
}

func TestSearchMarksThePolicyAtHand(t *testing.T) {
	args := []string{"search", orders, small, "--vary", "profiles.backend_unavailable.retries=0,1", "--axes", "amplification,fail_p99"}
	got := drive(t, args...)
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	last := strings.Fields(lines[len(lines)-1])
	if got.code != 0 || !strings.Contains(got.stdout, "3 of 3 policies tried") || strings.Join(last[:3], " ") != "as it is" || last[len(last)-1] != "current" {
		t.Errorf("code %d:\n%s", got.code, got.stdout)
	}
	all := drive(t, append(args, "--all")...)
	if strings.Count(all.stdout, "\n") != strings.Count(got.stdout, "\n")+1 {
		t.Errorf("--all shows no more:\n%s", all.stdout)
	}
}

func TestSearchLeavesOutContradictions(t *testing.T) {
	s := decode[searched](t, drive(t, "search", orders, small, "--json",
		"--vary", "profiles.timeout.initial=100ms,2s", "--vary", "profiles.timeout.max=1s,3s").stdout)
	if s.Contradictions != 1 || len(s.Trials) != 4 { // 2s up to 1s is none; the policy as it is comes on top
		t.Errorf("got %d contradictions, %d trials: want 1 and 4", s.Contradictions, len(s.Trials))
	}
}

func TestSearchNeedsOneThatMeetsTheGates(t *testing.T) {
	met := drive(t, "search", orders, small, "--vary", retries, "--gate", "amplification <= 1.3")
	if met.code != 0 || met.stderr != "" || strings.Count(met.stdout, "misses amplification <= 1.3") != 1 || strings.Count(met.stdout, "front") != 1 {
		t.Errorf("code %d, complaints %q:\n%s", met.code, met.stderr, met.stdout)
	}
	missed := drive(t, "search", orders, small, "--vary", retries, "--gate", "amplification < 1")
	if missed.code != 1 || missed.stderr != "tune: none of 2 policies meets the gates\n" {
		t.Errorf("code %d, complaints %q", missed.code, missed.stderr)
	}
}

func TestAnInterruptedSearchTellsWhatItHasFound(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := simulate.On(t)
	chains := 0
	r.Configure = func(*transport.Config) {
		if chains++; chains > 3 { // one for each policy
			cancel()
		}
	}
	got := driveIn(ctx, t, cli.Program{Runner: r}, "search", orders, small, "--vary", "profiles.backend_unavailable.retries=0..6:7", "--json")
	s := decode[searched](t, got.stdout)
	if got.code != 130 || got.stderr != "tune: interrupted: 3 of 7 policies were tried\n" || s.Combinations != 7 || len(s.Trials) != 3 {
		t.Errorf("code %d, complaints %q, %d trials", got.code, got.stderr, len(s.Trials))
	}
}
