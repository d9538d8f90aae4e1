package runtime

import "slices"

// Share says how a bounded number of places is shared between owners, such as
// keys: what one asks for never takes another's turn.
type Share struct {
	Places, PlacesEach   int // at once: in all, and for one owner
	Waiting, WaitingEach int // in line: in all, and for one owner; past it a newcomer is refused
}

// line decides whose turn it is: owners in a circle, the jobs of each in the
// order they came. It is a plain structure, for one caller at a time.
//
// Invariant: circle holds the owners that have a job waiting, each once.
type line[T any] struct {
	share   Share
	owners  map[string]*owner[T]
	circle  []*owner[T]
	running int
	waiting int
}

type owner[T any] struct {
	name    string
	running int
	jobs    []T
}

func newLine[T any](share Share) *line[T] {
	return &line[T]{share: share, owners: map[string]*owner[T]{}}
}

// add puts the job in line. False: the line, or the owner's part of it, is full.
func (l *line[T]) add(name string, job T) bool {
	o := l.owners[name]
	if l.waiting >= l.share.Waiting || o != nil && len(o.jobs) >= l.share.WaitingEach {
		return false
	}
	if o == nil {
		o = &owner[T]{name: name}
		l.owners[name] = o
	}
	if len(o.jobs) == 0 {
		l.circle = append(l.circle, o)
	}
	o.jobs = append(o.jobs, job)
	l.waiting++
	return true
}

// next takes the job whose turn it is and gives it a place; done gives that
// back. False: no place is free, or none for those who wait.
func (l *line[T]) next() (name string, job T, ok bool) {
	if l.running >= l.share.Places {
		return "", job, false
	}
	for i, o := range l.circle {
		if o.running >= l.share.PlacesEach {
			continue
		}
		job = o.jobs[0]
		clear(o.jobs[:1])
		o.jobs = o.jobs[1:]
		l.circle = slices.Delete(l.circle, i, i+1)
		if len(o.jobs) > 0 {
			l.circle = append(l.circle, o)
		}
		o.running++
		l.running++
		l.waiting--
		return o.name, job, true
	}
	return "", job, false
}

// done gives a place back.
func (l *line[T]) done(name string) {
	o := l.owners[name]
	o.running--
	l.running--
	l.forget(o)
}

// leave takes a waiting job out of the line. False: it has its place already.
func (l *line[T]) leave(name string, is func(T) bool) bool {
	o := l.owners[name]
	if o == nil {
		return false
	}
	i := slices.IndexFunc(o.jobs, is)
	if i < 0 {
		return false
	}
	o.jobs = slices.Delete(o.jobs, i, i+1)
	l.waiting--
	if len(o.jobs) == 0 {
		l.circle = slices.DeleteFunc(l.circle, func(c *owner[T]) bool { return c == o })
	}
	l.forget(o)
	return true
}

func (l *line[T]) forget(o *owner[T]) {
	if o.running == 0 && len(o.jobs) == 0 {
		delete(l.owners, o.name)
	}
}
