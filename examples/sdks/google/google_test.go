package google

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 1, rig.Limited: 1, rig.Refused: 1},
		Doubled: map[rig.Fault]int{rig.Unavailable: 2, rig.Limited: 3, rig.Refused: 7, rig.Open: 1},
	})
}
