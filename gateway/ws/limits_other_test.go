//go:build !unix

package ws_test

func openFiles() int { return 8192 }
