//go:build !linux

package ws

import "errors"

// watcher does not exist here: every connection has a goroutine that reads.
type watcher struct{}

func newWatcher() (*watcher, error) { return nil, errors.ErrUnsupported }

func (w *watcher) watch(*Conn) bool { return false }
func (w *watcher) forget(*Conn)     {}
func (w *watcher) run()             {}
func (w *watcher) close()           {}
