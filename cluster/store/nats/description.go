package nats

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/minio/highwayhash"

	"github.com/birdwire/birdwire/cluster/store"
)

// The server keeps a stream's description, the journal's epoch in it, in a file
// with a sum in another file, and leaves out a stream where the two do not agree. A
// copy of ours brings both back: nothing is lost with them.
const (
	metaFile        = "meta.inf"
	metaSum         = "meta.sum"
	describedFolder = "streams" // <stream>: the description, sealed
)

// restoreDescriptions writes descriptions again that are damaged.
func (s *Store) restoreDescriptions() error {
	for _, stream := range allStreams {
		dir := streamDir(s.cfg.Dir, stream)
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		meta, metaErr := os.ReadFile(filepath.Join(dir, metaFile))
		sum, sumErr := os.ReadFile(filepath.Join(dir, metaSum))
		if metaErr == nil && sumErr == nil && string(sum) == descriptionSum(stream, meta) {
			continue
		}
		sealed, err := os.ReadFile(filepath.Join(s.cfg.Dir, describedFolder, stream))
		if err != nil {
			continue // the server will leave the stream out, and that is refused
		}
		copied, err := store.Unseal(stream, sealed)
		if err != nil {
			continue
		}
		if err := writeSynced(filepath.Join(dir, metaFile), copied); err != nil {
			return err
		}
		if err := writeSynced(filepath.Join(dir, metaSum), []byte(descriptionSum(stream, copied))); err != nil {
			return err
		}
		s.report(store.Damage{Stream: shown(stream), File: s.relative(filepath.Join(dir, metaFile)), Advice: "the stream's description was damaged and was written again from a copy: check the disk"})
	}
	return nil
}

// keepDescriptions renews the copies.
func (s *Store) keepDescriptions() error {
	for _, stream := range allStreams {
		meta, err := os.ReadFile(filepath.Join(streamDir(s.cfg.Dir, stream), metaFile))
		if err != nil {
			return err
		}
		name, sealed := filepath.Join(describedFolder, stream), store.Seal(stream, meta)
		if have, err := os.ReadFile(filepath.Join(s.cfg.Dir, name)); err == nil && string(have) == string(sealed) {
			continue
		}
		if err := writeNote(s.cfg.Dir, name, sealed, replaceUnsynced); err != nil {
			return err
		}
	}
	return nil
}

// descriptionSum is the server's own.
func descriptionSum(stream string, meta []byte) string {
	key := sha256.Sum256([]byte(stream))
	hash, err := highwayhash.NewDigest64(key[:])
	if err != nil {
		return ""
	}
	hash.Write(meta)
	return hex.EncodeToString(hash.Sum(nil))
}

func (s *Store) relative(path string) string {
	if name, err := filepath.Rel(s.cfg.Dir, path); err == nil {
		return name
	}
	return path
}
