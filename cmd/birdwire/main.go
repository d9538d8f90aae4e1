// Command birdwire is the server and its tools: it serves the three news and
// post APIs, and talks to a running server for its operators and its keys'
// owners. It parses what users write; everything else is the node's or the
// SDK's.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// The first signal asks, a second one ends the process as it does by default.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], world{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), program: programName(os.Args[0]),
	})
	os.Exit(code)
}

// world is what a command touches of the process around it.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	program        string // how it was started, for lines to paste
}
