//go:build unix

package stub

import (
	"syscall"
	"time"
)

// cpu is the processor time that this process has used, which grows no faster if others use the machine as well.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
