package anthropic

import (
	"testing"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
)

func TestRow(t *testing.T) {
	rig.Check(t, SDK, rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 3, rig.Limited: 3, rig.Refused: 3},
		Doubled: map[rig.Fault]int{rig.Unavailable: 6, rig.Limited: 9, rig.Refused: 9, rig.Open: 3},
	})
}
