//go:build unix

package ws

import (
	"io"
	"syscall"
)

// direct: sockets can be read and written through syscall.RawConn.
const direct = true

// tryWrite writes what the socket takes without waiting; n is 0 where it
// takes nothing.
func tryWrite(fd uintptr, b []byte) (n int, err error) {
	for {
		n, err := writeSocket(fd, b)
		switch err {
		case nil:
			return n, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, err
		}
	}
}

// tryRead reads what has come without waiting; n is 0 and err nil where
// nothing has.
func tryRead(fd uintptr, b []byte) (n int, err error) {
	for {
		n, err := syscall.Read(int(fd), b)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, nil
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}
