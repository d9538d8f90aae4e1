package sim

import (
	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/cluster/assembly"
)

// waiting is how much may wait inside the actors of a simulated node: so little that
// what happens past it happens.
var waiting = assembly.Waiting{Offered: 8, Frames: 4, Held: 6}

// hold holds a queue inside an actor against its bound, each time that it has grown,
// and says where it is full: a bound that nothing comes to is not tested.
func (n *Node) hold(q gauge.Queue) {
	switch {
	case q.Passed():
		n.cluster.Violated("queues are bounded", "at %s, %s: %d of %d bytes wait, the bound is %d of %d (0: none)", n.Name, q.Name, q.Items, q.Bytes, q.MostItems, q.MostBytes)
	case q.MostItems > 0 && q.Items == q.MostItems:
		n.cluster.Sometimes("full: " + q.Name)
	}
}
