package load

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is a clock that stops while the machine's neighbours run:
// the calling thread's own CPU time. Reading it costs about 0.3 µs.
func threadTime() func() time.Time {
	runtime.LockOSThread()
	return func() time.Time {
		var t unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
			panic(err)
		}
		return time.Unix(t.Unix())
	}
}
