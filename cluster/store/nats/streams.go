package nats

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

const (
	journalStream  = "journal"
	journalSubject = "journal." // + the node
	itemsStream    = "items"
	itemsSubject   = "items." // + the article
	controlBucket  = "control"
	controlStream  = "KV_control"
	controlSubject = "$KV.control." // + the key

	epochKey = "birdwire-epoch" // in the journal's metadata
)

// ensureStreams makes what is missing, all at once: each is a few synced
// files, and a first start is to be quick.
func (s *session) ensureStreams(ctx context.Context, cfg Config) error {
	reads, err := jetstream.New(s.reads)
	if err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		s.journal, s.made.journal, err = ensureStream(ctx, reads, journalConfig(cfg))
		return err
	})
	g.Go(func() (err error) {
		s.items, _, err = ensureStream(ctx, reads, itemsConfig(cfg))
		return err
	})
	g.Go(func() (err error) {
		s.control, err = reads.KeyValue(ctx, controlBucket)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			s.made.records = true
			s.control, err = reads.CreateKeyValue(ctx, jetstream.KeyValueConfig{
				Bucket: controlBucket, History: 1, Storage: jetstream.FileStorage,
				LimitMarkerTTL: time.Second, // lets the word of a deletion have an end
			})
		}
		if err == nil {
			s.records, err = reads.Stream(ctx, controlStream)
		}
		return wrap("control records", err)
	})
	g.Go(func() (err error) {
		s.snapshots, _, err = ensureStream(ctx, reads, snapshotsConfig)
		return err
	})
	return g.Wait()
}

func journalConfig(cfg Config) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        journalStream,
		Subjects:    []string{journalSubject + "*"},
		Storage:     jetstream.FileStorage,
		Discard:     jetstream.DiscardOld,
		MaxAge:      cfg.RetentionAge,
		MaxBytes:    max(cfg.RetentionBytes, -1),
		Duplicates:  cfg.DuplicateWindow,
		AllowDirect: true,
		DenyDelete:  true, // a frame goes with its whole past or not at all
		Metadata:    map[string]string{epochKey: newEpoch()},
	}
}

func itemsConfig(cfg Config) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:               itemsStream,
		Subjects:           []string{itemsSubject + "*"},
		Storage:            jetstream.FileStorage,
		Discard:            jetstream.DiscardOld,
		MaxMsgsPerSubject:  1,
		MaxAge:             cfg.ItemsAge,
		MaxBytes:           -1,
		AllowDirect:        true,
		AllowAtomicPublish: true, // one sync for many articles
	}
}

var snapshotsConfig = jetstream.StreamConfig{
	Name:        snapshotStream,
	Subjects:    []string{snapshotStream + ".>"},
	Storage:     jetstream.FileStorage,
	MaxBytes:    -1,
	AllowDirect: true,
}

// ensureStream returns the stream as configured, and whether it was made now.
// What an operator may change between two starts is brought up to date; the
// rest of a stream's configuration is as old as the stream.
func ensureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) (_ jetstream.Stream, created bool, err error) {
	stream, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = js.CreateStream(ctx, want)
		return stream, true, wrap(want.Name, err)
	}
	if err != nil {
		return nil, false, wrap(want.Name, err)
	}
	have := stream.CachedInfo().Config
	if have.MaxAge == want.MaxAge && have.MaxBytes == want.MaxBytes && (want.Duplicates == 0 || have.Duplicates == want.Duplicates) {
		return stream, false, nil
	}
	have.MaxAge, have.MaxBytes = want.MaxAge, want.MaxBytes
	if want.Duplicates != 0 {
		have.Duplicates = want.Duplicates
	} else if have.MaxAge > 0 {
		have.Duplicates = min(have.Duplicates, have.MaxAge)
	}
	stream, err = js.UpdateStream(ctx, have)
	return stream, false, wrap(want.Name, err)
}

// renewEpoch gives the journal another epoch: cursors of the old one end.
func (s *session) renewEpoch(ctx context.Context) error {
	js, err := jetstream.New(s.reads)
	if err != nil {
		return err
	}
	cfg := s.journal.CachedInfo().Config
	cfg.Metadata = maps.Clone(cfg.Metadata)
	cfg.Metadata[epochKey] = newEpoch()
	s.journal, err = js.UpdateStream(ctx, cfg)
	return wrap(journalStream, err)
}

func (s *session) epoch() string { return s.journal.CachedInfo().Config.Metadata[epochKey] }

// newEpoch is 12 of 32 letters and digits: 60 bits.
func newEpoch() string { return rand.Text()[:12] }

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
