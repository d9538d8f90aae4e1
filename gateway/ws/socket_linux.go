package ws

import (
	"syscall"
	"unsafe"
)

// writeSocket is write(2) on a socket that never blocks, without telling Go's
// scheduler: for a call that it is told of, its monitor wakes every 20 µs to look
// whether the call blocks, and takes the processor away from one that the
// kernel has only interrupted. That was a tenth of what a delivery cost.
func writeSocket(fd uintptr, b []byte) (n int, err error) {
	written, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(written), nil
}
