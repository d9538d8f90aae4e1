package nats

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// streamsDir is where the embedded server keeps the streams of its one account.
func streamsDir(dir string) string { return filepath.Join(dir, "jetstream", "$G", "streams") }

func streamDir(dir, stream string) string { return filepath.Join(streamsDir(dir), stream) }

// indexFile is what the server writes when it stops, to find its way in the
// blocks again without reading them. Without it, it reads them all.
const indexFile = "index.db"

// file is one block file of a stream.
type file struct {
	path   string
	number int
	size   int64
}

// blockFiles are a stream's, in order; none where there is no such folder.
func blockFiles(stream string) ([]file, error) {
	dir := filepath.Join(stream, "msgs")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []file
	for _, e := range entries {
		name, isBlock := strings.CutSuffix(e.Name(), ".blk")
		number, err := strconv.Atoi(name)
		if !isBlock || err != nil {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // the server has taken it away
		}
		if err != nil {
			return nil, err
		}
		files = append(files, file{filepath.Join(dir, e.Name()), number, info.Size()})
	}
	slices.SortFunc(files, func(a, b file) int { return a.number - b.number })
	return files, nil
}

// cutOut rewrites the block without the bad stretches. The file as it was goes
// to the folder aside, for whoever wants to look at it.
func cutOut(f file, content []byte, bad []stretch, aside string) error {
	if err := os.MkdirAll(aside, 0o700); err != nil {
		return err
	}
	kept, from := make([]byte, 0, len(content)), 0
	for _, s := range bad {
		kept = append(kept, content[from:s.from]...)
		from = s.to
	}
	kept = append(kept, content[from:]...)
	if err := os.Link(f.path, filepath.Join(aside, filepath.Base(f.path))); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep the damaged %s: %w", f.path, err)
	}
	if err := writeSynced(f.path+".mended", kept); err != nil {
		return err
	}
	if err := os.Rename(f.path+".mended", f.path); err != nil {
		return err
	}
	return nil
}

// removeIndex has the server count again when it starts.
func removeIndex(stream string) error {
	err := os.Remove(filepath.Join(stream, "msgs", indexFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
