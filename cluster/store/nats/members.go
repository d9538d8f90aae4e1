package nats

import (
	"context"
	"encoding/json"
	"fmt"

	nc "github.com/nats-io/nats.go"
)

// What members ask each other, over the store's own routes: one subject a
// question, a node's name in it where it is one node's. They are no stream's
// subjects, so that nothing of it is kept.
const (
	copyQuestion   = "birdwire.copy."  // + the node's name as a token; copyRequest, copyReport
	freezeQuestion = "birdwire.freeze" // everybody answers with its name
)

// serveMembers answers the others, on a connection of its own for each session
// until the store closes.
func (s *Store) serveMembers() {
	for s.life.Err() == nil {
		sess, changed, _ := s.now()
		if sess == nil {
			select {
			case <-changed:
			case <-s.life.Done():
			}
			continue
		}
		gone := make(chan struct{})
		conn, err := s.answerOn(sess, gone)
		if err != nil {
			close(gone)
		}
		select {
		case <-gone:
		case <-sess.done:
		case <-s.life.Done():
		}
		if conn != nil {
			conn.Close()
		}
		pause(s.life, joinLook, nil)
	}
}

func (s *Store) answerOn(sess *session, gone chan struct{}) (*nc.Conn, error) {
	conn, err := sess.dial(nc.Name("members"), nc.NoReconnect(), nc.ClosedHandler(func(*nc.Conn) { close(gone) }))
	if err != nil {
		return nil, err
	}
	_, err = conn.Subscribe(freezeQuestion, func(m *nc.Msg) {
		s.replaced.Store(true)
		s.cfg.Logger.Warn("the store is about to be replaced by a restore: this node writes no more, and must be started again when it is over")
		_ = m.Respond([]byte(s.memberName())) // who asks counts the answers
	})
	if err == nil && s.cfg.Cluster != nil {
		_, err = conn.Subscribe(copyQuestion+token(s.cfg.Cluster.Node), func(m *nc.Msg) { s.answerCopy(m) })
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (s *Store) memberName() string {
	if s.cfg.Cluster != nil {
		return s.cfg.Cluster.Node
	}
	return "a node"
}

// freeze has every node that is there write no more, before the streams are
// replaced: a write that is conditional on a revision could meet the same one in
// what replaces them.
func (s *Store) freeze(ctx context.Context, sess *session) error {
	conn, err := sess.dial(nc.Name("freeze"), nc.NoReconnect())
	if err != nil {
		return err
	}
	defer conn.Close()
	inbox := conn.NewInbox()
	sub, err := conn.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	if err := conn.PublishRequest(freezeQuestion, inbox, nil); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*askAgain)
	defer cancel()
	answered := map[string]bool{}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			break // nobody else answers
		}
		answered[string(m.Data)] = true
	}
	if sess.server == nil {
		return nil // who else uses it is not known
	}
	for _, name := range sess.connected() {
		if !answered[name] {
			return fmt.Errorf("node %s did not answer that it writes no more", name)
		}
	}
	return nil
}

func (s *Store) answerCopy(m *nc.Msg) {
	var of copyRequest
	var report copyReport
	if err := json.Unmarshal(m.Data, &of); err != nil {
		report.Error = err.Error()
	} else {
		report = s.copyOf(s.life, of)
	}
	b, err := json.Marshal(report)
	if err == nil {
		err = m.Respond(b)
	}
	if err != nil && s.life.Err() == nil {
		s.cfg.Logger.Warn("an audit's question could not be answered", "error", err)
	}
}
