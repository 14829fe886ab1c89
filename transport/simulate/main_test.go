package simulate_test

import (
	"runtime/debug"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // millions of short lives in a small heap
	goleak.VerifyTestMain(m)
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
