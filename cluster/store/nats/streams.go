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
	snapshotStream = "snapshots"
	probeStream    = "probe"
	probeSubject   = "probe"

	epochKey = "birdwire-epoch" // in the journal's metadata
	// formatKey in a stream's metadata says that its records are sealed and
	// that there is a list of them.
	formatKey = "birdwire-format"
	format    = "2"
)

// allStreams are those that must survive.
var allStreams = []string{controlStream, journalStream, itemsStream, snapshotStream}

// shown is what an operator calls a stream.
func shown(stream string) string {
	if stream == controlStream {
		return "control"
	}
	return stream
}

// ensureStreams makes what is missing, all at once: each is a few synced
// files, and a first start is to be quick.
func (s *session) ensureStreams(ctx context.Context, cfg Config) error {
	l, err := s.link(lookups)
	if err != nil {
		return err
	}
	js, err := jetstream.New(l.conn)
	if err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		journal, made, err := ensureStream(ctx, js, journalConfig(cfg))
		if err == nil {
			s.made.journal, s.epoch = made, journal.CachedInfo().Config.Metadata[epochKey]
		}
		return err
	})
	g.Go(func() (err error) {
		_, s.made.items, err = ensureStream(ctx, js, itemsConfig(cfg))
		return err
	})
	g.Go(func() error {
		_, err := js.KeyValue(ctx, controlBucket)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			s.made.records = true
			_, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
				Bucket: controlBucket, History: 1, Storage: jetstream.FileStorage, Replicas: cfg.replicas(),
				LimitMarkerTTL: time.Second, // lets the word of a deletion have an end
				Metadata:       map[string]string{formatKey: format},
			})
			if errors.Is(err, jetstream.ErrBucketExists) {
				s.made.records, err = false, nil // another member was first
			}
		}
		return wrap("control records", err)
	})
	g.Go(func() error {
		_, _, err := ensureStream(ctx, js, snapshotsConfig(cfg))
		return err
	})
	return g.Wait()
}

func journalConfig(cfg Config) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        journalStream,
		Subjects:    []string{journalSubject + "*"},
		Storage:     jetstream.FileStorage,
		Replicas:    cfg.replicas(),
		Discard:     jetstream.DiscardOld,
		MaxAge:      cfg.RetentionAge,
		MaxBytes:    max(cfg.RetentionBytes, -1),
		Duplicates:  cfg.DuplicateWindow,
		AllowDirect: true,
		DenyDelete:  true, // a frame goes with its whole past or not at all
		Metadata:    map[string]string{epochKey: newEpoch(), formatKey: format},
	}
}

func itemsConfig(cfg Config) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:               itemsStream,
		Subjects:           []string{itemsSubject + "*"},
		Storage:            jetstream.FileStorage,
		Replicas:           cfg.replicas(),
		Discard:            jetstream.DiscardOld,
		MaxMsgsPerSubject:  1,
		MaxAge:             cfg.ItemsAge,
		MaxBytes:           -1,
		AllowDirect:        true,
		AllowAtomicPublish: true, // one sync for many articles
		Metadata:           map[string]string{formatKey: format},
	}
}

func snapshotsConfig(cfg Config) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        snapshotStream,
		Subjects:    []string{snapshotStream + ".>"},
		Storage:     jetstream.FileStorage,
		Replicas:    cfg.replicas(),
		MaxBytes:    -1,
		AllowDirect: true,
		Metadata:    map[string]string{formatKey: format},
	}
}

// probeConfig is of the stream that the health check writes to.
func probeConfig(cfg Config) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:     probeStream,
		Subjects: []string{probeSubject},
		Storage:  jetstream.FileStorage,
		Replicas: cfg.replicas(),
		MaxMsgs:  1,
		MaxBytes: -1,
	}
}

// replicas is how many copies there are of everything.
func (c Config) replicas() int {
	switch {
	case c.Cluster != nil:
		return replicasMost
	case c.External != nil:
		return c.External.replicas()
	}
	return 1
}

// ensureProbe makes the stream that the health check writes to, once a session.
func (s *session) ensureProbe(ctx context.Context, l *link, cfg Config) error {
	if s.probed.Load() {
		return nil
	}
	js, err := jetstream.New(l.conn)
	if err == nil {
		_, _, err = ensureStream(ctx, js, probeConfig(cfg))
	}
	s.probed.Store(err == nil)
	return err
}

// ensureStream returns the stream as configured, and whether it was made now.
// What an operator may change between two starts is brought up to date; the
// rest of a stream's configuration is as old as the stream.
func ensureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) (_ jetstream.Stream, created bool, err error) {
	stream, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = js.CreateStream(ctx, want)
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return stream, true, wrap(want.Name, err)
		}
		stream, err = js.Stream(ctx, want.Name) // another member was first, with an epoch of its own
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
	l, err := s.link(lookups)
	if err != nil {
		return err
	}
	js, err := jetstream.New(l.conn)
	if err != nil {
		return err
	}
	journal, err := js.Stream(ctx, journalStream)
	if err != nil {
		return wrap(journalStream, err)
	}
	cfg := journal.CachedInfo().Config
	cfg.Metadata = maps.Clone(cfg.Metadata)
	cfg.Metadata[epochKey] = newEpoch()
	if _, err = js.UpdateStream(ctx, cfg); err != nil {
		return wrap(journalStream, err)
	}
	s.epoch = cfg.Metadata[epochKey]
	return nil
}

// newEpoch is 12 of 32 letters and digits: 60 bits.
func newEpoch() string { return rand.Text()[:12] }

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
