package node

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is a clock of the calling thread's CPU time, to which the goroutine
// is bound for good: it ends with its measurement.
func cpuTime() func() time.Time {
	runtime.LockOSThread()
	return func() time.Time {
		var t unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
			return time.Now() // no kernel that Go runs on refuses it
		}
		return time.Unix(t.Unix())
	}
}
