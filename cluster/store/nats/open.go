package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
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
	if err := o.judgeControl(); err != nil {
		return nil, err
	}
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

// judgeNotes says which of our own notes cannot be relied on. Nothing is lost
// with them but the means to notice a loss from before this start.
func (o *opening) judgeNotes() {
	used := false // whether there has been something to note
	for _, k := range o.looks {
		used = used || k.sealed && k.files > 0
	}
	if o.marks.damaged != "" || o.marks.absent && used {
		o.notes(marksFile, "what was acknowledged last is not known")
	}
	if o.past.damaged || o.past.absent && used {
		o.notes(pastFile, "what retention has taken is not known")
	}
	for stream, l := range o.lists {
		o.judgeList(o.looks[stream], l)
	}
}

// judgeList says so where a list cannot be relied on.
func (s *Store) judgeList(k *look, l *listing) {
	file := l.damaged
	if l.absent && k.sealed && len(k.found) > 0 && file == "" {
		file = listFolder + "/" + k.stream + ".1"
	}
	if file != "" {
		s.notes(file, "which records there must be is not known in full")
	}
}

func (s *Store) notes(file, what string) {
	s.report(store.Damage{Stream: "store", File: file, Advice: what + ": a loss from before this start may not be noticed; check the disk"})
}

// judgeJournal says which acknowledged frames are not in the files.
func (o *opening) judgeJournal() {
	k := o.looks[journalStream]
	if o.later != nil {
		return // of what was not read the server's own notes are held against ours
	}
	lost := k.lostFrames(o.past.holds(o.cfg.Now()), o.acknowledged(), o.holes.known())
	if len(lost) == 0 {
		return
	}
	text := spansText(lost) + " of the journal"
	if where := o.where(k); where != "" {
		text += " (damaged: " + where + ")"
	}
	o.refuse = append(o.refuse, text)
}

func (o *opening) where(k *look) string {
	var text []string
	for _, b := range k.bad {
		text = append(text, b.describe(o.cfg.Dir))
	}
	if len(text) > 4 {
		text = append(text[:4], fmt.Sprintf("and %s more", count(len(text)-4, "file")))
	}
	return strings.Join(text, "; ")
}

// judgeControl says which control records are lost. One that is costs itself;
// where all are, there is nobody to serve.
func (o *opening) judgeControl() error {
	k, l := o.looks[controlStream], o.lists[controlStream]
	o.diff = k.compare(l, func(listed) bool { return false })
	slices.Sort(o.diff.lost)
	present := 0
	for _, r := range l.records {
		if !r.deleted {
			present++
		}
	}
	if mark := o.marks.get(markControl); (l.absent || l.damaged != "") && k.last < mark {
		o.refuse = append(o.refuse, fmt.Sprintf("control records (keys, monitors, rules, feeds, credits): they are found up to revision %d of %d, and which there were is not known", k.last, mark))
	}
	if n := len(o.diff.lost); n > 0 && n == present {
		o.refuse = append(o.refuse, fmt.Sprintf("all control records (%s: keys, monitors, rules, feeds, credits)", count(n, "record")))
	}
	return nil
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

// settle makes what was found the truth, and says of what is lost what it is.
func (o *opening) settle(ctx context.Context, sess *session) error {
	lost, err := o.admit(ctx, sess, o.accepted)
	if err != nil {
		return err
	}
	if err := o.settleControl(ctx, sess); err != nil {
		return fmt.Errorf("control records: %w", err)
	}
	for _, stream := range []string{itemsStream, snapshotStream} {
		if err := o.settleRecords(ctx, sess, stream, o.looks[stream], o.lists[stream]); err != nil {
			return fmt.Errorf("%s: %w", stream, err)
		}
	}
	if o.accepted {
		if lost || o.mended || slices.ContainsFunc(o.refuse, func(s string) bool { return strings.Contains(s, journalStream) }) {
			if err := sess.renewEpoch(ctx); err != nil {
				return err
			}
		}
		o.cfg.Logger.Warn("going on without what was lost, as was accepted", "lost", strings.Join(o.refuse, "; "), "epoch", sess.epoch)
	}
	info, err := sess.info(ctx, journalStream)
	if err != nil {
		return err
	}
	for _, h := range o.holes.known() {
		if h.Told {
			o.framesLost(h.From, h.To)
		}
	}
	o.vetting.begin(o.later, o.looks[journalStream], info.State.LastSeq)
	for _, stream := range allStreams {
		o.sealed[stream] = isSealed(streamDir(o.cfg.Dir, stream))
	}
	if err := o.keepDescriptions(); err != nil {
		return err
	}
	if o.accepted {
		return o.accept()
	}
	return nil
}

// settleControl holds the records that the server has against the list, and
// closes those that are lost to everybody.
func (o *opening) settleControl(ctx context.Context, sess *session) error {
	l, d := o.lists[controlStream], o.diff
	k := o.looks[controlStream]
	incomplete := l.absent && k.files > 0 || l.damaged != ""
	for _, n := range d.newer {
		l.records[n.name] = listed{n.sequence, k.found[n.name].second, n.deleted}
	}
	unsure := slices.DeleteFunc(d.unknown, func(name string) bool { return !incomplete && k.found[name].sequence <= l.floor })
	if len(unsure) > 0 {
		has, err := sess.names(ctx, controlStream, ">")
		if err != nil {
			return err
		}
		for _, name := range unsure {
			if has[controlSubject+name] {
				l.records[name] = listed{k.found[name].sequence, k.found[name].second, false}
			}
		}
	}
	if err := o.raised(ctx, sess, l, k); err != nil {
		return err
	}
	for _, name := range d.lost {
		if o.accepted {
			delete(l.records, name)
			continue
		}
		o.quarantine(name)
	}
	o.records.fill(l)
	if o.accepted {
		o.marks.reset(markControl, k.last)
	}
	if incomplete || o.accepted || o.controlList.grown() {
		return o.rewrite(ctx, sess, o.controlList, l)
	}
	o.controlList.note(o.cfg.Now().Unix(), d.newer...)
	return nil
}

// raised deletes again what was deleted and is there once more: the server
// forgets a deletion where the word of it was in a part that was cut out.
func (o *opening) raised(ctx context.Context, sess *session, l *listing, k *look) error {
	if len(k.bad) == 0 && len(o.diff.lost) == 0 {
		return nil
	}
	has, err := sess.names(ctx, controlStream, ">")
	if err != nil {
		return err
	}
	for name, r := range l.records {
		if !r.deleted || !has[controlSubject+name] {
			continue
		}
		m, err := sess.message(ctx, controlStream, lastOf(controlSubject+name))
		if err != nil || isDeleted(m.Header) || m.Sequence >= r.sequence {
			continue
		}
		if err := o.control.purge(ctx, sess, name, m.Sequence); err != nil {
			return err
		}
		o.report(store.Damage{Stream: "control", Advice: "record " + name + " was deleted, had come back with the damage, and was deleted again: nothing need be done"})
	}
	return nil
}

// settleRecords is for streams whose records can be had again: what is lost is
// said once, and forgotten.
func (o *opening) settleRecords(ctx context.Context, sess *session, stream string, k *look, l *listing) error {
	now := o.cfg.Now()
	d := k.compare(l, func(r listed) bool { return l.expired(r, now) })
	o.forgotten(stream, d.lost)
	list := o.listOf(stream)
	if len(d.lost) == 0 && len(d.unknown) == 0 && (!l.absent || k.files == 0) && l.damaged == "" && !list.grown() {
		list.note(now.Unix(), d.newer...)
		return nil
	}
	k.adopt(l, d)
	return o.rewrite(ctx, sess, list, l)
}

// adopt makes the list what the files say.
func (k *look) adopt(l *listing, d difference) {
	for _, name := range d.lost {
		delete(l.records, name)
	}
	for _, n := range d.newer {
		l.records[n.name] = listed{n.sequence, k.found[n.name].second, n.deleted}
	}
	for _, name := range d.unknown {
		l.records[name] = listed{k.found[name].sequence, k.found[name].second, false}
	}
}

func (o *opening) rewrite(ctx context.Context, sess *session, to *list, l *listing) error {
	through, err := to.rotate()
	if err != nil {
		return err
	}
	info, err := sess.info(ctx, to.stream)
	if err != nil {
		return err
	}
	return to.replace(through, l.records, info.State.LastSeq, l.age)
}

// start runs the server and makes missing streams, after it was asked for what
// it could not recover: a stream made over the files of a lost one would hide
// that. Where the loss is accepted, such files are put aside first.
func (s *Store) start(ctx context.Context, accepted bool) (*session, error) {
	sess, err := startSession(s.cfg, s.suspected, s.auditSoon)
	if err != nil {
		return nil, err
	}
	lost, err := s.unrecovered(ctx, sess)
	if err != nil {
		sess.stop()
		return nil, err
	}
	if len(lost) > 0 {
		sess.stop()
		if !accepted {
			return nil, s.refuse([]string{"the files of " + strings.Join(lost, ", ") + " cannot be read"})
		}
		if err := s.putAside(lost); err != nil {
			return nil, err
		}
		return s.start(ctx, accepted)
	}
	if err := sess.ensureStreams(ctx, s.cfg); err != nil {
		sess.stop()
		return nil, err
	}
	if sess.made.journal {
		s.marks.reset(markJournal, 0)
		s.holes.set(nil)
	}
	if sess.made.records {
		s.marks.reset(markControl, 0)
	}
	return sess, nil
}

// unrecovered are the streams that have files and do not run.
func (s *Store) unrecovered(ctx context.Context, sess *session) (names []string, err error) {
	entries, err := os.ReadDir(streamsDir(s.cfg.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a first start
	}
	if err != nil {
		return nil, err
	}
	l, err := sess.link(lookups)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(l.conn)
	if err != nil {
		return nil, err
	}
	running := map[string]bool{}
	list := js.StreamNames(ctx)
	for name := range list.Name() {
		running[name] = true
	}
	for _, e := range entries {
		// A name with a dot in front is one that the server is deleting.
		if e.IsDir() && !running[e.Name()] && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, list.Err()
}

// admit holds the server's view of the log against the notes: it is an error
// where something that was acknowledged is gone, unless that is accepted.
func (s *Store) admit(ctx context.Context, sess *session, accepted bool) (lost bool, err error) {
	found, holes, err := s.inspect(ctx, sess)
	if err != nil {
		return false, err
	}
	if len(found) > 0 && !accepted {
		return true, s.refuse(found)
	}
	if accepted {
		for i := range holes {
			holes[i].Told = false
		}
	}
	if err := s.keepHoles(holes); err != nil {
		return false, err
	}
	info, err := sess.info(ctx, journalStream)
	if err != nil {
		return false, err
	}
	if accepted {
		s.marks.reset(markJournal, info.State.LastSeq)
	}
	s.past.sawFirst(info.State.FirstSeq)
	s.past.begin(info.State.LastSeq, s.cfg.Now(), sess.made.journal)
	return len(found) > 0, nil
}

// acknowledged is the last frame of which our notes know.
func (s *Store) acknowledged() uint64 { return max(s.marks.get(markJournal), s.past.through()) }

// inspect says what was acknowledged and is gone from the log, and which holes
// it has.
//
// A hole above the mark is of a write that failed: its sequence is burnt, and
// its frame was asked for again and is elsewhere. A hole below it that was not
// known is a frame that was promised.
func (s *Store) inspect(ctx context.Context, sess *session) (found []string, holes []span, err error) {
	info, err := sess.info(ctx, journalStream, jetstream.WithDeletedDetails(true))
	if err != nil {
		return nil, nil, err
	}
	mark, state := s.acknowledged(), info.State
	if last := state.LastSeq; last < mark {
		found = append(found, fmt.Sprintf("frames %d to %d at the end of the journal", last+1, mark))
	}
	first := max(state.FirstSeq, 1) // the server names sequence 0 of a log that is still empty
	known := s.holes.known()
	if from := s.past.holds(s.cfg.Now()); from > 0 && from < first && from <= mark {
		for _, part := range split(span{From: from, To: min(first-1, mark)}, known, mark) {
			if part.Lost && !isLost(known, part) {
				found = append(found, spansText([]span{part})+" at the beginning of the journal")
			}
		}
	}
	gone := slices.DeleteFunc(state.Deleted, func(n uint64) bool { return n < first })
	for _, gap := range spans(gone) {
		for _, part := range split(gap, known, mark) {
			if part.Lost && !isLost(known, part) {
				found = append(found, spansText([]span{part})+" of the journal")
			}
			holes = append(holes, part)
		}
	}
	// What was found to be lost while the log was read stays so, also where the
	// server believes that it has it.
	for _, k := range known {
		if k.Lost && k.To >= first && !isLost(holes, k) {
			holes = append(holes, k)
		}
	}
	slices.SortFunc(holes, func(a, b span) int { return cmp.Compare(a.From, b.From) })
	return found, holes, nil
}

// names are the subjects of a stream under a filter.
func (s *session) names(ctx context.Context, stream, filter string) (map[string]bool, error) {
	info, err := s.info(ctx, stream, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool, len(info.State.Subjects))
	for name := range info.State.Subjects {
		names[name] = true
	}
	return names, nil
}
