package ws

import (
	"fmt"
	"os"
	"sync"
	"syscall"
)

// watcher waits for the clients of quiet connections, which have no goroutine
// meanwhile: its stack and descriptor are as much again as all that an idle
// connection needs besides.
//
//	read ──nothing more has come──▶ watch ──the socket can be read, or is closed here──▶ wake ──▶ read
//
// It is an epoll of its own, which Go's waits for as for any file, so waiting
// takes no thread. A socket is armed for one event at a time. One that is
// closed leaves the epoll by itself and without a word: whoever closes it wakes
// its connection (Conn.abort).
//
// run is its one goroutine, started by New and ended by close.
type watcher struct {
	epoll *os.File
	fd    int             // its; File.Fd would have it block
	raw   syscall.RawConn // epoll's

	mu    sync.Mutex // protects what follows
	conns []*Conn    // by place; nil: it is free
	free  []int32    // places
}

// newWatcher needs a kernel that lets it have an epoll; with the error every
// connection has a goroutine.
func newWatcher() (*watcher, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create an epoll for quiet connections: %w", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // else package os does not wait for it
		_ = syscall.Close(fd)
		return nil, fmt.Errorf("create an epoll for quiet connections: %w", err)
	}
	w := &watcher{epoll: os.NewFile(uintptr(fd), "epoll"), fd: fd, conns: make([]*Conn, 1)}
	if w.raw, err = w.epoll.SyscallConn(); err != nil {
		_ = w.epoll.Close()
		return nil, fmt.Errorf("create an epoll for quiet connections: %w", err)
	}
	return w, nil
}

// watch has the connection woken once its client sends something or is gone.
// True: from now on it is another goroutine's to read. Only its reading
// goroutine may call it.
func (w *watcher) watch(c *Conn) bool {
	if w == nil || c.raw == nil {
		return false
	}
	operation := syscall.EPOLL_CTL_MOD
	if c.place == 0 {
		operation, c.place = syscall.EPOLL_CTL_ADD, w.placeFor(c)
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: c.place}
	c.quiet.Store(true) // before it is armed: an event that comes at once has to find it
	var refused error
	closed := c.raw.Control(func(fd uintptr) {
		refused = syscall.EpollCtl(w.fd, operation, int(fd), &event)
	})
	if closed == nil && refused == nil {
		return true
	}
	return !c.quiet.CompareAndSwap(true, false) // false: nobody has woken it, and nobody will
}

func (w *watcher) placeFor(c *Conn) (place int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.free); n > 0 {
		place, w.free = w.free[n-1], w.free[:n-1]
		w.conns[place] = c
		return place
	}
	w.conns = append(w.conns, c)
	return int32(len(w.conns) - 1)
}

// forget gives back the place of a connection that has ended. An event of its
// socket that is still on the way wakes whoever has the place next, which finds
// nothing and is quiet again.
func (w *watcher) forget(c *Conn) {
	if w == nil || c.place == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[c.place] = nil
	w.free = append(w.free, c.place)
}

func (w *watcher) run() {
	events, n := make([]syscall.EpollEvent, 128), 0
	ready := func(fd uintptr) bool {
		var err error
		if n, err = syscall.EpollWait(int(fd), events, 0); err != nil && err != syscall.EINTR {
			panic("wait for quiet connections: " + err.Error()) // not of its kind: there is nothing to wait for
		}
		return n != 0
	}
	for w.raw.Read(ready) == nil {
		for _, event := range events[:max(n, 0)] {
			w.mu.Lock()
			c := w.conns[event.Fd]
			w.mu.Unlock()
			if c != nil {
				c.wake()
			}
		}
	}
}

func (w *watcher) close() {
	if w != nil {
		_ = w.epoll.Close() // ends run
	}
}
