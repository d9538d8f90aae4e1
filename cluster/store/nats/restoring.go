package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/messages"
)

// A restore deletes the streams and makes them again, one after the other. Where it
// ends half way, as when its node is killed, a node that is started would make what
// is missing, and serve that beside what was there before. So there is a stream more
// from before the first is deleted until all is verified: every member knows of it,
// also one that was down meanwhile, and a node that is started while it is there waits,
// and says why. Its server is a member meanwhile, so that the restore can be made again.

const (
	restoringStream = "restoring"
	restoringKey    = "birdwire-restoring" // in its metadata: who restores since when
)

// restoring says who restores, or did not end it, since when; "": nobody.
func (s *session) restoring(ctx context.Context) (who string, err error) {
	l, err := s.link(lookups)
	if err != nil {
		return "", err
	}
	js, err := jetstream.New(l.conn)
	if err != nil {
		return "", err
	}
	var stream jetstream.Stream
	err = thrice(ctx, func(once context.Context) (err error) {
		stream, err = js.Stream(once, restoringStream)
		return err
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return "", nil
	}
	if err != nil {
		return "", wrap("look for a restore", err)
	}
	return stream.CachedInfo().Config.Metadata[restoringKey], nil
}

// knownWithin is how long the store's leader may take to know of a member that this
// one is connected to.
const knownWithin = 15 * time.Second

// beginRestore has every node that is started from now on wait.
func (s *Store) beginRestore(ctx context.Context, sess *session) error {
	js, done, err := sess.streams()
	if err != nil {
		return err
	}
	defer done()
	marker := jetstream.StreamConfig{
		Name: restoringStream, Subjects: []string{"birdwire." + restoringStream}, Storage: jetstream.FileStorage, Replicas: s.cfg.replicas(), MaxMsgs: 1,
		Metadata: map[string]string{restoringKey: fmt.Sprintf("by %s since %s", s.memberName(), s.cfg.Now().UTC().Format(time.RFC3339))},
	}
	known, cancel := context.WithTimeout(ctx, knownWithin)
	defer cancel()
	var api *jetstream.APIError
	for {
		err = thrice(ctx, func(once context.Context) error {
			_, err := js.CreateStream(once, marker)
			return err
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return nil // of one that did not end
		}
		if !errors.As(err, &api) || api.ErrorCode != codeNoSuitablePeers {
			break
		}
		if !pause(known, askFirst, sess.done) {
			return messages.Refuse(messages.ErrConflict, "the store's leader knows of fewer than %d members that can keep copies: wait until `birdwire cluster status` shows all of them. Nothing was changed", marker.Replicas)
		}
	}
	if err != nil && !errors.As(err, &api) {
		// Nobody said whether it was made. It is not taken away again: it may be that of
		// a restore before, which did not end, and what is kept is not whole.
		err = fmt.Errorf("%w; nothing else was changed, and a node that is started may wait until a restore is made: make it again", err)
	}
	return wrap("note that a restore begins", err)
}

// endRestore lets nodes start again.
func (s *session) endRestore(ctx context.Context) error {
	js, done, err := s.streams()
	if err != nil {
		return err
	}
	defer done()
	if err := thrice(ctx, func(once context.Context) error { return js.DeleteStream(once, restoringStream) }); !errors.Is(err, jetstream.ErrStreamNotFound) {
		return wrap("note that a restore has ended", err)
	}
	return nil
}

// streams changes which streams there are, on a connection of its own.
func (s *session) streams() (js jetstream.JetStream, done func(), err error) {
	conn, err := s.dial(nc.Name("restore"), nc.NoReconnect())
	if err != nil {
		return nil, nil, err
	}
	if js, err = jetstream.New(conn); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return js, conn.Close, nil
}

// restoreWait is a node that is started, while it waits for the end of a restore.
type restoreWait struct {
	store *Store
	sess  *session
	conn  *nc.Conn // on which it says that it writes nothing; nil: it does not say so
}

// look says what is waited for; "": nothing. While it waits it answers that it does
// not write, as a restore asks everybody. It goes on only where it found no restore
// after it had stopped saying so: one that begins later finds no answer, and is
// refused.
func (r *restoreWait) look(ctx context.Context) (waits string, err error) {
	who, err := r.sess.restoring(ctx)
	switch {
	case err != nil:
		return "", err
	case who == "" && r.conn == nil:
		return "", nil
	case who == "":
		r.end()
		return "looking whether the restore has ended", nil
	case r.conn == nil:
		if r.conn, err = r.sess.dial(nc.Name("members"), nc.NoReconnect()); err != nil {
			return "", err
		}
		if _, err = r.conn.Subscribe(freezeQuestion, func(m *nc.Msg) { _ = m.Respond([]byte(r.store.memberName())) }); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("waiting for the end of a restore (%s). Where that has failed what is kept is not whole, and this node does not serve it: run `birdwire cluster restore FILE` again on a node that ran before it; where none does, stop all nodes, move %s away on each, start them, and restore then",
		who, r.store.place()), nil
}

func (r *restoreWait) end() {
	if r.conn != nil {
		r.conn.Close()
		r.conn = nil
	}
}
