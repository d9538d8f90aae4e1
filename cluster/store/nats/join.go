package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// A member opens in these steps; each waits as long as it is let, since the
// others may be started in any order and at any time, and says what for:
//
//	the folder          refused where it is not this member's
//	the server          with its routes; none of its own streams is read first
//	the others          until a majority has chosen a leader for what the cluster knows
//	a restore           until one that has begun has ended
//	the streams         made by whoever is first, once there are three nodes; else
//	                    until each has a leader
//
// What a node that stands alone notes for itself, to notice damage, is not there:
// others write to the streams too, and the replicas are what damage is noticed
// by (`cluster audit`).

// joinLook is how often is looked whether the others are there.
const joinLook = 100 * time.Millisecond

func (s *Store) join(ctx context.Context, progress func(string)) (err error) {
	if s.cfg.Cluster != nil {
		if s.lock, err = lockDir(s.cfg.Dir); err != nil {
			return fmt.Errorf("open store: %w", err)
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, misplaced(err), closeFile(s.lock))
			}
		}()
		if err := s.disk.forStart(nil); err != nil {
			return fmt.Errorf("open store: %w", err)
		}
		if err := takeMembership(s.cfg.Dir, s.cfg.Cluster); err != nil {
			return fmt.Errorf("open store: %w", err)
		}
		_ = s.disk.room(large)
		progress("starting the embedded server")
	} else if s.cfg.Dir != "" {
		if err := refuseKept(s.cfg.Dir); err != nil {
			return fmt.Errorf("open store: %w", err)
		}
	}
	before := s.cfg.Cluster != nil && Joined(s.cfg.Dir)
	if s.cfg.Cluster != nil {
		s.copies.look(s.cfg.Dir)
	}
	sess, err := s.joinSession()
	if err == nil {
		err = s.together(ctx, sess, progress)
		if err == nil && before {
			err = sess.takenOut(ctx, s.cfg)
		}
		if err != nil {
			sess.stop()
		}
	}
	if err != nil {
		return fmt.Errorf("open store in %s: %w", s.place(), err)
	}
	s.sess, s.epoch = sess, sess.epoch
	for _, stream := range allStreams {
		s.sealed[stream] = true
	}
	s.health.all()
	go s.mend()
	for d := range duties {
		s.regularly(func() { s.probe(d) })
	}
	s.background.Go(s.changes.run)
	s.background.Go(s.serveMembers)
	s.regularly(s.watchQuorum)
	if s.cfg.Cluster != nil {
		s.regularly(s.watchCopies)
	}
	return nil
}

// place is where the store is, in words.
func (s *Store) place() string {
	if s.cfg.External != nil {
		return s.cfg.External.String()
	}
	return s.cfg.Dir
}

func (s *Store) joinSession() (*session, error) {
	if s.cfg.External != nil {
		return dialSession(s.cfg)
	}
	s.routesMu.Lock()
	more := slices.Clone(s.routes)
	s.routesMu.Unlock()
	return startSession(s.cfg, more, s.bridge())
}

// together waits until the session can be used.
func (s *Store) together(ctx context.Context, sess *session, progress func(string)) error {
	if s.cfg.Waits != nil {
		told := progress
		progress = func(what string) { told(what); s.cfg.Waits(what) }
	}
	r := restoreWait{store: s, sess: sess}
	defer r.end()
	for {
		waits, err := s.ready(ctx, sess, &r)
		if err != nil || waits == "" {
			return err
		}
		progress(waits)
		if !pause(ctx, joinLook, s.life.Done()) {
			if ctx.Err() != nil {
				return fmt.Errorf("%s: %w", waits, ctx.Err())
			}
			return errStopped
		}
	}
}

// ready says what is still waited for; "": nothing.
func (s *Store) ready(ctx context.Context, sess *session, r *restoreWait) (waits string, err error) {
	if sess.server != nil {
		if text := sess.fatal(); text != "" { // as where the routes' port is taken
			return "", errors.New(text)
		}
		if waits := sess.alone(s.cfg.Cluster); waits != "" {
			return waits, nil
		}
	}
	once, cancel := context.WithTimeout(ctx, 2*askAgain)
	defer cancel()
	waits, err = r.look(once)
	if waits != "" {
		return waits, nil
	}
	if err == nil {
		err = sess.ensureStreams(once, s.cfg)
	}
	if err == nil {
		_, _, err = sess.bounds(once)
	}
	if err == nil {
		err = s.changes.begin(once, sess)
	}
	switch {
	case err == nil:
		return "", nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	if waits := sess.unmade(s.cfg, err); waits != "" {
		return waits, nil
	}
	return "", err
}

// alone says which of the other members are waited for, before there is a leader
// of what the cluster knows.
func (s *session) alone(c *Cluster) string {
	js, err := s.server.Jsz(nil)
	if err == nil && js.Meta != nil && js.Meta.Leader != "" {
		return ""
	}
	here := s.connected()
	size := members
	if js != nil && js.Meta != nil {
		size = max(size, js.Meta.Size)
	}
	text := fmt.Sprintf("waiting for %d of %d nodes", max(size-len(here), 0), size)
	if len(here) >= size/2+1 {
		text = "waiting for a majority to choose a leader, which takes up to ten seconds"
	}
	text += ": here are " + strings.Join(here, ", ")
	if len(c.Seeds) > 0 {
		text += "; looked for at " + strings.Join(c.Seeds, ", ")
	}
	if len(here) == 1 {
		text += ". One node alone does not serve: it cannot tell whether the others go on without it"
	}
	return text
}

// connected are the names of the members that this one has routes to, itself
// first.
func (s *session) connected() []string {
	names := []string{s.server.Name()}
	routes, err := s.server.Routez(&server.RoutezOptions{})
	if err != nil {
		return names
	}
	for _, r := range routes.Routes {
		if r.RemoteName != "" && !slices.Contains(names, r.RemoteName) {
			names = append(names, r.RemoteName)
		}
	}
	slices.Sort(names[1:])
	return names
}

// codeNoSuitablePeers: fewer nodes are there than a stream has replicas.
const codeNoSuitablePeers jetstream.ErrorCode = 10005

// unmade says what is waited for while the streams are not there; "": the error
// does not pass.
func (s *session) unmade(cfg Config, err error) string {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == codeNoSuitablePeers {
		if s.server == nil {
			return fmt.Sprintf("waiting for the external NATS to have room for %d replicas of every stream: %s", cfg.replicas(), api.Description)
		}
		here := s.connected()
		return fmt.Sprintf("waiting for %d of %d nodes: here are %s; the first start of a cluster needs %d, later ones a majority",
			max(members-len(here), 1), members, strings.Join(here, ", "), members)
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return "waiting for the streams that another member is making"
	}
	if passing(err) {
		return "waiting until every stream has a leader: " + err.Error()
	}
	return ""
}

// joinAgain starts another session of a member that is open. It is used at once:
// whether the others are there its own questions find out.
func (s *Store) joinAgain() (*session, error) {
	sess, err := s.joinSession()
	if err != nil {
		return nil, err
	}
	sess.epoch = s.epoch // the streams are the cluster's, and it was not stopped with this server
	return sess, nil
}

// release gives the folder back.
func (s *Store) release() error {
	if s.lock == nil {
		return nil
	}
	return closeFile(s.lock)
}
