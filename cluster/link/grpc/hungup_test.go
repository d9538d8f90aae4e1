package grpc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A peer that hangs up is found by reading or by writing, and gRPC hands on the error
// or its text alone: an operator reads the same words each time.
func TestWhoHangsUpIsExplained(t *testing.T) {
	written := &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)}
	read := &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	for _, err := range []error{
		io.EOF, io.ErrUnexpectedEOF, written, read, fmt.Errorf("handshake: %w", written),
		status.Error(codes.Unavailable, written.Error()), status.Error(codes.Unavailable, read.Error()),
		status.Error(codes.Unavailable, "connection error: desc = \"error reading server preface: EOF\""),
		status.Error(codes.Unavailable, "authentication handshake failed: EOF"),
	} {
		if got := (&Link{}).explain(err); !strings.Contains(got, "it has ended or been killed") {
			t.Errorf("%v is explained as %q", err, got)
		}
	}
	for _, err := range []error{errors.New("no route to host"), status.Error(codes.DeadlineExceeded, "context deadline exceeded")} {
		if got := (&Link{}).explain(err); strings.Contains(got, "hung up") {
			t.Errorf("%v is explained as %q", err, got)
		}
	}
}
