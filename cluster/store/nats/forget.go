package nats

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	nc "github.com/nats-io/nats.go"

	"github.com/birdwire/birdwire/messages"
)

// visitor is one of the two users that a member's server takes, on loopback: the
// store itself, and who changes the membership, which the server lets its system
// account alone do.
type visitor struct {
	token  string
	system bool
}

// visitors takes those and nobody else. It is asked rather than given the server as a
// list, because a list with accounts in it has every reload of the options, as for a
// route, begin all accounts again. They show a token, for the same reason: such a
// reload closes the connections of all whose name is on no list.
type visitors struct {
	all    []visitor
	server *server.Server // set before it is started
}

func (v *visitors) Check(client server.ClientAuthentication) bool {
	said := client.GetOpts()
	for _, known := range v.all {
		if subtle.ConstantTimeCompare([]byte(said.Token), []byte(known.token)) != 1 {
			continue
		}
		account := v.server.GlobalAccount()
		if known.system {
			account = v.server.SystemAccount()
		}
		client.RegisterUser(&server.User{Account: account})
		return true
	}
	return false
}

// Forget takes a member whose process has ended for good out of the store: it counts
// for no majority any more, and its copies are made on others where there are any
// that have none. before is called once it is certain that this may be done, and its
// error ends it. The error wraps messages.ErrNotFound where there is no such member,
// and messages.ErrConflict where it would be unsafe, or the member is there.
//
// Membership changes while copies are missing are what published fault tests lose
// data by, so that nothing is changed unless every stream that the member has a copy
// of is led, and most of its copies are there without it and have everything.
func (s *Store) Forget(ctx context.Context, node string, before func() error) error {
	sess, err := s.session(ctx)
	var peer string
	if err == nil {
		peer, err = sess.removable(ctx, node)
	}
	if err == nil {
		err = before()
	}
	if err == nil {
		err = sess.removePeer(ctx, peer)
	}
	if err != nil {
		return fmt.Errorf("take %s out of the store: %w", node, err)
	}
	s.cfg.Logger.Warn("a member was taken out of the store", "member", node)
	return nil
}

// Member says whether the store counts the node, which is another one, as one of its
// own. An external NATS is not made of the nodes.
func (s *Store) Member(node string) bool {
	sess, _, _ := s.now()
	if sess == nil || sess.server == nil || !sess.shared {
		return false
	}
	js, err := sess.server.Jsz(nil)
	return err == nil && js.Meta != nil && slices.ContainsFunc(js.Meta.Replicas, func(p *server.PeerInfo) bool { return p.Peer == peerOf(node) })
}

// removable is what the server calls the member, where it can be taken out.
func (s *session) removable(ctx context.Context, node string) (peer string, err error) {
	if node == s.server.Name() {
		return "", messages.Refuse(messages.ErrConflict, "it is this node")
	}
	js, err := s.server.Jsz(nil)
	if err != nil {
		return "", err
	}
	if js.Meta == nil || js.Meta.Leader == "" {
		return "", messages.Refuse(messages.ErrConflict, "no majority of the nodes is there")
	}
	// Names of those that were never there since this process began are not known to
	// it, what is made of their names is.
	peer = peerOf(node)
	others := slices.Clone(js.Meta.Replicas)
	at := slices.IndexFunc(others, func(p *server.PeerInfo) bool { return p.Peer == peer })
	if at < 0 {
		return "", fmt.Errorf("member %s: %w", node, messages.ErrNotFound)
	}
	here := s.connected()
	if slices.Contains(here, node) {
		return "", messages.Refuse(messages.ErrConflict, "its store is there")
	}
	if rest := js.Meta.Size - 1; len(here) < rest/2+1 {
		return "", messages.Refuse(messages.ErrConflict, "of the %d others %s are there, which is no majority", rest, strings.Join(here, ", "))
	}
	return peer, s.spared(ctx, node, peer)
}

// spared is nil where no stream would lose by it that the member's copies go.
func (s *session) spared(ctx context.Context, node, peer string) error {
	for _, stream := range allStreams {
		info, err := s.info(ctx, stream)
		if err != nil {
			return messages.Refuse(messages.ErrConflict, "%s has no leader that answers: wait until it has one (%v)", shown(stream), err)
		}
		if info.Cluster == nil {
			return messages.Refuse(messages.ErrConflict, "%s has no copies", shown(stream))
		}
		whole, has := 1, false // the leader has everything
		var behind []string
		for _, r := range info.Cluster.Replicas {
			switch {
			case r.Name == node || r.Name == peer || peerOf(r.Name) == peer:
				has = true
			case r.Offline || !r.Current:
				behind = append(behind, r.Name)
			default:
				whole++
			}
		}
		if copies := len(info.Cluster.Replicas) + 1; has && whole < copies/2+1 {
			return messages.Refuse(messages.ErrConflict, "without it %d of %d copies of %s have everything, and those of %s do not: wait until one has caught up, or start it again", whole, copies, shown(stream), strings.Join(behind, ", "))
		}
	}
	return nil
}

// peerOf is what the server makes of a member's name to tell it from others.
func peerOf(node string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256([]byte(node))
	id := make([]byte, 8)
	for i := range id {
		id[i] = digits[int(sum[i])%len(digits)]
	}
	return string(id)
}

// removePeer asks whoever leads what the cluster knows, and waits until it is done.
// Being asked for one that is out already it says that it is no member.
func (s *session) removePeer(ctx context.Context, peer string) error {
	conn, err := s.system(nc.Name("membership"), nc.NoReconnect())
	if err != nil {
		return err
	}
	defer conn.Close()
	question, err := json.Marshal(server.JSApiMetaServerRemoveRequest{Peer: peer})
	if err != nil {
		return err
	}
	for asked := false; ; asked = true {
		once, cancel := context.WithTimeout(ctx, 2*askAgain)
		m, err := conn.RequestWithContext(once, server.JSApiRemoveServer, question)
		cancel()
		var answer server.JSApiMetaServerRemoveResponse
		if err == nil {
			err = json.Unmarshal(m.Data, &answer)
		}
		switch {
		case err == nil && answer.Success, err == nil && asked && answer.Error != nil && server.IsNatsErr(answer.Error, server.JSClusterServerNotMemberErr):
			return nil
		case err == nil && answer.Error != nil && !server.IsNatsErr(answer.Error, server.JSClusterServerMemberChangeInflightErr):
			return errors.New(answer.Error.Description)
		}
		if !pause(ctx, askAgain, s.done) {
			return fmt.Errorf("the store's leader does not say that it is done: %w", errors.Join(ctx.Err(), err))
		}
	}
}

// takenOut refuses the folder of a member that others have taken out since it was
// used: its copies are of what the cluster was then, and the server may take part
// with them again before it clears them away.
func (s *session) takenOut(ctx context.Context, cfg Config) error {
	conn, err := s.system(nc.Name("membership"), nc.NoReconnect())
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*askAgain)
	defer cancel()
	var answer struct {
		Data server.JSInfo `json:"data"`
	}
	m, err := conn.RequestWithContext(ctx, leaderQuestion, []byte(`{"leader_only":true}`))
	if err == nil {
		err = json.Unmarshal(m.Data, &answer)
	}
	if err != nil || answer.Data.Meta == nil || answer.Data.Meta.Leader == cfg.Cluster.Node {
		return nil // nobody says so
	}
	own := peerOf(cfg.Cluster.Node)
	if slices.ContainsFunc(answer.Data.Meta.Replicas, func(p *server.PeerInfo) bool { return p.Peer == own }) {
		return nil
	}
	return messages.Refuse(messages.ErrConflict, "node %s was taken out of the cluster with `birdwire cluster forget`, and %s is what it had before: start it on an empty folder, and it has copies again within some minutes", cfg.Cluster.Node, cfg.Dir)
}

// leaderQuestion is answered by whoever leads what the cluster knows.
const leaderQuestion = "$SYS.REQ.SERVER.PING.JSZ"
