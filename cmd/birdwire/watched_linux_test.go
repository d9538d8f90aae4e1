package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Under this name the test binary hands its system calls that write to whoever
// has the other end of the socket that it inherits, and becomes birdwire.
func init() { programs["birdwire-under-watch"] = becomeWatched }

// watchSocket is the file descriptor of that socket.
const watchSocket = 3

// watched are the system calls that are handed over: those that write to a file
// that is open, and those that change a folder.
var watched = []uint32{
	unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FTRUNCATE,
	unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_UNLINKAT, unix.SYS_MKDIRAT,
}

func becomeWatched() {
	if err := handOver(); err != nil {
		fmt.Fprintln(os.Stderr, "system calls cannot be watched:", err)
		os.Exit(1)
	}
}

// handOver puts the filter over this thread, gives the listener away, and goes
// on as birdwire: a filter outlives exec.
func handOver() error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	const load, equal, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	filter := []unix.SockFilter{{Code: load, K: 0}} // the call's number
	for _, call := range watched {
		filter = append(filter, unix.SockFilter{Code: equal, K: call, Jf: 1}, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_USER_NOTIF})
	}
	filter = append(filter, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	listener, _, failed := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if failed != 0 {
		return fmt.Errorf("seccomp: %w", failed)
	}
	// Not a call that is watched: nobody answers yet.
	if err := unix.Sendmsg(watchSocket, []byte("x"), unix.UnixRights(int(listener)), nil, 0); err != nil {
		return fmt.Errorf("give the listener away: %w", err)
	}
	unix.CloseOnExec(watchSocket)
	return syscall.Exec("/proc/self/exe", append([]string{"birdwire"}, os.Args[1:]...), os.Environ())
}
