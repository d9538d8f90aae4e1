//go:build !unix

package node

func raiseOpenFiles(uint64) error { return nil }
