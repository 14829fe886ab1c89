package azure

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 4, rig.Limited: 4, rig.Refused: 4},
		Doubled: map[rig.Fault]int{rig.Unavailable: 7, rig.Limited: 12, rig.Refused: 7, rig.Open: 1},
	})
}
