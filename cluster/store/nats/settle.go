package nats

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/cluster/store"
)

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
