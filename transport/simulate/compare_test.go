package simulate_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

func TestComparisonSaysWhatGotBetter(t *testing.T) {
	a := simulate.Result{
		Calls: 1000, Success: 0.9, Amplification: 1, Attempts: 1000, Refused: 10, Goodput: 100,
		Latency: simulate.Quantiles{Count: 900, P50: ms(10), P99: ms(100)}, Recovery: simulate.Recovery{State: simulate.Recovered, Longest: time.Second},
	}
	b := a
	b.Success, b.Amplification, b.Attempts, b.Latency.P50 = 0.99, 1.5, 1500, ms(10)+time.Microsecond
	b.Recovery.State = simulate.Never
	b.TimeToFail = simulate.Quantiles{Count: 10, P50: ms(7)}
	c := simulate.Compare(a, b, "before", "after")
	got := map[string]simulate.Row{}
	for _, row := range c.Rows {
		got[row.Metric] = row
	}
	for name, want := range map[string]int{"success": 1, "amplification": -1, "attempts": -1, "refused": 0, "p50": 0, "p99": 0, "recovery": -1, "fail_p50": 0} {
		if row, ok := got[name]; !ok || row.Change != want {
			t.Errorf("%s: got %+v, want a change of %d", name, row, want)
		}
	}
	if _, ok := got["extra_p50"]; ok {
		t.Error("there is a row of what neither has")
	}
	text := c.String()
	for _, want := range []string{"before", "90.00%  99.00%  better\n", "1s      never   worse\n", "-       7ms\n", "10      10\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if data, err := json.Marshal(c); err != nil || !strings.Contains(string(data), `{"metric":"recovery","unit":"time","values":[1,-1]`) {
		t.Errorf("got %s, %v", data, err)
	}
}
