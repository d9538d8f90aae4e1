//go:build !unix

package ws

import "errors"

// direct: where sockets have no plain non-blocking calls, connections are
// read through package net and written by goroutines of their own.
const direct = false

func tryWrite(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

func tryRead(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
