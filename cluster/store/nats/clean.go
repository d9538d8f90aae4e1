package nats

import (
	"encoding/json"
	"errors"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/birdwire/birdwire/cluster/store"
)

// cleanFile says, from one clean end to the next start, which files the
// streams had and how long they were. A stream that still has them so is not
// read through before it is served; any other is.
const cleanFile = "clean"

// state is a stream's files: of blocks the size, of the index also a sum.
type state map[string]fileState

type fileState struct {
	Size int64
	Sum  uint32 `json:",omitempty"`
}

func stateOf(dir string) (state, error) {
	files, err := blockFiles(dir)
	if err != nil {
		return nil, err
	}
	st := state{}
	for _, f := range files {
		st[filepath.Base(f.path)] = fileState{Size: f.size}
	}
	index, err := os.ReadFile(filepath.Join(dir, "msgs", indexFile))
	if err == nil {
		st[indexFile] = fileState{int64(len(index)), crc32.Checksum(index, castagnoli)}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return st, err
}

// leaveClean notes the files once the server has stopped.
func (s *Store) leaveClean() error {
	all := map[string]state{}
	for _, stream := range allStreams {
		st, err := stateOf(streamDir(s.cfg.Dir, stream))
		if err != nil {
			return err
		}
		all[stream] = st
	}
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(s.cfg.Dir, cleanFile), store.Seal(cleanFile, b))
}

// leftClean are the streams whose files are as they were left. It is good for
// one start.
func (s *Store) leftClean() (map[string]bool, error) {
	path := filepath.Join(s.cfg.Dir, cleanFile)
	sealed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil {
		return nil, err
	}
	b, err := store.Unseal(cleanFile, sealed)
	var all map[string]state
	if err != nil || json.Unmarshal(b, &all) != nil {
		return nil, nil // they are read through
	}
	clean := map[string]bool{}
	for _, stream := range allStreams {
		now, err := stateOf(streamDir(s.cfg.Dir, stream))
		if err != nil {
			return nil, err
		}
		_, indexed := now[indexFile]
		clean[stream] = indexed && maps.Equal(now, all[stream])
	}
	return clean, nil
}
