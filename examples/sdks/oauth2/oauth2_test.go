package oauth2

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 2, rig.Limited: 2, rig.Refused: 2},
		Doubled: map[rig.Fault]int{rig.Unavailable: 4, rig.Limited: 6, rig.Refused: 8, rig.Open: 2},
	})
}
