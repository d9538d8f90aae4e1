package nats

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/birdwire/birdwire/messages"
)

// memberFile says, as JSON, whose folder it is: a member's of a cluster knows its
// streams by what the cluster knows, a node's that stands alone by its own files.
// Either would clear away what it does not know, so that neither starts on the
// other's.
const memberFile = "member"

type member struct {
	Cluster string `json:"cluster"`
	Node    string `json:"node"`
}

func readMember(dir string) (m member, found bool, err error) {
	b, err := os.ReadFile(filepath.Join(dir, memberFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, false, nil
	}
	if err != nil {
		return m, false, err
	}
	if err := json.Unmarshal(b, &m); err != nil || m.Node == "" {
		return m, false, fmt.Errorf("%w: %s says whose folder it is, and cannot be read: write {\"cluster\":\"NAME\",\"node\":\"NAME\"} into it", messages.ErrDamaged, filepath.Join(dir, memberFile))
	}
	return m, true, nil
}

// takeMembership makes an empty folder the member's, and refuses any other's.
func takeMembership(dir string, c *Cluster) error {
	have, found, err := readMember(dir)
	if err != nil {
		return err
	}
	if found {
		if have != (member{c.Name, c.Node}) {
			return messages.Refuse(messages.ErrConflict, "%s is the folder of node %q of cluster %q, and this is node %q of cluster %q: name the folder of this one, or an empty one", dir, have.Node, have.Cluster, c.Node, c.Name)
		}
		return nil
	}
	if err := refuseKept(dir); err != nil {
		return err
	}
	b, err := json.Marshal(member{c.Name, c.Node})
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, memberFile), b)
}

// refuseKept refuses a folder that holds streams to whoever would not keep them.
func refuseKept(dir string) error {
	entries, err := os.ReadDir(streamsDir(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) == 0 {
		return nil
	}
	return messages.Refuse(messages.ErrConflict, "%s holds what a node has kept, and several nodes, or a NATS of others, would not find it there. To move it: stop that node, run `birdwire cluster backup FILE --stopped --data` with its data folder, start the nodes each on an empty folder, and run `birdwire cluster restore FILE` on one of them; clients' cursors stay valid", dir)
}

// refuseMember refuses a member's folder to a node that stands alone.
func refuseMember(dir string) error {
	have, found, err := readMember(dir)
	if err != nil || !found {
		return err
	}
	return messages.Refuse(messages.ErrConflict, "%s is the folder of node %q of cluster %q, and a node that stands alone would not find its streams: serve it as that member, or give the node that stands alone an empty folder; what a cluster holds can be restored into a cluster only", dir, have.Node, have.Cluster)
}

// Joined says whether the folder is of a member that has had streams: it knows the
// others, and may begin with any of them. One that has not may be the first of a
// new cluster, which must not begin twice.
func Joined(dir string) bool {
	_, member, err := readMember(dir)
	if err != nil || !member {
		return false // what is wrong with it, the start says
	}
	_, err = os.Stat(streamDir(dir, journalStream))
	return err == nil
}
