package node

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/nats"
	"github.com/birdwire/birdwire/gateway/admin"
)

// wholeStore is the store for operators.
type wholeStore struct{ s *nats.Store }

var _ admin.Store = wholeStore{}

func (w wholeStore) Backup(ctx context.Context, to io.Writer, size func(int64)) error {
	return w.s.Backup(ctx, to, func(done, total int64) {
		if done == 0 {
			size(total)
		}
	})
}

func (w wholeStore) Restore(ctx context.Context, r io.Reader, replace bool) ([]admin.StoredStream, error) {
	contents, err := w.s.Restore(ctx, r, replace, func(int64) {})
	return shownContents(contents), err
}

func shownContents(contents []nats.Content) []admin.StoredStream {
	out := make([]admin.StoredStream, 0, len(contents))
	for _, c := range contents {
		out = append(out, admin.StoredStream{Stream: c.Stream, Messages: c.Messages, First: c.First, Last: c.Last, SHA256: c.Sum})
	}
	return out
}

func (w wholeStore) Audit(ctx context.Context) ([]admin.StoreFinding, error) {
	findings, err := w.s.Audit(ctx, func(string) {})
	out := make([]admin.StoreFinding, 0, len(findings))
	for _, f := range findings {
		out = append(out, admin.StoreFinding{Node: f.Node, Stream: f.Stream, File: f.File, What: f.What})
	}
	return out, err
}

// BackupFolder writes a backup of what a node that stood alone has in its data
// folder, while no process runs on it.
func BackupFolder(ctx context.Context, cfg Config, w io.Writer, progress func(done, total int64)) error {
	cfg = cfg.withDefaults()
	if _, err := os.Stat(cfg.storeDir()); err != nil {
		return err // a folder that is not there is not to be made
	}
	s, err := nats.Open(ctx, cfg.store())
	if err != nil {
		return err
	}
	err = s.Backup(ctx, w, progress)
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	return err
}

// CheckBackup restores a backup beside its file, where it takes as much space once
// more for a while, and notes in the file what was found.
func CheckBackup(ctx context.Context, path string, progress func(done, total int64)) ([]admin.StoredStream, error) {
	contents, err := nats.CheckBackup(ctx, path, progress)
	return shownContents(contents), err
}

// troubled is what is wrong with the copies of what is kept, in words.
func troubled(status store.Status) error {
	if len(status.Trouble) == 0 {
		return nil
	}
	return errors.New(strings.Join(status.Trouble, "; "))
}
