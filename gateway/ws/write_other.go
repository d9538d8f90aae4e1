//go:build !unix

package ws

import "errors"

// canTryWrite: where sockets have no plain non-blocking write, connections
// are written by goroutines of their own.
const canTryWrite = false

func tryWrite(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
