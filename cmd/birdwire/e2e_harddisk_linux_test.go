package main_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A disk that hangs fails no call: what writes to it does not return. To have
// one without root, without a device and without a kernel's module, the server's
// system calls that write are handed to the test first (seccomp's user
// notification), which lets them go on or does not answer. Freezing a file
// system was rejected: a process cannot be ended on it, and it takes root.

// underWatch is the program that hands its writes over, see watched_linux_test.go.
const underWatch = "birdwire-under-watch"

// hardDisk is a server's disk that can be told to hang.
type hardDisk struct {
	t        *testing.T
	listener int
	under    string // the folder that it holds
	stop     chan struct{}

	mu    sync.Mutex // protects what follows
	hangs bool
	hung  int      // calls that were made since
	held  []uint64 // those of them that wait
}

// onHardDisk starts a server on a disk of its own.
func onHardDisk(t *testing.T) (*server, *hardDisk) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	ours := os.NewFile(uintptr(pair[0]), "ours")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &hardDisk{t: t, listener: -1, under: dir, stop: make(chan struct{})}
	s := prepared(t, filepath.Join(dir, "data"), func(cmd *exec.Cmd) {
		cmd.Args[0] = underWatch
		cmd.ExtraFiles = []*os.File{theirs}
	})
	_ = theirs.Close()
	d.listen(ours, s)
	s.ready()
	return s, d
}

// listen takes the listener that the process gives away.
func (d *hardDisk) listen(ours *os.File, s *server) {
	d.t.Helper()
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing was written to it
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), control)
	if n == 0 {
		<-s.ended
		d.t.Skipf("this system does not let a program watch the system calls of another: %s (%v)", s.notes, err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil {
		d.t.Fatal(err)
	}
	got, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		d.t.Fatal(err)
	}
	d.listener = got[0]
	answered := make(chan struct{})
	go func() { // ends with the process, or with the test
		defer close(answered)
		d.answer()
	}()
	d.t.Cleanup(func() {
		close(d.stop)
		<-answered
		_ = unix.Close(d.listener)
	})
}

// folderCalls are the watched calls that name no open file: they change a folder,
// and all hang.
var folderCalls = []uint32{unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_UNLINKAT, unix.SYS_MKDIRAT}

// call and word are the kernel's struct seccomp_notif and seccomp_notif_resp.
type call struct {
	id         uint64
	thread     uint32
	_          uint32
	number     uint32
	_          uint32
	_          uint64
	parameters [6]uint64
}

type word struct {
	id    uint64
	value int64
	error int32
	flags uint32
}

func (d *hardDisk) answer() {
	for {
		ready := []unix.PollFd{{Fd: int32(d.listener), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, 100)
		select {
		case <-d.stop:
			return
		default:
		}
		switch {
		case errors.Is(err, unix.EINTR), err == nil && n == 0:
			continue
		case err != nil || ready[0].Revents&unix.POLLIN == 0:
			return // the process has ended
		}
		var c call
		if _, _, failed := unix.Syscall(unix.SYS_IOCTL, uintptr(d.listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&c))); failed != 0 {
			continue // it was interrupted, or its thread has ended
		}
		if !d.holds(&c) {
			d.goOn(c.id)
		}
	}
}

// goOn lets a call go on. One that has been given up meanwhile needs no answer.
func (d *hardDisk) goOn(id uint64) {
	w := word{id: id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(d.listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&w)))
}

// holds says whether the call is one that hangs.
func (d *hardDisk) holds(c *call) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.hangs || !slices.Contains(folderCalls, c.number) && !d.isOn(c) {
		return false
	}
	d.hung++
	d.held = append(d.held, c.id)
	return true
}

// isOn says whether the file that the call writes to is on this disk.
func (d *hardDisk) isOn(c *call) bool {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", c.thread, int32(c.parameters[0])))
	return err == nil && strings.HasPrefix(path, d.under)
}

// hang has nothing return any more that writes to the disk.
func (d *hardDisk) hang() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hangs = true
}

// recover lets everything go on.
func (d *hardDisk) recover() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hangs = false
	for _, id := range d.held {
		d.goOn(id)
	}
	d.held = nil
}

// hanging is how many calls have hung.
func (d *hardDisk) hanging() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hung
}
