package nats

import (
	"fmt"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/cluster/store"
)

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
func (o *opening) judgeControl() {
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
}
