//go:build !linux

package node

import "time"

// cpuTime is the wall clock: the system does not tell a thread's CPU time.
func cpuTime() func() time.Time { return time.Now }
