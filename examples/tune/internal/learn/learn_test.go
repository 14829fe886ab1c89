package learn_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/examples/tune/internal/learn"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// refreshes is a scenario in which tokens are refreshed one after the other, n times, for times that have the given distribution.
func refreshes(n int, hold, latency simulate.Delay) simulate.Scenario {
	const every = 20 * time.Second
	s := simulate.Scenario{
		Duration: time.Duration(n+1) * every,
		Traffic:  []simulate.Traffic{{Kind: simulate.Open, Rate: 40, Deadline: 15 * time.Second, Keys: simulate.Keys{Count: 4, Hot: 0.7}}},
		Backend:  simulate.Backend{Latency: latency},
	}
	for i := range n {
		// In an order that has nothing to do with their length: 7919 is prime.
		p := (float64(i*7919%n) + 0.5) / float64(n)
		s.Faults = append(s.Faults, simulate.Fault{
			Kind: simulate.Lock, At: time.Duration(i+1) * every, Keys: []int{0}, Hold: simulate.Delay{Median: hold.Quantile(p)},
		})
	}
	return s
}

// logOf plays a scenario and returns what the chain wrote.
func logOf(t *testing.T, s simulate.Scenario, set policy.Set) []byte {
	t.Helper()
	var b bytes.Buffer
	r := simulate.On(t)
	r.Configure = func(c *transport.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if _, err := r.Run(t.Context(), s, set); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t *testing.T, data []byte) *learn.Log {
	t.Helper()
	l, err := learn.Read(context.Background(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestX(t *testing.T) {
	hold, latency := simulate.Delay{Median: 900 * time.Millisecond, P99: 4 * time.Second}, simulate.Delay{Median: 40 * time.Millisecond, P99: 200 * time.Millisecond}
	s := refreshes(150, hold, latency)
	for _, g := range []bool{true, false} {
		set := policy.Default()
		if !g {
			set.Gate = policy.Gate{}
		}
		l := read(t, logOf(t, s, set))
		fmt.Println(g, l.Lines, l.Ours, l.Foreign, l.Lost, l.Joined, l.Longer, l.Retries, l.Holds.Count(), l.Latency.Count(), l.Waits.Count())
		f, err := l.Holds.Fit()
		fmt.Println(f, err, l.Holds.Quantile(.5), l.Holds.Quantile(.99))
		f, err = l.Latency.Fit()
		fmt.Println(f, err, math.Pi)
	}
}
