package aws

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 3, rig.Limited: 3, rig.Refused: 3},
		Doubled: map[rig.Fault]int{rig.Unavailable: 6, rig.Limited: 9, rig.Refused: 7, rig.Open: 1},
	})
}
