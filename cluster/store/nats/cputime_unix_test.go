//go:build unix

package nats

import (
	"syscall"
	"time"
)

// processTime is what the process has used of its cores.
func processTime() (time.Duration, bool) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err == nil
}
