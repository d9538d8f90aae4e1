//go:build !unix

package main_test

import "syscall"

// smallBuffer leaves the system's own.
func smallBuffer(_, _ string, _ syscall.RawConn) error { return nil }
