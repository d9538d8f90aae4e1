//go:build unix && !linux

package ws

import "syscall"

func writeSocket(fd uintptr, b []byte) (n int, err error) { return syscall.Write(int(fd), b) }
