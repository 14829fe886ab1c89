package policy_test

import (
	"strings"
	"testing"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func TestSetString(t *testing.T) {
	tests := []struct {
		name string
		set  policy.Set
		want []string
	}{
		{"the zero set", policy.Set{}, []string{"MaxAttempts 0, MaxElapsed unbounded\n", "no profiles: nothing is retried\n", "no budget\n", "no breakers\n", "no gate\n"}},
		{"a bound in time", policy.Set{MaxElapsed: sec}, []string{"MaxElapsed 1s\n"}},
		{"a source of pauses", set(classify.Dial, policy.Profile{Retries: 2, BackOff: func() policy.BackOff { return nil }}), []string{
			"dial     2        no         BackOff  BackOff  BackOff     0       unbounded   0s             stop      0\n",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.set.String()
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("got\n%s\nwant %q in it", got, want)
				}
			}
			if again := tt.set.String(); again != got {
				t.Errorf("got\n%s\nthe second time, want\n%s", again, got)
			}
		})
	}
}
