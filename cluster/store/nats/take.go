package nats

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/messages"
)

// taken is a backup on this node's disk that was verified.
type taken struct{ *os.File }

// drop takes the file away. It has no name any more where the system lets an open
// file lose it, so that nothing is left of it after a crash.
func (t taken) drop() {
	_ = t.Close()
	_ = os.Remove(t.Name())
}

// take reads a backup to its end into a file, and verifies it on the way. The
// disk's reserve is not touched for it.
func (s *Store) take(r io.Reader) (_ taken, err error) {
	file, err := os.CreateTemp(s.cfg.Dir, ".restore-*") // without a folder of its own: the system's
	if err != nil {
		return taken{}, fmt.Errorf("a place for the backup: %w", err)
	}
	t := taken{file}
	_ = os.Remove(file.Name()) // where that is not possible, drop does it
	defer func() {
		if err != nil {
			t.drop()
		}
	}()
	out := bufio.NewWriterSize(file, partMost)
	if err := wholeBackup(bufio.NewReaderSize(io.TeeReader(r, &reserved{w: out, disk: &s.disk, off: s.cfg.Dir == ""}), partMost)); err != nil {
		return taken{}, err
	}
	if err := out.Flush(); err != nil {
		return taken{}, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return t, err
}

// reserved writes while the disk has room beside its reserve.
type reserved struct {
	w    io.Writer
	disk *disk
	off  bool
}

func (r *reserved) Write(p []byte) (int, error) {
	if !r.off {
		if err := r.disk.room(large); err != nil {
			return 0, fmt.Errorf("the backup is read to this node's disk first: %w", err)
		}
	}
	return r.w.Write(p)
}

// wholeBackup says what is wrong with a backup that must not take anything's place.
func wholeBackup(in io.Reader) error {
	head := make([]byte, len(backupHead))
	switch _, err := io.ReadFull(in, head); {
	case err == nil && string(head) == backupHead, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
	case err != nil:
		return err
	}
	if string(head) != backupHead {
		return messages.Refuse(messages.ErrInvalid, "it is no backup of birdwire")
	}
	streams := map[string]bool{}
	within, whole, checked := "", false, false
	sum, end := sha256.New(), backupEnd{}
	for {
		kind, content, err := readPart(in)
		switch {
		case errors.Is(err, io.EOF) && whole && checked:
			return nil
		case errors.Is(err, io.EOF) && whole:
			return messages.Refuse(messages.ErrInvalid, "it was never checked, so that nothing says what must be in it: run `birdwire cluster backup` to its end")
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w: the backup has no end: it was cut off", messages.ErrDamaged)
		case err != nil:
			return err
		case kind == partStream && within == "" && !whole:
			var stream backupStream
			if err := json.Unmarshal(content, &stream); err != nil || !slices.Contains(allStreams, stream.Name) || streams[stream.Name] || !json.Valid(stream.Config) {
				return fmt.Errorf("%w: the backup names a stream that there is not, or one twice", messages.ErrDamaged)
			}
			streams[stream.Name], within = true, stream.Name
			sum.Reset()
			end = backupEnd{}
		case kind == partData && within != "":
			sum.Write(content)
			end.Bytes += int64(len(content))
		case kind == partEnd && within != "":
			end.Sum = hex.EncodeToString(sum.Sum(nil))
			var want backupEnd
			if err := json.Unmarshal(content, &want); err != nil || want != end {
				return fmt.Errorf("%w: %s has %d bytes of sum %s, and the backup was made of %d of %s", messages.ErrDamaged, shown(within), end.Bytes, end.Sum, want.Bytes, want.Sum)
			}
			within = ""
		case kind == partWhole && within == "" && len(streams) == len(allStreams):
			whole = true
		case kind == partChecked && whole && !checked:
			var found []Content
			if err := json.Unmarshal(content, &found); err != nil || len(found) != len(allStreams) {
				return fmt.Errorf("%w: what was checked cannot be read", messages.ErrDamaged)
			}
			checked = true
		default:
			return fmt.Errorf("%w: a part of kind %q is out of place", messages.ErrDamaged, kind)
		}
	}
}

// placeable is nil where there are members enough for all copies: streams that were
// deleted and cannot be made again are what a restore must not end with.
func (s *session) placeable(copies int) error {
	if s.server == nil || !s.shared {
		return nil
	}
	keep, outside := s.keepers()
	if len(keep) >= copies {
		return nil
	}
	what := "start what is stopped"
	if len(outside) > 0 {
		what = returns(outside)
	}
	return messages.Refuse(messages.ErrConflict, "%d copies are wanted of everything, and only %s can keep one now: %s", copies, strings.Join(keep, ", "), what)
}

// keepers are the members that are here and may keep copies, and those that are
// here and may not yet.
func (s *session) keepers() (keep, outside []string) {
	js, err := s.server.Jsz(nil)
	if err != nil || js.Meta == nil {
		return nil, nil
	}
	for _, name := range s.connected() {
		peer := peerOf(name)
		counts := name == s.server.Name()
		for _, p := range js.Meta.Replicas {
			counts = counts || p.Peer == peer
		}
		if counts {
			keep = append(keep, name)
		} else {
			outside = append(outside, name)
		}
	}
	return keep, outside
}

// returns says what becomes of members that are here and do not count.
func returns(outside []string) string {
	return "wait for " + strings.Join(outside, ", ") + ", which may soon: a name that was forgotten, five minutes after that"
}
