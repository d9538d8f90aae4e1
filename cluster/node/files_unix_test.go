//go:build unix

package node

import "syscall"

// raiseOpenFiles asks for so many open files.
func raiseOpenFiles(n uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur >= n {
		return err
	}
	limit.Cur = n
	limit.Max = max(limit.Max, n)
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
