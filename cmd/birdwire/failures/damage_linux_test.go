package failures_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// flipped: one bit of the node's copy of the log is not what it was. The audit names
// the node, and it is made whole as the audit's help says: with an empty folder.
func (c *scene) flipped(n *node) {
	c.t.Helper()
	if text, code := c.nodes[0].run("cluster", "audit"); code != 0 {
		c.t.Errorf("cluster audit before anything was done: exit code %d: %s", code, text)
	}
	block := n.block()
	c.breaks(n)
	flip(c, block)
	text, code := c.nodes[0].run("cluster", "audit")
	if named := strings.Contains(text, n.name+": journal"); code != 1 || !named {
		c.t.Errorf("cluster audit with a bit of %s flipped: exit code %d, want 1 and %s named: %s", block, code, n.name, text)
	}
	for _, other := range c.nodes {
		if other != n && strings.Contains(text, other.name+": journal") {
			c.t.Errorf("the audit names %s, whose copy is well: %s", other.name, text)
		}
	}
	c.says("the audit says: %s", strings.TrimSpace(text))
	n.kill()
	if err := os.Rename(n.dir, n.dir+"-damaged"); err != nil {
		c.t.Fatal(err)
	}
	n.begin()
	c.mended()
	c.whole()
	if text, code := c.nodes[0].run("cluster", "audit"); code != 0 {
		c.t.Errorf("cluster audit after the node has a new copy: exit code %d: %s", code, text)
	}
}

// block is the largest file of the node's copy of the log.
func (n *node) block() (path string) {
	n.t.Helper()
	var size int64
	_ = filepath.WalkDir(n.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".blk") || !strings.Contains(strings.ToLower(p), "journal") || strings.Contains(p, "_sys_") {
			return nil // what is not there is none
		}
		if info, err := d.Info(); err == nil && info.Size() > size {
			path, size = p, info.Size()
		}
		return nil
	})
	if path == "" {
		n.t.Fatal("the node has no file of the log under ", n.dir)
	}
	return path
}

func flip(c *scene, path string) {
	c.t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // what was written is there
	info, err := file.Stat()
	if err != nil {
		c.t.Fatal(err)
	}
	at := info.Size() / 3
	b := make([]byte, 1)
	if _, err := file.ReadAt(b, at); err != nil {
		c.t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := file.WriteAt(b, at); err != nil {
		c.t.Fatal(err)
	}
}

// smallDisk gives the last node a disk of its own, which is small.
func smallDisk(t *testing.T, c *cluster) {
	n := c.nodes[len(c.nodes)-1]
	if err := os.Mkdir(n.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", n.dir, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	c.mounted = n.dir
	n.args = append(n.args, "--disk-reserve", "8MiB")
}

// full: the node's disk fills to its last byte, and is emptied again.
func (c *scene) full(n *node) {
	c.t.Helper()
	filler := filepath.Join(n.dir, "filler")
	c.breaks(n)
	fill(c, filler)
	eventually(c.t, func() string {
		health, err := n.operator().Health(c.t.Context())
		switch {
		case err != nil:
			return err.Error()
		case health.Status == "ok":
			return "the node with the full disk says that it is well"
		}
		return ""
	})
	c.flows("with a full disk")
	if err := os.Remove(filler); err != nil {
		c.t.Fatal(err)
	}
	c.mended()
}

// fill writes until nothing more goes in.
func fill(c *scene, path string) {
	c.t.Helper()
	file, err := os.Create(path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // what was written is there
	for size := 1 << 20; size > 0; {
		if _, err := file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}
