package nats

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
)

// The first session of a store comes about in these steps, each of which can
// end it with word of what is lost:
//
//	our own notes          marks, lists, holes, the past
//	the streams' files     read before the server changes them; of a log that
//	                       is as a clean end has left it, which may be long, only
//	                       what the server itself reads at its start
//	damaged stretches      cut out, so that the server does not cut off more
//	the server             its own view of the log held against the notes
//
// The rest of such a log is vetted before it is used (vet.go).

// opening is what is found out on the way.
type opening struct {
	*Store
	accepted bool            // an operator has accepted what is lost
	mended   bool            // a start before this one has let the server mend what is lost
	clean    map[string]bool // streams whose files are as they were left
	refuse   []string
	looks    map[string]*look
	lists    map[string]*listing
	diff     difference // of the control records
	later    []*vetted  // blocks of the journal that were not read; nil: all were
	progress func(what string)
}

func (s *Store) openFirst(ctx context.Context, progress func(string)) (_ *session, err error) {
	o := &opening{Store: s, looks: map[string]*look{}, lists: map[string]*listing{}, progress: progress}
	if o.accepted, o.mended, err = s.refused(); err != nil {
		return nil, err
	}
	if err := s.restoreDescriptions(); err != nil {
		return nil, err
	}
	if err := o.read(ctx); err != nil {
		return nil, err
	}
	o.judgeJournal()
	o.judgeControl()
	if len(o.refuse) > 0 && !o.accepted {
		// Nothing was changed: the next start finds the same.
		return nil, s.damaged(strings.Join(o.refuse, "; "))
	}
	if err := o.cut(); err != nil {
		return nil, err
	}
	progress("starting the embedded server")
	sess, err := s.start(ctx, o.accepted)
	if err != nil {
		return nil, err
	}
	if err := o.settle(ctx, sess); err != nil {
		sess.stop()
		return nil, err
	}
	return sess, nil
}

// read takes in the notes and the files.
func (o *opening) read(ctx context.Context) error {
	var err error
	if o.clean, err = o.leftClean(); err != nil {
		return err
	}
	known, err := o.readHoles()
	if err != nil {
		return err
	}
	o.holes.set(known)
	for _, stream := range allStreams {
		var before map[int]bool
		if o.clean[stream] && stream == journalStream && o.past.was == o.past.now { // else the server takes away what is too much now
			if before, o.later, err = planVetting(o.cfg, o.cfg.Now()); err != nil {
				return err
			}
		}
		k, err := o.look(ctx, stream, before)
		if err == nil && before != nil && len(k.bad) > 0 {
			o.later = nil // it is going to be counted again, and that reads all
			k, err = o.look(ctx, stream, nil)
		}
		if err != nil {
			return fmt.Errorf("read the files of %s: %w", shown(stream), err)
		}
		o.looks[stream] = k
		if l := o.listOf(stream); l != nil {
			if o.lists[stream], err = l.read(math.MaxInt); err != nil {
				return err
			}
		}
	}
	o.judgeNotes()
	return nil
}

func (o *opening) look(ctx context.Context, stream string, only map[int]bool) (*look, error) {
	done, total := int64(0), int64(0)
	if files, err := blockFiles(streamDir(o.cfg.Dir, stream)); err == nil {
		for _, f := range files {
			if only == nil || only[f.number] {
				total += f.size
			}
		}
	}
	return lookAt(o.cfg.Dir, stream, only, func(f file) error {
		o.progress(fmt.Sprintf("reading the files of %s: %d of %d MiB", shown(stream), done>>20, total>>20))
		done += f.size
		return ctx.Err()
	})
}

// cut takes damaged stretches out of the files: left in, the server would cut
// off all that comes after them in their file. A last block's torn end is left:
// a process that was killed while it wrote leaves one.
func (o *opening) cut() error {
	for stream, k := range o.looks {
		if !o.clean[stream] {
			// It may be of other files than there are now, and the server believes it.
			if err := removeIndex(k.dir); err != nil {
				return err
			}
		}
		aside := o.aside(stream)
		for i, f := range k.bad {
			last := f.number == lastNumber(k, o.cfg.Dir)
			if last && len(f.bad) == 1 && f.bad[0].to == int(f.size) {
				continue
			}
			content, err := os.ReadFile(f.path)
			if err != nil {
				return err
			}
			if err := cutOut(f.file, content, f.bad, aside); err != nil {
				return fmt.Errorf("mend %s: %w", f.path, err)
			}
			if err := removeIndex(k.dir); err != nil {
				return err
			}
			o.report(o.wasCut(stream, f, aside))
			k.bad[i].bad = nil
		}
	}
	return nil
}

func lastNumber(k *look, dir string) int {
	files, err := blockFiles(streamDir(dir, k.stream))
	if err != nil || len(files) == 0 {
		return 0
	}
	return files[len(files)-1].number
}
