package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/messages"
)

const stepDownQuestion = "$JS.API.STREAM.LEADER.STEPDOWN." // + the stream; only its leader answers

// StepDown has the leader of a stream (journal, control, items, snapshots) give that
// up: to the node that is named, or, where to is "", to any whose copy has everything.
// It returns once there is another leader, and who that is. The error wraps
// messages.ErrNotFound where there is no such stream, and messages.ErrConflict where
// nobody else can lead it now; nothing was changed then.
func (s *Store) StepDown(ctx context.Context, stream, to string) (leader string, err error) {
	at := slices.IndexFunc(allStreams, func(name string) bool { return shown(name) == stream })
	if at < 0 {
		return "", fmt.Errorf("step down the leader of %.64q: %w", stream, messages.ErrNotFound)
	}
	sess, err := s.session(ctx)
	if err == nil {
		leader, err = sess.stepDown(ctx, allStreams[at], to)
	}
	if err != nil {
		return "", fmt.Errorf("step down the leader of %s: %w", stream, err)
	}
	s.cfg.Logger.Info("a stream's leader was stepped down", "stream", stream, "leader", leader)
	return leader, nil
}

// followWithin is how long nobody may be able to lead the stream once its leader was
// asked: another that is chosen knows of no copy at first that it has everything.
const followWithin = 5 * time.Second

// stepDown asks again where the leader that it asked is chosen again, or another than
// was named is, as long as somebody can lead: a node that ends meanwhile never does, and
// each question costs the stream its leader for a while.
func (s *session) stepDown(ctx context.Context, stream, to string) (string, error) {
	was, trouble := "", errLeaderless
	var asked, alone time.Time // alone: since when nobody can lead it
	for wait := askFirst; ; wait = longer(wait) {
		now, err := s.leadership(ctx, stream, wait)
		if err == nil && (now.Leader == to || to == "" && was != "" && now.Leader != was) {
			return now.Leader, nil
		}
		if err == nil {
			switch why := follows(now, to); {
			case why == nil:
				alone = time.Time{}
				if time.Since(asked) > askAgain { // before that it may not have happened yet
					asked, trouble = time.Now(), fmt.Errorf("%s leads it still", now.Leader)
					err = s.askStepDown(ctx, stream, to)
				}
			case asked.IsZero() || !alone.IsZero() && time.Since(alone) > followWithin:
				return "", why
			case alone.IsZero():
				alone, trouble = time.Now(), why
			}
			if was == "" {
				was = now.Leader
			}
		}
		if err != nil && !passing(err) && !errors.Is(err, errLeaderless) {
			return "", err
		}
		if !pause(ctx, askAgain/10, s.done) {
			return "", errors.Join(trouble, ctx.Err())
		}
	}
}

// leadership is who leads the stream and who else has a copy, by the leader's word.
func (s *session) leadership(ctx context.Context, stream string, wait time.Duration) (*jetstream.ClusterInfo, error) {
	once, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	info, err := s.infoOnce(once, stream)
	switch {
	case err != nil:
		return nil, err
	case info.Cluster == nil || len(info.Cluster.Replicas) == 0:
		return nil, messages.Refuse(messages.ErrConflict, "there is one copy of it, so that nobody else can lead it")
	case info.Cluster.Leader == "":
		return nil, errLeaderless
	}
	return info.Cluster, nil
}

// follows is nil where the node can lead the stream, or where any can and none is
// named.
func follows(now *jetstream.ClusterInfo, to string) error {
	var behind error
	for _, r := range now.Replicas {
		switch whole := !r.Offline && r.Current; {
		case whole && (to == "" || r.Name == to):
			return nil
		case !whole && r.Name == to:
			return messages.Refuse(messages.ErrConflict, "the copy of %s is not there, or has not everything: wait until it has caught up", to)
		case !whole:
			behind = messages.Refuse(messages.ErrConflict, "no other copy is there and has everything: wait until one has caught up")
		}
	}
	if to != "" {
		return messages.Refuse(messages.ErrConflict, "node %.64q has no copy of it", to)
	}
	return behind
}

func (s *session) askStepDown(ctx context.Context, stream, to string) error {
	l, err := s.link(lookups)
	if err != nil {
		return err
	}
	var how []byte
	if to != "" {
		if how, err = json.Marshal(server.JSApiLeaderStepdownRequest{Placement: &server.Placement{Preferred: to}}); err != nil {
			return err
		}
	}
	once, cancel := context.WithTimeout(ctx, askAgain)
	defer cancel()
	m, err := l.conn.RequestWithContext(once, stepDownQuestion+stream, how)
	if err != nil {
		return err
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return fmt.Errorf("unreadable answer of a stream's leader: %w", err)
	}
	if answer.Error != nil {
		return answer.Error
	}
	return nil
}
