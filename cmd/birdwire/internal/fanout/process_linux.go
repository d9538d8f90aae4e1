package fanout

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is USER_HZ, which Linux has fixed at 100 for /proc on every platform Go runs on.
const tick = 10 * time.Millisecond

// cpu is what the process has used since it began.
func cpu(pid int) (user, system time.Duration, known bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, false
	}
	// The command, field 2, may hold anything but is in brackets.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, 0, false
	}
	u, err1 := strconv.ParseInt(string(fields[11]), 10, 64)
	s, err2 := strconv.ParseInt(string(fields[12]), 10, 64)
	return time.Duration(u) * tick, time.Duration(s) * tick, err1 == nil && err2 == nil
}

// rss is the process's resident memory in bytes; 0 where it cannot be read.
func rss(pid int) int64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
