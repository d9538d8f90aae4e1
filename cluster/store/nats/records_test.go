package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/storetest"
	"github.com/birdwire/birdwire/messages"
)

// A record that goes away while the store runs is told from one that never was.
func TestARecordThatVanishes(t *testing.T) {
	s := open(t, Config{})
	ctx := context.Background()
	for _, key := range []string{"p.a", "p.b"} {
		if _, err := s.Control().CAS(ctx, key, []byte(key), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := handle(t, s, controlStream).Purge(ctx, jetstream.WithPurgeSubject(controlSubject+"p.b")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Control().Get(ctx, "p.b"); !errors.Is(err, messages.ErrDamaged) {
			t.Fatalf("get: %v, want that it is damaged", err)
		}
	}
	if _, err := s.Control().Get(ctx, "p.c"); !errors.Is(err, messages.ErrNotFound) {
		t.Fatalf("one that never was: %v", err)
	}
	if d := fmt.Sprint(s.Damage()); !strings.Contains(d, "record p.b") || strings.Contains(d, "p.a") {
		t.Errorf("damage %s", d)
	}
	// The server is all right: no write of anybody's waits for it to start again.
	if _, err := s.Control().CAS(ctx, "p.c", nil, 0); err != nil || s.sick(s.sess) != nil {
		t.Errorf("write another: %v", err)
	}
}

// A record whose bytes are not what was written is closed, whoever meets it.
func TestARecordThatWasWrittenOver(t *testing.T) {
	s := open(t, Config{})
	ctx := context.Background()
	for _, key := range []string{"p.a", "p.b", "p.c"} {
		if _, err := s.Control().CAS(ctx, key, []byte(key), 0); err != nil {
			t.Fatal(err)
		}
	}
	m := nc.NewMsg(controlSubject + "p.b")
	m.Data = store.Seal("p.a", []byte("p.a")) // another's, and whole
	if _, err := s.publish(ctx, m, small); err != nil {
		t.Fatal(err)
	}
	values, err := s.Control().List(ctx, "p.")
	if err != nil || len(values) != 3 || !values[1].Damaged || values[0].Damaged || values[2].Damaged {
		t.Fatalf("list: %+v, %v; want the middle one damaged", values, err)
	}
	if _, err := s.Control().Get(ctx, "p.b"); !errors.Is(err, messages.ErrDamaged) {
		t.Fatalf("get: %v", err)
	}
}

// Where the server says less than there is, a list is completed record by record.
func TestAListThatStalls(t *testing.T) {
	s := open(t, Config{})
	s.control.stalled = -1 // it comes no further at once
	ctx := context.Background()
	for i := range 30 {
		if _, err := s.Control().CAS(ctx, fmt.Sprintf("p.%d", i), []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		if values, err := s.Control().List(ctx, "p."); err != nil || len(values) != 30 {
			t.Fatalf("%d of 30, %v", len(values), err)
		}
	}
}

// An article whose state is damaged is as if it had never been seen, and can be
// written again; the others are not touched.
func TestAnArticleThatIsDamaged(t *testing.T) {
	s := open(t, Config{})
	ctx := context.Background()
	var all []*messages.Item
	for i := range 5 {
		all = append(all, &messages.Item{Identity: fmt.Sprint(i), Revision: 7})
	}
	if each, err := s.Items().CAS(ctx, all, make([]uint64, 5)); errors.Join(append(each, err)...) != nil {
		t.Fatal(each, err)
	}
	m := nc.NewMsg(itemSubject("2"))
	m.Data = []byte("not what was written")
	if _, err := s.publish(ctx, m, large); err != nil {
		t.Fatal(err)
	}
	states, err := s.Items().Get(ctx, []string{"0", "1", "2", "3", "4"})
	if err != nil {
		t.Fatal(err)
	}
	for i, state := range states {
		if (state.Item == nil) != (i == 2) || i == 2 && state.Revision != 0 {
			t.Errorf("article %d: %+v", i, state)
		}
	}
	if d := fmt.Sprint(s.Damage()); !strings.Contains(d, "1 record of the table of articles") {
		t.Errorf("damage %s", d)
	}
	if each, err := s.Items().CAS(ctx, all[2:3], []uint64{0}); errors.Join(append(each, err)...) != nil {
		t.Errorf("write it again: %v, %v", each, err)
	}
	closeStore(t, s)
	s = open(t, Config{Dir: s.cfg.Dir})
	for _, d := range s.Damage() {
		if d.Lost != "" {
			t.Errorf("damage %v at the next start, want nothing lost", d)
		}
	}
}

// A conflict says where the subject's last message is: an append needs it where
// that message can no longer be read.
func TestAConflictSaysWhere(t *testing.T) {
	s := open(t, Config{})
	ctx := context.Background()
	for i := range uint64(3) {
		appendTo(t, s, i+1)
	}
	m := nc.NewMsg(journalSubject + "a")
	m.Data = []byte("x")
	expect(m, 1)
	_, err := s.publish(ctx, m, large)
	var conflict *conflictError
	if !errors.Is(err, messages.ErrConflict) || !errors.As(err, &conflict) || conflict.last != 3 {
		t.Fatalf("publish: %v; want a conflict that says 3", err)
	}
	// As where frame 3 cannot be read: nothing is known of the node's tail.
	s.journal.turn <- struct{}{}
	s.journal.remember("a", tail{})
	<-s.journal.turn
	if sequence, err := s.Journal().Append(ctx, storetest.Frame("a", 1, 4, 1)); err != nil || sequence != 4 {
		t.Fatalf("append: %d, %v; want 4", sequence, err)
	}
}

// A write whose answer was lost is in the list in the end, and so is a deletion.
func TestWritesWithoutAnAnswerAreNoted(t *testing.T) {
	s := open(t, Config{})
	ctx := context.Background()
	// Behind the store, as if the answers had been lost.
	for _, key := range []string{"k.kept", "k.gone"} {
		m := nc.NewMsg(controlSubject + key)
		m.Data = store.Seal(key, []byte("x"))
		if _, err := s.publish(ctx, m, small); err != nil {
			t.Fatal(err)
		}
		s.uncertain(key, messages.ErrAmbiguous)
	}
	s.resolve()
	v, err := s.Control().Get(ctx, "k.gone")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.publish(ctx, s.control.deletion("k.gone", v.Revision), small); err != nil {
		t.Fatal(err)
	}
	s.uncertain("k.gone", messages.ErrAmbiguous)
	s.resolve()
	if s.records.must("k.gone") || !s.records.must("k.kept") || len(s.unsure) > 0 {
		t.Errorf("gone: %v, kept: %v, unsure: %v", s.records.must("k.gone"), s.records.must("k.kept"), s.unsure)
	}
	l, err := s.controlList.read(1 << 30)
	if err != nil || l.records["k.kept"].deleted || !l.records["k.gone"].deleted || len(l.records) != 2 {
		t.Errorf("list: %v, %v", l.records, err)
	}
}
