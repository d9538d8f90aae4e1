package node

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway/admin"
	"github.com/birdwire/birdwire/messages"
)

// asked is what another node has answered to an operator's question.
type asked struct {
	node   string
	answer proto.Message
}

// askOthers asks the same of every other node that is up, all at once. Whoever does
// not answer in time is named in incomplete: the others' answers are worth something
// without. Of a node that is alone there are no others.
func (n *Node) askOthers(ctx context.Context, to func(node string) *actor.PID, command proto.Message) (answers []asked, incomplete []string) {
	others := n.actors.Others()
	answers = make([]asked, len(others))
	var wait sync.WaitGroup
	for i, name := range others {
		answers[i].node = name
		pid := to(name)
		if pid == nil {
			continue // down by now
		}
		wait.Go(func() { // ends with the answer, or its time
			m, err := ask(ctx, n.actors, pid, command, n.cfg.answerTime)
			if err != nil {
				n.log.Debug("a question got no answer", "command", command.ProtoReflect().Descriptor().Name(), "peer", name, "error", err)
				return
			}
			answers[i].answer = m
		})
	}
	wait.Wait()
	for _, a := range answers {
		if a.answer == nil {
			incomplete = append(incomplete, fmt.Sprintf("node %s did not answer: what it has is left out", a.node))
		}
	}
	return slices.DeleteFunc(answers, func(a asked) bool { return a.answer == nil }), incomplete
}

// listedMost is how many connections of each node are listed, the oldest: about a
// megabyte for another node to send.
const listedMost = 10_000

// connections are the sockets of the cluster.
type connections struct{ n *Node }

var _ admin.Connections = connections{}

func (c connections) ListConnections(ctx context.Context, keyID string, api messages.Api) (list []admin.Connection, incomplete []string, err error) {
	command := &messages.ListConnections{KeyId: keyID, Api: api, Most: listedMost}
	answers, incomplete := c.n.askOthers(ctx, c.n.actors.Operated, command)
	answers = append(answers, asked{c.n.cfg.Name, c.n.listConnections(command)})
	for _, a := range answers {
		listed, ok := a.answer.(*messages.ConnectionsListed)
		if !ok {
			incomplete = append(incomplete, fmt.Sprintf("node %s does not know the question: what it has is left out", a.node))
			continue
		}
		if more := listed.GetMore(); more > 0 {
			incomplete = append(incomplete, fmt.Sprintf("node %s has %d connections more: ask for those of one key or API", a.node, more))
		}
		for _, o := range listed.GetConnections() {
			list = append(list, admin.Connection{
				ID: o.GetId(), KeyID: o.GetKeyId(), API: o.GetApi(), Node: a.node, Address: o.GetAddress(),
				OpenedMs: o.GetOpenedMs(), QueuedBytes: o.GetQueuedBytes(), Delivered: o.GetDelivered(), Position: o.GetPosition(),
			})
		}
	}
	slices.SortStableFunc(list, func(a, b admin.Connection) int { return cmp.Compare(a.OpenedMs, b.OpenedMs) })
	return list, incomplete, nil
}

// listConnections is those of this node.
func (n *Node) listConnections(m *messages.ListConnections) *messages.ConnectionsListed {
	listed := &messages.ConnectionsListed{}
	for _, o := range slices.Backward(n.doors.List()) { // the oldest first
		switch {
		case m.GetKeyId() != "" && o.KeyID != m.GetKeyId(), m.GetApi() != messages.Api_API_UNSPECIFIED && o.API != m.GetApi():
		case uint32(len(listed.Connections)) == m.GetMost():
			listed.More++
		default:
			listed.Connections = append(listed.Connections, &messages.OpenConnection{
				Id: o.ID, KeyId: o.KeyID, Api: o.API, Address: o.Address.String(),
				OpenedMs: o.Opened.UnixMilli(), QueuedBytes: int64(o.Queued), Delivered: o.Delivered, Position: uint64(o.Position),
			})
		}
	}
	return listed
}

func (c connections) CloseConnection(ctx context.Context, id string) error {
	if c.n.actors.EndConnection(id) {
		return nil
	}
	answers, incomplete := c.n.askOthers(ctx, c.n.actors.Operated, &messages.CloseConnection{Id: id})
	for _, a := range answers {
		if m, ok := a.answer.(*messages.ConnectionClosed); ok && m.GetFound() {
			return nil
		}
	}
	if len(incomplete) > 0 {
		return fmt.Errorf("connection %s is on no node that answers: %s", id, strings.Join(incomplete, "; "))
	}
	return fmt.Errorf("connection %s: %w", id, messages.ErrNotFound)
}

// sources are those of the cluster: a feed is on one node, push on each.
type sources struct{ n *Node }

var _ admin.Sources = sources{}

// pushKind is what each node has one of.
const pushKind = "push"

// ListSources is every source, by id.
func (s sources) ListSources(ctx context.Context) (list []admin.Source, incomplete []string, err error) {
	own, err := askUpstreams[*messages.SourcesListed](ctx, s.n, &messages.ListSources{})
	if err != nil {
		return nil, nil, err
	}
	answers, incomplete := s.n.askOthers(ctx, s.n.actors.UpstreamsOf, &messages.ListSources{})
	seen := map[string]bool{} // by id, of which there is one in the cluster: every node answers with its owner's word
	for _, a := range append([]asked{{s.n.cfg.Name, own}}, answers...) {
		listed, ok := a.answer.(*messages.SourcesListed)
		if !ok {
			incomplete = append(incomplete, fmt.Sprintf("node %s could not say: what it has is left out", a.node))
			continue
		}
		for _, m := range listed.GetSources() {
			node := a.node
			if m.GetKind() != pushKind {
				if seen[m.GetId()] {
					continue
				}
				seen[m.GetId()], node = true, s.n.actors.SourceNode(m.GetId())
			}
			list = append(list, admin.Source{Node: node, SourceDescribed: m})
		}
	}
	slices.SortFunc(list, func(a, b admin.Source) int {
		return cmp.Or(strings.Compare(a.GetId(), b.GetId()), strings.Compare(a.Node, b.Node))
	})
	return list, incomplete, nil
}
