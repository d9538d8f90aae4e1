//go:build unix

package main_test

import (
	"errors"
	"syscall"
)

// smallBuffer has the system take little for a client that does not read. It
// has to be said before the connection is made: then windows are agreed on.
func smallBuffer(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) { set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<10) })
	return errors.Join(err, set)
}
