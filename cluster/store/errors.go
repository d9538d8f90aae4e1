package store

import "errors"

// The store's own; what every port answers is in package messages.
var (
	// ErrClosed: the store is closing.
	ErrClosed = errors.New("store closed")
	// ErrLocked: another process has the data folder.
	ErrLocked = errors.New("data folder in use")
)
