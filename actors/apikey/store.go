package apikey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey/change"
	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/messages"
)

// This file is what the key asks the store for, in Workers.

// errStale: another writer has written the record.
var errStale = errors.New("the record was written by another owner")

// errLease: this node may not write any more.
var errLease = errors.New("the node's lease is not live")

// storeRecords asks before each write whether the key is owned still. What decides is
// written last: where it is on its way when the key gets another owner, that one finds
// what was written before, which tells of it, and makes it impossible.
func (k *key) storeRecords(ctx actor.Context, e change.Store) {
	w := writer{k.cfg.Records, k.id, k.cfg.Lease, actors.ShardTerm(k.stream.Term())}
	k.work(ctx, k.cfg.StoreTimeout, func(work context.Context) any {
		stored := change.Stored{Token: e.Token}
		for i, one := range e.Writes {
			if stored.Revision, stored.Err = w.write(work, one); stored.Err == nil {
				continue
			}
			var replaced *replacedError
			if errors.As(stored.Err, &replaced) {
				stored.Nothing = true
				return &answered{k, stored, replaced.term}
			}
			last := i == len(e.Writes)-1
			stored.Nothing = !last || errors.Is(stored.Err, messages.ErrFull)
			stored.Replaced = last && errors.Is(stored.Err, errStale)
			break
		}
		return &answered{of: k, answer: stored}
	})
}

// writer writes records of one key for the owner of a term.
type writer struct {
	records actors.Records
	key     string
	lease   actors.Lease
	term    uint64 // of its shard
}

// replacedError: nothing was written, and nothing may be any more.
type replacedError struct {
	err  error
	term uint64 // another one, which the shard has; 0: that is not known
}

func (e *replacedError) Error() string { return e.err.Error() }
func (e *replacedError) Unwrap() error { return e.err }

// may is nil where the owner may write.
func (o writer) may(ctx context.Context) error {
	if !o.lease.Live() {
		return &replacedError{err: errLease}
	}
	if newer, err := owned(ctx, o.records, o.key, o.term); err != nil {
		return &replacedError{err, newer}
	}
	return nil
}

// owned finds out whether the shard's record still names the term that the key
// writes under, or a newer one: an owner that was replaced must not change what
// its successor has read.
func owned(ctx context.Context, records actors.Records, keyID string, term uint64) (newer uint64, err error) {
	name := actors.ShardRecord(actors.ShardOf(keyID))
	kept, err := records.Get(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("write records of a key: read %s: %w", name, err)
	}
	shard := &messages.Shard{}
	if err := proto.Unmarshal(kept.Data, shard); err != nil {
		return 0, fmt.Errorf("write records of a key: read %s: %w", name, err)
	}
	if shard.GetTerm() != term {
		return shard.GetTerm(), fmt.Errorf("write records of a key: %w: the shard's term is %d, ours was %d", errStale, shard.GetTerm(), term)
	}
	return 0, nil
}

// write asks three times: the same write either happens once, or meets its own
// earlier self. A disk that is full by then says nothing of the tries before.
func (o writer) write(ctx context.Context, w change.Write) (uint64, error) {
	records, name := o.records, recordName(o.key, w)
	if w.Kind == change.OfPast {
		return 0, o.replace(ctx, name, w.Data)
	}
	if err := o.may(ctx); err != nil {
		return 0, err
	}
	switch {
	case w.Damaged:
		return 0, erase(ctx, records, name)
	case w.Never:
		return 0, bar(ctx, records, name)
	}
	revision := w.Revision
	if revision == 0 && w.Data != nil && w.Kind != change.OfKey {
		placed, done, err := place(ctx, records, name, w.Data)
		if err != nil || done {
			return placed, err
		}
		if err := o.may(ctx); err != nil {
			return 0, err
		}
		revision = placed
	}
	err := messages.ErrAmbiguous
	for try := range 3 {
		var wrote uint64
		if w.Data == nil {
			err = records.Delete(ctx, name, revision)
		} else {
			wrote, err = records.CAS(ctx, name, w.Data, revision)
		}
		switch {
		case err == nil:
			return wrote, nil
		case errors.Is(err, messages.ErrFull) && try == 0:
			return 0, fmt.Errorf("write %s: %w", name, err)
		case errors.Is(err, messages.ErrFull):
			return 0, fmt.Errorf("write %s: %w: the disk is full, and it may have been written before", name, messages.ErrAmbiguous)
		case errors.Is(err, messages.ErrConflict), errors.Is(err, messages.ErrNotFound):
			if wrote, err = own(ctx, records, name, w.Data); err == nil || errors.Is(err, errStale) {
				return wrote, err
			}
		}
	}
	return 0, fmt.Errorf("write %s: %w: %w", name, messages.ErrAmbiguous, err)
}

// place makes the record of a monitor or rule with nothing in it, and returns its
// revision; done: what was to be written is there already. What there is not yet has no
// revision, and could be made after the next owner has seen to it that it is not: see
// bar.
func place(ctx context.Context, records actors.Records, name string, data []byte) (revision uint64, done bool, err error) {
	for try := range 3 {
		if revision, err = records.CAS(ctx, name, nil, 0); err == nil {
			return revision, false, nil
		}
		if errors.Is(err, messages.ErrFull) && try == 0 {
			return 0, false, fmt.Errorf("write %s: %w", name, err)
		}
		there, unread := records.Get(ctx, name)
		switch {
		case unread != nil:
		case len(there.Data) == 0:
			return there.Revision, false, nil
		case bytes.Equal(there.Data, data):
			return there.Revision, true, nil
		default:
			return 0, false, errStale
		}
	}
	return 0, false, fmt.Errorf("write %s: %w: %w", name, messages.ErrAmbiguous, err)
}

// replace writes or deletes a version that is past, whatever is there: it is written
// once, or again after a crash before what replaced it was. Whether the key is owned is
// asked after what is there was read, so that what the next owner has written since is
// not written over.
func (o writer) replace(ctx context.Context, name string, data []byte) error {
	err := messages.ErrAmbiguous
	for range 3 {
		var kept messages.KeptRecord
		kept, err = o.records.Get(ctx, name)
		absent := errors.Is(err, messages.ErrNotFound)
		if err != nil && !absent {
			continue
		}
		if absent && data == nil {
			return nil
		}
		if err := o.may(ctx); err != nil {
			return err
		}
		if data == nil {
			err = o.records.Delete(ctx, name, kept.Revision)
		} else {
			_, err = o.records.CAS(ctx, name, data, kept.Revision)
		}
		if err == nil {
			return nil
		}
		if errors.Is(err, messages.ErrFull) {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return fmt.Errorf("write %s: %w: %w", name, messages.ErrAmbiguous, err)
}

// erase deletes a record that cannot be read. The store deletes only what it can
// read, so it is written first, with nothing in it; what a crash in between leaves
// is no monitor and no rule, and is as lost as it was.
func erase(ctx context.Context, records actors.Records, name string) error {
	return emptied(ctx, records, name, "delete the damaged record", func() (uint64, error) {
		revision, err := records.Mend(ctx, name, nil)
		if !errors.Is(err, messages.ErrConflict) {
			return revision, err
		}
		kept, err := records.Get(ctx, name) // the store can read it, we cannot
		return kept.Revision, err
	})
}

// bar sees to it that no earlier try makes the record: the store makes none where one
// was made and deleted since, and whoever has made it with nothing in it finds it gone.
// What a crash in between leaves is empty, and is none: see define.
func bar(ctx context.Context, records actors.Records, name string) error {
	return emptied(ctx, records, name, "bar the record", func() (uint64, error) {
		revision, err := records.CAS(ctx, name, nil, 0)
		if !errors.Is(err, messages.ErrConflict) {
			return revision, err
		}
		there, err := records.Get(ctx, name)
		if errors.Is(err, messages.ErrDamaged) || err == nil && len(there.Data) > 0 {
			return 0, errStale
		}
		return there.Revision, err
	})
}

// emptied deletes the record that empty has written, with nothing in it, three times
// at most. It is done where the record is not there.
func emptied(ctx context.Context, records actors.Records, name, what string, empty func() (revision uint64, err error)) (err error) {
	for range 3 {
		var revision uint64
		if revision, err = empty(); err == nil {
			err = records.Delete(ctx, name, revision)
		}
		switch {
		case err == nil, errors.Is(err, messages.ErrNotFound):
			return nil
		case errors.Is(err, errStale):
			return err
		case errors.Is(err, messages.ErrFull):
			return fmt.Errorf("%s %s: %w", what, name, err)
		}
	}
	return fmt.Errorf("%s %s: %w: %w", what, name, messages.ErrAmbiguous, err)
}

// own finds out whether what is there is what was to be written.
func own(ctx context.Context, records actors.Records, name string, data []byte) (uint64, error) {
	there, err := records.Get(ctx, name)
	switch {
	case errors.Is(err, messages.ErrNotFound) && data == nil:
		return 0, nil
	case errors.Is(err, messages.ErrNotFound):
		return 0, errStale
	case err != nil:
		return 0, err
	case data != nil && bytes.Equal(there.Data, data):
		return there.Revision, nil
	}
	return 0, errStale
}

func recordName(keyID string, w change.Write) string {
	switch w.Kind {
	case change.OfMonitor:
		return actors.MonitorRecord(keyID, w.ID)
	case change.OfRule:
		return actors.RuleRecord(keyID, w.ID)
	case change.OfPast:
		return actors.PastRecord(keyID, w.Past.GetK(), w.Past.GetVersion())
	}
	return actors.KeyRecord(keyID)
}

// loaded is a worker's answer: all that the store has of the key.
type loaded struct {
	change.Loaded
	of      *key
	corrupt []string
	at      time.Time
	ledger  *messages.Ledger // of the month at that time
	begun   bool             // it has one
}

func (k *key) loadRecords(ctx actor.Context, l *loaded, by actors.Worker) {
	cfg, id := k.cfg, k.id
	l.at = cfg.Clock.Now()
	k.workBy(ctx, by, cfg.StoreTimeout, func(work context.Context) any {
		l.Err = l.read(work, cfg, id)
		return l
	})
}

func (l *loaded) read(ctx context.Context, cfg Config, id string) error {
	kept, err := cfg.Records.Get(ctx, actors.KeyRecord(id))
	if errors.Is(err, messages.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load key: %w", err)
	}
	record := &messages.Key{}
	if err := proto.Unmarshal(kept.Data, record); err != nil {
		return fmt.Errorf("load key: its record is corrupt: %w: %w", messages.ErrDamaged, err)
	}
	monitors, rules, past := actors.MonitorRecord(id, ""), actors.RuleRecord(id, ""), actors.PastRecords(id)
	records, err := cfg.Records.List(ctx, monitors, rules, past)
	if err != nil {
		return fmt.Errorf("load key: list its records: %w", err)
	}
	for _, r := range records {
		if r.Newer { // without it the key would deliver something else than it should
			return fmt.Errorf("load key: %w", r.Unread())
		}
		if name, ok := strings.CutPrefix(r.Key, monitors); ok {
			l.define(change.OfMonitor, name, r)
		} else if name, ok := strings.CutPrefix(r.Key, rules); ok {
			l.define(change.OfRule, name, r)
		} else {
			l.remember(r)
		}
	}
	if cfg.Log != nil {
		_, last, err := cfg.Log.Bounds(ctx) // after the records: what they name is in the log by then
		if err != nil {
			return fmt.Errorf("load key: the log's end: %w", err)
		}
		l.End = uint64(last)
	}
	if l.ledger, l.begun, err = usage(ctx, cfg, id, l.at); err != nil {
		return fmt.Errorf("load key: %w", err)
	}
	l.Key, l.Revision = record, kept.Revision
	return nil
}

// usage is the ledger of the month, with the grants that are open in the month
// before. Those are looked for on its first day and while it has no ledger yet: an
// instance that has seen the month turn has settled them before it reserved
// anything.
func usage(ctx context.Context, cfg Config, id string, now time.Time) (ledger *messages.Ledger, begun bool, err error) {
	ledger, err = cfg.Counters.Usage(ctx, id, month(now))
	if err != nil {
		return nil, false, fmt.Errorf("usage of %s: %w", month(now), err)
	}
	now = now.UTC()
	begun = ledger.GetCharged() > 0 || len(ledger.GetDone()) > 0
	if now.Day() > 1 && begun {
		return ledger, true, nil
	}
	last := month(now.AddDate(0, 0, -now.Day()))
	before, err := cfg.Counters.Usage(ctx, id, last)
	if err != nil {
		return nil, false, fmt.Errorf("usage of %s: %w", last, err)
	}
	ledger.Open = append(before.GetOpen(), ledger.GetOpen()...)
	return ledger, begun, nil
}

// define takes a monitor or rule; id is what its record is named by. An empty one is
// none, that was to be made or is to go.
func (l *loaded) define(kind change.Kind, id string, r messages.KeptRecord) {
	if len(r.Data) == 0 && !r.Damaged {
		l.Empty = append(l.Empty, change.Lost{Kind: kind, ID: id})
		return
	}
	d, err := definition.Unmarshal(kind == change.OfRule, r.Data)
	if r.Damaged || err != nil || d.ID() != id {
		l.corrupt = append(l.corrupt, r.Key)
		l.Lost = append(l.Lost, change.Lost{Kind: kind, ID: id})
		return
	}
	l.Stored = append(l.Stored, change.StoredDefinition{Definition: d, Revision: r.Revision})
}

// remember takes a version that was replaced.
func (l *loaded) remember(r messages.KeptRecord) {
	q := &messages.Query{}
	if r.Damaged || proto.Unmarshal(r.Data, q) != nil {
		l.corrupt = append(l.corrupt, r.Key)
		return
	}
	l.Past = append(l.Past, q)
}
